"""Transposed convolutions become enlargement, a mask and a convolution, which the K210 has.

    Before   conv transpose, stride 2
    After    nearest neighbour x 2 ─ every second row and column kept, 0 elsewhere ─ conv, stride 1

Depth to space is the transposed convolution with a single 1 per pixel. Which rows are kept, the even or the odd, is
free; those are taken with which the kernel reaches no further than one pixel, where that can be.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler.graph import Graph, Node, Shape
from k210kit.compiler.ops import Conv, ConvTranspose, Gather, Masked, Padding, Resize

__all__ = ["transposed"]


def transposed(graph: Graph) -> Graph:
    """Turn every transposed convolution of stride 1 or 2, and every depth to space by 2."""
    if len(graph.input_shape) != 3:
        return graph
    nodes: list[Node] = []
    for node in graph.nodes:
        if isinstance(node.op, Gather) and len(node.inputs) == 1:
            deep = _depth_to_space(node.op, graph.shapes[node.inputs[0]])
            node = node if deep is None else replace(node, op=deep)
        if isinstance(node.op, ConvTranspose):
            nodes.extend(_turned(node, node.op, graph.shapes[node.inputs[0]], graph.shapes[node.output]))
        else:
            nodes.append(node)
    return graph.with_nodes(nodes)


def _depth_to_space(op: Gather, source: Shape) -> ConvTranspose | None:
    if len(source) != 3 or len(op.shape) != 3 or op.shape[1:] != (2 * source[1], 2 * source[2]):
        return None
    index, size = op.index.reshape(op.shape), source[1] * source[2]
    channel = index[:, :2, :2] // size
    rows, columns = np.arange(op.shape[1]), np.arange(op.shape[2])
    plain = channel[:, rows[:, None] % 2, columns % 2] * size + (rows[:, None] // 2) * source[2] + columns // 2
    if not np.array_equal(index, plain):
        return None
    weights = np.zeros((source[0], op.shape[0], 2, 2), np.float32)
    out, down, across = np.indices(channel.shape)
    weights[channel, out, down, across] = 1
    return ConvTranspose(weights=weights, bias=np.zeros(op.shape[0], np.float32), stride=(2, 2))


@dataclass(frozen=True)
class _Axis:
    """Along one axis: which of two pixels is kept, and the padding of the convolution."""

    kept: int
    before: int
    after: int

    def keeps(self, size: int) -> NDArray[np.bool_]:
        kept: NDArray[np.bool_] = np.arange(2 * size) % 2 == self.kept
        return kept


def _turned(node: Node, op: ConvTranspose, shape: Shape, out: Shape) -> list[Node]:
    kernel = op.weights.shape[2:]
    cut = ((op.padding.top, op.padding.bottom), (op.padding.left, op.padding.right))
    if op.stride == (1, 1):
        pads = [(k - 1 - a, k - 1 - b) for k, (a, b) in zip(kernel, cut, strict=True)]
        if min(min(pad) for pad in pads) < 0:
            return [node]
        return [replace(node, op=_conv(op, *pads))]
    if op.stride != (2, 2):
        return [node]
    axes = [_axis(shape[k + 1], out[k + 1], kernel[k], cut[k][0]) for k in (0, 1)]
    rows, columns = axes
    if rows is None or columns is None:
        return [node]
    height, width = 2 * shape[1], 2 * shape[2]
    large, spread = f"{node.output}/large", f"{node.output}/spread"
    mask = Masked(rows=rows.keeps(shape[1]), columns=columns.keeps(shape[2]))
    return [
        replace(node, op=Resize(height=height, width=width), output=large),
        replace(node, op=mask, inputs=(large,), output=spread),
        replace(node, op=_conv(op, (rows.before, rows.after), (columns.before, columns.after)), inputs=(spread,)),
    ]


def _axis(size: int, out: int, kernel: int, cut: int) -> _Axis | None:
    choices = []
    for kept in (0, 1):
        before = kernel - 1 - cut - kept
        after = out - 2 * size - before + kernel - 1
        if min(before, after) >= 0:
            reach = max(before, kernel - 1 - before)
            choices.append((reach, kept, _Axis(kept, before, after)))
    return min(choices, key=lambda c: c[:2])[2] if choices else None


def _conv(op: ConvTranspose, rows: tuple[int, int], columns: tuple[int, int]) -> Conv:
    ins, per_group, kh, kw = op.weights.shape
    grouped = op.weights.reshape(op.groups, ins // op.groups, per_group, kh, kw)[..., ::-1, ::-1]
    weights = np.ascontiguousarray(grouped.transpose(0, 2, 1, 3, 4).reshape(-1, ins // op.groups, kh, kw))
    groups = op.groups
    if groups > 1 and max(kh, kw) > 3:  # only dense layers are taken apart
        dense = np.zeros((len(weights), ins, kh, kw), np.float32)
        each, taken = len(weights) // groups, ins // groups
        for group in range(groups):
            part = slice(group * each, (group + 1) * each)
            dense[part, group * taken : (group + 1) * taken] = weights[part]
        weights, groups = dense, 1
    padding = Padding(top=rows[0], bottom=rows[1], left=columns[0], right=columns[1])
    return Conv(weights=weights, bias=op.bias, padding=padding, groups=groups)
