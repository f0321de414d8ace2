"""A dense layer becomes a 1x1 convolution on a map of one pixel, which the KPU can run.

    Before   (c, 1, 1) ─ gather ─ (c,) ─ dense ─ (o,)
    After    (c, 1, 1) ─ conv 1x1 ─ (o, 1, 1) ─ gather ─ (o,)

A map of several pixels is laid out as (c * h * w, 1, 1) first. Inputs that the KPU cannot take at once (1024 channels)
are cut into parts whose results are added up. A model whose input is flat keeps its dense layers: they run as floats.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler.graph import Graph, Node, elements
from k210kit.compiler.ops import Add, Conv, Dense, Gather
from k210kit.hardware import MOST_CHANNELS

__all__ = ["dense_to_conv"]


def dense_to_conv(graph: Graph) -> Graph:
    """Turn every Dense of a picture model."""
    if len(graph.input_shape) != 3:
        return graph
    makers = graph.makers
    nodes: list[Node] = []
    for node in graph.nodes:
        if isinstance(node.op, Dense):
            nodes.extend(_turned(node, node.op, makers.get(node.inputs[0]), graph))
        else:
            nodes.append(node)
    return graph.with_nodes(nodes)


def _turned(node: Node, op: Dense, before: Node | None, graph: Graph) -> list[Node]:
    weights, source = op.weights, node.inputs[0]
    if before is not None and isinstance(before.op, Gather) and len(before.inputs) == 1:
        index = before.op.index
        count = elements(graph.shapes[before.inputs[0]])
        if count == index.size and np.array_equal(np.sort(index), np.arange(count)):
            source = before.inputs[0]
            weights = np.empty_like(op.weights)
            weights[:, index] = op.weights
    outs, ins = weights.shape
    parts = -(-ins // MOST_CHANNELS)
    edges = [ins * k // parts for k in range(parts + 1)]
    nodes, sums = [], []
    for k in range(parts):
        first, last = edges[k], edges[k + 1]
        name = node.output if parts == 1 else f"{node.output}/part {k}"
        pixel = _gather(node, f"{name}/pixel", source, np.arange(first, last), (last - first, 1, 1))
        bias = op.bias if k == 0 else np.zeros_like(op.bias)
        conv = Conv(weights=np.ascontiguousarray(weights[:, first:last, None, None]), bias=bias)
        made = _derived(node, conv, (pixel.output,), f"{name}/conv")
        nodes += [pixel, made]
        sums.append(made.output)
    while len(sums) > 1:
        added = _derived(node, Add(), (sums[0], sums[1]), f"{node.output}/sum {len(sums)}")
        nodes.append(added)
        sums = [*sums[2:], added.output]
    return [*nodes, _gather(node, node.output, sums[0], np.arange(outs), (outs,))]


def _derived(node: Node, op: Conv | Add | Gather, inputs: tuple[str, ...], output: str) -> Node:
    return Node(op=op, inputs=inputs, output=output, origin=node.origin, kind=node.kind)


def _gather(node: Node, output: str, source: str, index: NDArray[np.int64], shape: tuple[int, ...]) -> Node:
    return _derived(node, Gather(index=index.astype(np.int64), shape=shape), (source,), output)
