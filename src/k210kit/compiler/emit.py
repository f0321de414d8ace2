"""Steps with numbers and addresses become the layers of a kmodel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler import program as steps
from k210kit.compiler.allocate import Placement
from k210kit.compiler.graph import elements
from k210kit.compiler.program import Program, Slice, Step
from k210kit.compiler.quantize.integers import LayerIntegers
from k210kit.compiler.quantize.scales import Scale
from k210kit.kmodel import Kmodel, Output, Registers, layers

__all__ = ["Emitted", "emit"]

_FLOAT_BYTES = 4
_ROUNDING = float(1 << 23)  # added to and taken from a float, it rounds to whole numbers, ties to even


@dataclass(frozen=True, kw_only=True, eq=False)
class Emitted:
    """The kmodel, and for each of its layers the step that it belongs to."""

    kmodel: Kmodel
    steps: tuple[Step, ...]


def emit(
    program: Program,
    placement: Placement,
    scales: Mapping[str, Scale],
    integers: Mapping[str, LayerIntegers],
) -> Emitted:
    """The kmodel of a program. `integers` are by the output buffer of each convolution."""
    return _Emitter(program, placement, scales, integers).emitted()


class _Emitter:
    def __init__(
        self,
        program: Program,
        placement: Placement,
        scales: Mapping[str, Scale],
        integers: Mapping[str, LayerIntegers],
    ) -> None:
        self.program, self.placement, self.scales, self.integers = program, placement, scales, integers
        self.layers: list[layers.Layer] = []
        self.owners: list[Step] = []
        self.extra = placement.main_bytes

    def emitted(self) -> Emitted:
        for step in self.program.steps:
            before = len(self.layers)
            _EMITTERS[type(step)](self, step)
            self.owners.extend([step] * (len(self.layers) - before))
        outputs = tuple(
            Output(address=self.placement.main[name], size=self.program.buffers[name].bytes)
            for name in self.program.outputs
        )
        kmodel = Kmodel(main_memory_bytes=self.extra, outputs=outputs, layers=tuple(self.layers))
        return Emitted(kmodel=kmodel, steps=tuple(self.owners))

    def main(self, buffer: str) -> int:
        return self.placement.main[buffer]

    def at(self, place: Slice) -> int:
        size = _FLOAT_BYTES if self.program.buffers[place.buffer].kind == "floats" else 1
        return self.main(place.buffer) + place.first * size

    def shape(self, buffer: str) -> tuple[int, ...]:
        return self.program.buffers[buffer].shape

    def conv(self, step: steps.ConvStep) -> None:
        numbers = _as_proven(self.integers[step.output])
        channels, height, width = sum(self.shape(n)[0] for n in step.inputs), *self.shape(step.inputs[0])[1:]
        if (height, width) == (1, 1):
            height = width = 4
        registers = Registers.for_conv(
            input_shape=(channels, height, width),
            output_channels=step.op.out_channels,
            kernel_size=int(numbers.code.codes.shape[-1]),
            depthwise=step.op.depthwise,
            pool_type=step.op.pool_type,
            input_line=self.placement.kpu[step.inputs[0]],
            output_line=self.placement.kpu[step.output],
            pad_value=numbers.pad_value,
            arg_x=numbers.arg_x,
            shr_x=15,
            arg_w=numbers.arg_w,
            shr_w=15,
            arg_add=numbers.arg_add,
        )
        self.layers.append(
            layers.Conv(
                flags=int(step.main is not None),
                main_out=self.main(step.main) if step.main else 0,
                registers=registers,
                weights=numbers.code.codes,
                batch_norm=numbers.batch_norm,
                activation=numbers.activation,
            )
        )

    def nothing(self, step: Step) -> None:
        """No layer."""

    def upload(self, step: steps.UploadStep) -> None:
        channels, height, width = self.shape(step.target.buffer)
        self.layers.append(
            layers.Upload(
                input=self.main(step.source),
                kpu_out=self.placement.kpu[step.target.buffer],
                width=width,
                height=height,
                channels=channels,
            )
        )

    def add_padding(self, step: steps.AddPaddingStep) -> None:
        line, channels = self.placement.kpu[step.target.buffer], self.shape(step.target.buffer)[0]
        self.layers.append(layers.AddPadding(input=self.main(step.source), kpu_out=line, channels=channels))

    def remove_padding(self, step: steps.RemovePaddingStep) -> None:
        channels = self.shape(step.target.buffer)[0]
        self.layers.append(
            layers.RemovePadding(input=self.main(step.source), output=self.at(step.target), channels=channels)
        )

    def quantize(self, step: steps.QuantizeStep) -> None:
        count, address = step.target.size, self.main(step.source)
        step_, zero, rounds = self.quantizing(step)
        if rounds:  # the floats are in steps already: round them where they lie, so that both runtimes agree
            spare = self._spare(count)
            byte = self.at(step.target)
            for sign in (1, -1):
                self.layers.append(
                    layers.Dequantize(input=byte, output=spare, count=count, scale=0.0, bias=sign * _ROUNDING)
                )
                self.layers.append(layers.Add(input_a=address, input_b=spare, output=address, count=count))
        bias = -zero * step_
        if step.part == "coarse":  # half a step lower, so that neither runtime rounds up: what is left is not negative
            bias += step_ / 2
        self.layers.append(
            layers.Quantize(input=address, output=self.at(step.target), count=count, scale=step_, bias=bias)
        )

    def quantizing(self, step: steps.QuantizeStep) -> tuple[float, float, bool]:
        """Step and zero that a QUANTIZE layer takes, and whether its floats are in steps (see `dequantize`)."""
        if self._in_steps(step.source):
            return 1.0, 0.0, True
        scale = self.scales[step.target.buffer]
        return float(scale.step[0]), float(scale.zero[0]), False

    def _in_steps(self, floats: str) -> bool:
        maker = next((s for s in self.program.steps if floats in s.writes()), None)
        return isinstance(maker, steps.AveragePoolStep) and self._steps_for(maker.source) is not None

    def _spare(self, count: int) -> int:
        """Room for floats behind everything else."""
        self.extra = max(self.extra, self.placement.main_bytes + count * _FLOAT_BYTES)
        return self.placement.main_bytes

    def dequantize(self, step: steps.DequantizeStep) -> None:
        """Bytes to values; to steps of the following QUANTIZE if only a pool stands between the two."""
        scale, bias = self._values(step)
        source, target = self.main(step.source) + step.first, self.at(step.target)
        if np.ptp(scale) == 0 and np.ptp(bias) == 0:
            self.layers.append(
                layers.Dequantize(
                    input=source, output=target, count=step.target.size, scale=float(scale[0]), bias=float(bias[0])
                )
            )
            return
        table = np.stack([scale, bias], 1).astype(np.float32)
        each = step.target.size // len(scale)
        self.layers.append(
            layers.ChannelwiseDequantize(
                input=source, output=target, channels=len(scale), channel_size=each, scale_bias=table
            )
        )

    def _scale_read(self, step: steps.DequantizeStep) -> Scale:
        """The scale of the channels that a step reads."""
        whole = self.scales[step.source]
        each = elements(self.shape(step.source)) // len(whole.step)
        part = slice(step.first // each, (step.first + step.target.size) // each)
        return Scale(step=whole.step[part], zero=whole.zero[part])

    def _values(self, step: steps.DequantizeStep) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        scale = self._scale_read(step)
        sign = -1.0 if step.target.buffer.split("~")[0].endswith("/less") else 1.0
        after = self._steps_for(step.target.buffer)
        if after is not None:
            coarse = self.scales[after]
            each = elements(self.shape(step.source)) // len(self.scales[step.source].step)
            pool = next(s for s in self.program.steps if step.target.buffer in s.reads())
            assert isinstance(pool, steps.AveragePoolStep)
            start = pool.target.first + step.target.first // each
            part = slice(start, start + len(scale.step))
            factor = scale.step / coarse.step[part]
            return factor, coarse.zero[part] - scale.zero * factor
        step_ = scale.step.astype(np.float32).astype(np.float64)
        return sign * step_, -sign * scale.zero * step_

    def _steps_for(self, floats: str) -> str | None:
        """The bytes in whose steps these floats are written: one pool, then one QUANTIZE, and nobody else, read them.

        None if they are written as the values that they stand for, as every output of the model is.
        """
        pools = [s for s in self.program.steps if floats in s.reads()]
        if len(pools) != 1 or not isinstance(pools[0], steps.AveragePoolStep):
            return None
        pooled = pools[0].writes()[0]
        readers = [s for s in self.program.steps if pooled in s.reads()]
        if {floats, pooled} & set(self.program.outputs) or len(readers) != 1:
            return None
        return readers[0].target.buffer if isinstance(readers[0], steps.QuantizeStep) else None

    def requantize(self, step: steps.RequantizeStep) -> None:
        zero = int(np.clip(np.round(self.scales[step.source].zero[0]), 0, 255))
        self.layers.append(
            layers.Requantize(
                input=self.main(step.source),
                output=self.at(step.target),
                count=step.target.size,
                table=np.full(256, zero, np.uint8),
            )
        )

    def flatten(self, step: steps.FlattenStep) -> None:
        channels, height, width = self.shape(step.source)
        self.layers.append(
            layers.Flatten(
                input=self.main(step.source), output=self.at(step.target), width=width, height=height, channels=channels
            )
        )

    def concat(self, step: steps.ConcatStep) -> None:
        if not len(step.pieces):
            return
        floats = self.program.buffers[step.target.buffer].kind == "floats"
        size = _FLOAT_BYTES if floats else 1
        bases = np.array([self.main(name) for name in step.sources], np.int64)
        source, first, count = step.pieces.T
        inputs = np.stack([bases[source] + first * size, count * size], 1).astype(np.uint32)
        kind = layers.Concat if floats else layers.QuantizedConcat
        self.layers.append(kind(output=self.at(step.target), input_count=len(inputs), inputs=inputs))

    def last_byte(self, step: steps.LastByteStep) -> None:
        last = self.main(step.source) + self.program.buffers[step.source].bytes - 1
        inputs = np.array([[last, 1]], np.uint32)
        self.layers.append(layers.QuantizedConcat(output=self.at(step.target), input_count=1, inputs=inputs))

    def resize(self, step: steps.ResizeStep) -> None:
        channels, height, width = self.shape(step.source)
        floats = self.program.buffers[step.source].kind == "floats"
        kind = layers.ResizeNearest if floats else layers.QuantizedResizeNearest
        self.layers.append(
            kind(
                input=self.main(step.source),
                output=self.at(step.target),
                in_width=width,
                in_height=height,
                channels=channels,
                out_width=step.width,
                out_height=step.height,
            )
        )

    def _window(
        self, source: str, target: str, kernel: tuple[int, int], stride: tuple[int, int], before: tuple[int, int]
    ) -> dict[str, int]:
        channels, height, width = self.shape(source)
        out = self.shape(target)
        return {
            "input": self.main(source),
            "output": self.main(target),
            "in_width": width,
            "in_height": height,
            "in_channels": channels,
            "out_width": out[2],
            "out_height": out[1],
            "out_channels": out[0],
            "kernel_width": kernel[1],
            "kernel_height": kernel[0],
            "stride_width": stride[1],
            "stride_height": stride[0],
            "pad_width": before[1],
            "pad_height": before[0],
        }

    def max_pool(self, step: steps.MaxPoolStep) -> None:
        window = self._window(step.source, step.target.buffer, step.kernel, step.stride, step.before)
        self.layers.append(layers.QuantizedMaxPool(**window))

    def average_pool(self, step: steps.AveragePoolStep) -> None:
        if step.kernel is None:
            channels, height, width = self.shape(step.source)
            self.layers.append(
                layers.GlobalAveragePool(
                    input=self.main(step.source),
                    output=self.at(step.target),
                    kernel_size=height * width,
                    channels=channels,
                )
            )
            return
        window = self._window(step.source, step.target.buffer, step.kernel, step.stride, step.before)
        self.layers.append(layers.AveragePool(**window))

    def dense(self, step: steps.DenseStep) -> None:
        outs, ins = step.op.weights.shape
        self.layers.append(
            layers.FullyConnected(
                input=self.main(step.source),
                output=self.at(step.target),
                in_channels=ins,
                out_channels=outs,
                activation=0,
                weights=step.op.weights,
                bias=step.op.bias,
            )
        )

    def vector(self, step: steps.VectorStep) -> None:
        kind = {"softmax": layers.Softmax, "logistic": layers.Logistic, "l2": layers.L2Normalize}[step.what]
        source = self.main(step.source) + step.first * _FLOAT_BYTES
        self.layers.append(kind(input=source, output=self.at(step.target), channels=step.size))

    def sum(self, step: steps.SumStep) -> None:
        self.layers.append(
            layers.Add(
                input_a=self.main(step.sources[0]),
                input_b=self.main(step.sources[1]),
                output=self.at(step.target),
                count=step.target.size,
            )
        )


def _as_proven(numbers: LayerIntegers) -> LayerIntegers:
    """A depthwise 1x1 layer as 3x3 with weights of 0 around: no known model has the former, and it takes as long."""
    codes = numbers.code.codes
    if not numbers.depthwise or codes.shape[-1] == 3:
        return numbers
    wider = np.full((len(codes), 3, 3), numbers.code.zero, np.uint8)
    wider[:, 1, 1] = codes[:, 0, 0]
    return replace(numbers, code=replace(numbers.code, codes=wider))


_EMITTERS: dict[type[Step], Callable[..., None]] = {
    steps.ConvStep: _Emitter.conv,
    steps.ViewStep: _Emitter.nothing,
    steps.JoinStep: _Emitter.nothing,
    steps.UploadStep: _Emitter.upload,
    steps.AddPaddingStep: _Emitter.add_padding,
    steps.RemovePaddingStep: _Emitter.remove_padding,
    steps.QuantizeStep: _Emitter.quantize,
    steps.DequantizeStep: _Emitter.dequantize,
    steps.RequantizeStep: _Emitter.requantize,
    steps.FlattenStep: _Emitter.flatten,
    steps.ConcatStep: _Emitter.concat,
    steps.LastByteStep: _Emitter.last_byte,
    steps.ResizeStep: _Emitter.resize,
    steps.MaxPoolStep: _Emitter.max_pool,
    steps.AveragePoolStep: _Emitter.average_pool,
    steps.DenseStep: _Emitter.dense,
    steps.VectorStep: _Emitter.vector,
    steps.SumStep: _Emitter.sum,
}
