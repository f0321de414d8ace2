"""What the inputs of an operation reach on the calibration pictures, for those that are lowered by it."""

from __future__ import annotations

from dataclasses import replace

from k210kit.compiler import evaluate
from k210kit.compiler.graph import Graph
from k210kit.compiler.ops import Measured, Seen
from k210kit.compiler.pictures import Batch

__all__ = ["is_measured", "measured"]

_MOST_PICTURES = 10


def is_measured(graph: Graph) -> bool:
    """Whether there is something to see."""
    return any(isinstance(node.op, Measured) for node in graph.nodes)


def measured(graph: Graph, batch: Batch) -> Graph:
    """Write down what is seen; a graph without such operations is not run. batch: (pictures, *input shape)."""
    wanted = {name for node in graph.nodes if isinstance(node.op, Measured) for name in node.inputs}
    if not wanted:
        return graph
    found: dict[str, Seen] = {}
    for name, value in evaluate.values(graph, batch[:_MOST_PICTURES]):
        if name in wanted:
            rows = value.reshape(len(value), value.shape[1], -1)
            found[name] = Seen(low=rows.min((0, 2)), high=rows.max((0, 2)))
    return graph.with_nodes(
        replace(node, op=replace(node.op, seen=tuple(found[name] for name in node.inputs)))
        if isinstance(node.op, Measured)
        else node
        for node in graph.nodes
    )
