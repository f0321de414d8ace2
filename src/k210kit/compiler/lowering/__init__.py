"""From the graph in the KPU's terms to steps on buffers."""

from k210kit.compiler.lowering.graph import lower

__all__ = ["lower"]
