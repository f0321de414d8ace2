"""Slices, splits, shuffles and every-second-pixel picks between layers become convolutions with a single 1 per channel.

Before   x ─┬─ x[:, ::2, ::2] ──┐             x ─ channels 8 to 15 ─ conv
            ├─ x[:, 1::2, ::2] ─┤
            ├─ x[:, ::2, 1::2] ─ concat
            └─ x[:, 1::2, 1::2] ┘
After    x ─ conv 2x2, stride 2               x ─ conv 1x1 ─ conv
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from k210kit.compiler.graph import Graph, Shape
from k210kit.compiler.ops import Concat, Conv, Gather, Op, Resize

__all__ = ["gathers_to_convs"]


def gathers_to_convs(graph: Graph) -> Graph:
    """Turn each gather that some layer reads in the end and that takes pixels at a constant distance."""
    if len(graph.input_shape) != 3:
        return graph
    wanted: set[str] = set()
    for node in reversed(graph.nodes):
        if not isinstance(node.op, Gather | Concat | Resize) or node.output in wanted:
            wanted.update(node.inputs)
    nodes = []
    for node in graph.nodes:
        if isinstance(node.op, Gather) and len(node.inputs) == 1 and node.output in wanted:
            made = _as_conv(node.op, graph.shapes[node.inputs[0]])
            node = node if made is None else replace(node, op=made)
        nodes.append(node)
    return graph.with_nodes(nodes)


def _as_conv(op: Gather, source: Shape) -> Op | None:
    if len(source) != 3 or len(op.shape) != 3 or op.shape[1] < 2 or op.shape[2] < 2:
        return None
    channels, height, width = source
    index = op.index.reshape(op.shape)
    first = index[:, 0, 0]
    stride = int(index[0, 0, 1] - index[0, 0, 0])
    if stride not in (1, 2) or op.shape[1:] != (height // stride, width // stride):
        return None
    rows, columns = np.arange(op.shape[1])[:, None] * stride * width, np.arange(op.shape[2]) * stride
    if not np.array_equal(index, first[:, None, None] + rows + columns):
        return None
    channel, rest = first // (height * width), first % (height * width)
    down, across = rest // width, rest % width
    if down.max() >= stride or across.max() >= stride:
        return None
    bias = np.zeros(op.shape[0], np.float32)
    if op.shape[0] == channels and np.array_equal(channel, np.arange(channels)):
        weights = np.zeros((channels, 1, stride, stride), np.float32)
        weights[np.arange(channels), 0, down, across] = 1
        return Conv(weights=weights, bias=bias, stride=(stride, stride), groups=channels)
    weights = np.zeros((op.shape[0], channels, stride, stride), np.float32)
    weights[np.arange(op.shape[0]), channel, down, across] = 1
    return Conv(weights=weights, bias=bias, stride=(stride, stride))
