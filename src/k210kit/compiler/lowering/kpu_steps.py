"""Convolutions on the KPU: which maps lie side by side, and layers whose weights are too many for one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from k210kit.compiler.graph import Node, Shape
from k210kit.compiler.lowering.values import Values
from k210kit.compiler.program import ConvStep
from k210kit.compiler.stages import KpuConv
from k210kit.hardware import WEIGHT_BYTES_PER_LOAD
from k210kit.kmodel import memory

__all__ = ["convolve", "layers_of"]

_MOST_LOADS = 64


def convolve(values: Values, node: Node, op: KpuConv) -> None:
    """One layer, or several whose results lie side by side."""
    inputs = [part for name in node.inputs for part in values.need_kpu(name)]
    values.parts[node.output] = layers_of(values, node, op, inputs, values.graph.shapes[node.output])


def layers_of(
    values: Values, node: Node, op: KpuConv, inputs: list[str], shape: Shape, *, tiled: bool = False
) -> tuple[str, ...]:
    """The maps that the layers of a node make of `inputs`; `shape` is that of all of them together."""
    if len(inputs) > 1:  # what is part of another map cannot be moved beside a third
        inputs = [values.copied(name) if values.is_view(name) else name for name in inputs]
    if len(inputs) > 1 and op.depthwise and not _fill_lines(values, inputs):
        inputs = [_put_together(values, inputs)]
    if len(inputs) > 1:
        op, inputs = _side_by_side(values, op, inputs)
    first, made = 0, []
    for layer in _loadable(op):
        output = values.buffer(node.output, "kpu", (layer.out_channels, *shape[1:]))
        values.add(ConvStep(node=node, op=layer, inputs=tuple(inputs), output=output, first=first, tiled=tiled))
        first += layer.out_channels
        made.append(output)
    return tuple(made)


def _fill_lines(values: Values, inputs: list[str]) -> bool:
    """Whether the next map can begin where each one ends: on a line of KPU memory."""
    group = memory.channels_per_line(_kpu_width(values, inputs[0]))
    return all(values.buffers[name].shape[0] % group == 0 for name in inputs[:-1])


def _put_together(values: Values, inputs: list[str]) -> str:
    """One map of several, by a dense layer that copies: a depthwise one cannot skip the channels between them."""
    shapes = [values.buffers[name].shape for name in inputs]
    count = sum(shape[0] for shape in shapes)
    copy = KpuConv(weights=np.eye(count, dtype=np.float32)[:, :, None, None], bias=np.zeros(count, np.float32))
    layer, sources = _side_by_side(values, copy, list(inputs))
    target = values.buffer(f"{inputs[0]}/together", "kpu", (count, *shapes[0][1:]))
    values.add(ConvStep(node=values.node, op=layer, inputs=tuple(sources), output=target, extra=True))
    return target


def _side_by_side(values: Values, op: KpuConv, inputs: list[str]) -> tuple[KpuConv, list[str]]:
    """Join the run of KPU buffers that holds them in this order, or begin one, or copy what is in the way."""
    group = memory.channels_per_line(_kpu_width(values, inputs[0]))
    for k, name in enumerate(inputs[:-1]):  # a map that does not fill its last line has no neighbour there
        if values.buffers[name].shape[0] % group:
            inputs[k], op = _filled_up(values, name, group, op, k, inputs)
    if len(set(inputs)) < len(inputs):
        inputs = [name if name not in inputs[:k] else values.copied(name) for k, name in enumerate(inputs)]
    for run in values.runs:
        joined = _joined(run, inputs)
        fits = joined is not None and all(values.buffers[name].shape[0] % group == 0 for name in joined[:-1])
        if (
            joined is not None
            and fits
            and not any(set(other) & set(inputs) for other in values.runs if other is not run)
        ):
            run[:] = joined
            return op, inputs
    taken = {name for run in values.runs for name in run}
    inputs = [values.copied(name) if name in taken else name for name in inputs]
    values.runs.append(list(inputs))
    return op, inputs


def _kpu_width(values: Values, name: str) -> int:
    shape = values.buffers[name].shape
    return 4 if shape[1:] == (1, 1) else shape[2]


def _filled_up(
    values: Values, name: str, group: int, op: KpuConv, place: int, inputs: list[str]
) -> tuple[str, KpuConv]:
    """A copy with channels of zeros behind, so that the next map can begin on a new line; and weights to match."""
    shape = values.buffers[name].shape
    more = -shape[0] % group
    target = values.buffer(f"{name}/filled up", "kpu", (shape[0] + more, *shape[1:]))
    weights = np.eye(shape[0] + more, shape[0], dtype=np.float32)[:, :, None, None]
    layer = KpuConv(weights=np.ascontiguousarray(weights), bias=np.zeros(shape[0] + more, np.float32))
    values.add(ConvStep(node=values.node, op=layer, inputs=(name,), output=target, extra=True))
    before = sum(values.buffers[other].shape[0] for other in inputs[:place]) + shape[0]
    assert not op.depthwise
    zeros = np.zeros((op.weights.shape[0], more, *op.weights.shape[2:]), np.float32)
    wider = np.concatenate([op.weights[:, :before], zeros, op.weights[:, before:]], 1)
    return target, replace(op, weights=wider)


def _loadable(op: KpuConv) -> list[KpuConv]:
    """The layer in parts whose weights can be loaded: at most 64 loads of 30 KiB, a register of 6 bits."""
    one = op.weights[0].size
    per_load = max(1, WEIGHT_BYTES_PER_LOAD // one)
    most = _MOST_LOADS * per_load
    if op.depthwise or op.out_channels <= most:
        return [op]
    parts = -(-op.out_channels // most)
    size = -(-op.out_channels // (4 * parts)) * 4  # parts begin on a line of KPU memory
    made = []
    for first in range(0, op.out_channels, size):
        part = slice(first, first + size)
        slopes = None if op.slopes is None else op.slopes[part]
        made.append(replace(op, weights=op.weights[part], bias=op.bias[part], slopes=slopes))
    return made


def _joined(run: list[str], wanted: list[str]) -> list[str] | None:
    """The run with `wanted` as consecutive members, appended at either end if need be; None if it cannot be."""
    width = len(wanted)
    if any(run[k : k + width] == wanted for k in range(len(run) - width + 1)):
        return list(run)
    for common in range(min(width, len(run)), 0, -1):
        if run[-common:] == wanted[:common] and not set(wanted[common:]) & set(run):
            return [*run, *wanted[common:]]
        if run[:common] == wanted[-common:] and not set(wanted[:-common]) & set(run):
            return [*wanted[:-common], *run]
    return None
