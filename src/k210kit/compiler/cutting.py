"""Where a model can be ended so that everything before it runs on the K210, and the rest is left to the board.

Before   ... ─ heads ─ decode ─ choose boxes (refused)
After    ... ─ heads, as outputs:  --outputs NAME,NAME,NAME
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from k210kit.compiler.graph import Graph, Node, Output
from k210kit.compiler.ops import Foreign, Gather, Softmax
from k210kit.compiler.support import LIMITS

__all__ = ["ends_before"]

_MOST_OUTPUTS = 12
_MOST_TRIES = 40

Refused = Callable[[Graph], str | None]  # the user's name of a layer that still cannot be had, None if all can


def ends_before(graph: Graph, refused: Refused, first: str | None = None) -> tuple[str, ...]:
    """The values to end a model at, by the source model's names; none if that leaves nothing, or too many.

    first: the name of a layer that was refused already. What is told was tried: `refused` says no to nothing in it.
    """
    shape = graph.input_shape
    if len(shape) == 3 and any(limit.broken(shape) for limit in LIMITS):
        return ()
    bad = {node.origin for node in graph.nodes if isinstance(node.op, Foreign)} | ({first} if first else set())
    for _ in range(_MOST_TRIES):
        names = _frontier(graph, bad)
        if not 0 < len(names) <= _MOST_OUTPUTS:
            return ()
        cut = replace(graph, outputs=tuple(Output(value=name, name=name) for name in names)).with_nodes(graph.nodes)
        more = refused(cut)
        if more is None:
            return names
        if more in bad:
            return ()
        bad.add(more)
    return ()


def _frontier(graph: Graph, bad: set[str]) -> tuple[str, ...]:
    """The last values that need nothing bad, before rearrangements and softmax, in order."""
    lost: set[str] = set()
    ends: list[str] = []
    for node in graph.nodes:
        if node.origin in bad or any(name in lost for name in node.inputs):
            lost.add(node.output)
            ends += [name for name in node.inputs if name not in lost]
    ends += [output.value for output in graph.outputs if output.value not in lost]
    found: set[str] = set()
    waiting = list(ends)
    while waiting:
        name = waiting.pop()
        maker: Node | None = graph.makers.get(name)
        if maker is None:  # the input itself
            continue
        if isinstance(maker.op, Gather | Softmax):
            waiting += maker.inputs
        else:
            found.add(name)
    return tuple(node.output for node in graph.nodes if node.output in found)
