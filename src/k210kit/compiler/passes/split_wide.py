"""Values of more channels than the KPU takes at once become parts side by side.

    Before   conv 320 → 1280 ─ relu6 ─ mean ─ conv 1280 → 1000
    After    conv 320 → 640 ─ relu6 ─ mean ─ conv 640 → 1000 ─┐
             conv 320 → 640 ─ relu6 ─ mean ─ conv 640 → 1000 ─ add

What works channel by channel works part by part; a convolution over too many channels becomes a sum of convolutions.
The sum of two values is a layer over both, so it takes half as many channels, and products and masks fewer still (see
`gates.py`): the smallest limit of all values that are linked channel by channel holds for each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from k210kit.compiler.graph import Graph, Node, Shape
from k210kit.compiler.ops import (
    Add,
    AveragePool,
    Bilinear,
    Concat,
    Conv,
    Curve,
    Gather,
    GlobalAveragePool,
    GlobalMaxPool,
    Masked,
    MaxPool,
    Mul,
    Op,
    Pad,
    PRelu,
    Resize,
    Sub,
)
from k210kit.compiler.passes.fit_convolutions import is_large, large_part
from k210kit.hardware import KPU_LINE_BYTES, KPU_LINES, KPU_MEMORY_BYTES, MOST_CHANNELS
from k210kit.kmodel import memory

__all__ = ["split_wide"]

_SQUARE_BYTES = KPU_MEMORY_BYTES // 4
_MOST_IN_A_SUM = MOST_CHANNELS // 2
_MOST: dict[type[Op], int] = {Add: _MOST_IN_A_SUM, Sub: _MOST_IN_A_SUM, Masked: 500, Bilinear: 128}
_MOST_SQUARED = 64  # channels of a product whose squares would take too much of KPU memory
_ALONE = (Curve, PRelu, MaxPool, AveragePool, Resize, Bilinear, Masked, GlobalAveragePool, GlobalMaxPool)


@dataclass(frozen=True)
class _Part:
    """Channels `first` to `last` (without) of a value, under a name of their own."""

    name: str
    first: int
    last: int


def split_wide(graph: Graph) -> Graph:
    """Split every map that is too wide for what is done with it."""
    if len(graph.input_shape) != 3:
        return graph
    limits = _limits(graph)
    if all(shape[0] <= limits.get(name, MOST_CHANNELS) for name, shape in graph.shapes.items() if len(shape) == 3):
        return graph
    return _Splitting(graph, limits).made()


def _edges(channels: int, most: int) -> list[int]:
    """Where parts of at most `most` channels begin, and the end; on whole lines of KPU memory where that can be."""
    count = -(-channels // most)
    size = -(-channels // count)
    size += -size % 4 if size + -size % 4 <= most else 0
    return [*range(0, channels, size), channels]


def _channel_by_channel(node: Node) -> bool:
    op = node.op
    if isinstance(op, Conv):
        return op.groups > 1 and op.groups == op.weights.shape[0]
    return isinstance(op, (*_ALONE, Add, Sub, Mul)) or (isinstance(op, Pad) and not op.channels_after)


def _limits(graph: Graph) -> dict[str, int]:
    """How many channels each value may have at most."""
    group: dict[str, str] = {}

    def root(name: str) -> str:
        while group.get(name, name) != name:
            name = group[name]
        return name

    linked = [node for node in graph.nodes if _channel_by_channel(node)]
    for node in linked:
        for name in node.inputs:
            if graph.shapes[name][:1] == graph.shapes[node.output][:1]:
                group[root(name)] = root(node.output)
    most: dict[str, int] = {}
    for node in linked:
        if len(set(node.inputs)) == len(node.inputs):
            name, limit = root(node.output), _most(node.op, graph.shapes[node.output])
            most[name] = min(most.get(name, limit), limit)
    for node in graph.nodes:
        if isinstance(node.op, Conv) and node.op.groups == 1 and node.op.weights.shape[1] > MOST_CHANNELS:
            name = root(node.output)  # a sum of convolutions
            most[name] = min(most.get(name, _MOST_IN_A_SUM), _MOST_IN_A_SUM)
    return {name: most.get(root(name), MOST_CHANNELS) for name in graph.shapes}


def _most(op: Op, shape: Shape) -> int:
    """How many channels an operation takes at once; a product becomes squares of four times as many."""
    squares = memory.lines(shape[2], shape[1], 4 * shape[0]) if len(shape) == 3 else 0
    if isinstance(op, Mul) and squares > KPU_LINES // 3:
        of_one = memory.lines(shape[2], shape[1], 4) * KPU_LINE_BYTES // 4
        return max(4, min(_MOST_SQUARED, _SQUARE_BYTES // (4 * of_one) // 4 * 4))
    if isinstance(op, Conv) and is_large(op):
        return large_part(len(op.weights))
    return _MOST.get(type(op), MOST_CHANNELS)


class _Splitting:
    def __init__(self, graph: Graph, limits: dict[str, int]) -> None:
        self.graph, self.limits = graph, limits
        self.nodes: list[Node] = []
        self.parts: dict[str, list[_Part]] = {}

    def made(self) -> Graph:
        for node in self.graph.nodes:
            self._split(node)
        return self.graph.with_nodes(self.nodes)

    def _channels(self, name: str) -> int:
        return self.graph.shapes[name][0]

    def _wide(self, name: str) -> bool:
        shape = self.graph.shapes[name]
        return len(shape) == 3 and shape[0] > self.limits[name]

    def _wanted(self, name: str) -> list[_Part]:
        """The parts that a value has, or ought to have."""
        edges = _edges(self._channels(name), self.limits[name])
        if len(edges) == 2:
            return [_Part(name, 0, edges[1])]
        return [_Part(f"{name}/part {k}", edges[k], edges[k + 1]) for k in range(len(edges) - 1)]

    def _split(self, node: Node) -> None:
        op = node.op
        if isinstance(op, Gather) and any(name in self.parts for name in node.inputs):
            self._gather(node, op)
        elif _channel_by_channel(node) and self._wide(node.output):
            self._each(node)
        elif isinstance(op, Conv) and (self._wide(node.output) or self._channels(node.inputs[0]) > MOST_CHANNELS):
            self._conv(node, op)
        elif isinstance(op, Concat) and self._wide(node.output):
            self._concat(node)
        else:
            self.nodes.append(node)

    def _keep(self, node: Node, parts: list[_Part]) -> None:
        """The value has these parts now; who wants all of it reads them side by side."""
        if len(parts) == 1:
            return
        self.parts[node.output] = parts
        self.nodes.append(replace(node, op=Concat(), inputs=tuple(part.name for part in parts)))

    def _part(self, node: Node, name: str, wanted: _Part) -> str:
        """Some channels of a value: a part that there is, or a copy."""
        if self._channels(name) == wanted.last - wanted.first:
            return name
        for part in self.parts.get(name, []):
            if (part.first, part.last) == (wanted.first, wanted.last):
                return part.name
        output = f"{wanted.name}/of {name}"
        if any(made.output == output for made in self.nodes):
            return output
        pieces = []
        for source in self.parts.get(name, [_Part(name, 0, self._channels(name))]):
            first, last = max(wanted.first, source.first), min(wanted.last, source.last)
            if first >= last:
                continue
            weights = np.eye(source.last - source.first, dtype=np.float32)[first - source.first : last - source.first]
            copy = Conv(
                weights=np.ascontiguousarray(weights[:, :, None, None]), bias=np.zeros(last - first, np.float32)
            )
            pieces.append(output if last - first == wanted.last - wanted.first else f"{output}/from {first}")
            self.nodes.append(replace(node, op=copy, inputs=(source.name,), output=pieces[-1]))
        if len(pieces) > 1:
            self.nodes.append(replace(node, op=Concat(), inputs=tuple(pieces), output=output))
        return output

    def _each(self, node: Node) -> None:
        wanted = self._wanted(node.output)
        for part in wanted:
            inputs = tuple(name if self._channels(name) == 1 else self._part(node, name, part) for name in node.inputs)
            self.nodes.append(replace(node, op=_sliced(node.op, part), inputs=inputs, output=part.name))
        self._keep(node, wanted)

    def _conv(self, node: Node, op: Conv) -> None:
        if op.groups > 1:
            self.nodes.append(node)
            return
        source = node.inputs[0]
        whole = [_Part(source, 0, self._channels(source))]
        inputs = whole if whole[0].last <= MOST_CHANNELS else self.parts.get(source, whole)
        wanted = self._wanted(node.output)
        for part in wanted:
            sums: list[str] = []
            for k, taken in enumerate(inputs):
                name = part.name if len(inputs) == 1 else f"{part.name}/from {k}"
                weights = np.ascontiguousarray(op.weights[part.first : part.last, taken.first : taken.last])
                bias = op.bias[part.first : part.last]
                piece = replace(op, weights=weights, bias=bias if k == 0 else np.zeros_like(bias))
                self.nodes.append(replace(node, op=piece, inputs=(taken.name,), output=name))
                sums.append(name)
            self._sum(node, sums, part.name)
        self._keep(node, wanted)

    def _sum(self, node: Node, names: Sequence[str], output: str) -> None:
        waiting = list(names)
        while len(waiting) > 1:
            name = output if len(waiting) == 2 else f"{output}/sum {len(waiting)}"
            self.nodes.append(replace(node, op=Add(), inputs=(waiting[0], waiting[1]), output=name))
            waiting = [*waiting[2:], name]

    def _concat(self, node: Node) -> None:
        """Neighbours are taken together as far as the limit allows."""
        limit = self.limits[node.output]
        sources = [part.name for name in node.inputs for part in self.parts.get(name, [_Part(name, 0, 0)])]
        sizes = [
            part.last - part.first
            for name in node.inputs
            for part in self.parts.get(name, [_Part(name, 0, self._channels(name))])
        ]
        if max(sizes) > limit:
            self.nodes.append(node)
            return
        parts: list[_Part] = []
        held: list[str] = []
        first = last = 0
        for name, size in [*zip(sources, sizes, strict=True), ("", limit + 1)]:
            if held and last - first + size > limit:
                group = held[0] if len(held) == 1 else f"{node.output}/group {len(parts)}"
                if len(held) > 1:
                    self.nodes.append(replace(node, inputs=tuple(held), output=group))
                parts.append(_Part(group, first, last))
                held, first = [], last
            held.append(name)
            last += size
        self._keep(node, parts)

    def _gather(self, node: Node, op: Gather) -> None:
        """Take from the parts, and from those alone that something is taken from."""
        names = [part.name for name in node.inputs for part in self.parts.get(name, [_Part(name, 0, 0)])]
        sizes = []
        for name in node.inputs:
            shape = self.graph.shapes[name]
            each = int(np.prod(shape[1:]))
            channels = [p.last - p.first for p in self.parts[name]] if name in self.parts else [shape[0]]
            sizes += [count * each for count in channels]
        starts = np.cumsum([0, *sizes])
        owner = np.searchsorted(starts, op.index, side="right") - 1
        used = sorted(set(owner.tolist()))
        new = np.cumsum([0, *(sizes[k] for k in used)])
        moved = np.zeros(len(sizes), np.int64)
        moved[used] = new[:-1] - starts[used]
        index = op.index + moved[owner]
        self.nodes.append(replace(node, op=replace(op, index=index), inputs=tuple(names[k] for k in used)))


def _sliced(op: Op, part: _Part) -> Op:
    kept = slice(part.first, part.last)
    if isinstance(op, PRelu):
        return PRelu(slopes=op.slopes[kept])
    if isinstance(op, Conv):
        count = part.last - part.first
        return replace(op, weights=op.weights[kept], bias=op.bias[kept], groups=count)
    return op
