"""All layers as integers, in order, each chosen by what it does to the calibration pictures.

fast      weights to the nearest byte; what that shifts the sums by on average is taken back in the bias
normal    the layers run on the pictures in the simulator's own arithmetic, beside the float graph: weights are rounded
          so that their errors cancel (`rounding.py`), and the bias takes back the whole shift that has come together
best      the same on up to 32 pictures in place of 10; and maps that a byte is too coarse for may cost more weights to
          become two, see `finer.py`
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler import evaluate
from k210kit.compiler.exact import weighted_sums
from k210kit.compiler.graph import Graph
from k210kit.compiler.pictures import Batch, Inputs
from k210kit.compiler.program import ConvStep, Program
from k210kit.compiler.quantize.calibrate import Statistics
from k210kit.compiler.quantize.execute import ByteRun
from k210kit.compiler.quantize.integers import (
    LayerIntegers,
    WeightCode,
    encode,
    encode_scaled,
    layer_integers,
    scaled_weights,
)
from k210kit.compiler.quantize.observed import observed
from k210kit.compiler.quantize.rounding import rounded_dense, rounded_depthwise
from k210kit.compiler.quantize.scales import Scale, choose_scales, is_copy, result_statistics
from k210kit.kmodel.arithmetic.threads import own_threads

__all__ = ["Quantized", "quantize"]

Numbers = NDArray[np.float64]
Floats = NDArray[np.float32]
_PICTURES = {"normal": 10, "best": 32}


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantized:
    """Scales by buffer, integers by the output buffer of each convolution."""

    scales: Mapping[str, Scale]
    integers: Mapping[str, LayerIntegers]
    snr: Mapping[str, float]  # in dB, quantised against float, where measured
    warnings: tuple[str, ...] = ()


def quantize(
    graph: Graph,
    program: Program,
    statistics: Mapping[str, Statistics],
    input_scale: Scale,
    *,
    raw: Inputs,
    batch: Batch,
    effort: str,
    tell: Callable[[float, str], None],
) -> Quantized:
    """Choose everything."""
    scales = choose_scales(graph, program, statistics, input_scale)
    if effort == "fast" or not any(program.convs()):
        integers = _of_all(program, scales, statistics)
        return Quantized(scales=scales, integers=integers, snr={})
    count = _PICTURES[effort]
    search = _Search(graph, program, statistics, scales, raw[:count], batch[:count], tell)
    return search.quantized()


def _of_all(
    program: Program, scales: Mapping[str, Scale], statistics: Mapping[str, Statistics]
) -> dict[str, LayerIntegers]:
    made: dict[str, LayerIntegers] = {}
    of_rows: dict[tuple[str, int], LayerIntegers] = {}
    for step in program.convs():
        found = of_rows.get(_rows_of(step)) if step.tiled else None
        made[step.output] = found or _nearest(step, program, scales, statistics)
        if step.tiled:
            of_rows[_rows_of(step)] = made[step.output]
    return made


def _rows_of(step: ConvStep) -> tuple[str, int]:
    """What layers that make rows of one result have in common."""
    return step.node.output, step.first


def joined(step: ConvStep, scales: Mapping[str, Scale]) -> Scale:
    """The scales of all input channels of a layer."""
    parts = [scales[name] for name in step.inputs]
    return Scale(step=np.concatenate([p.step for p in parts]), zero=np.concatenate([p.zero for p in parts]))


def _nearest(
    step: ConvStep, program: Program, scales: Mapping[str, Scale], statistics: Mapping[str, Statistics]
) -> LayerIntegers:
    source = joined(step, scales)
    code = encode(step.op, source)
    shift = _expected_shift(step, source, code, program, statistics)
    target, sample = scales[step.output], _sample(step, source, statistics)
    return layer_integers(step.op, source, target, code=code, correction=shift, sample=sample)


def _sample(step: ConvStep, source: Scale, statistics: Mapping[str, Statistics]) -> Floats | None:
    before = statistics.get(f"{step.node.output}/before")
    if before is None or step.extra or is_copy(step.op, source):
        return None
    return before.part(step.first, step.op.out_channels).sample


def _expected_shift(
    step: ConvStep, source: Scale, code: WeightCode, program: Program, statistics: Mapping[str, Statistics]
) -> Numbers | None:
    """What rounding the weights shifts the sums by on average, to be taken back in the bias."""
    op = step.op
    mean = _means(step, program, statistics)
    if is_copy(op, source) or mean is None:
        return None
    mean = mean / source.step
    error = scaled_weights(op, source) - _values(code)
    if op.depthwise:
        return np.asarray(error.reshape(op.out_channels, -1).sum(1) * mean)
    return weighted_sums(error.reshape(op.out_channels, op.in_channels, -1).sum(2), mean)


def _values(code: WeightCode) -> Numbers:
    """The weights, times their input's step, that the codes stand for."""
    form = (-1, *([1] * (code.codes.ndim - 1)))
    return np.asarray((code.codes.astype(np.float64) - code.zero) * code.step.reshape(form))


def _means(step: ConvStep, program: Program, statistics: Mapping[str, Statistics]) -> Numbers | None:
    """The mean of each input channel; None where a map is not one of the graph's values, or only part of one."""
    channels = sum(program.buffers[name].shape[0] for name in step.inputs)
    makers = {s.output: s for s in program.convs()}
    parts = []
    for name in step.inputs:
        maker = makers.get(name)
        if maker is not None and not maker.extra:
            parts.append(result_statistics(maker, statistics).mean)
        elif name in statistics:
            parts.append(statistics[name].mean)
        elif name.split("~")[0].removesuffix("/kpu") in statistics:
            parts.append(statistics[name.split("~")[0].removesuffix("/kpu")].mean)
        else:
            return None
    means = np.concatenate(parts).astype(np.float64)
    return means if len(means) == channels else None


