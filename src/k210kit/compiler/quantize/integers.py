"""The integers of one KPU layer, from its floats and the scales of its maps.

    acc  = sum (x - zx) (w - zw)                          what the KPU forms
    p    = acc * weight_step[out] + rest[out] + bias[out] the float that the curve sees
    b    = p / unit[out] = ((acc * mul) >> shift) + add   batch norm
    byte = table(b)

The scale of each input channel is multiplied into the weights before they are rounded, so what input channels are
scaled by costs nothing but weight resolution. Zeros that differ between input channels add a constant per output.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler import curves
from k210kit.compiler.exact import weighted_sums
from k210kit.compiler.quantize.scales import Scale, is_copy
from k210kit.compiler.quantize.tables import SHIFT, Piece, fitted, in_regions, per_channel_slopes, straight, table
from k210kit.compiler.stages import KpuConv
from k210kit.errors import KitError
from k210kit.hardware import SEGMENTS
from k210kit.kmodel import ActivationTable, BatchNorm
from k210kit.kmodel.arithmetic.kpu import Convolution

__all__ = ["LayerIntegers", "WeightCode", "encode", "encode_scaled", "layer_integers", "pad_byte"]

Numbers = NDArray[np.float64]
_MOST_MUL, _MOST_ADD = (1 << 23) - 1, (1 << 31) - 1
_MOST_B = 2.0**33  # a quarter of what 36 signed bits hold
_MOST_REACH = 0.99 * 2.0**35  # what the worst picture may reach: all but a hundredth of it
_SHIFT = 15  # of the batch norm
_ZERO_WEIGHT = 128
_FIT_SAMPLES = 20000  # of what a curve sees, to fit its table


@dataclass(frozen=True, kw_only=True, eq=False)
class WeightCode:
    """Weights as bytes: (code - zero) * step[out] = weight * input step. Same shape as the weights."""

    codes: NDArray[np.uint8]
    step: Numbers
    zero: int


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerIntegers:
    """Everything that a layer's registers and tables need but addresses."""

    code: WeightCode
    input_zero: int
    batch_norm: BatchNorm
    activation: ActivationTable
    pool_type: int
    depthwise: bool
    pads_lowest: bool  # outside of the picture lies the byte 0, not that of the value 0
    unit: Numbers  # what one b stands for, per output channel

    @property
    def pad_value(self) -> int:
        return 0 if self.pads_lowest else self.input_zero

    @property
    def arg_x(self) -> int:
        return -self.code.zero << _SHIFT

    @property
    def arg_w(self) -> int:
        return -self.input_zero << _SHIFT

    @property
    def arg_add(self) -> int:
        return self.input_zero * self.code.zero * int(self.code.codes.shape[-1]) ** 2

    def convolution(self) -> Convolution:
        """The same, as the simulator's arithmetic takes it."""
        return Convolution(
            weights=self.code.codes,
            depthwise=self.depthwise,
            pad_value=self.pad_value,
            arg_x=self.arg_x,
            shr_x=_SHIFT,
            arg_w=self.arg_w,
            shr_w=_SHIFT,
            arg_add=self.arg_add,
            bn_mul=self.batch_norm.mul,
            bn_shift=self.batch_norm.shift,
            bn_add=self.batch_norm.add,
            x_start=self.activation.x_start,
            y_mul=self.activation.y_mul,
            shift=self.activation.shift,
            bias=self.activation.bias,
            pool_type=self.pool_type,
        )


def pad_byte(source: Scale) -> int:
    """The byte nearest to 0 of all input channels."""
    return min(max(round(float(np.median(source.zero))), 0), 255)


def scaled_weights(op: KpuConv, source: Scale) -> Numbers:
    """Weights times the step of their input channel."""
    step = source.step.reshape(-1, 1, 1) if op.depthwise else source.step.reshape(1, -1, 1, 1)
    return np.asarray(op.weights * step, np.float64)


def encode(op: KpuConv, source: Scale) -> WeightCode:
    """Weights to the nearest bytes, one step per output channel, zero in the middle."""
    if is_copy(op, source):
        return WeightCode(codes=(op.weights * 64).astype(np.uint8), step=np.full(op.out_channels, 1 / 64), zero=0)
    return encode_scaled(scaled_weights(op, source))


def encode_scaled(scaled: Numbers) -> WeightCode:
    """Weights that are in steps of their inputs already, to the nearest bytes."""
    rows = scaled.reshape(len(scaled), -1)
    step = np.maximum(np.abs(rows).max(1), 1e-30) / 127
    codes = np.round(rows / step[:, None]) + _ZERO_WEIGHT
    return WeightCode(codes=codes.reshape(scaled.shape).astype(np.uint8), step=step, zero=_ZERO_WEIGHT)


