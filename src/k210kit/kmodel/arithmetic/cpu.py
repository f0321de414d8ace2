"""The layers that the K210's own cores compute, in float32 and to the last bit, on arrays.

Every operation rounds to float32; `runtime` tells where the SDK and MaixPy differ. Sources: see `runtimes`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from k210kit.errors import UnsupportedError
from k210kit.kmodel.arithmetic.floats import canonical, fma, fma_sum, running_sum
from k210kit.kmodel.arithmetic.runtimes import Runtime

__all__ = [
    "Requantization",
    "Window",
    "add",
    "average_pool",
    "dequantize",
    "flatten",
    "fully_connected",
    "global_average",
    "l2_normalize",
    "logistic",
    "max_pool",
    "quantize",
    "quantized_add",
    "resize_nearest",
    "softmax",
]

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

_f32 = np.float32
_SMALLEST_NORMAL = _f32(np.finfo(np.float32).tiny)  # FLT_MIN
_L2_FLOOR = np.uint32(0x2EDBE6FF).view(np.float32)  # 1e-10


def quantize(x: Floats, scale: float, bias: float, runtime: Runtime) -> Bytes:
    """`(x - bias) * (1 / scale)` as a byte; NaN becomes 255, as the core's conversion to an integer has it."""
    with np.errstate(all="ignore"):
        value = (x - _f32(bias)) * (_f32(1) / _f32(scale))
        if runtime.quantize_rounds:  # halves away from zero; value + 0.5 could round up to the next integer
            whole = np.trunc(value)
            value = whole + np.where(np.abs(value - whole) >= _f32(0.5), np.copysign(_f32(1), value), _f32(0))
        value = np.where(np.isnan(value), _f32(255), value)
        clamped: Bytes = np.clip(value, 0, 255).astype(np.uint8)
        return clamped


def dequantize(q: Bytes, scale: Floats | float, bias: Floats | float, runtime: Runtime) -> Floats:
    """`q * scale + bias`; `scale` and `bias` are numbers, or arrays that broadcast to `q`."""
    factor, summand = np.asarray(scale, np.float32), np.asarray(bias, np.float32)
    if runtime.fused:
        return canonical(fma(factor, q.astype(np.float32), summand))
    with np.errstate(all="ignore"):
        return canonical(q.astype(np.float32) * factor + summand)


def add(a: Floats, b: Floats) -> Floats:
    """`a + b`."""
    with np.errstate(all="ignore"):
        return canonical(a + b)


@dataclass(frozen=True, kw_only=True)
class Requantization:
    """What is done to one tensor of a quantised sum: `(q + offset) * mul >> shift`."""

    offset: int
    mul: int
    shift: int


def quantized_add(a: Bytes, b: Bytes, first: Requantization, second: Requantization, out: Requantization) -> Bytes:
    """The sum of bytes of different scales in 64-bit integers; the result is rounded, then offset."""
    x = (a.astype(np.int64) + first.offset) * first.mul
    y = (b.astype(np.int64) + second.offset) * second.mul
    if first.shift == second.shift:
        total = (x + y) >> (first.shift & 63)
    else:
        total = (x >> (first.shift & 63)) + (y >> (second.shift & 63))
    return np.clip(_carry(total * out.mul, out.shift) + out.offset, 0, 255).astype(np.uint8)


def _carry(value: NDArray[np.int64], shift: int) -> NDArray[np.int64]:
    """The floor, and where the bit below it is set, one step: up from a positive, DOWN from a negative value."""
    if shift <= 0:
        return value
    half_bit = (value >> (shift - 1)) & 1
    return (value >> shift) + np.where(value >= 0, half_bit, -half_bit)


def global_average(x: Floats, runtime: Runtime) -> Floats:
    """The mean of each row of `x` [channels, pixels]."""
    with np.errstate(all="ignore"):
        total, count = running_sum(x, axis=1), _f32(x.shape[1])
        return canonical(total * (_f32(1) / count) if runtime.reciprocals else total / count)


@dataclass(frozen=True, kw_only=True)
class Window:
    """A pooling window; every pair is width, height."""

    input: tuple[int, int]
    output: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int]

    def taps(self, axis: int) -> list[tuple[int, int, int]]:
        """Of each output place along an axis: the origin of its window, its first tap, and the tap after its last.

        The end is compared unsigned, so a window that starts beyond the picture keeps all its taps.
        """
        made = []
        for place in range(self.output[axis]):
            origin = place * self.stride[axis] - self.pad[axis]
            left = (self.input[axis] - origin) & 0xFFFFFFFF
            made.append((origin, max(0, -origin), min(self.kernel[axis], left)))
        return made

    def reach(self, channels: int) -> int:
        """Elements, from the start of the input on, that the windows may read."""
        last = [max((origin + end for origin, _, end in self.taps(axis)), default=0) for axis in (0, 1)]
        width, height = self.input
        return max(0, (channels - 1) * width * height + max(0, last[1] - 1) * width + last[0])


