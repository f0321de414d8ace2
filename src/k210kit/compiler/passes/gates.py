"""Products of two maps, and masks, out of sums and curves: the KPU cannot multiply what it computes, but it can square.

    x * g  =  ((x + g) / 2)^2 - ((x - g) / 2)^2
    mask   =  relu(x - a number that x does not reach, where nothing shall be kept)

    Before   x ─────┬─ product ─ conv          x ─ masked ─ conv
             gate ──┘
    After    x ─────────────────┬─ conv 1x1, squared relu ─ conv     x ────┬─ conv 1x1, relu ─ conv
             gate ─ enlarged ───┘                                   rows ──┤
                                                                 columns ──┘

The squares are of relu, one for each sign of the sum and of the difference, because a table of the KPU does not fall.
x and g are scaled to what the calibration pictures show of them, so that the two squares differ by as much as they can.
The differences of the squares go into the convolution behind, so that they are rounded but once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler.exact import product
from k210kit.compiler.graph import Graph, Node, Shape, elements
from k210kit.compiler.ops import Add, Concat, Conv, Curve, Floats, Gather, Masked, Mul, Op, PRelu, Resize, Seen
from k210kit.compiler.passes.channel_views import channel_view, fastest_groups
from k210kit.compiler.passes.falling_slopes import is_falling, split_channels, summed, with_both_signs
from k210kit.hardware import KPU_LINES, MOST_CHANNELS
from k210kit.kmodel import memory
from k210kit.timing import dense_cycles, depthwise_cycles

__all__ = ["lower_gates"]

_BEYOND = 1.5  # times what the calibration pictures show may x be before a mask leaks


@dataclass(frozen=True, eq=False)
class _Sums:
    """A value that is yet to be summed: a matrix [channels, the input's channels] times each input."""

    inputs: tuple[str, ...]
    matrices: tuple[NDArray[np.float32], ...]

    @property
    def channels(self) -> int:
        return len(self.matrices[0])

    def rows(self) -> list[slice]:
        """The channels that each input is summed to, if no channel is of two inputs; else all for all together."""
        found = [np.flatnonzero(matrix.any(1)) for matrix in self.matrices]
        ends = [0, *(int(rows[-1]) + 1 if rows.size else 0 for rows in found)]
        apart = all(rows.size and rows[0] == end for rows, end in zip(found, ends, strict=False))
        return [slice(a, b) for a, b in pairwise(ends)] if apart and ends[-1] == self.channels else []

    def chunks(self) -> list[slice]:
        """The inputs, as many at a time as one layer takes."""
        edges, width = [0], 0
        for k, matrix in enumerate(self.matrices):
            width += matrix.shape[1]
            if width > MOST_CHANNELS and k > edges[-1]:
                edges.append(k)
                width = matrix.shape[1]
        return [slice(a, b) for a, b in pairwise([*edges, len(self.matrices)])]


def lower_gates(graph: Graph) -> Graph:
    """Lower every product, mask and falling PReLU of a picture model."""
    gated = any(isinstance(node.op, Mul | Masked) or is_falling(node.op) for node in graph.nodes)
    if len(graph.input_shape) != 3 or not gated:
        return graph
    return _Gating(graph).made()


class _Gating:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[Node] = []
        self.sums: dict[str, _Sums] = {}  # values that no node makes yet
        self.masks: dict[tuple[int, int, bytes, bool], str] = {}

    def made(self) -> Graph:
        for node in self.graph.nodes:
            self._lower(node)
        for output in self.graph.outputs:
            self._complete(output.value, self.graph.makers[output.value])
        return self.graph.with_nodes(self.nodes)

    def _lower(self, node: Node) -> None:
        op, shape = node.op, self.graph.shapes[node.output]
        if isinstance(op, Mul) and len(shape) == 3:
            self._product(node, op, shape)
        elif isinstance(op, Masked):
            self._mask(node, op, shape)
        elif isinstance(op, PRelu) and len(shape) == 3 and is_falling(op):
            self._falling(node, op)
        elif isinstance(op, Concat) and self._joins(node):
            self._join(node)
        elif isinstance(op, Conv) and op.groups == 1 and node.inputs[0] in self.sums:
            self._absorb(node, op)
        else:
            for name in node.inputs:
                self._complete(name, node)
            self.nodes.append(node)

    def _add(self, node: Node, op: Op, inputs: Sequence[str], output: str) -> str:
        self.nodes.append(replace(node, op=op, inputs=tuple(inputs), output=output))
        return output

    # values that are sums ------------------------------------------------------------------------------------------

    def _complete(self, name: str, node: Node) -> None:
        """Make a value that is still to be summed."""
        if name not in self.sums:
            return
        sums = self.sums.pop(name)
        maker = self.graph.makers.get(name, node)
        rows = sums.rows()
        if len(rows) < 2:
            weights = np.eye(sums.channels, dtype=np.float32)[:, :, None, None]
            self._summed(maker, Conv(weights=weights, bias=np.zeros(len(weights), np.float32)), sums, name)
            return
        parts = []
        for part, source, matrix in zip(rows, sums.inputs, sums.matrices, strict=True):
            weights = np.ascontiguousarray(matrix[part, :, None, None])
            conv = Conv(weights=weights, bias=np.zeros(len(weights), np.float32))
            parts.append(self._add(maker, conv, (source,), f"{name}/channels {part.start}"))
        self._add(maker, Concat(), parts, name)

    def _joined(self, node: Node, inputs: tuple[str, ...], output: str) -> str:
        return inputs[0] if len(inputs) == 1 else self._add(node, Concat(), inputs, output)

    def _joins(self, node: Node) -> bool:
        """Whether a concatenation of sums can wait for the convolutions that read it."""
        readers = self.graph.readers.get(node.output, ())
        width = sum(
            sum(matrix.shape[1] for matrix in self.sums[name].matrices)
            if name in self.sums
            else self.graph.shapes[name][0]
            for name in node.inputs
        )
        dense = all(isinstance(reader.op, Conv) and reader.op.groups == 1 for reader in readers)
        shape = self.graph.shapes[node.output]
        lines = memory.lines(shape[2], shape[1], width)
        small = width <= MOST_CHANNELS and lines <= KPU_LINES // 4
        waits = node.output not in self.graph.output_values and dense and small
        return waits and any(name in self.sums for name in node.inputs)

    def _join(self, node: Node) -> None:
        inputs: list[str] = []
        matrices: list[NDArray[np.float32]] = []
        channels, first = self.graph.shapes[node.output][0], 0
        for name in node.inputs:
            count = self.graph.shapes[name][0]
            part = self.sums.get(name, _Sums((name,), (np.eye(count, dtype=np.float32),)))
            for source, matrix in zip(part.inputs, part.matrices, strict=True):
                rows = np.zeros((channels, matrix.shape[1]), np.float32)
                rows[first : first + count] = matrix
                inputs.append(source)
                matrices.append(rows)
            first += count
        self.sums[node.output] = _Sums(tuple(inputs), tuple(matrices))

    def _absorb(self, node: Node, op: Conv) -> None:
        self._summed(node, op, self.sums[node.inputs[0]], node.output)

    def _summed(self, node: Node, op: Conv, sums: _Sums, output: str) -> None:
        """A convolution of a value that is to be summed; the sum of several if one would have too many channels."""
        chunks, outs = sums.chunks(), len(op.bias)
        most = outs if len(chunks) == 1 else MOST_CHANNELS // 2  # a sum is a layer over both
        ends = []
        for first in range(0, outs, most):
            some = slice(first, min(first + most, outs))
            name = output if outs <= most else f"{output}/channels {first}"
            partial: str | None = None
            for k, chunk in enumerate(chunks):
                part = name if len(chunks) == 1 else f"{name}/summand {k}"
                made = self._chunk(node, op, sums, chunk, some, part)
                if partial is not None:
                    last = k == len(chunks) - 1
                    made = self._add(node, Add(), (partial, made), name if last else f"{name}/sum {k}")
                partial = made
            ends.append(name)
        if ends != [output]:
            self._add(node, Concat(), ends, output)

    def _chunk(self, node: Node, op: Conv, sums: _Sums, chunk: slice, some: slice, output: str) -> str:
        matrix = np.concatenate(sums.matrices[chunk], 1)
        rows = np.moveaxis(op.weights[some], 1, -1)
        summed = product(rows.reshape(-1, rows.shape[-1]), matrix).astype(np.float32)
        weights = np.moveaxis(summed.reshape(*rows.shape[:-1], -1), -1, 1)
        bias = op.bias[some] if chunk.start == 0 else np.zeros_like(op.bias[some])
        source = self._joined(node, sums.inputs[chunk], f"{node.output}/summands {chunk.start}")
        return self._add(node, replace(op, weights=np.ascontiguousarray(weights), bias=bias), (source,), output)

    # products and masks --------------------------------------------------------------------------------------------

    def _product(self, node: Node, op: Mul, shape: Shape) -> None:
        second = node.inputs[1]
        for name in node.inputs:
            self._complete(name, node)
        gate = self.graph.shapes[second]
        if gate[1:] != shape[1:]:
            second = self._add(node, Resize(height=shape[1], width=shape[2]), (second,), f"{node.output}/gate")
        seen = op.seen or (_unknown(shape[0]), _unknown(gate[0]))
        scale, other = _scale(seen[0]), np.broadcast_to(_scale(seen[1]), shape[:1])
        sides = [(1, 1), (1, -1), (-1, 1)]
        if any((one.low < 0).any() for one in seen):
            sides.append((-1, -1))
        size = _products_together(shape, len(sides))
        gated, matrices = [], []
        for start in range(0, shape[0], size):
            part = slice(start, min(start + size, shape[0]))
            inputs = [second if gate[0] == 1 else self._some(node, second, part, (gate[0], *shape[1:]))]
            inputs = [self._some(node, node.inputs[0], part, shape), *inputs]
            weights, matrix = _squares(scale[part], other[part], sides, shared=gate[0] == 1)
            name = node.output if size >= shape[0] else f"{node.output}/from {start}"
            gated.append(self._gated(node, inputs, weights, Curve(kind="squared_relu"), name))
            rows = np.zeros((shape[0], matrix.shape[1]), np.float32)
            rows[part] = matrix
            matrices.append(rows)
        self.sums[node.output] = _Sums(tuple(gated), tuple(matrices))

    def _some(self, node: Node, source: str, part: slice, shape: Shape) -> str:
        """Some channels of a value."""
        if part.stop - part.start == shape[0]:
            return source
        self.nodes.append(channel_view(node, source, part, shape))
        return self.nodes[-1].output

    def _mask(self, node: Node, op: Masked, shape: Shape) -> None:
        channels = shape[0]
        self._complete(node.inputs[0], node)
        lines = [(op.rows, 1), (op.columns, 2)]
        masks = [self._line(node, kept, axis, shape) for kept, axis in lines if not kept.all()]
        seen = op.seen[0] if op.seen else _unknown(channels)
        scale = _scale(seen) / _BEYOND
        sides = [1, -1] if (seen.low < 0).any() else [1]
        weights = np.full((len(sides), channels, channels + len(masks)), -1, np.float32)
        weights[:, :, :channels] = 0
        for k, side in enumerate(sides):
            weights[k, range(channels), range(channels)] = side * scale
        matrix = np.concatenate([np.diag(side / scale) for side in sides], 1)
        gated = self._gated(node, (node.inputs[0], *masks), weights, Curve(kind="clip", beta=float("inf")), node.output)
        self.sums[node.output] = _Sums((gated,), (matrix.astype(np.float32),))

    def _falling(self, node: Node, op: PRelu) -> None:
        source, channels = node.inputs[0], split_channels(op)
        place = next((k for k, made in enumerate(self.nodes) if made.output == source), None)
        maker = None if place is None else self.nodes[place]
        conv, instead = with_both_signs(self.graph, maker, source, channels)
        both = f"{node.output}/both signs"
        if instead and maker is not None and place is not None:
            del self.nodes[place]
            inputs = maker.inputs
            if isinstance(maker.op, Add):
                inputs = (self._joined(maker, inputs, f"{both}/summands"),)
            self._add(maker, conv, inputs, both)
        else:
            self._complete(source, node)
            self._add(node, conv, (source,), both)
        slopes, matrix = summed(op, channels)
        curve = PRelu(slopes=slopes) if slopes.any() else Curve(kind="clip", beta=float("inf"))
        gated = self._add(node, curve, (both,), f"{node.output}/gated")
        self.sums[node.output] = _Sums((gated,), (matrix.astype(np.float32),))

    def _gated(self, node: Node, inputs: Sequence[str], weights: Floats, curve: Curve, name: str) -> str:
        """A convolution over the inputs side by side and a curve. weights: [side, channel, input channel]."""
        count = weights.shape[0] * weights.shape[1]
        conv = Conv(weights=weights.reshape(count, -1, 1, 1), bias=np.zeros(count, np.float32))
        both = self._joined(node, tuple(inputs), f"{name}/both")
        before = self._add(node, conv, (both,), f"{name}/before")
        return self._add(node, curve, (before,), f"{name}/gated")

    def _line(self, node: Node, kept: NDArray[np.bool_], axis: int, shape: Shape) -> str:
        """A map that is 1 in the rows (axis 1) or columns (axis 2) that are not kept, and 0 in the others."""
        key = (shape[1], shape[2], kept.tobytes(), axis == 1)
        if key not in self.masks:
            source = node.inputs[0]
            maker = self.graph.makers.get(source)
            if maker is not None and isinstance(maker.op, Resize):
                source = maker.inputs[0]  # smaller
            inside = self.graph.shapes[source]
            name = f"{node.output}/{'rows' if axis == 1 else 'columns'}"
            zeros = np.zeros((2, inside[0], 1, 1), np.float32)
            both = self._add(node, Conv(weights=zeros, bias=np.array([1, 0], np.float32)), (source,), f"{name} 1 and 0")
            index = np.where(kept, elements(inside[1:]), 0).astype(np.int64)
            line = (1, kept.size, 1) if axis == 1 else (1, 1, kept.size)
            self._add(node, Gather(index=index, shape=line), (both,), f"{name} in line")
            self._add(node, Resize(height=shape[1], width=shape[2]), (f"{name} in line",), name)
            self.masks[key] = name
        return self.masks[key]


def _products_together(shape: Shape, sides: int) -> int:
    """How many channels of a product are squared by one layer, so that all take least time."""

    def cycles(count: int) -> int:
        lines = memory.lines(shape[2], shape[1], count)
        return dense_cycles(2 * lines, 2 * count, sides * count, 1) + 2 * depthwise_cycles(lines, count)

    return fastest_groups(shape[0], MOST_CHANNELS // 4, cycles)


def _squares(
    scale: Floats, other: NDArray[np.float32], sides: Sequence[tuple[int, int]], *, shared: bool
) -> tuple[Floats, NDArray[np.float32]]:
    """Weights of the sums that are squared [side, channel, input], and what of the squares the products are."""
    count = len(scale)
    weights = np.zeros((len(sides), count, count + (1 if shared else count)), np.float32)
    for k, (left, right) in enumerate(sides):
        weights[k, range(count), range(count)] = left * scale / 2
        weights[k, range(count), count if shared else range(count, 2 * count)] = right * other / 2
    return weights, np.concatenate([np.diag(left * right / (scale * other)) for left, right in sides], 1)


def _unknown(channels: int) -> Seen:
    """What is assumed without pictures: the layers are the same, the numbers are not."""
    return Seen(low=np.full(channels, -1, np.float32), high=np.ones(channels, np.float32))


def _scale(seen: Seen) -> Floats:
    """What brings each channel to at most 1."""
    most = np.maximum(np.abs(seen.low), np.abs(seen.high))
    return np.asarray(1 / np.maximum(most, max(1e-6 * float(most.max()), 1e-12)), np.float32)
