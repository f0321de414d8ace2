"""From the graph in the KPU's terms to steps on buffers."""

from k210kit.compiler.lowering.graph import lower
from k210kit.compiler.lowering.tiles import Tiling

__all__ = ["Tiling", "lower"]