def layer_integers(
    op: KpuConv,
    source: Scale,
    target: Scale,
    *,
    code: WeightCode,
    correction: Numbers | None = None,
    sample: NDArray[np.float32] | None = None,
) -> LayerIntegers:
    """All integers of a layer.

    correction: added to the bias, per output channel, to make up for what rounding the weights shifts; sample: what
    the curve sees on the calibration pictures, [channel, n], needed for curves that do not bend at zero alone.
    """
    rows = code.codes.reshape(op.out_channels, -1).astype(np.float64) - code.zero
    zero = pad_byte(source)
    copied = is_copy(op, source)
    step = code.step if not copied else code.step * target.step
    rest = _uneven_zeros(op, rows, source, zero) * step
    bias = op.bias.astype(np.float64) + rest + (0 if correction is None else correction)
    if copied:
        bias = np.zeros(op.out_channels)
    reach = _reach(rows, zero)
    bits = _fraction_bits(op, target, step, bias, reach)
    unit = target.step * 2.0 ** (bits - SHIFT)
    pieces, offset = _curve(op, target, bits, sample)
    if copied:
        offset = np.full(op.out_channels, zero * 2.0 ** (SHIFT - bits))  # acc is 64 (x - zx); the byte shall be x
    held = _held(reach * np.abs(step / unit) + np.abs(bias / unit))
    mul, shift = _factors(step / unit * held)
    add = np.round(bias / unit * held + offset)
    if np.abs(add).max(initial=0) > _MOST_ADD:
        add = np.clip(add, -_MOST_ADD, _MOST_ADD)
    norm = BatchNorm(mul=mul, add=add.astype(np.int64), shift=shift)
    return LayerIntegers(
        code=code,
        input_zero=zero,
        batch_norm=norm,
        activation=table(pieces),
        pool_type=op.pool_type,
        depthwise=op.depthwise,
        pads_lowest=op.border == "lowest",
        unit=unit,
    )


def _uneven_zeros(op: KpuConv, rows: Numbers, source: Scale, zero: int) -> Numbers:
    """Sum of (zx - zero of the channel) * code over the inputs of each output: what acc is short of."""
    difference = zero - source.zero
    if op.depthwise:
        return np.asarray(rows.sum(1) * difference)
    taps = rows.reshape(op.out_channels, op.in_channels, -1).sum(2)
    return weighted_sums(taps, difference)


def _reach(rows: Numbers, zero: int) -> Numbers:
    """The largest size of acc, per output channel."""
    up, down = np.maximum(rows, 0).sum(1), -np.minimum(rows, 0).sum(1)
    reach = np.maximum(up * (255 - zero) + down * zero, down * (255 - zero) + up * zero)
    return np.asarray(np.maximum(reach, 1.0), np.float64)


def _held(largest: Numbers) -> Numbers:
    """Factors, per channel, that keep b within the 36 bits that the KPU is known to hold.

    Below 1 only where a channel's range is billions of times smaller than what its weights can reach: a channel that
    was dead on the calibration pictures, whose output means next to nothing whatever its byte is.
    """
    return np.asarray(1 / np.maximum(largest / _MOST_REACH, 1.0))


def _fraction_bits(op: KpuConv, target: Scale, step: Numbers, bias: Numbers, reach: Numbers) -> int:
    """How many bits the slope 1 has: b counts 2^(bits - 20) of a byte; as fine as the factors and 36 bits allow."""
    bits = 12
    while True:
        unit = target.step * 2.0 ** (bits - SHIFT)
        ratio = np.abs(step / unit)
        largest = max(float((reach * ratio).max()), float((np.abs(bias) / unit).max()))
        if (ratio.max() * 2.0**_SHIFT > _MOST_MUL / 2 or largest > _MOST_B) and bits < 14:
            bits += 1
        elif (
            op.slopes is None and curves.is_linear(op.curve) and bits > 6 and ratio.max() < 1 / 8 and largest < 2.0**30
        ):
            bits -= 1
        else:
            return bits


def _curve(op: KpuConv, target: Scale, bits: int, sample: NDArray[np.float32] | None) -> tuple[list[Piece], Numbers]:
    """The pieces, and what is added to b per channel to reach the right one."""
    none = np.zeros(op.out_channels)
    if op.slopes is not None:
        return per_channel_slopes(op.slopes.astype(np.float64), float(target.zero[0]), bits)
    if curves.is_linear(op.curve):  # byte = b / 2^(20 - bits): the zero of each channel goes into the bias
        return [Piece(-(1 << 35), 0, 0), Piece(0, 1 << bits, 0)], target.zero * float(1 << (SHIFT - bits))
    zero = float(target.zero[0])
    if op.curve.kind == "clip" and curves.is_homogeneous(op.curve):
        return straight(zero, bits, clip_below=True), none
    if op.curve.kind == "leaky" and op.curve.alpha >= 0:
        return straight(zero, bits, slope=op.curve.alpha), none
    if sample is None:
        raise KitError(f"The curve {op.curve.kind} needs calibration samples.")
    return _fitted_curve(op, target, bits, sample)


def _fitted_curve(op: KpuConv, target: Scale, bits: int, sample: NDArray[np.float32]) -> tuple[list[Piece], Numbers]:
    """One table for all channels of one step; where channels have two steps, a table for each, side by side."""
    steps, member = np.unique(target.step, return_inverse=True)
    parts = []
    for k, step in enumerate(steps):
        chosen = sample[member == k].reshape(-1)
        chosen = chosen[:: max(1, chosen.size // _FIT_SAMPLES)]
        unit = float(step) * 2.0 ** (bits - SHIFT)
        zero, most = float(target.zero[0]), SEGMENTS // len(steps)
        parts.append(fitted(op.curve, unit=unit, step=float(step), zero=zero, sample=chosen, most=most))
    pieces, middles = in_regions(parts)
    return pieces, middles[member] if len(steps) > 1 else np.zeros(op.out_channels)


def _factors(ratio: Numbers) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """mul and shift with mul / 2^shift nearest to the ratio."""
    shift = np.full(len(ratio), _SHIFT, np.int64)
    mul: Numbers = np.round(ratio * 2.0**_SHIFT)
    while (np.abs(mul) > _MOST_MUL).any() and (shift > 0).any():
        over = (np.abs(mul) > _MOST_MUL) & (shift > 0)
        shift = np.where(over, shift - 1, shift)
        mul = np.round(ratio * np.ldexp(1.0, shift.astype(np.int32)))
    return np.clip(mul, -_MOST_MUL, _MOST_MUL).astype(np.int64), shift
