"""The sum of a 1x1 layer's result and another map becomes one layer over both layers' inputs.

    Before   x ─ conv 1x1 ─┐                   After    x ─┐
                        s ─ add                         s ─ conv 1x1, weights beside a diagonal of ones

It saves a layer, and the rounding of a map to bytes: of a MobileNetV2, 7 % of the time and the weights of each sum. A
3x3 layer stays as it is: beside its weights, the ones would be 9 bytes for each pair of channels. And so does a layer
whose weights are small: they share the 8 bits of a row with a 1.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from k210kit.compiler import curves
from k210kit.compiler.graph import Graph, Node
from k210kit.compiler.stages import POOL_NONE, KpuConv
from k210kit.hardware import MOST_CHANNELS

__all__ = ["merge_sums"]

_LEAST_WEIGHT = 0.25  # the median of the rows' largest: below it, more than two of a weight's eight bits go to the 1


def merge_sums(graph: Graph) -> Graph:
    """Merge every sum that can be."""
    order = {name: place for place, name in enumerate([graph.input, *(node.output for node in graph.nodes)])}
    made: dict[str, Node] = {}  # by value, as far as it has come
    for node in graph.nodes:
        for place in (1, 0):
            maker = made.get(node.inputs[place]) if _is_sum(node.op) and len(node.inputs) == 2 else None
            merged = _merged(node, place, maker, graph, order) if maker is not None else None
            if merged is not None:
                del made[node.inputs[place]]
                node = merged
                break
        made[node.output] = node
    return graph.with_nodes(made.values())


def _is_sum(op: object) -> bool:
    if not isinstance(op, KpuConv) or op.depthwise or op.kernel != 1 or op.in_channels != 2 * op.out_channels:
        return False
    both = op.weights[:, :, 0, 0]
    eye = np.eye(op.out_channels, dtype=np.float32)
    return np.array_equal(both[:, : op.out_channels], eye) and np.array_equal(abs(both[:, op.out_channels :]), eye)


def _merged(node: Node, place: int, maker: Node, graph: Graph, order: dict[str, int]) -> Node | None:
    """The sum with the layer that makes its input at `place`; None if that layer must stay."""
    value, other, op = node.inputs[place], node.inputs[1 - place], node.op
    assert isinstance(op, KpuConv)
    if not _gives_way(maker.op) or len(graph.readers[value]) > 1 or value in graph.output_values:
        return None
    before = maker.op
    assert isinstance(before, KpuConv)
    if other in maker.inputs or order[other] > order[value] or before.in_channels + op.out_channels > MOST_CHANNELS:
        return None
    sides = np.split(op.weights, 2, axis=1)
    sign = np.diagonal(sides[place][:, :, 0, 0])
    weights = np.concatenate([before.weights * sign[:, None, None, None], sides[1 - place]], 1)
    made = replace(op, weights=np.ascontiguousarray(weights), bias=op.bias + sign * before.bias)
    return replace(node, op=made, inputs=(*maker.inputs, other))


def _gives_way(op: object) -> bool:
    if not isinstance(op, KpuConv) or op.depthwise or op.kernel != 1 or op.pool_type != POOL_NONE:
        return False
    largest = np.abs(op.weights.reshape(op.out_channels, -1)).max(1)
    return op.slopes is None and curves.is_linear(op.curve) and float(np.median(largest)) >= _LEAST_WEIGHT
