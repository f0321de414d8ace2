"""Kernels that reach further than one pixel, over copies of the map that are moved towards them.

    dense        x ─ copies moved by (-1, -1), (-1, 0) ... side by side ─ conv 3x3
    depthwise    x ─┬─ copy moved by (-1, -1) ─ depthwise 3x3 ─┐
                    ├─ ...                                     ├─ sum, a 1x1 convolution for some channels each
                    └──────────────────────── depthwise 3x3 ───┘
    stride 2     the same, each copy keeping the upper left of every 2x2 square

The KPU pads each copy with zeros, so a copy moved down reads only what lies at its edge or below, one moved up what
lies at its edge or above: what is outside of a copy is outside of the picture too. A copy loses nothing; the parts of
a depthwise layer are each rounded to bytes. Copies take a depthwise layer per pixel that they are moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler.graph import Node, Shape
from k210kit.compiler.ops import Concat
from k210kit.compiler.passes.channel_views import channel_view, fastest_groups
from k210kit.compiler.stages import POOL_NONE, KpuConv
from k210kit.hardware import KPU_LINES, MOST_CHANNELS
from k210kit.kmodel import POOLS, memory
from k210kit.timing import dense_cycles, depthwise_cycles

__all__ = ["DEAL_AT_ONCE", "MOST_MOVES", "over_all", "over_each", "taps_over_copies"]

DEAL_AT_ONCE = 4  # input channels up to which one dense layer makes copies faster than a depthwise one for each
MOST_MOVES = 12  # pixels: each is a layer per direction
_MOST_TOGETHER = 64  # channels: weights of a sum are as many bytes per channel, times the copies

Floats = NDArray[np.float32]
Move = tuple[int, int]  # rows down, columns right


def taps_over_copies(offsets: Iterable[int], stride: int, spread: bool) -> dict[int, tuple[int, int]]:
    """Which copy an offset reads along one axis: (by how much it is moved, at which tap from -1 to 1).

    A copy moved by m has at place j the pixel stride * j + m. `spread`: every offset has a copy to itself, so that
    1x1 kernels do.
    """
    farthest = sorted(set(offsets), key=abs, reverse=True)
    found: dict[int, tuple[int, int]] = {}
    for offset in farthest:
        found[offset] = _tap(offset, stride, spread)
    if stride == 1 and not spread:  # a copy moved by m reads m and m + 1: half of them do
        for offset in farthest:
            outward = 1 if offset > 0 else -1
            if found[offset][1] == outward and abs(offset) > 2 and offset - outward in found:
                found[offset - outward] = (offset - outward, 0)
    return found


def _tap(offset: int, stride: int, spread: bool) -> tuple[int, int]:
    if stride == 2:
        if -2 <= offset <= 3:
            return offset % 2, offset // 2
        return (offset - 2, 1) if offset > 0 else (offset + 2, -1)
    if abs(offset) < 2 and not spread:
        return 0, offset
    if spread:
        return offset, 0
    return (offset - 1, 1) if offset > 0 else (offset + 1, -1)


def over_all(
    node: Node, bias: Floats, kernels: Floats, moves: Sequence[Move], pool_type: int, shape: Shape
) -> list[Node]:
    """A dense layer over all copies side by side; several and their sum if those are too many channels or bytes.

    kernels: [copy, out, in, 3, 3]; shape: of the map that is copied.
    """
    channels, stride = kernels.shape[2], POOLS[pool_type].stride
    lines = memory.lines(shape[2] // stride, shape[1] // stride, channels)
    each = max(1, min(MOST_CHANNELS // channels, KPU_LINES * 3 // 4 // lines))
    each = -(-len(moves) // -(-len(moves) // each))
    parts = [range(first, min(first + each, len(moves))) for first in range(0, len(moves), each)]
    nodes: list[Node] = []
    for k, part in enumerate(parts):
        dealt = f"{node.output}/dealt" if len(parts) == 1 else f"{node.output}/dealt {k}"
        nodes += _copies(node, channels, [moves[place] for place in part], pool_type, dealt)
        weights = np.concatenate([kernels[place] for place in part], 1)
        op = KpuConv(weights=_smallest(weights), bias=bias if k == 0 else np.zeros_like(bias))
        name = node.output if len(parts) == 1 else f"{node.output}/sum {k}"
        nodes.append(replace(node, op=op, inputs=(nodes[-1].output,), output=name))
    if len(parts) > 1:
        sums = tuple(f"{node.output}/sum {k}" for k in range(len(parts)))
        nodes.append(replace(node, op=_sum(len(bias), len(sums), np.zeros_like(bias)), inputs=sums))
    return nodes


def over_each(
    node: Node, bias: Floats, kernels: Floats, moves: Sequence[Move], pool_type: int, shape: Shape
) -> list[Node]:
    """A depthwise layer over each copy, and their sum, by groups of channels. kernels: [copy, channel, 1, 3, 3].

    shape: of the map that is copied.
    """
    channels, stride = len(bias), POOLS[pool_type].stride
    small = (shape[1] // stride, shape[2] // stride)
    size = _together(channels, small, len(moves))
    whole = len(moves) * memory.lines(small[1], small[0], channels) <= KPU_LINES // 3
    nodes, sources = _each_copy(node, moves, pool_type, node.inputs[0], channels) if whole else ([], [])
    sums = []
    for first in range(0, channels, size):
        part = slice(first, min(first + size, channels))
        if not whole:
            view = channel_view(node, node.inputs[0], part, shape)
            made, sources = _each_copy(node, moves, pool_type, view.output, part.stop - first)
            nodes += [view, *made]
        taps = []
        for move, kernel, source in zip(moves, kernels, sources, strict=True):
            if whole and size < channels:
                nodes.append(channel_view(node, source, part, (channels, *small)))
                source = nodes[-1].output
            op = KpuConv(weights=_smallest(kernel[part, 0]), bias=np.zeros_like(bias[part]), depthwise=True)
            taps.append(f"{node.output}/taps {move[0]} {move[1]} from {first}")
            nodes.append(replace(node, op=op, inputs=(source,), output=taps[-1]))
        total = _sum(len(bias[part]), len(taps), bias[part])
        sums.append(f"{node.output}/from {first}" if size < channels else node.output)
        nodes.append(replace(node, op=total, inputs=tuple(taps), output=sums[-1]))
    return nodes if size >= channels else [*nodes, replace(node, op=Concat(), inputs=tuple(sums))]


def _together(channels: int, size: tuple[int, int], parts: int) -> int:
    """How many channels of a depthwise layer are summed by one layer, so that all take least time."""

    def cycles(count: int) -> int:
        lines = memory.lines(size[1], size[0], count)
        return dense_cycles(parts * lines, parts * count, count, 1) + parts * depthwise_cycles(lines, count)

    return fastest_groups(channels, min(_MOST_TOGETHER, MOST_CHANNELS // parts), cycles)


def _each_copy(
    node: Node, moves: Sequence[Move], pool_type: int, source: str, channels: int
) -> tuple[list[Node], list[str]]:
    """The copies of a value one by one, and their names; the value itself is the one that is not moved."""
    nodes: list[Node] = []
    names = []
    for move in moves:
        if any(move) or pool_type != POOL_NONE:
            nodes += _copy(replace(node, inputs=(source,)), channels, move, pool_type, f"{node.output}/{source}")
        names.append(nodes[-1].output if any(move) or pool_type != POOL_NONE else source)
    return nodes, names


def _smallest(weights: Floats) -> Floats:
    """A 1x1 kernel in place of a 3x3 one that has a middle alone."""
    outside = weights.copy()
    outside[..., 1, 1] = 0
    return weights if outside.any() else np.ascontiguousarray(weights[..., 1:2, 1:2])


def _sum(channels: int, count: int, bias: Floats) -> KpuConv:
    ones = np.tile(np.eye(channels, dtype=np.float32), (1, count))
    return KpuConv(weights=np.ascontiguousarray(ones[:, :, None, None]), bias=bias)


def _copies(node: Node, channels: int, moves: Sequence[Move], pool_type: int, output: str) -> list[Node]:
    """The copies side by side."""
    if channels <= DEAL_AT_ONCE and max(abs(by) for move in moves for by in move) < 2:
        weights = np.zeros((len(moves), channels, channels, 3, 3), np.float32)
        for place, (row, column) in enumerate(moves):
            weights[place, range(channels), range(channels), 1 + row, 1 + column] = 1
        count = len(moves) * channels
        op = KpuConv(
            weights=weights.reshape(count, channels, 3, 3), bias=np.zeros(count, np.float32), pool_type=pool_type
        )
        return [replace(node, op=op, output=output)]
    made, names = [], []
    for move in moves:
        made += _copy(node, channels, move, pool_type, node.output)
        names.append(made[-1].output)
    return [*made, replace(node, op=Concat(), inputs=tuple(names), output=output)]


def _copy(node: Node, channels: int, move: Move, pool_type: int, name: str) -> list[Node]:
    """The map moved, a pixel or a diagonal at a time; the last layer keeps every second pixel if it must."""
    nodes: list[Node] = []
    row = column = 0
    source = node.inputs[0]
    while not nodes or (row, column) != move:
        step = (int(np.sign(move[0] - row)), int(np.sign(move[1] - column)))
        row, column = row + step[0], column + step[1]
        last = (row, column) == move
        kernel = np.zeros((channels, 3, 3), np.float32)
        kernel[:, 1 + step[0], 1 + step[1]] = 1
        op = KpuConv(
            weights=kernel, bias=np.zeros(channels, np.float32), depthwise=True,
            pool_type=pool_type if last else POOL_NONE,
        )  # fmt: skip
        steps = "" if last else f" by way of {row} {column}"
        output = f"{name}/dealt {move[0]} {move[1]}{steps}"
        nodes.append(replace(node, op=op, inputs=(source,), output=output))
        source = output
    return nodes
