"""Softmax over two numbers is the sigmoid of their difference, which the KPU computes for all pixels of a map at once.

Before   (2, h, w) ─ gather ─ softmax over 2
After    (2, h, w) ─ conv 1x1 ─ sigmoid ─ gather
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from k210kit.compiler.graph import Graph, Node
from k210kit.compiler.ops import Conv, Curve, Gather, Softmax

__all__ = ["softmax_of_two"]


def softmax_of_two(graph: Graph) -> Graph:
    """Turn each softmax over pairs that are channels of one map of several pixels."""
    nodes: list[Node] = []
    for node in graph.nodes:
        before = graph.makers.get(node.inputs[0]) if node.inputs else None
        if before is None or not isinstance(node.op, Softmax) or not _pairs_of_channels(node.op, before, graph):
            nodes.append(node)
            continue
        source = before.inputs[0]
        channels = graph.shapes[source][0]
        partner = np.eye(channels, dtype=np.float32) - np.eye(channels, dtype=np.float32)[_partners(before, graph)]
        difference = Conv(weights=partner[:, :, None, None], bias=np.zeros(channels, np.float32))
        nodes += [
            replace(node, op=difference, inputs=(source,), output=f"{node.output}/difference"),
            replace(node, op=Curve(kind="sigmoid"), inputs=(f"{node.output}/difference",), output=f"{node.output}/map"),
            replace(before, inputs=(f"{node.output}/map",), output=node.output),
        ]
    return graph.with_nodes(nodes)


def _pairs_of_channels(op: Softmax, before: Node, graph: Graph) -> bool:
    if op.length != 2 or not isinstance(before.op, Gather) or len(before.inputs) != 1:
        return False
    shape = graph.shapes[before.inputs[0]]
    if len(shape) != 3 or shape[1:] == (1, 1):
        return False
    size = shape[1] * shape[2]
    pairs = before.op.index.reshape(-1, 2)
    same_pixel = bool((pairs[:, 0] % size == pairs[:, 1] % size).all())
    whole = np.array_equal(np.sort(before.op.index), np.arange(shape[0] * size))
    return same_pixel and whole and _always(before, graph)


def _partners(before: Node, graph: Graph) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Which channel each channel is paired with at the first pixel that it is seen at."""
    assert isinstance(before.op, Gather)
    shape = graph.shapes[before.inputs[0]]
    pairs = before.op.index.reshape(-1, 2) // (shape[1] * shape[2])
    partner = np.zeros(shape[0], np.int64)
    partner[pairs[:, 0]] = pairs[:, 1]
    partner[pairs[:, 1]] = pairs[:, 0]
    return partner


def _always(before: Node, graph: Graph) -> bool:
    """Whether the channels are paired alike at every pixel."""
    assert isinstance(before.op, Gather)
    shape = graph.shapes[before.inputs[0]]
    pairs = before.op.index.reshape(-1, 2) // (shape[1] * shape[2])
    return bool((_partners(before, graph)[pairs[:, 0]] == pairs[:, 1]).all())
