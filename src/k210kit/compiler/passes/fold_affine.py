"""Scale and shift per channel go into the convolution or dense layer beside them.

    Before   conv ─ batch norm          batch norm ─ conv without padding
    After    conv                       conv

What finds no layer becomes a depthwise 1x1 convolution of its own.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from k210kit.compiler.exact import weighted_sums
from k210kit.compiler.graph import Graph, Node
from k210kit.compiler.ops import Affine, Conv, ConvTranspose, Dense, Op

__all__ = ["fold_affine"]


def fold_affine(graph: Graph) -> Graph:
    """Fold every Affine on a picture-like or flat value."""
    graph = graph.with_nodes(_folded_back(graph))
    graph = graph.with_nodes(_folded_forward(graph))
    return graph.with_nodes(_lowered(node, graph) for node in graph.nodes)


def _alone(graph: Graph, name: str) -> bool:
    return len(graph.readers.get(name, ())) == 1 and name not in graph.output_values


def _folded_back(graph: Graph) -> list[Node]:
    made: dict[str, int] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        place = made.get(node.inputs[0]) if isinstance(node.op, Affine) else None
        if place is not None and isinstance(node.op, Affine) and _alone(graph, node.inputs[0]):
            before = nodes[place]
            if isinstance(before.op, Conv | Dense | ConvTranspose):
                nodes[place] = replace(before, op=_scaled(before.op, node.op), output=node.output)
                made[node.output] = place
                continue
        made[node.output] = len(nodes)
        nodes.append(node)
    return nodes


def _scaled(op: Conv | Dense | ConvTranspose, by: Affine) -> Op:
    bias = op.bias * by.scale + by.shift
    if isinstance(op, ConvTranspose):
        per_group = op.weights.shape[1]
        scale = by.scale.reshape(op.groups, 1, per_group)
        grouped = op.weights.reshape(op.groups, -1, per_group, *op.weights.shape[2:])
        weights = (grouped * scale[..., None, None]).reshape(op.weights.shape)
        return replace(op, weights=weights.astype(np.float32), bias=bias)
    scale = by.scale.reshape(-1, *([1] * (op.weights.ndim - 1)))
    return replace(op, weights=(op.weights * scale).astype(np.float32), bias=bias.astype(np.float32))


def _folded_forward(graph: Graph) -> list[Node]:
    """Into every reader, if all are convolutions that see no padding, or padding that the shift leaves at zero."""
    folded: dict[str, Node] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        if isinstance(node.op, Affine) and node.output not in graph.output_values:
            readers = graph.readers.get(node.output, ())
            if readers and all(_takes(reader.op, node.op) for reader in readers):
                folded[node.output] = node
                continue
        before = folded.get(node.inputs[0]) if node.inputs else None
        if before is not None and isinstance(before.op, Affine):
            node = replace(node, op=_absorbed(node.op, before.op), inputs=before.inputs)
        nodes.append(node)
    return nodes


def _takes(op: Op, affine: Affine) -> bool:
    if isinstance(op, Dense):
        return True
    return isinstance(op, Conv) and (not op.padding or not affine.shift.any())


def _absorbed(op: Op, affine: Affine) -> Op:
    if isinstance(op, Dense):
        weights = op.weights * affine.scale
        return replace(op, weights=weights, bias=op.bias + weighted_sums(op.weights, affine.shift).astype(np.float32))
    assert isinstance(op, Conv)
    per_group = op.weights.shape[1]
    outs = op.weights.shape[0]
    first = np.repeat(np.arange(op.groups), outs // op.groups)[:, None] * per_group + np.arange(per_group)
    scale, shift = affine.scale[first], affine.shift[first]
    bias = op.bias + (op.weights.sum((2, 3)) * shift).sum(1)
    return replace(op, weights=op.weights * scale[:, :, None, None], bias=bias.astype(np.float32))


def _lowered(node: Node, graph: Graph) -> Node:
    if not isinstance(node.op, Affine) or len(graph.shapes[node.inputs[0]]) != 3:
        return node
    count = len(node.op.scale)
    op = Conv(weights=node.op.scale.reshape(count, 1, 1, 1), bias=node.op.shift, groups=count)
    return replace(node, op=op)
