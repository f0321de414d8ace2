"""All layers as integers, in order, each chosen by what it does to the calibration pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler.graph import Graph
from k210kit.compiler.program import ConvStep, Program
from k210kit.compiler.quantize.calibrate import Statistics
from k210kit.compiler.quantize.integers import LayerIntegers, WeightCode, encode, layer_integers, scaled_weights
from k210kit.compiler.quantize.scales import Scale, choose_scales, copied_channels, is_copy, result_statistics

__all__ = ["Quantized", "quantize"]

Numbers = NDArray[np.float64]


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
    raw: NDArray[Any],
    batch: NDArray[np.float32],
    effort: str,
    tell: Callable[[float, str], None],
) -> Quantized:
    """Choose everything."""
    scales = choose_scales(graph, program, statistics, input_scale)
    integers = {}
    for step in program.convs():
        source = joined(step, scales)
        code = encode(step.op, source)
        integers[step.output] = layer_integers(
            step.op,
            source,
            scales[step.output],
            code=code,
            correction=_expected_shift(step, source, code, program, statistics),
            sample=_sample(step, statistics),
        )
    return Quantized(scales=scales, integers=integers, snr={})


def joined(step: ConvStep, scales: Mapping[str, Scale]) -> Scale:
    """The scales of all input channels of a layer."""
    parts = [scales[name] for name in step.inputs]
    return Scale(step=np.concatenate([p.step for p in parts]), zero=np.concatenate([p.zero for p in parts]))


def _sample(step: ConvStep, statistics: Mapping[str, Statistics]) -> NDArray[np.float32] | None:
    before = statistics.get(f"{step.node.output}/before")
    if before is None or copied_channels(step.op) is not None:
        return None
    flat = before.part(step.first, step.op.out_channels).sample.reshape(-1)
    return flat[:: max(1, flat.size // 20000)]


def _expected_shift(
    step: ConvStep, source: Scale, code: WeightCode, program: Program, statistics: Mapping[str, Statistics]
) -> Numbers | None:
    """What rounding the weights shifts the sums by on average, to be taken back in the bias."""
    op = step.op
    mean = _means(step, program, statistics)
    if is_copy(op, source) or mean is None:
        return None
    mean = mean / source.step
    error = scaled_weights(op, source) - (code.codes.astype(np.float64) - code.zero) * code.step.reshape(
        -1, *([1] * (code.codes.ndim - 1))
    )
    if op.depthwise:
        return np.asarray(error.reshape(op.out_channels, -1).sum(1) * mean)
    return np.asarray(error.reshape(op.out_channels, op.in_channels, -1).sum(2) @ mean)


def _means(step: ConvStep, program: Program, statistics: Mapping[str, Statistics]) -> Numbers | None:
    """The mean of each input channel; None where a map is not one of the graph's values."""
    makers = {s.output: s for s in program.convs()}
    parts = []
    for name in step.inputs:
        maker = makers.get(name)
        if maker is not None and not maker.extra:
            parts.append(result_statistics(maker, statistics).mean)
        elif name in statistics:
            parts.append(statistics[name].mean)
        elif name.removesuffix("/kpu") in statistics:
            parts.append(statistics[name.removesuffix("/kpu")].mean)
        else:
            return None
    return np.concatenate(parts).astype(np.float64)