def max_pool(x: Bytes, window: Window, channels: int) -> Bytes:
    """The largest byte of each window, at least 0: [channels, height, width] of the flat input."""
    out = np.zeros((channels, window.output[1], window.output[0]), np.uint8)
    for row, column, taps in _windows(window, channels):
        out[:, row, column] = x[taps].max(axis=1, initial=0)
    return out


def average_pool(x: Floats, window: Window, channels: int) -> Floats:
    """The mean over each window's taps in the picture, NaN where there are none."""
    out = np.zeros((channels, window.output[1], window.output[0]), np.float32)
    with np.errstate(all="ignore"):
        for row, column, taps in _windows(window, channels):
            out[:, row, column] = running_sum(x[taps], axis=1) / _f32(taps.shape[1])
    return canonical(out)


def _windows(window: Window, channels: int) -> list[tuple[int, int, NDArray[np.intp]]]:
    """Row, column and the elements [channels, taps] of the flat input, of each output place."""
    width, height = window.input
    starts = np.arange(channels)[:, None] * (width * height)
    made = []
    for row, (top, first_row, end_row) in enumerate(window.taps(1)):
        for column, (left, first_column, end_column) in enumerate(window.taps(0)):
            rows = np.arange(top + first_row, top + max(first_row, end_row))
            columns = np.arange(left + first_column, left + max(first_column, end_column))
            made.append((row, column, starts + (rows[:, None] * width + columns).reshape(1, -1)))
    return made


def l2_normalize(x: Floats, runtime: Runtime) -> Floats:
    """`x / sqrt(max(sum of squares, 1e-10))`, as a product with the reciprocal."""
    with np.errstate(all="ignore"):
        squares = fma_sum(x[:, None].astype(np.float64) ** 2)[0] if runtime.fused else running_sum(x * x)[()]
        floored = squares if squares > _L2_FLOOR else _L2_FLOOR  # NaN too gives the floor
        return canonical(x * (_f32(1) / _f32(np.sqrt(floored))))


def softmax(x: Floats, runtime: Runtime) -> Floats:
    """Over the whole vector. The maximum starts at FLT_MIN, so nothing is subtracted from all-negative inputs."""
    with np.errstate(all="ignore"):
        largest = np.fmax(np.fmax.reduce(x, initial=_SMALLEST_NORMAL), _SMALLEST_NORMAL)
        powers = runtime.exp(x - largest)
        total = running_sum(powers)
        return canonical(powers * (_f32(1) / total) if runtime.reciprocals else powers / total)


def logistic(x: Floats, runtime: Runtime) -> Floats:
    """`1 / (1 + exp(-x))`."""
    with np.errstate(all="ignore"):
        return canonical(_f32(1) / (runtime.exp(-x) + _f32(1)))


def fully_connected(x: Floats, weights: Floats, bias: Floats, activation: int, runtime: Runtime) -> Floats:
    """`weights @ x + bias`, summed in the runtime's order; `activation`: 0 none, 1 ReLU, 2 ReLU6."""
    with np.errstate(all="ignore"):
        total = _products(x, np.ascontiguousarray(weights.T), runtime) + bias
        if runtime.obeys_activation and activation:
            total = np.where(total > 0, total, _f32(0))
            if activation == 2:
                total = np.where(total < 6, total, _f32(6))
        return canonical(total)


def _products(x: Floats, columns: Floats, runtime: Runtime) -> Floats:
    """The sums of x[i] times column i, [out], in order."""
    if not runtime.fused:
        return running_sum(x[:, None] * columns, axis=0)
    terms = x[:, None].astype(np.float64) * columns
    if not runtime.blocks_of_eight or len(x) % 8:
        return fma_sum(terms)
    count, outputs = len(x) // 8, columns.shape[1]
    blocks = terms.reshape(count, 8, outputs)
    firsts, seconds = x[0::8, None], x[1::8, None] * columns[1::8]  # the first two of a block are summed on their own
    blocks[:, 1] = fma(firsts, columns[0::8], seconds)
    return fma_sum(blocks[:, 1:].reshape(7 * count, outputs))


def flatten(x: NDArray[np.generic]) -> NDArray[np.generic]:
    """[channel, row, column] in the order row, column, channel, flat."""
    return np.ascontiguousarray(x.transpose(1, 2, 0)).reshape(-1)


def resize_nearest(x: NDArray[np.generic], height: int, width: int) -> NDArray[np.generic]:
    """[channel, row, column] at another size: pixel `floor(place * in / out)`, the ratio a float32."""
    if not x.size and height * width:
        raise UnsupportedError(f"A map of {'x'.join(map(str, x.shape))} has no pixel to make {height}x{width} of.")
    rows, columns = _nearest(x.shape[1], height), _nearest(x.shape[2], width)
    return x[:, rows[:, None], columns]


def _nearest(size: int, wanted: int) -> NDArray[np.intp]:
    ratio = _f32(size) / _f32(max(wanted, 1))
    places = np.floor(ratio * np.arange(wanted, dtype=np.float32))
    nearest: NDArray[np.intp] = np.minimum(places, _f32(size - 1)).astype(np.intp)
    return nearest
