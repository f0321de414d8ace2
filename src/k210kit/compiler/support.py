"""What the KPU and the format cannot do: one table that is the check, the message and the documentation."""

from __future__ import annotations

from k210kit.compiler.allocate import Placement
from k210kit.compiler.graph import Graph
from k210kit.compiler.program import Program

__all__ = ["refuse_memory", "refuse_unsupported"]


def refuse_unsupported(graph: Graph) -> None:
    pass


def refuse_memory(graph: Graph, program: Program, placement: Placement) -> None:
    pass
