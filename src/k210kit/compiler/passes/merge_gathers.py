"""Rearrangements of rearrangements become one; those that change nothing vanish.

Before   x ─ reshape ─ transpose ─ reshape
After    x ─ gather
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from k210kit.compiler.graph import Graph, Node, elements
from k210kit.compiler.ops import Concat, Gather

__all__ = ["merge_gathers"]


def merge_gathers(graph: Graph) -> Graph:
    """Merge chains of gathers, drop the idle ones, and turn channel concatenations of gathers into gathers."""
    shapes = graph.shapes
    made: dict[str, Node] = {}
    renamed: dict[str, str] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        node = replace(node, inputs=tuple(renamed.get(name, name) for name in node.inputs))
        if isinstance(node.op, Concat) and _all_gathers(node, made):
            total = sum(elements(shapes[name]) for name in node.inputs)
            op = Gather(index=np.arange(total, dtype=np.int64), shape=shapes[node.output])
            node = replace(node, op=op)
        if isinstance(node.op, Gather):
            node = _merged(node, node.op, made, graph)
            if _idle(node, graph) and node.output not in graph.output_values:
                renamed[node.output] = node.inputs[0]
                continue
            made[node.output] = node
        nodes.append(node)
    return graph.with_nodes(nodes)


def _all_gathers(node: Node, made: dict[str, Node]) -> bool:
    """Whether a concatenation is better one gather: some part has several sources, or all are parts of one source."""
    parts = [made[name] for name in node.inputs if name in made]
    several = any(len(part.inputs) > 1 for part in parts)
    one = len(parts) == len(node.inputs) and len({part.inputs for part in parts}) == 1
    return several or one


def _merged(node: Node, op: Gather, made: dict[str, Node], graph: Graph) -> Node:
    sources: list[str] = []
    starts: dict[str, int] = {}
    parts = []
    for name in node.inputs:
        before = made.get(name)
        inner = before.inputs if before is not None else (name,)
        for source in inner:
            if source not in starts:
                starts[source] = sum(elements(graph.shapes[s]) for s in sources)
                sources.append(source)
        sizes = [elements(graph.shapes[s]) for s in inner]
        table = np.concatenate([starts[s] + np.arange(size) for s, size in zip(inner, sizes, strict=True)])
        parts.append(table[before.op.index] if before is not None and isinstance(before.op, Gather) else table)
    joined = np.concatenate(parts)
    return replace(node, op=Gather(index=joined[op.index], shape=op.shape), inputs=tuple(sources))


def _idle(node: Node, graph: Graph) -> bool:
    op = node.op
    same = isinstance(op, Gather) and len(node.inputs) == 1 and op.shape == graph.shapes[node.inputs[0]]
    return bool(same and isinstance(op, Gather) and np.array_equal(op.index, np.arange(op.index.size)))
