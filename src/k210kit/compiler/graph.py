"""The float graph: nodes in an order in which they can run, one value each, every value named.

Graph
├─ input          name and shape of the one picture (or flat vector) that goes in
├─ nodes          Node(op, inputs, output, origin, kind)
└─ outputs        Output(value, name), in the order of the source model
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler.ops import (
    Add,
    AveragePool,
    Bilinear,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Foreign,
    Gather,
    GlobalAveragePool,
    GlobalMaxPool,
    Masked,
    MaxPool,
    Mul,
    Op,
    Pad,
    Padding,
    Resize,
    SelfShaped,
    Sub,
)
from k210kit.errors import FormatError

__all__ = ["Graph", "Node", "Output", "Shape", "elements", "shape_of", "window_count", "window_of"]

Shape = tuple[int, ...]  # (channels, height, width) or (elements,)


@dataclass(frozen=True, kw_only=True)
class Node:
    """One operation on named values; `origin` is the user's own name of it and `kind` the source's operator."""

    op: Op
    inputs: tuple[str, ...]
    output: str
    origin: str
    kind: str

    def __str__(self) -> str:
        return f"{self.kind} '{self.origin}'"


@dataclass(frozen=True, kw_only=True)
class Output:
    """A result of the model: which value, and what the source model calls it."""

    value: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A whole model; construction does not check it, `shapes` does."""

    name: str
    input: str
    input_shape: Shape
    nodes: tuple[Node, ...]
    outputs: tuple[Output, ...]

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """The shape of every value; a `FormatError` names the node whose inputs do not fit."""
        shapes: dict[str, Shape] = {self.input: self.input_shape}
        for node in self.nodes:
            missing = [name for name in node.inputs if name not in shapes]
            if missing:
                raise FormatError(f"{node} reads '{missing[0]}', which nothing before it makes", field=self.name)
            shapes[node.output] = shape_of(node, [shapes[name] for name in node.inputs])
        return shapes

    @cached_property
    def readers(self) -> Mapping[str, tuple[Node, ...]]:
        """Which nodes read a value."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                found.setdefault(name, []).append(node)
        return {name: tuple(nodes) for name, nodes in found.items()}

    @cached_property
    def makers(self) -> Mapping[str, Node]:
        """Which node makes a value."""
        return {node.output: node for node in self.nodes}

    @property
    def output_values(self) -> frozenset[str]:
        return frozenset(output.value for output in self.outputs)

    def with_nodes(self, nodes: Iterable[Node]) -> Graph:
        """The same model with other nodes, those that lead to no output left out."""
        kept: list[Node] = []
        wanted = {output.value for output in self.outputs}
        for node in reversed(tuple(nodes)):
            if node.output in wanted:
                kept.append(node)
                wanted.update(node.inputs)
        return replace(self, nodes=tuple(reversed(kept)))


def elements(shape: Shape) -> int:
    """How many numbers a value holds."""
    count = 1
    for size in shape:
        count *= size
    return count


def window_of(index: NDArray[np.int64], source: Shape, shape: Shape) -> tuple[int, int] | None:
    """Top and left of the window of all channels that a rearrangement is; None if it is none."""
    if len(source) != 3 or len(shape) != 3 or shape[0] != source[0] or not index.size:
        return None
    top, left = divmod(int(index[0]), source[2])
    if top < 0 or top + shape[1] > source[1] or left + shape[2] > source[2]:
        return None
    positions = np.arange(elements(source), dtype=np.int64).reshape(source)
    window = positions[:, top : top + shape[1], left : left + shape[2]]
    return (top, left) if np.array_equal(window.reshape(-1), index) else None


def window_count(size: int, kernel: int, stride: int, before: int, after: int, dilation: int = 1) -> int:
    """How many windows fit along one axis."""
    return (size + before + after - (kernel - 1) * dilation - 1) // stride + 1


def shape_of(node: Node, inputs: list[Shape]) -> Shape:
    """The shape of a node's result; a `FormatError` says what does not fit."""
    op = node.op
    if op.inputs is not None and len(inputs) != op.inputs:
        raise FormatError(f"{node} has {len(inputs)} inputs", expected=str(op.inputs))
    shape = _shape(node, op, inputs)
    if min(shape, default=0) < 1:
        raise FormatError(f"{node} makes an empty value", found=_said(shape), expected="sizes of at least 1")
    return shape


