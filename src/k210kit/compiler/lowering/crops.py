"""Windows of maps, cut out on the KPU, and rows added below them.

A layer over the channels of one line of KPU memory reads as many rows and columns as its registers say, wherever it is
told to begin; the next line's channels are another layer's. So a map is cut by one small depthwise layer per line of
channels, 7 microseconds each, where the CPU would take 60 cycles per byte to carry it out and in. Rows of the window
must take as many lines as the map's, and a window that does not begin at the left edge needs copies moved to the left.

The same way rows of zeros come below a map: one layer writes zeros everywhere, and the copies lie over them. It has no
input of that height; with weights of 0 it does not matter what it reads.
"""

from __future__ import annotations

import numpy as np

from k210kit.compiler.graph import Node, Shape, window_of
from k210kit.compiler.lowering.values import Values
from k210kit.compiler.ops import Gather, Pad, Padding
from k210kit.compiler.passes.fuse_layers import copy_layer
from k210kit.compiler.passes.pick_by_shift import moved_copy
from k210kit.compiler.program import ConvStep, JoinStep, Piece, ViewStep
from k210kit.compiler.stages import POOL_NONE, KpuConv
from k210kit.kmodel import memory

__all__ = ["cut_on_kpu", "grow_on_kpu", "line_by_line", "view_on_kpu"]

_MOST_LAYERS, _FEW_LAYERS = 128, 16  # of one cut; each takes 768 bytes of the kmodel
_WORTH_BYTES = 1000  # of a line's channels, which the CPU would carry in 0.15 ms: less is only worth few layers
_MOST_LEFT = 2  # columns cut off at the left: a layer over the whole map each


def view_on_kpu(values: Values, node: Node, op: Gather) -> bool:
    """Add a view of some channels, whole maps that begin on a line, and say that it was done; no layer."""
    if len(node.inputs) != 1 or node.inputs[0] not in values.parts or len(op.shape) != 3:
        return False
    shape = values.graph.shapes[node.inputs[0]]
    first = int(op.index[0]) // (shape[1] * shape[2])
    last = first + op.shape[0]
    start = first * shape[1] * shape[2]
    whole = shape[1:] == op.shape[1:] and np.array_equal(op.index, np.arange(start, start + op.index.size))
    if not whole or shape[1:] == (1, 1):
        return False
    channel, line = 0, memory.channels_per_line(shape[2])
    found: list[tuple[str, int, int]] = []
    for part in values.parts_to_cut(node.inputs[0]):
        begin, end = max(first - channel, 0), min(last - channel, values.buffers[part].shape[0])
        if begin < end:
            found.append((part, begin, end))
        channel += values.buffers[part].shape[0]
    if any(begin % line for _, begin, _ in found):
        return False
    views = [values.buffer(node.output, "kpu", (end - begin, *shape[1:])) for _, begin, end in found]
    for view, (part, begin, _) in zip(views, found, strict=True):
        values.add(ViewStep(node=node, source=part, target=view, first=begin))
    values.parts[node.output] = tuple(views)
    return True


def cut_on_kpu(values: Values, node: Node, op: Gather) -> bool:
    """Add the steps, and say that it was done; False if the window cannot be had so."""
    if len(node.inputs) != 1 or node.inputs[0] not in values.parts:
        return False
    source = values.graph.shapes[node.inputs[0]]
    found = window_of(op.index, source, op.shape)
    if found is None or found[1] > _MOST_LEFT or op.shape[1:] == (1, 1) or source[1:] == (1, 1):
        return False
    line = memory.channels_per_line(source[2])
    same = line == memory.channels_per_line(op.shape[2]) and memory.row_lines(source[2]) == memory.row_lines(
        op.shape[2]
    )
    parts = values.parts[node.inputs[0]]
    layers = sum(-(-values.buffers[part].shape[0] // line) for part in parts)
    if (
        not same
        or not _worth(layers, line, op.shape)
        or any(values.buffers[part].shape[0] % line for part in parts[:-1])
    ):
        return False
    made: list[str] = []
    for part in values.parts_to_cut(node.inputs[0]):
        for _ in range(found[1]):
            part = _moved(values, node, part)
        made += line_by_line(values, node, part, found[0], op.shape)
    values.parts[node.output] = tuple(made)
    return True


def _worth(layers: int, line: int, shape: Shape) -> bool:
    return layers <= _FEW_LAYERS or (layers <= _MOST_LAYERS and line * shape[1] * shape[2] >= _WORTH_BYTES)


def _moved(values: Values, node: Node, part: str) -> str:
    shape = values.buffers[part].shape
    target = values.buffer(f"{part}/moved", "kpu", shape)
    layer = moved_copy(shape[0], (0, 1), pool_type=POOL_NONE, border="unseen")
    values.add(ConvStep(node=node, op=layer, inputs=(part,), output=target, extra=True))
    return target


def line_by_line(values: Values, node: Node, part: str, top: int, shape: Shape) -> list[str]:
    """Copies of the rows from `top` on, one for the channels of each line; `shape` tells rows and columns."""
    made = []
    line = memory.channels_per_line(values.buffers[part].shape[2])
    for first in range(0, values.buffers[part].shape[0], line):
        channels = min(line, values.buffers[part].shape[0] - first)
        view = values.buffer(f"{part}/window", "kpu", (channels, *shape[1:]))
        values.add(ViewStep(node=node, source=part, target=view, first=first, top=top))
        target = values.buffer(f"{node.output}", "kpu", (channels, *shape[1:]))
        values.add(ConvStep(node=node, op=copy_layer(channels), inputs=(view,), output=target, extra=True))
        made.append(target)
    return made


def grow_on_kpu(values: Values, node: Node, op: Pad) -> bool:
    """Add rows of zeros below, and say that it was done; False if that cannot be had so."""
    rows = op.padding.bottom
    only_rows = op.padding == Padding(bottom=rows) and rows and not op.channels_after and op.value == 0
    parts = values.parts.get(node.inputs[0], ())
    if not only_rows or len(parts) != 1:
        return False
    shape = values.buffers[parts[0]].shape
    channels, height, width = shape
    line = memory.channels_per_line(width)
    behind = memory.lines(width, height, channels) - memory.channel_lines(width, height)
    if shape[1:] == (1, 1) or not _worth(-(-channels // line), line, shape) or behind < rows * memory.row_lines(width):
        return False
    parts = values.parts_to_cut(node.inputs[0])
    anything = values.buffer(f"{parts[0]}/anything", "kpu", (1, height + rows, width))
    values.add(ViewStep(node=node, source=parts[0], target=anything))
    zeros = values.buffer(f"{node.output}/zeros", "kpu", (channels, height + rows, width))
    nothing = KpuConv(weights=np.zeros((channels, 1, 1, 1), np.float32), bias=np.zeros(channels, np.float32))
    values.add(ConvStep(node=node, op=nothing, inputs=(anything,), output=zeros, extra=True))
    pieces = [Piece(buffer=zeros)]
    first = 0
    for made in line_by_line(values, node, parts[0], 0, shape):
        pieces.append(Piece(buffer=made, first=first))
        first += values.buffers[made].shape[0]
    target = values.buffer(node.output, "kpu", (channels, height + rows, width))
    values.add(JoinStep(node=node, pieces=tuple(pieces), target=target))
    values.parts[node.output] = (target,)
    return True
