"""Softmax over two numbers is the sigmoid of their difference, which the KPU computes for all pixels of a map at once.

Before   (2n, h, w) ─┬─ gather ─ softmax over 2
         (2m, k, l) ─┘
After    (2n, h, w) of differences ─ sigmoid ─┬─ gather
         (2m, k, l) of differences ─ sigmoid ─┘

A convolution that makes such a map gives the differences itself; behind anything else stands one of 1x1.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler.graph import Graph, Node, elements
from k210kit.compiler.ops import Conv, Curve, Gather, Softmax

__all__ = ["softmax_of_two"]


def softmax_of_two(graph: Graph) -> Graph:
    """Turn each softmax over pairs that are channels of maps of several pixels."""
    nodes: list[Node] = []
    for node in graph.nodes:
        before = graph.makers.get(node.inputs[0]) if node.inputs else None
        partners = _partners(node, before, graph) if before is not None else None
        if before is None or partners is None:
            nodes.append(node)
            continue
        names = tuple(f"{node.output}/map {k}" for k in range(len(partners)))
        for source, partner, name in zip(before.inputs, partners, names, strict=True):
            nodes.append(replace(_difference(graph, node, source, partner), output=f"{name}/difference"))
            nodes.append(replace(node, op=Curve(kind="sigmoid"), inputs=(f"{name}/difference",), output=name))
        nodes.append(replace(before, inputs=names, output=node.output))
    return graph.with_nodes(nodes)


def _partners(node: Node, before: Node, graph: Graph) -> list[NDArray[np.int64]] | None:
    """For each map: which channel each channel is paired with; None if anything is not in such pairs."""
    if not isinstance(node.op, Softmax) or node.op.length != 2 or not isinstance(before.op, Gather):
        return None
    sizes = [elements(graph.shapes[name]) for name in before.inputs]
    pairs = before.op.index.reshape(-1, 2)
    if not np.array_equal(np.sort(pairs.reshape(-1)), np.arange(sum(sizes))):
        return None
    found = []
    for name, size, end in zip(before.inputs, sizes, np.cumsum(sizes), strict=True):
        own = pairs[(pairs[:, 0] >= end - size) & (pairs[:, 0] < end)] - (end - size)
        partner = _of_map(own, graph.shapes[name])
        if partner is None:
            return None
        found.append(partner)
    return found


def _of_map(pairs: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.int64] | None:
    """The channels' partners, if the pairs [any, 2] are of one pixel each and alike at every pixel of the map."""
    if len(shape) != 3 or shape[1:] == (1, 1) or pairs.size != elements(shape) or pairs.max() >= elements(shape):
        return None
    channels, pixels = np.divmod(pairs, shape[1] * shape[2])
    partner = np.zeros(shape[0], np.int64)
    partner[channels[:, 0]] = channels[:, 1]
    partner[channels[:, 1]] = channels[:, 0]
    alike = (pixels[:, 0] == pixels[:, 1]) & (partner[channels[:, 0]] == channels[:, 1])
    return partner if bool(alike.all()) else None


def _difference(graph: Graph, node: Node, source: str, partner: NDArray[np.int64]) -> Node:
    """What makes each channel of `source` less its partner; its output is yet to be named."""
    maker = graph.makers.get(source)
    if maker is not None and isinstance(maker.op, Conv) and maker.op.groups == 1:
        op = maker.op
        return replace(maker, op=replace(op, weights=op.weights - op.weights[partner], bias=op.bias - op.bias[partner]))
    count = len(partner)
    matrix = np.eye(count, dtype=np.float32) - np.eye(count, dtype=np.float32)[partner]
    return replace(node, op=Conv(weights=matrix[:, :, None, None], bias=np.zeros(count, np.float32)), inputs=(source,))