class _Search:
    """Layer by layer, on bytes as they really come in, against the floats that should come out."""

    def __init__(
        self,
        graph: Graph,
        program: Program,
        statistics: Mapping[str, Statistics],
        scales: Mapping[str, Scale],
        raw: NDArray[np.uint8],
        batch: Floats,
        tell: Callable[[float, str], None],
    ) -> None:
        self.graph, self.program, self.statistics, self.scales, self.tell = graph, program, statistics, scales, tell
        self.run = ByteRun(program, scales, raw)
        self.floats: dict[str, Floats] = {graph.input: np.ascontiguousarray(batch, np.float32)}
        self.next = 0
        self.last = {name: k for k, node in enumerate(graph.nodes) for name in node.inputs}
        self.needed = {
            name: k
            for k, step in enumerate(program.steps)
            for name in (*step.node.inputs, step.node.output, step.writes()[0].removesuffix("/bytes"))
        }
        self.integers: dict[str, LayerIntegers] = {}
        self.of_rows: dict[tuple[str, int], LayerIntegers] = {}
        self.snr: dict[str, float] = {}

    def quantized(self) -> Quantized:
        with own_threads():
            return self._quantized()

    def _quantized(self) -> Quantized:
        total = len(self.program.steps)
        for k, step in self.run.steps():
            if isinstance(step, ConvStep):
                self._layer(step)
            else:
                self._other(step)
            for name in [n for n in self.floats if self.needed.get(n, -1) <= k and self.last.get(n, -1) < self.next]:
                del self.floats[name]
            if k % 8 == 0:
                self.tell(0.4 + 0.5 * k / total, "choosing integers")
        return Quantized(scales=self.scales, integers=self.integers, snr=self.snr)

    def _value(self, name: str) -> Floats | None:
        """A value of the float graph, which runs as far as needed."""
        if name not in self.graph.makers and name != self.graph.input:
            return None
        while name not in self.floats and self.next < len(self.graph.nodes):
            node = self.graph.nodes[self.next]
            self.next += 1
            self.floats[node.output] = evaluate.apply(node, [self.floats[i] for i in node.inputs])
        return self.floats[name]

    def _other(self, step: Any) -> None:  # Any: every step but a convolution
        name = step.writes()[0]
        buffer = name.removesuffix("/bytes")
        self.run.other(step, self._value(buffer) if buffer in self.graph.makers else None)

    def _layer(self, step: ConvStep) -> None:
        x = self.run.inputs(step)
        source, target = joined(step, self.scales), self.scales[step.output]
        op = step.op
        if step.tiled:  # the pictures' rows are those of the whole; other rows of it have the integers already
            made = self.of_rows.get(_rows_of(step)) or _nearest(step, self.program, self.scales, self.statistics)
            self.of_rows[_rows_of(step)] = made
        elif step.extra or is_copy(op, source):
            made = layer_integers(op, source, target, code=encode(op, source))
        else:
            made = self._rounded(step, source, target, x)
        self.integers[step.output] = made
        result = self.run.convolve(step, made, x)
        if not step.extra and not step.tiled:
            self._measure(step, target, result)

    def _rounded(self, step: ConvStep, source: Scale, target: Scale, x: NDArray[np.uint8]) -> LayerIntegers:
        """Weights fitted to the bytes that come in, rounded together, and the bias that makes the means agree."""
        op = step.op
        found = [self._value(name) for name in step.node.inputs]
        floats = np.concatenate([v for v in found if v is not None], 1)
        if floats.shape[1] != x.shape[1]:  # maps filled up with zeros, to lie side by side, have more channels
            return layer_integers(op, source, target, code=encode(op, source))
        seen = observed(op, x, floats, source)
        weights = scaled_weights(op, source).reshape(op.out_channels, -1)
        if seen.covariance is not None:
            weights = seen.fitted(weights)
        code = encode_scaled(weights.reshape(op.weights.shape))
        if seen.covariance is not None:
            wanted = weights / code.step[:, None]
            codes = (rounded_depthwise if op.depthwise else rounded_dense)(wanted, seen.covariance)
            code = replace(code, codes=(codes + code.zero).reshape(op.weights.shape).astype(np.uint8))
        values = _values(code).reshape(op.out_channels, -1)
        exact = scaled_weights(op, source).reshape(op.out_channels, -1)
        shift = weighted_sums(exact, seen.wanted_mean) - weighted_sums(values, seen.mean)
        sample = _sample(step, source, self.statistics)
        return layer_integers(op, source, target, code=code, correction=shift, sample=sample)

    def _measure(self, step: ConvStep, target: Scale, result: NDArray[np.uint8]) -> None:
        want = self._value(step.node.output)
        if want is None:
            return
        want = want[:, step.first : step.first + step.op.out_channels]
        form = (-1, *([1] * (want.ndim - 2)))
        zero, size = (n.reshape(form).astype(np.float32) for n in (target.zero, target.step))

        def one(pair: tuple[NDArray[np.uint8], Floats]) -> tuple[float, float]:
            error = pair[0].astype(np.float32)
            error -= zero
            error *= size
            error -= pair[1]
            return float(np.square(error, out=error).sum()), float(np.square(pair[1]).sum())

        noise, signal = (
            sum(part) for part in zip(*evaluate.for_each(one, zip(result, want, strict=True)), strict=True)
        )
        self.snr[step.output] = 10 * float(np.log10(max(signal, 1e-30) / max(noise, 1e-30)))
