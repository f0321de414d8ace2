"""Curves, pools and sums join the KPU layer before them, or become one.

Before   kpu conv ─ relu ─ max pool 2x2          a ─┐
                                                 b ─ add ─ relu
After    kpu conv with relu and pool             (a, b) ─ kpu conv 1x1 with relu
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler.curves import IDENTITY, is_linear
from k210kit.compiler.graph import Graph, Node, Shape
from k210kit.compiler.ops import Add, Curve, MaxPool, Op, Pad, Padding, PRelu, Sub
from k210kit.compiler.stages import PICK_LEFT_TOP, POOL_MAX_2X2, POOL_MAX_STRIDE_1, POOL_NONE, KpuConv

__all__ = ["copy_layer", "fuse_layers"]


def fuse_layers(graph: Graph) -> Graph:
    """Make the layers of a picture model; a flat model has none."""
    if len(graph.input_shape) != 3:
        return graph
    graph = graph.with_nodes(_as_layer(node, graph.shapes) for node in graph.nodes)
    graph = _fused(graph, _with_curve)
    graph = _fused(graph, _with_pool)
    return graph.with_nodes(_alone_as_layer(node, graph.shapes) for node in graph.nodes)


def copy_layer(
    channels: int, curve: Curve = IDENTITY, slopes: NDArray[np.float32] | None = None, pool_type: int = 0
) -> KpuConv:
    """A depthwise 1x1 layer with weights of 1."""
    return KpuConv(
        weights=np.ones((channels, 1, 1), np.float32),
        bias=np.zeros(channels, np.float32),
        depthwise=True,
        curve=curve,
        slopes=slopes,
        pool_type=pool_type,
    )


def _as_layer(node: Node, shapes: object) -> Node:
    op = node.op
    if not isinstance(op, Add | Sub | Pad) or not isinstance(shapes, dict):
        return node
    shape: Shape = shapes[node.output]
    if len(shape) != 3:
        return node
    if isinstance(op, Pad):
        return _as_channels(node, op, shape) if op.channels_after and not op.padding else node
    eye = np.eye(shape[0], dtype=np.float32)
    both = [eye, eye if isinstance(op, Add) else -eye]
    weights = both[0] + both[1] if node.inputs[0] == node.inputs[1] else np.concatenate(both, 1)
    conv = KpuConv(weights=np.ascontiguousarray(weights[:, :, None, None]), bias=np.zeros(shape[0], np.float32))
    return replace(node, op=conv, inputs=tuple(dict.fromkeys(node.inputs)))


def _as_channels(node: Node, op: Pad, shape: Shape) -> Node:
    weights = np.eye(shape[0], shape[0] - op.channels_after, dtype=np.float32)
    bias = np.zeros(shape[0], np.float32)
    bias[shape[0] - op.channels_after :] = op.value
    return replace(node, op=KpuConv(weights=np.ascontiguousarray(weights[:, :, None, None]), bias=bias))


def _fused(graph: Graph, join: object) -> Graph:
    """Join each node to the layer before it, where `join(layer, op, shape of the layer's result)` makes one of both."""
    assert callable(join)
    places: dict[str, int] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        place = places.get(node.inputs[0]) if len(node.inputs) == 1 else None
        if place is not None and _only_reader(graph, node.inputs[0]):
            before = nodes[place]
            made = join(before.op, node.op, graph.shapes[node.inputs[0]]) if isinstance(before.op, KpuConv) else None
            if made is not None:
                nodes[place] = replace(before, op=made, output=node.output)
                places[node.output] = place
                continue
        places[node.output] = len(nodes)
        nodes.append(node)
    return graph.with_nodes(nodes)


def _only_reader(graph: Graph, name: str) -> bool:
    return len(graph.readers.get(name, ())) == 1 and name not in graph.output_values


def _with_curve(layer: KpuConv, op: Op, _: Shape) -> KpuConv | None:
    free = is_linear(layer.curve) and layer.slopes is None
    if not free or layer.pool_type not in (POOL_NONE, PICK_LEFT_TOP):
        return None
    if isinstance(op, Curve):
        return replace(layer, curve=op)
    return replace(layer, slopes=op.slopes) if isinstance(op, PRelu) else None


def _with_pool(layer: KpuConv, op: Op, shape: Shape) -> KpuConv | None:
    pool = _pool(op, shape)
    return replace(layer, pool_type=pool) if layer.pool_type == POOL_NONE and pool is not None else None


def _pool(op: Op, shape: Shape) -> int | None:
    """Which pool of the KPU this is."""
    if not isinstance(op, MaxPool) or op.kernel != (2, 2):
        return None
    if op.stride == (2, 2) and not op.padding:
        return POOL_MAX_2X2
    return POOL_MAX_STRIDE_1 if op.stride == (1, 1) and op.padding == Padding(bottom=1, right=1) else None


def _alone_as_layer(node: Node, shapes: object) -> Node:
    """What found no layer to join becomes one."""
    op = node.op
    if not isinstance(op, Curve | PRelu | MaxPool) or not isinstance(shapes, dict):
        return node
    shape: Shape = shapes[node.inputs[0]]
    if len(shape) != 3:
        return node
    if isinstance(op, Curve):
        return replace(node, op=copy_layer(shape[0], curve=op))
    if isinstance(op, PRelu):
        return replace(node, op=copy_layer(shape[0], slopes=op.slopes))
    pool = _pool(op, shape)
    return node if pool is None else replace(node, op=copy_layer(shape[0], pool_type=pool))
