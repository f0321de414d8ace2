"""A net whose strided layers look downward is turned upside down, so that they look upward.

The KPU computes a strided convolution at every pixel and keeps the upper left of each 2x2 square; so it can pad the
top, as PyTorch does, but not the bottom alone, as TensorFlow's SAME does on even sizes. Turned upside down, the second
is the first. Across, the KPU can keep the upper right instead, so columns need no turning.

    Before   picture ─ conv, stride 2, rows padded (0, 1) ─ ... ─ map
    After    picture ─ rows reversed ─ conv flipped, rows padded (1, 0) ─ ... ─ rows reversed ─ map

The rows of the picture are reversed once, as bytes, channel by channel to save memory; a result that is no map, such
as a classifier's, needs no turning back.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler.graph import Graph, Node, Shape, elements
from k210kit.compiler.ops import (
    AveragePool,
    Bilinear,
    Concat,
    Conv,
    ConvTranspose,
    Gather,
    MaxPool,
    Op,
    Pad,
    Padding,
    Resize,
)

__all__ = ["looks_down", "turn_rows"]


def looks_down(op: Conv, shape: Shape) -> bool:
    """Whether the rows of a stride-2 convolution can be had only upside down."""
    lowest = -op.padding.top
    highest = (op.weights.shape[2] - 1) * op.dilation[0] + lowest
    return op.stride[0] == 2 and highest == 2 and lowest >= 0 and shape[1] % 2 == 0


def turn_rows(graph: Graph) -> Graph:
    """Turn the whole net if some depthwise layer looks down and every layer can be turned."""
    if len(graph.input_shape) != 3:
        return graph
    down = [n for n in graph.nodes if isinstance(n.op, Conv) and n.op.groups > 1 and looks_down(n.op, _in(graph, n))]
    if not down or any(_turned(node, graph) is None for node in graph.nodes):
        return graph
    nodes = list(_reversed_input(graph))
    renamed = {graph.input: nodes[-1].output}
    for node in graph.nodes:
        turned = _turned(node, graph)
        assert turned is not None
        nodes.append(replace(turned, inputs=tuple(renamed.get(name, name) for name in turned.inputs)))
    outputs = []
    for output in graph.outputs:
        shape = graph.shapes[output.value]
        if len(shape) == 3 and shape[1] > 1:
            maker = graph.makers[output.value]
            back = Gather(index=_reversed_rows(shape).reshape(-1), shape=shape)
            nodes.append(replace(maker, op=back, inputs=(output.value,), output=f"{output.value}/turned back"))
            output = replace(output, value=nodes[-1].output)
        outputs.append(output)
    return replace(graph, outputs=tuple(outputs)).with_nodes(nodes)


def _in(graph: Graph, node: Node) -> Shape:
    return graph.shapes[node.inputs[0]]


def _reversed_rows(shape: Shape) -> NDArray[np.int64]:
    positions = np.arange(elements(shape), dtype=np.int64).reshape(shape)
    return positions[:, ::-1] if len(shape) == 3 else positions


def _reversed_input(graph: Graph) -> list[Node]:
    """For each channel a convolution that takes it and a gather that turns it; then their concatenation."""
    channels, height, width = graph.input_shape
    name = graph.input
    index = _reversed_rows((1, height, width)).reshape(-1)
    nodes, turned = [], []
    for channel in range(channels):
        alone, plane = f"{name}/channel {channel}", f"{name}/turned {channel}"
        weights = np.zeros((1, channels, 1, 1), np.float32)
        weights[0, channel] = 1
        take = Conv(weights=weights, bias=np.zeros(1, np.float32))
        turn = Gather(index=index, shape=(1, height, width))
        nodes.append(Node(op=take, inputs=(name,), output=alone, origin=name, kind="INPUT"))
        nodes.append(Node(op=turn, inputs=(alone,), output=plane, origin=name, kind="INPUT"))
        turned.append(plane)
    joined = Node(op=Concat(), inputs=tuple(turned), output=f"{name}/turned", origin=name, kind="INPUT")
    return [*nodes, joined]


def _turned(node: Node, graph: Graph) -> Node | None:
    """The node on turned values; None if it cannot be turned."""
    op: Op = node.op
    if isinstance(op, Gather):
        tables, start = [], 0
        for name in node.inputs:
            shape = graph.shapes[name]
            tables.append(start + np.argsort(_reversed_rows(shape).reshape(-1)))
            start += elements(shape)
        index = np.concatenate(tables)[op.index]
        return replace(node, op=Gather(index=index.reshape(op.shape)[_rows(op.shape)].reshape(-1), shape=op.shape))
    if isinstance(op, Conv | MaxPool | AveragePool):
        padding = _turned_padding(node, graph)
        if padding is None:
            return None
        if isinstance(op, Conv):
            return replace(node, op=replace(op, weights=np.ascontiguousarray(op.weights[:, :, ::-1]), padding=padding))
        return replace(node, op=replace(op, padding=padding))
    if isinstance(op, ConvTranspose):
        cut, flipped = op.padding, np.ascontiguousarray(op.weights[:, :, ::-1])
        return replace(node, op=replace(op, weights=flipped, padding=replace(cut, top=cut.bottom, bottom=cut.top)))
    if isinstance(op, Resize):
        return node if op.height % _in(graph, node)[1] == 0 else None
    if isinstance(op, Bilinear):
        return node if op.half_pixel else None
    if isinstance(op, Pad):
        pad = op.padding
        return replace(node, op=replace(op, padding=replace(pad, top=pad.bottom, bottom=pad.top)))
    return node


def _rows(shape: Shape) -> tuple[slice, ...]:
    return (slice(None), slice(None, None, -1)) if len(shape) == 3 else (slice(None),)


def _turned_padding(node: Node, graph: Graph) -> Padding | None:
    op = node.op
    assert isinstance(op, Conv | MaxPool | AveragePool)
    kernel = op.weights.shape[2] if isinstance(op, Conv) else op.kernel[0]
    dilation = op.dilation[0] if isinstance(op, Conv) else 1
    height, pad = _in(graph, node)[1], op.padding
    rest = (height + pad.top + pad.bottom - (kernel - 1) * dilation - 1) % op.stride[0]
    if rest > pad.bottom:
        return None
    return replace(pad, top=pad.bottom - rest, bottom=pad.top)
