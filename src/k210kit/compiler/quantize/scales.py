"""What a byte of each buffer stands for: value = (byte - zero) * scale, per channel.

The KPU takes a scale per channel for free: the layer that makes a map multiplies each channel by its own factor, and
the layer that reads it has the scale in its weights. So channels are scaled one by one, except behind a curve that is
no straight line through zero, and before the CPU's layers that mix channels. The zero must be one whole number where
a 3x3 layer pads with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler import curves
from k210kit.compiler.graph import Graph, elements, window_of
from k210kit.compiler.ops import Gather
from k210kit.compiler.program import (
    AddPaddingStep,
    AveragePoolStep,
    ConcatStep,
    ConvStep,
    DequantizeStep,
    JoinStep,
    MaxPoolStep,
    Program,
    QuantizeStep,
    RemovePaddingStep,
    RequantizeStep,
    ResizeStep,
    Step,
    UploadStep,
    ViewStep,
)
from k210kit.compiler.quantize.calibrate import Statistics
from k210kit.compiler.quantize.reach import reach
from k210kit.compiler.stages import KpuConv

__all__ = ["Scale", "choose_scales", "copied_channels", "input_gains", "is_copy", "result_statistics"]

Numbers = NDArray[np.float64]
_HALF_BEYOND = 4.0  # times what was seen may come: of 15 bits, two are cheap
_NOTHING = 1e-6
_WORTH_TWO = 0.6  # of the rounding noise that one range has: two ranges have fewer pieces each


@dataclass(frozen=True, kw_only=True)
class Scale:
    """One step and the byte of value 0, per channel. Only the model's input has zeros that are no whole numbers."""

    step: Numbers
    zero: Numbers

    def of_elements(self, count: int) -> tuple[Numbers, Numbers]:
        """Steps and zeros of each of `count` elements, channel by channel."""
        each = count // len(self.step)
        return np.repeat(self.step, each), np.repeat(self.zero, each)


def copied_channels(op: KpuConv) -> NDArray[np.int64] | None:
    """Which input channel each output channel is a mere copy of (-1: of nothing); None if the layer computes."""
    if op.slopes is not None or not curves.is_linear(op.curve) or bool(np.any(op.bias)) or op.pool_type in (2, 4, 8):
        return None
    taps = op.weights.reshape(op.out_channels, -1)
    if not bool(np.all(np.isin(taps, (0, 1)))) or bool(np.any(taps.sum(1) > 1)):
        return None
    if op.depthwise:
        return np.where(np.any(taps, axis=1), np.arange(op.out_channels), -1)
    channels = np.any(taps.reshape(op.out_channels, op.in_channels, -1), axis=2)
    return np.where(np.any(channels, axis=1), np.argmax(channels, axis=1), -1)


def input_gains(op: KpuConv, first: int, count: int) -> Numbers:
    """Sum of the squares of the weights on each of `count` input channels from `first` on."""
    squares = op.weights.astype(np.float64) ** 2
    if op.depthwise:
        return np.asarray(squares.reshape(len(squares), -1).sum(1))[first : first + count]
    return np.asarray(squares[:, first : first + count].sum((0, 2, 3)))


def is_copy(op: KpuConv, source: Scale) -> bool:
    """Whether a layer passes bytes on as they are: it computes nothing, and one zero serves to pad."""
    padded = op.kernel == 3 and op.border == "zero"
    return copied_channels(op) is not None and (not padded or float(np.ptp(source.zero)) < 1e-9)


def result_statistics(step: ConvStep, statistics: Mapping[str, Statistics]) -> Statistics:
    """Statistics of what a layer makes."""
    return statistics[step.node.output].part(step.first, step.op.out_channels)


def choose_scales(
    graph: Graph, program: Program, statistics: Mapping[str, Statistics], input_scale: Scale
) -> dict[str, Scale]:
    """A scale for every buffer in KPU memory and of bytes."""
    return _Choice(graph, program, statistics, input_scale).made()


