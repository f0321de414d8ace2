"""The quantised program beside the float graph, picture by picture: bytes of every buffer, floats of every value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler.evaluate import for_each
from k210kit.compiler.program import (
    AddPaddingStep,
    ConcatStep,
    ConvStep,
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
from k210kit.compiler.quantize.integers import LayerIntegers
from k210kit.compiler.quantize.scales import Scale
from k210kit.kmodel.arithmetic import cpu
from k210kit.kmodel.arithmetic.prepared import Prepared

__all__ = ["ByteRun"]

Bytes = NDArray[np.uint8]


class ByteRun:
    """Bytes of each buffer for all pictures, (pictures, channels, height, width), while later steps read them."""

    def __init__(self, program: Program, scales: Mapping[str, Scale], pictures: Bytes) -> None:
        self.program, self.scales = program, scales
        self.alive: dict[str, Bytes] = {program.input: pictures}
        self.count = len(pictures)
        self._last = {name: k for k, step in enumerate(program.steps) for name in step.reads()}

    def steps(self) -> Iterator[tuple[int, Step]]:
        """The steps in order; what no later step reads is dropped after each."""
        for k, step in enumerate(self.program.steps):
            yield k, step
            for name in step.reads():
                if self._last[name] == k:
                    self.alive.pop(name, None)

    def inputs(self, step: ConvStep) -> Bytes:
        """What a layer reads."""
        parts = [self.alive[name] for name in step.inputs]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, 1)

    def convolve(self, step: ConvStep, integers: LayerIntegers, x: Bytes) -> Bytes:
        """Run a layer and keep what it makes."""
        layer = Prepared(integers.convolution())
        made = np.stack(for_each(lambda picture: layer.run(picture, accelerate=False, split=False)[0], x))
        self.alive[step.output] = made
        if step.main:
            self.alive[step.main] = made
        return made

    def other(self, step: Step, value: NDArray[np.float32] | None) -> None:
        """Run a step on bytes. `value`: the float graph's, for bytes that come of floats."""
        if isinstance(step, UploadStep | AddPaddingStep | RemovePaddingStep):
            if step.source in self.alive:
                self.alive[step.target.buffer] = self.alive[step.source]
        elif isinstance(step, ViewStep):
            channels, height, width = self.program.buffers[step.target].shape
            whole = self.alive[step.source][:, step.first : step.first + channels]
            seen = whole[:, :, step.top : step.top + height, :width]
            behind = height - seen.shape[2]
            self.alive[step.target] = np.pad(seen, ((0, 0), (0, 0), (0, behind), (0, 0))) if behind else seen
        elif isinstance(step, JoinStep):
            self._join(step)
        elif isinstance(step, QuantizeStep) and value is not None:
            scale = self.scales[step.target.buffer]
            form = (1, -1, *([1] * (value.ndim - 2)))
            exact = value / scale.step.reshape(form) + scale.zero.reshape(form)
            self.alive[step.target.buffer] = np.clip(np.round(exact), 0, 255).astype(np.uint8)
        elif isinstance(step, RequantizeStep):
            zero = int(np.clip(np.round(self.scales[step.source].zero[0]), 0, 255))
            self.alive[step.target.buffer] = np.full((self.count, step.target.size), zero, np.uint8)
        elif isinstance(step, ConcatStep) and self.program.buffers[step.target.buffer].kind == "bytes":
            self._concat(step)
        elif isinstance(step, ResizeStep) and step.source in self.alive:
            x = self.alive[step.source]
            made = [cpu.resize_nearest(picture, step.height, step.width) for picture in x]
            self.alive[step.target.buffer] = np.stack(made).astype(np.uint8)
        elif isinstance(step, MaxPoolStep):
            self._max_pool(step)

    def _join(self, step: JoinStep) -> None:
        made = np.zeros((self.count, *self.program.buffers[step.target].shape), np.uint8)
        for piece in step.pieces:
            part = self.alive[piece.buffer]
            made[:, piece.first : piece.first + part.shape[1], piece.top : piece.top + part.shape[2]] = part
        self.alive[step.target] = made

    def _concat(self, step: ConcatStep) -> None:
        flat = [self.alive[name].reshape(self.count, -1) for name in step.sources]
        shape = (self.count, *self.program.buffers[step.target.buffer].shape)
        if not len(step.pieces):
            self.alive[step.target.buffer] = flat[0].reshape(shape)
            return
        made = np.concatenate([flat[s][:, f : f + n] for s, f, n in step.pieces], 1)
        self.alive[step.target.buffer] = made.reshape(shape)

    def _max_pool(self, step: MaxPoolStep) -> None:
        x = self.alive[step.source]
        _, out_height, out_width = self.program.buffers[step.target.buffer].shape
        down = max(0, (out_height - 1) * step.stride[0] + step.kernel[0] - step.before[0] - x.shape[2])
        across = max(0, (out_width - 1) * step.stride[1] + step.kernel[1] - step.before[1] - x.shape[3])
        padded = np.pad(x, ((0, 0), (0, 0), (step.before[0], down), (step.before[1], across)))
        seen = np.lib.stride_tricks.sliding_window_view(padded, step.kernel, axis=(2, 3))
        seen = seen[:, :, :: step.stride[0], :: step.stride[1]][:, :, :out_height, :out_width]
        self.alive[step.target.buffer] = np.ascontiguousarray(seen.max((4, 5)))
