"""The KPU's convolution, exact to the bit, on arrays: images first, then channel, row, column.

    S = sum of pixel x weight, X = sum of the pixels, W = sum of the weights, over the taps and input channels
    acc = S + (arg_x X >> shr_x) + (arg_w W >> shr_w) + arg_add Cin        accumulate
    b   = (acc mul >> shift) + add                                         batch_norm
    y   = clamp(round((b - x_start) y_mul / 2^shift) + bias)               activate, in the segment that b falls into
    out = pool(y)                                                          pool

Pixels and weights are raw unsigned numbers and `>>` rounds down. Source: nncase 0.2 and 1.9 `k210` kernels; which of
the points the photographs of real boards confirm is told in docs/reference/kpu-arithmetic.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from k210kit.errors import UnsupportedError
from k210kit.kmodel.registers import POOLS

__all__ = [
    "Convolution",
    "accumulate",
    "activate",
    "batch_norm",
    "convolve",
    "divide_to_even",
    "largest_sum",
    "picked",
    "pool",
    "reachable",
]

Integers = NDArray[np.int64]
Bytes = NDArray[np.uint8]

_FLOAT32_EXACT = 1 << 24  # every integer up to this size is a float32
_PATCH_BYTES = 8 << 20  # of the matrix of pixels that one product takes; more leaves the caches
_PICKS = {5: (2, 0), 6: (2, 1), 7: (4, 0)}  # pool type: stride, column


@dataclass(frozen=True, kw_only=True, eq=False)
class Convolution:
    """One layer of the KPU as its registers and tables tell it; see the formulas above.

    `weights`: unsigned, [out, in, k, k], of a depthwise layer [channel, k, k]; k is 1 or 3. `bn_*`: int64 [out].
    `x_start`, `y_mul`, `shift`, `bias`: int64 [16], the activation table.
    """

    weights: NDArray[np.unsignedinteger]
    depthwise: bool = False
    pad_value: int = 0
    arg_x: int = 0
    shr_x: int = 0
    arg_w: int = 0
    shr_w: int = 0
    arg_add: int = 0
    bn_mul: Integers
    bn_shift: Integers
    bn_add: Integers
    x_start: Integers
    y_mul: Integers
    shift: Integers
    bias: Integers
    pool_type: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.pool_type < len(POOLS):
            raise UnsupportedError(f"Pool type {self.pool_type} is not known; 0 to {len(POOLS) - 1} are.")
        if self.kernel not in (1, 3):
            raise UnsupportedError(f"A kernel of {self.kernel}x{self.kernel} is not known to the KPU; 1x1 and 3x3 are.")

    @property
    def kernel(self) -> int:
        """Side of the kernel."""
        return int(self.weights.shape[-1])

    @property
    def output_channels(self) -> int:
        return int(self.weights.shape[0])

    @property
    def input_channels(self) -> int:
        """Channels that each output channel sees: 1 of a depthwise layer."""
        return 1 if self.depthwise else int(self.weights.shape[1])

    @property
    def constant(self) -> Integers:
        """What is added to acc whatever the pixels are: [out]."""
        sums: Integers = self.weights.reshape(self.output_channels, -1).sum(axis=1, dtype=np.int64)
        return ((self.arg_w * sums) >> self.shr_w) + self.arg_add * self.input_channels

    @property
    def folded(self) -> Integers | None:
        """The weights with the term of X folded in, as [out, in x k x k]; None if that term is no whole number.

        `arg_x X >> shr_x` is `(arg_x >> shr_x) X` if arg_x is a multiple of 2^shr_x, as in every known file.
        """
        if self.arg_x & ((1 << self.shr_x) - 1):
            return None
        return self.weights.reshape(self.output_channels, -1).astype(np.int64) + (self.arg_x >> self.shr_x)


def convolve(x: Bytes, spec: Convolution) -> Bytes:
    """The whole layer: pixels [n, c, h, w] to pixels [n, out, h / stride, w / stride]."""
    pick = _PICKS.get(spec.pool_type)
    acc = _accumulate(x, spec, *pick) if pick else accumulate(x, spec)
    b = batch_norm(acc, spec.bn_mul, spec.bn_shift, spec.bn_add)
    y = activate(b, spec.x_start, spec.y_mul, spec.shift, spec.bias)
    return y if pick else pool(y, spec.pool_type)


def picked(pool_type: int) -> tuple[int, int]:
    """Stride and first column of the only pixels that a picking pool keeps; (1, 0) for every other pool."""
    return _PICKS.get(pool_type, (1, 0))


def accumulate(x: Bytes, spec: Convolution) -> Integers:
    """acc of every pixel of `x` [n, c, h, w], before any pooling: [n, out, h, w]."""
    return _accumulate(x, spec, 1, 0)


def _accumulate(x: Bytes, spec: Convolution, stride: int, column: int) -> Integers:
    images, channels, height, width = x.shape
    expected = spec.output_channels if spec.depthwise else spec.input_channels
    if channels != expected:
        raise ValueError(f"pixels of {channels} channels for weights of {expected}")
    folded = spec.folded
    taps = folded if folded is not None else spec.weights.reshape(spec.output_channels, -1).astype(np.int64)
    shape = (images, spec.output_channels, height // stride, width // stride)
    acc = np.empty(shape, np.int64)
    for image, rows, patch in _patches(x, spec, stride, column):
        sums, pixels = _depthwise(patch, taps) if spec.depthwise else _product(patch, taps)
        if folded is None:
            sums = sums + ((spec.arg_x * pixels) >> spec.shr_x)
        acc[image, :, rows] = sums.reshape(spec.output_channels, -1, shape[3])
    acc += spec.constant[:, None, None]
    return acc


def _patches(x: Bytes, spec: Convolution, stride: int, column: int) -> Iterator[tuple[int, slice, Bytes]]:
    """Image, rows, and what the kernel sees there, [c, k, k, rows, w], in blocks that fit the caches."""
    images, channels, height, width = x.shape
    kernel, border = spec.kernel, spec.kernel // 2
    heights, widths = height // stride, width // stride
    padded = x
    if border:
        padded = np.full((images, channels, height + 2, width + 2), spec.pad_value, np.uint8)
        padded[:, :, 1:-1, 1:-1] = x
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), axis=(2, 3))
    seen = windows[:, :, ::stride, column::stride][:, :, :heights, :widths].transpose(0, 1, 4, 5, 2, 3)
    block = max(1, _PATCH_BYTES // (4 * channels * kernel * kernel * max(1, widths)))
    for image in range(images):
        for top in range(0, heights, block):
            rows = slice(top, min(top + block, heights))
            yield image, rows, seen[image, ..., rows, :]


def _product(patch: Bytes, taps: Integers) -> tuple[Integers, Integers]:
    """Sums of pixel x weight [out, pixels], and of the pixels alone [pixels], by a product of float matrices.

    Exact: all are integers, and whatever the order of the sum, no partial sum leaves what the float type holds exactly.
    """
    seen = patch.reshape(taps.shape[1], -1)
    float_type = np.float32 if largest_sum(taps) <= _FLOAT32_EXACT else np.float64
    sums = taps.astype(float_type) @ seen.astype(float_type)
    return sums.astype(np.int64), seen.sum(axis=0, dtype=np.int64)


def largest_sum(taps: Integers) -> int:
    """The largest size that any partial sum of pixel x weight can take; weights [out, taps]."""
    positive = np.maximum(taps, 0).sum(axis=1).max(initial=0)
    negative = np.minimum(taps, 0).sum(axis=1).min(initial=0)
    return 255 * int(max(positive, -negative))


def _depthwise(patch: Bytes, taps: Integers) -> tuple[Integers, Integers]:
    seen = patch.reshape(taps.shape[0], taps.shape[1], -1)
    sums = np.zeros((seen.shape[0], seen.shape[2]), np.int64)
    for tap in range(taps.shape[1]):
        sums += taps[:, tap, None] * seen[:, tap]
    return sums, seen.sum(axis=1, dtype=np.int64)


def batch_norm(acc: Integers, mul: Integers, shift: Integers, add: Integers) -> Integers:
    """b of acc [n, out, h, w]; `mul`, `shift`, `add`: [out]. The shift rounds down."""
    per_channel = (slice(None), None, None)
    return ((acc * mul[per_channel]) >> shift[per_channel]) + add[per_channel]


def activate(b: Integers, x_start: Integers, y_mul: Integers, shift: Integers, bias: Integers) -> Bytes:
    """The activation table at `b`, of any shape: the LAST segment with b > x_start tells the line; tables: [16].

    Below every x_start the first segment's line is taken; the hardware's choice there is not known.
    """
    lowest, highest = (int(b.min()), int(b.max())) if b.size else (0, 0)
    chosen = reachable(x_start, lowest, highest)
    segment: NDArray[np.intp] | int = chosen[0]
    if len(chosen) > 1:
        segment = np.full(b.shape, chosen[0], np.intp)
        for index in chosen[1:]:
            segment[b > x_start[index]] = index
    line = divide_to_even((b - x_start[segment]) * y_mul[segment], shift[segment]) + bias[segment]
    return np.clip(line, 0, 255).astype(np.uint8)


def reachable(x_start: Integers, lowest: int, highest: int) -> tuple[int, ...]:
    """The segments that some b from `lowest` to `highest` falls into, from left to right."""
    chosen = []
    ceiling = highest  # above it, a later segment takes b
    for index in range(len(x_start) - 1, -1, -1):
        start = int(x_start[index])
        if ceiling > start and ceiling >= lowest:
            chosen.append(index)
        ceiling = min(ceiling, start)
    if ceiling >= lowest and 0 not in chosen:
        chosen.append(0)
    return tuple(reversed(chosen))


def divide_to_even(value: Integers, shift: Integers) -> Integers:
    """`value` / 2^`shift` rounded to the nearest, ties to even.

    Of a negative value, nncase's kernels step DOWN from the floor where they would step up from it; no known model has
    one, and what the hardware does is not known.
    """
    shift = np.minimum(shift, 62)  # the rest of a longer shift is the same: nothing is left
    floor = value >> shift
    rest = value - (floor << shift)
    half = (np.int64(1) << shift) >> 1
    steps = (rest > half) | ((rest == half) & (shift > 0) & ((floor & 1) == 1))
    rounded: Integers = floor + np.where(value < 0, -1, 1) * steps
    return rounded


def pool(y: Bytes, pool_type: int) -> Bytes:
    """The pooled pixels of `y` [n, c, h, w]; a row or column that does not fill a window is dropped."""
    kind = POOLS[pool_type]
    if pool_type in _PICKS:
        stride, column = _PICKS[pool_type]
        height, width = y.shape[2] // stride, y.shape[3] // stride
        return np.ascontiguousarray(y[:, :, ::stride, column::stride][:, :, :height, :width])
    if kind.size == 1:
        return y
    largest = kind.name.startswith("max")
    if kind.stride == 1:  # the window hangs over the right and lower edge, where the last pixels count again
        y = np.pad(y, ((0, 0), (0, 0), (0, 1), (0, 1)), mode="edge")
    height, width = ((n - kind.size) // kind.stride + 1 for n in y.shape[2:])
    total = np.zeros((*y.shape[:2], height, width), np.uint8 if largest else np.uint16)
    for row in range(kind.size):
        for column in range(kind.size):
            part = y[:, :, row :: kind.stride, column :: kind.stride][:, :, :height, :width]
            total = np.maximum(total, part) if largest else total + part
    return total if largest else (total // kind.size**2).astype(np.uint8)