def _shape(node: Node, op: Op, inputs: list[Shape]) -> Shape:
    if isinstance(op, SelfShaped):
        return op.shape_after(node, inputs)
    if isinstance(op, Foreign):
        return op.shape
    if isinstance(op, Gather):
        return _gathered(node, op, inputs)
    if isinstance(op, Concat):
        return _concatenated(node, inputs)
    if isinstance(op, Add | Sub):
        _expect(node, inputs[0] == inputs[1], inputs, "two values of one shape")
        return inputs[0]
    if isinstance(op, Mul):
        return _multiplied(node, inputs)
    if isinstance(op, Dense):
        _expect(node, inputs[0] == (op.weights.shape[1],), inputs, f"({op.weights.shape[1]},)")
        return (op.weights.shape[0],)
    if isinstance(op, _ON_PICTURES):
        _expect(node, len(inputs[0]) == 3, inputs, "channels, height and width")
        return _picture(node, op, inputs[0])
    return inputs[0]


_ON_PICTURES = (
    Conv, ConvTranspose, MaxPool, AveragePool, GlobalAveragePool, GlobalMaxPool, Resize, Bilinear, Masked, Pad,
)  # fmt: skip


def _picture(node: Node, op: Op, shape: Shape) -> Shape:
    channels, height, width = shape
    if isinstance(op, Conv):
        wanted = op.weights.shape[1] * op.groups
        _expect(node, channels == wanted, [shape], f"{wanted} channels")
        kernel = (op.weights.shape[2], op.weights.shape[3])
        return (op.weights.shape[0], *_windows(shape, kernel, op.stride, op.padding, op.dilation))
    if isinstance(op, ConvTranspose):
        cut = op.padding
        down = (height - 1) * op.stride[0] + op.weights.shape[2] - cut.top - cut.bottom
        across = (width - 1) * op.stride[1] + op.weights.shape[3] - cut.left - cut.right
        return (op.weights.shape[1] * op.groups, down, across)
    if isinstance(op, MaxPool | AveragePool):
        return (channels, *_windows(shape, op.kernel, op.stride, op.padding))
    if isinstance(op, Resize):
        return (channels, op.height, op.width)
    if isinstance(op, Bilinear):
        return (channels, 2 * height, 2 * width)
    if isinstance(op, Masked):
        _expect(node, (op.rows.size, op.columns.size) == (height, width), [shape], "a mask of the same size")
        return shape
    if isinstance(op, Pad):
        pad = op.padding
        return (channels + op.channels_after, height + pad.top + pad.bottom, width + pad.left + pad.right)
    return (channels, 1, 1)


def _windows(
    shape: Shape, kernel: tuple[int, int], stride: tuple[int, int], pad: Padding, dilation: tuple[int, int] = (1, 1)
) -> Shape:
    return (
        window_count(shape[1], kernel[0], stride[0], pad.top, pad.bottom, dilation[0]),
        window_count(shape[2], kernel[1], stride[1], pad.left, pad.right, dilation[1]),
    )


def _gathered(node: Node, op: Gather, inputs: list[Shape]) -> Shape:
    total = sum(elements(shape) for shape in inputs)
    fits = op.index.size == elements(op.shape) and (op.index.size == 0 or 0 <= op.index.min() <= op.index.max() < total)
    _expect(node, fits, inputs, f"a rearrangement to {_said(op.shape)}")
    return op.shape


def _concatenated(node: Node, inputs: list[Shape]) -> Shape:
    same = inputs and all(len(shape) == 3 and shape[1:] == inputs[0][1:] for shape in inputs)
    _expect(node, bool(same), inputs, "one height and width")
    return (sum(shape[0] for shape in inputs), *inputs[0][1:])


def _multiplied(node: Node, inputs: list[Shape]) -> Shape:
    first, second = inputs
    per_channel = len(first) == 3 and second == (first[0], 1, 1)
    per_pixel = len(first) == 3 and second == (1, *first[1:])
    _expect(node, first == second or per_channel or per_pixel, inputs, "shapes that broadcast per channel or per pixel")
    return first


def _expect(node: Node, holds: bool, inputs: list[Shape], wanted: str) -> None:
    if not holds:
        raise FormatError(f"{node} does not fit its input", found=" and ".join(map(_said, inputs)), expected=wanted)


def _said(shape: Shape) -> str:
    return "(" + ", ".join(map(str, shape)) + ")"
