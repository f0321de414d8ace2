"""Convolutions of one map that are summed become one, as nets in the form that they are trained in have them.

    Before   x ─┬─ conv 3x3 ─────┐               After   x ─ conv 3x3
                ├─ conv 1x1 ──── sum
                └─ batch norm ───┘     (a depthwise 1x1 layer by now)

RepVGG, MobileOne and RepGhost are made to be merged so; who exports them before that gets the same net all the same.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeGuard

import numpy as np

from k210kit.compiler.graph import Graph, Node
from k210kit.compiler.ops import Add, Conv, Padding

__all__ = ["merge_branches"]


def merge_branches(graph: Graph) -> Graph:
    """Merge until there is nothing to merge."""
    if len(graph.input_shape) != 3:
        return graph
    while True:
        makers = graph.makers
        for node in graph.nodes:
            merged = _merged(graph, node) if isinstance(node.op, Add) else None
            if merged is not None:
                gone = {id(makers[name]) for name in node.inputs}
                made = replace(node, op=merged, inputs=makers[node.inputs[0]].inputs)
                graph = graph.with_nodes(made if n is node else n for n in graph.nodes if id(n) not in gone)
                break
        else:
            return graph


def _merged(graph: Graph, node: Node) -> Conv | None:
    """The sum as one convolution; None if it is none, or if something else reads a summand."""
    makers = [graph.makers.get(name) for name in node.inputs]
    first, second = makers
    if first is None or second is None or first is second or first.inputs != second.inputs:
        return None
    if any(len(graph.readers[name]) > 1 or name in graph.output_values for name in node.inputs):
        return None
    shape = graph.shapes[first.inputs[0]]
    one, other = first.op, second.op
    if not (_can_be_part(one) and _can_be_part(other)) or one.stride != other.stride:
        return None
    if one.groups != other.groups:
        dense = [_dense(op, shape[0]) for op in (one, other)]
        return None if dense[0] is None or dense[1] is None else _sum(dense[0], dense[1])
    return _sum(one, other)


def _can_be_part(op: object) -> TypeGuard[Conv]:
    return isinstance(op, Conv) and (op.dilation == (1, 1) or op.weights.shape[2:] == (1, 1))


def _dense(op: Conv, channels: int) -> Conv | None:
    """A convolution whose groups, if it has any, are single channels, as one without groups."""
    if op.groups == 1:
        return op
    if op.groups != channels or len(op.weights) != channels:
        return None
    weights = np.zeros((channels, channels, *op.weights.shape[2:]), np.float32)
    weights[range(channels), range(channels)] = op.weights[:, 0]
    return replace(op, weights=weights, groups=1)


def _sum(one: Conv, other: Conv) -> Conv:
    """One kernel that has the taps of both."""
    before = [max(op.padding.top for op in (one, other)), max(op.padding.left for op in (one, other))]
    firsts = [(before[0] - op.padding.top, before[1] - op.padding.left) for op in (one, other)]
    ends = [
        [first[k] + op.weights.shape[2 + k] for k in (0, 1)] for first, op in zip(firsts, (one, other), strict=True)
    ]
    kernel = [max(ends[0][k], ends[1][k]) for k in (0, 1)]
    weights = np.zeros((*one.weights.shape[:2], *kernel), np.float32)
    for first, end, op in zip(firsts, ends, (one, other), strict=True):
        weights[:, :, first[0] : end[0], first[1] : end[1]] += op.weights
    behind = [  # as many windows as before
        max(op.padding.bottom + kernel[0] - end[0] for op, end in zip((one, other), ends, strict=True)),
        max(op.padding.right + kernel[1] - end[1] for op, end in zip((one, other), ends, strict=True)),
    ]
    padding = Padding(top=before[0], left=before[1], bottom=behind[0], right=behind[1])
    return Conv(weights=weights, bias=one.bias + other.bias, stride=one.stride, padding=padding, groups=one.groups)
