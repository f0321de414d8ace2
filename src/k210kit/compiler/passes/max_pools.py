"""Largest-value pools of any square window become chains of the KPU's 2x2 pools.

The largest of 2x2 with stride 1, taken k - 1 times, is the largest of k x k; the last time with stride 2 where the pool
has stride 2. A step on a copy moved by one pixel down and right looks up and left, which is what padding in front asks
for; outside of the picture it sees the lowest byte.

    Before   conv ─ max pool 3x3, stride 2, padding 1
    After    conv with max pool 2x2, stride 1 ─ copy moved by (-1, -1) with max pool 2x2, stride 2

Of centred pools of one value with stride 1, as SPP has them, the larger are pools of the smaller ones' results.
The first step costs nothing where the layer before can take it, every other one a depthwise layer; nothing is rounded.
What the KPU makes too much behind is cut off. A pool that reaches further than the KPU's stays with the CPU.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from k210kit.compiler.graph import Graph, Node, Shape, shape_of, window_of
from k210kit.compiler.ops import Gather, MaxPool, Op, Padding
from k210kit.compiler.passes.pick_by_shift import moved_copy
from k210kit.compiler.stages import POOL_MAX_2X2, POOL_MAX_STRIDE_1

__all__ = ["max_pools"]

_LARGEST = 15  # pixels of a window's side: SPP has 13; each pixel more is a layer


def max_pools(graph: Graph) -> Graph:
    """Turn every MaxPool of a picture model that can be had so."""
    if len(graph.input_shape) != 3:
        return graph
    graph = graph.with_nodes(_over_smaller(graph))
    nodes: list[Node] = []
    for node in graph.nodes:
        node = _over_whole(node, graph)
        if isinstance(node.op, MaxPool) and _can(node.op, graph.shapes[node.inputs[0]], graph.shapes[node.output]):
            nodes += _chain(node, node.op, graph.shapes[node.inputs[0]], graph.shapes[node.output])
        else:
            nodes.append(node)
    return graph.with_nodes(nodes)


def _over_smaller(graph: Graph) -> list[Node]:
    """Pools that read one value, the larger rewritten to read the next smaller one's result; no node moves up."""
    nodes: list[Node] = []
    done: dict[str, list[Node]] = {}  # value -> the centred pools of it, so far
    for node in graph.nodes:
        if _centred(node.op):
            op = node.op
            assert isinstance(op, MaxPool)
            before = done.setdefault(node.inputs[0], [])
            smaller = [n for n in before if isinstance(n.op, MaxPool) and n.op.kernel[0] < op.kernel[0]]
            before.append(node)
            if smaller:
                nearest = max(smaller, key=lambda n: n.op.kernel[0] if isinstance(n.op, MaxPool) else 0)
                assert isinstance(nearest.op, MaxPool)
                size = op.kernel[0] - nearest.op.kernel[0] + 1
                around = size // 2
                padding = Padding(top=around, left=around, bottom=around, right=around)
                node = replace(node, op=replace(op, kernel=(size, size), padding=padding), inputs=(nearest.output,))
        nodes.append(node)
    return nodes


def _over_whole(node: Node, graph: Graph) -> Node:
    """A pool of a window that begins at the upper left, reading the whole map: what that makes more is cut off."""
    op, before = node.op, graph.makers.get(node.inputs[0])
    if not isinstance(op, MaxPool) or before is None or not isinstance(before.op, Gather) or len(before.inputs) != 1:
        return node
    whole, inside = graph.shapes[before.inputs[0]], before.op.shape
    if window_of(before.op.index, whole, inside) != (0, 0) or op.padding.bottom or op.padding.right:
        return node
    over = replace(node, inputs=before.inputs)
    out = graph.shapes[node.output]
    return over if shape_of(over, [whole]) == out or _can(op, whole, out) else node


def _centred(op: Op) -> bool:
    if not isinstance(op, MaxPool) or op.stride != (1, 1) or op.kernel[0] != op.kernel[1] or op.kernel[0] % 2 == 0:
        return False
    around = op.kernel[0] // 2
    return op.padding == Padding(top=around, left=around, bottom=around, right=around)


def _can(op: MaxPool, shape: Shape, out: Shape) -> bool:
    size, stride = op.kernel[0], op.stride[0]
    if op.kernel[1] != size or op.stride[1] != stride or stride not in (1, 2) or not 2 <= size <= _LARGEST:
        return False
    for before, made, pixels in zip((op.padding.top, op.padding.left), out[1:], shape[1:], strict=True):
        inner = before - (stride - 1)  # moved steps of stride 1: they lose the last pixel, which must be seen before it
        if made > pixels // stride or before > size - 1 or (inner > 0 and before > size - 2):
            return False
    return True


def _chain(node: Node, op: MaxPool, shape: Shape, out: Shape) -> list[Node]:
    stride, count = op.stride[0], op.kernel[0] - 1
    nodes: list[Node] = []
    source = node.inputs[0]
    for k in range(count):
        halves = stride == 2 and k == count - 1
        by = (-int(k >= count - op.padding.top), -int(k >= count - op.padding.left))
        step: Op = _HALF if halves else _STEP
        if by != (0, 0):
            pool = POOL_MAX_2X2 if halves else POOL_MAX_STRIDE_1
            step = moved_copy(shape[0], by, pool_type=pool, border="lowest")
        nodes.append(replace(node, op=step, inputs=(source,), output=f"{node.output}/step {k}"))
        source = nodes[-1].output
    made = (shape[0], shape[1] // stride, shape[2] // stride)
    last = nodes.pop()
    if made == out:
        return [*nodes, replace(last, output=node.output)]
    full = replace(last, output=f"{node.output}/full")
    kept = np.arange(made[0] * made[1] * made[2]).reshape(made)[:, : out[1], : out[2]]
    crop = Gather(index=kept.reshape(-1), shape=out)
    return [*nodes, full, replace(node, op=crop, inputs=(full.output,))]


_STEP = MaxPool(kernel=(2, 2), stride=(1, 1), padding=Padding(bottom=1, right=1))
_HALF = MaxPool(kernel=(2, 2), stride=(2, 2))