class _Choice:
    def __init__(
        self, graph: Graph, program: Program, statistics: Mapping[str, Statistics], input_scale: Scale
    ) -> None:
        self.graph, self.program, self.statistics = graph, program, statistics
        self.scales: dict[str, Scale] = {program.input: input_scale}
        self.readers: dict[str, list[Step]] = {}
        for step in program.steps:
            for name in step.reads():
                self.readers.setdefault(name, []).append(step)
        self.padded = self._padded()
        self.ranges: dict[str, tuple[Numbers, Numbers]] = {}

    def made(self) -> dict[str, Scale]:
        for step in self.program.steps:
            if isinstance(step, ConvStep):
                self.scales[step.output] = self._of_conv(step)
                if step.main:
                    self.scales[step.main] = self.scales[step.output]
            elif isinstance(step, ViewStep):
                whole, channels = self.scales[step.source], self.program.buffers[step.target].shape[0]
                part = slice(step.first, step.first + channels)
                self.scales[step.target] = Scale(step=whole.step[part], zero=whole.zero[part])
            elif isinstance(step, JoinStep):
                self.scales[step.target] = self._of_pieces(step)
            elif isinstance(step, UploadStep | AddPaddingStep | RemovePaddingStep | MaxPoolStep | ResizeStep):
                if step.source in self.scales:
                    self.scales[step.target.buffer] = self.scales[step.source]
            elif isinstance(step, RequantizeStep):
                self.scales[step.target.buffer] = self.scales[step.source]
            elif isinstance(step, ConcatStep) and self.program.buffers[step.target.buffer].kind == "bytes":
                self.scales[step.target.buffer] = self._of_concat(step)
            elif isinstance(step, QuantizeStep):
                self.scales[step.target.buffer] = self._of_floats(step)
        return self.scales

    # which maps must have one whole zero --------------------------------------------------------------------------

    def _padded(self) -> dict[str, str]:
        """KPU and byte buffers that a padding layer reads in the end, with the name of the group that shares a zero."""
        group: dict[str, str] = {}

        def root(name: str) -> str:
            while group.get(name, name) != name:
                name = group[name]
            return name

        wanted: set[str] = set()
        for step in reversed(self.program.steps):
            if isinstance(step, ConvStep):
                copies = copied_channels(step.op) is not None
                if (step.op.kernel == 3 and step.op.border == "zero") or (copies and step.output in wanted):
                    wanted.update(step.inputs)
                    for name in step.inputs:
                        group[root(name)] = root(step.inputs[0])
                if copies and step.output in wanted:
                    group[root(step.output)] = root(step.inputs[0])
                if step.main in wanted:
                    wanted.add(step.output)
                    group[root(str(step.main))] = root(step.output)
            elif any(name in wanted for name in step.writes()) and not isinstance(step, QuantizeStep):
                target = step.writes()[0]
                for name in step.reads():
                    wanted.add(name)
                    group[root(target)] = root(name)
        return {name: root(name) for name in wanted}

    # scales --------------------------------------------------------------------------------------------------------

    def _of_conv(self, step: ConvStep) -> Scale:
        source = self._joined(step.inputs)
        copied = copied_channels(step.op)
        if copied is not None and is_copy(step.op, source):
            nothing = copied < 0  # a step so small that what reads it spends no weight on it
            return Scale(
                step=np.where(nothing, _NOTHING * source.step.min(), source.step[copied]),
                zero=np.where(nothing, source.zero[0], source.zero[copied]),
            )
        return self._of_statistics(step)

    def _joined(self, names: tuple[str, ...]) -> Scale:
        parts = [self.scales[name] for name in names]
        return Scale(step=np.concatenate([p.step for p in parts]), zero=np.concatenate([p.zero for p in parts]))

    def _of_statistics(self, step: ConvStep) -> Scale:
        low, high = self._range(step)
        if self._has_own_zeros(step):
            span = np.maximum(high - low, 1e-6 * max(float((high - low).max()), 1e-12))
            return Scale(step=span / 255, zero=-low / (span / 255))
        zero = self._zero(step, low, high)
        below = -low / zero if zero > 0 else np.zeros_like(low)
        above = high / (255 - zero) if zero < 255 else np.zeros_like(high)
        return Scale(step=np.maximum(np.maximum(below, above), 1e-12), zero=np.full_like(low, zero))

    def _gains(self, name: str) -> Numbers | None:
        """Sum of the squares of the weights that read each channel; None where no layer of the KPU computes with it."""
        total = self._gains_of_parts(name)
        for reader in self.readers.get(name, []):
            if not isinstance(reader, ConvStep):
                continue
            first = sum(self._channels(other) for other in reader.inputs[: reader.inputs.index(name)])
            copied = copied_channels(reader.op)
            if copied is None:
                found = input_gains(reader.op, first, self._channels(name))
            else:
                behind = self._gains(reader.output)
                if behind is None:
                    continue
                found = np.zeros(self._channels(name))
                inside = (copied >= first) & (copied < first + found.size)
                np.add.at(found, copied[inside] - first, behind[inside])
            total = found if total is None else total + found
        return total

    def _gains_of_parts(self, name: str) -> Numbers | None:
        """The same of parts that are read, and of what a map is a part of; tiles of one map read it once together."""
        total: Numbers | None = None
        for reader in self.readers.get(name, []):
            behind = self._gains(reader.target) if isinstance(reader, ViewStep | JoinStep) else None
            if behind is None:
                continue
            found = np.zeros(self._channels(name))
            if isinstance(reader, ViewStep):
                found[reader.first : reader.first + len(behind)] = behind
            elif isinstance(reader, JoinStep):
                (first,) = {piece.first for piece in reader.pieces if piece.buffer == name}
                found = behind[first : first + len(found)]
            total = found if total is None else np.maximum(total, found)
        return total

    def _is_last(self, name: str) -> bool:
        """Whether no layer that the model asks for reads a map, nor a part of it, nor what it is part of."""
        for reader in self.readers.get(name, ()):
            if isinstance(reader, ConvStep) and not (reader.extra and self._is_last(reader.output)):
                return False
            if isinstance(reader, ViewStep | JoinStep) and not self._is_last(reader.target):
                return False
        return True

    def _has_own_zeros(self, step: ConvStep) -> bool:
        """Whether each channel may have a zero of its own: a straight line, not padded, not rearranged by the CPU."""
        linear = curves.is_linear(step.op.curve) and step.op.slopes is None
        return linear and step.output not in self.padded and not self._mixes_channels(step.output)

    def _seen(self, step: ConvStep) -> Statistics:
        """Statistics of what a layer makes; of the window of it, if nothing else is read."""
        name = step.node.output
        readers = self.graph.readers.get(name, ())
        if len(readers) == 1 and name not in self.graph.output_values:
            op = readers[0].op
            if isinstance(op, Gather) and len(readers[0].inputs) == 1:
                window = window_of(op.index, self.graph.shapes[name], op.shape)
                if window is not None and readers[0].output in self.statistics:
                    return self.statistics[readers[0].output].part(step.first, step.op.out_channels)
        return result_statistics(step, self.statistics)

    def _range(self, step: ConvStep) -> tuple[Numbers, Numbers]:
        """What a layer's bytes shall span, per channel."""
        if step.output in self.ranges:
            return self.ranges[step.output]
        whole = self.graph.shapes[step.node.output] if step.tiled else self.program.buffers[step.output].shape
        op, pixels = step.op, elements(whole[1:])
        alike = pixels == 1 or self._mixes_channels(step.output)
        shared = alike or (op.slopes is None and not curves.is_homogeneous(op.curve))
        seen, own_zeros = self._seen(step), self._has_own_zeros(step)
        low, high = reach(
            seen,
            op.curve,
            pixels=pixels,
            sharing=seen.channels if shared else 1,
            around_mean=own_zeros,
            last=self._is_last(step.output),
            gains=self._gains(step.output),
        )
        if not own_zeros:
            low, high = np.minimum(low, 0), np.maximum(high, 0)
        if alike:
            # a scale per pixel gains little, and CHANNELWISE_DEQUANTIZE costs 8 bytes each
            low, high = np.full_like(low, low.min()), np.full_like(high, high.max())
        elif shared:
            low, high = _in_two_groups(low, high)
        high = np.maximum(high, low + 1e-6 * max(float((high - low).max()), 1e-6))
        self.ranges[step.output] = low, high
        return low, high

    def _zero(self, step: ConvStep, low: Numbers, high: Numbers) -> float:
        """The byte of value 0, one for all channels, and for all maps that one padding layer reads."""
        if step.output not in self.padded:
            return float(_noise_by_zero(low, high).argmin())
        members = [m for m, g in self.padded.items() if g == self.padded[step.output]]
        fixed = [float(self.scales[m].zero[0]) for m in members if m in self.scales]
        if fixed:
            return float(np.round(fixed[0]))
        makers = [s for s in self.program.convs() if s.output in members and not s.extra]
        noise = [_noise_by_zero(*self._range(s)) for s in makers if copied_channels(s.op) is None or s is step]
        return float(np.sum(noise, 0).argmin())

    def _mixes_channels(self, name: str) -> bool:
        """Whether the CPU rearranges this map so that channels of ours become parts of one channel."""
        for step in self.readers.get(name, []):
            if isinstance(step, ViewStep | JoinStep) and self._mixes_channels(step.target):
                return True
            if (
                isinstance(step, ConvStep)
                and copied_channels(step.op) is not None
                and self._mixes_channels(step.output)
            ):
                return True
        made = next((s for s in self.program.convs() if s.output == name), None)
        if made is None or made.main is None:
            return False
        return self._bytes_mix(made.main)

    def _bytes_mix(self, name: str) -> bool:
        for step in self.readers.get(name, []):
            if isinstance(step, ConcatStep) and self.program.buffers[step.target.buffer].kind == "bytes":
                if not self._keeps_channels(step) or self._bytes_mix(step.target.buffer):
                    return True
            elif isinstance(step, MaxPoolStep | ResizeStep | RemovePaddingStep) and self._bytes_mix(step.target.buffer):
                return True
        return False

    def _keeps_channels(self, step: ConcatStep) -> bool:
        owner = self._owners(step)
        channels = self.program.buffers[step.target.buffer].shape[0]
        rows = owner.reshape(channels, -1)
        return bool(((rows == rows.max(1, keepdims=True)) | (rows < 0)).all())

    def _owners(self, step: ConcatStep) -> NDArray[np.int64]:
        """For each element of the result the channel, over all sources, that it comes from; -1: the border's zeros."""
        buffers = self.program.buffers
        tables, first = [], 0
        for name in step.sources:
            shape = buffers[name].shape
            count = elements(shape)
            zeros = any(isinstance(s, RequantizeStep) and s.target.buffer == name for s in self.program.steps)
            each = count // shape[0]
            tables.append(np.full(count, -1) if zeros else first + np.repeat(np.arange(shape[0]), each))
            first += 0 if zeros else shape[0]
        if not len(step.pieces):
            return np.asarray(tables[0], np.int64)
        return np.concatenate([tables[s][f : f + n] for s, f, n in step.pieces]).astype(np.int64)

    def _of_pieces(self, step: JoinStep) -> Scale:
        made = Scale(step=np.ones(self._channels(step.target)), zero=np.zeros(self._channels(step.target)))
        for piece in step.pieces:
            part = slice(piece.first, piece.first + self._channels(piece.buffer))
            made.step[part], made.zero[part] = self.scales[piece.buffer].step, self.scales[piece.buffer].zero
        return made

    def _channels(self, name: str) -> int:
        return self.program.buffers[name].shape[0]

    def _of_concat(self, step: ConcatStep) -> Scale:
        sources = [
            self.scales[name]
            for name in step.sources
            if not any(isinstance(s, RequantizeStep) and s.target.buffer == name for s in self.program.steps)
        ]
        steps = np.concatenate([s.step for s in sources])
        zeros = np.concatenate([s.zero for s in sources])
        channels = self.program.buffers[step.target.buffer].shape[0]
        owner = self._owners(step).reshape(channels, -1).max(1)
        return Scale(step=steps[owner], zero=zeros[owner])

    def _of_floats(self, step: QuantizeStep) -> Scale:
        """One for all; but a pool's means are floats in steps, see `emit`, and so keep their channels' scales."""
        if step.part != "whole":
            return self._of_half(step)
        pools = [s for s in self.program.steps if s.writes() == (step.source,) and isinstance(s, AveragePoolStep)]
        name = step.source.removesuffix("/floats")
        if pools:
            floats = [pool.source for pool in pools]
            makers = (s for s in self.program.steps if isinstance(s, DequantizeStep) and s.target.buffer in floats)
            sources = dict.fromkeys(maker.source for maker in makers)
            if sources and all(source in self.scales for source in sources):
                fine = self._joined(tuple(sources))
                _, most = reach(
                    self.statistics[name], curves.IDENTITY, pixels=1, sharing=1, around_mean=False, last=False
                )
                factor = float(np.clip((most / fine.step + fine.zero).max(), 1.0, 255.0)) / 255
                return Scale(step=fine.step * factor, zero=fine.zero / factor)
        seen = self.statistics[name]
        low, high = min(float(seen.low.min()), 0.0), max(float(seen.high.max()), 0.0)
        span = max(high - low, 1e-12)
        return Scale(step=np.full(seen.channels, span / 255), zero=np.full(seen.channels, -low * 255 / span))

    def _of_half(self, step: QuantizeStep) -> Scale:
        """One byte of the two of a ReLU. What the coarse one leaves over is below 1.5 of its steps, see `emit`."""
        if step.part == "fine":
            halves = (s for s in self.program.steps if isinstance(s, QuantizeStep) and s.part == "coarse")
            coarse = next(s.target.buffer for s in halves if s.node is step.node)
            size = 1.5 * float(self.scales[coarse].step[0]) / 255
        else:
            seen = self.statistics[step.source.removesuffix("/floats")]
            size = _HALF_BEYOND * max(float(np.abs([seen.low, seen.high]).max()), 1e-12) / 255
        count = self.program.buffers[step.target.buffer].shape[0]
        return Scale(step=np.full(count, size), zero=np.zeros(count))


