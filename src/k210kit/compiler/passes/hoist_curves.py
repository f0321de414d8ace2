"""Elementwise functions move up, past rearrangements and concatenations, to the convolution that can take them.

Before   conv ─┬─ concat ─ relu          conv ─ gather ─ relu
         conv ─┘
After    conv ─ relu ─┬─ concat          conv ─ relu ─ gather
         conv ─ relu ─┘
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from k210kit.compiler.graph import Graph, Node
from k210kit.compiler.ops import Concat, Curve, Gather, Op, PRelu

__all__ = ["hoist_curves"]


def hoist_curves(graph: Graph) -> Graph:
    """Hoist until nothing moves."""
    while True:
        moved = _once(graph)
        if moved is None:
            return graph
        graph = moved


def _once(graph: Graph) -> Graph | None:
    for place, node in enumerate(graph.nodes):
        if not isinstance(node.op, Curve | PRelu):
            continue
        before = graph.makers.get(node.inputs[0])
        if before is None or not isinstance(before.op, Concat | Gather) or not _alone(graph, before.output):
            continue
        if isinstance(before.op, Gather) and len(graph.input_shape) != 3:
            continue
        if isinstance(before.op, Gather) and isinstance(node.op, PRelu) and not _flattens_pixels(before, graph):
            continue
        if any(not isinstance(graph.shapes[name], tuple) or name == graph.input for name in before.inputs):
            continue
        names = tuple(f"{node.output}/{k}" for k in range(len(before.inputs)))
        above = _above(graph, node, before, names)
        below = replace(before, inputs=names, output=node.output)
        rest = [n for n in graph.nodes[:place] if n is not before]
        return graph.with_nodes([*rest, *above, below, *graph.nodes[place + 1 :]])
    return None


def _flattens_pixels(node: Node, graph: Graph) -> bool:
    """Whether (channels, 1, 1) becomes (channels,), so that slopes stay with their numbers."""
    op, shape = node.op, graph.shapes[node.inputs[0]]
    assert isinstance(op, Gather)
    return len(node.inputs) == 1 and shape[1:] == (1, 1) and np.array_equal(op.index, np.arange(shape[0]))


def _alone(graph: Graph, name: str) -> bool:
    return len(graph.readers.get(name, ())) == 1 and name not in graph.output_values


def _above(graph: Graph, node: Node, before: Node, names: tuple[str, ...]) -> list[Node]:
    nodes, first = [], 0
    for name, source in zip(names, before.inputs, strict=True):
        op: Op = node.op
        if isinstance(op, PRelu):
            count = graph.shapes[source][0]
            op = PRelu(slopes=np.ascontiguousarray(op.slopes[first : first + count]))
            first += count
        nodes.append(replace(node, op=op, inputs=(source,), output=name))
    return nodes
