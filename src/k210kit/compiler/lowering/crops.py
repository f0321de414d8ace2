"""Windows of maps, cut out on the KPU.

A layer over the channels of one line of KPU memory reads as many rows and columns as its registers say, wherever it is
told to begin; the next line's channels are another layer's. So a map is cut by one small depthwise layer per line of
channels, 7 microseconds each, where the CPU would take 60 cycles per byte to carry it out and in. Rows of the window
must take as many lines as the map's, and a window that does not begin at the left edge needs copies moved to the left.
"""

from __future__ import annotations

from k210kit.compiler.graph import Node, Shape, window_of
from k210kit.compiler.lowering.values import Values
from k210kit.compiler.ops import Gather
from k210kit.compiler.passes.fuse_layers import copy_layer
from k210kit.compiler.passes.pick_by_shift import moved_copy
from k210kit.compiler.program import ConvStep, ViewStep
from k210kit.compiler.stages import POOL_NONE
from k210kit.kmodel import memory

__all__ = ["cut_on_kpu"]

_MOST_LAYERS = 64  # of one cut; each takes some 600 bytes of the kmodel
_MOST_LEFT = 2  # columns cut off at the left: a layer over the whole map each


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
    if not same or layers > _MOST_LAYERS or any(values.buffers[part].shape[0] % line for part in parts[:-1]):
        return False
    made: list[str] = []
    for part in parts:
        for _ in range(found[1]):
            part = _moved(values, node, part)
        made += _cut(values, node, part, found[0], op.shape, line)
    values.parts[node.output] = tuple(made)
    return True


def _moved(values: Values, node: Node, part: str) -> str:
    shape = values.buffers[part].shape
    target = values.buffer(f"{part}/moved", "kpu", shape)
    layer = moved_copy(shape[0], (0, 1), pool_type=POOL_NONE, border="unseen")
    values.add(ConvStep(node=node, op=layer, inputs=(part,), output=target, extra=True))
    return target


def _cut(values: Values, node: Node, part: str, top: int, shape: Shape, line: int) -> list[str]:
    made = []
    for first in range(0, values.buffers[part].shape[0], line):
        channels = min(line, values.buffers[part].shape[0] - first)
        view = values.buffer(f"{part}/window", "kpu", (channels, *shape[1:]))
        values.add(ViewStep(node=node, source=part, target=view, first=first, top=top))
        target = values.buffer(f"{node.output}", "kpu", (channels, *shape[1:]))
        values.add(ConvStep(node=node, op=copy_layer(channels), inputs=(view,), output=target, extra=True))
        made.append(target)
    return made