def _noise_by_zero(low: Numbers, high: Numbers) -> Numbers:
    """The rounding noise of a map for each zero from 0 to 254, its least being 1: the steps that span all channels."""
    zeros = np.arange(255, dtype=np.float64)
    below = np.maximum(-low, 0)[:, None] / np.maximum(zeros, 1e-9)
    above = np.maximum(high, 0)[:, None] / (255 - zeros)
    noise = (np.maximum(below, above) ** 2).sum(0)
    return np.asarray(noise / max(float(noise.min()), 1e-300))


def _in_two_groups(low: Numbers, high: Numbers) -> tuple[Numbers, Numbers]:
    """One range for all channels; or two, where a few channels reach much further than the others.

    A curve that is no straight line takes a part of the activation table for each range, so there are two at most.
    """
    order = np.argsort(high, kind="stable")
    tops = high[order]
    count = len(tops)
    costs = np.array([k * tops[k - 1] ** 2 + (count - k) * tops[-1] ** 2 for k in range(1, count + 1)])
    best = int(costs.argmin()) + 1
    low, made = np.full_like(low, low.min()), np.full_like(high, tops[-1])
    if count > 1 and costs[best - 1] < _WORTH_TWO * costs[-1]:
        made[order[:best]] = tops[best - 1]
    return low, made
