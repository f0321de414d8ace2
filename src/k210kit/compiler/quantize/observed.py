"""What a kernel sees on the calibration pictures, and what it should see: means and covariances.

x are the bytes that come in less their zero, y the floats in the same steps; both at some of the pixels that are kept.
All sums are of whole numbers: x less the nearest byte to its mean, and y - x on a grid of powers of two. By
Cauchy-Schwarz no partial sum of their products exceeds the root of the product of both sums of squares; where that is
below 2^24, a float32 matrix product is exact in whatever order it adds; elsewhere the positions are halved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler import evaluate
from k210kit.compiler.exact import SINGLE, exact_bits, on_grid, product, shared_product, weighted_sums
from k210kit.compiler.quantize.integers import pad_byte
from k210kit.compiler.quantize.scales import Scale
from k210kit.compiler.stages import PICK_LEFT_TOP, KpuConv

__all__ = ["MOST_INPUTS", "Observed", "observed"]

Numbers = NDArray[np.float64]
Floats = NDArray[np.float32]
MOST_INPUTS = 2400  # of one output: above it the covariance costs more than it gains
_POSITIONS = 600  # of each picture
_AT_ONCE, _FEWEST_AT_ONCE, _ELEMENTS_AT_ONCE = 3000, 600, 1 << 21  # positions of pictures taken together
_RIDGE, _RIDGE_PER_INPUT = 0.003, 40.0
_MOST_ITERATIONS = 60
_LEFT = 1e-9  # of the square of what is to be made up for


@dataclass(frozen=True, kw_only=True, eq=False)
class Observed:
    """Of a dense layer over all taps, [in] and [in, in]; of a depthwise one [channel, tap] and [channel, tap, tap].

    The covariances are None where a dense layer has more than MOST_INPUTS inputs.
    """

    mean: Numbers  # of x
    wanted_mean: Numbers  # of y
    covariance: Numbers | None  # of x with x
    missed: Numbers | None  # of y - x with x
    count: int

    def fitted(self, weights: Numbers) -> Numbers:
        """Weights on x that come nearest to `weights` on y, drawn to `weights` the more, the less was observed.

        This makes up for what the layers before have lost: where two noisy inputs nearly cancel, less of both is
        taken.
        """
        assert self.covariance is not None
        assert self.missed is not None
        size = self.covariance.shape[-1]
        mean = np.trace(self.covariance, axis1=-2, axis2=-1)[..., None] / size
        ridge = np.maximum(mean, 1e-6) * (_RIDGE + _RIDGE_PER_INPUT * size / self.count)
        damped = self.covariance.copy()
        damped[..., range(size), range(size)] += ridge
        if damped.ndim == 3:
            wanted = weighted_sums(np.swapaxes(self.missed, -1, -2), weights[:, None])
            return np.asarray(weights + _solved(_Rows(damped), wanted))
        return np.asarray(weights + _solved(_Matrix(damped), product(weights, self.missed)))


class _Rows:
    """Symmetric matrices [channel, n, n], each for one row of [channel, n]."""

    def __init__(self, matrices: Numbers) -> None:
        self.matrices = matrices

    def times(self, rows: Numbers) -> tuple[Numbers, Numbers]:
        return rows, weighted_sums(self.matrices, rows[:, None])


class _Matrix:
    """A symmetric matrix [n, n] for all rows of [any, n]."""

    def __init__(self, matrix: Numbers) -> None:
        self.bits = exact_bits(len(matrix))
        self.grid, self.steps = on_grid(matrix, self.bits)

    def times(self, rows: Numbers) -> tuple[Numbers, Numbers]:
        """The rows as they were rounded for the product, and the product."""
        whole, steps = on_grid(rows, self.bits)
        made = shared_product(whole, self.grid.T)
        made *= steps
        made *= self.steps.T
        whole *= steps
        return whole, made


def _solved(matrix: _Rows | _Matrix, wanted: Numbers) -> Numbers:
    """Rows z with z matrix = wanted, each by conjugate gradients (Hestenes and Stiefel 1952)."""
    found = np.zeros_like(wanted)
    left, along = wanted, wanted
    size = (left * left).sum(1, keepdims=True)
    enough = _LEFT * size
    for _ in range(_MOST_ITERATIONS):
        along, seen = matrix.times(along)
        step = (along * left).sum(1, keepdims=True) / np.maximum((along * seen).sum(1, keepdims=True), 1e-300)
        found += step * along
        left = left - step * seen
        before, size = size, (left * left).sum(1, keepdims=True)
        if (size <= enough).all():
            break
        along = left + size / np.maximum(before, 1e-300) * along
    return found


def observed(op: KpuConv, x: NDArray[np.uint8], floats: Floats, source: Scale) -> Observed:
    """x: bytes (pictures, channels, height, width); floats: the values that they should stand for."""
    taps = 1 if op.depthwise else op.in_channels * op.kernel**2
    middle = np.rint(x.sum((0, 2, 3), dtype=np.int64) / (x.size // x.shape[1]))
    most = min(_AT_ONCE, max(_FEWEST_AT_ONCE, _ELEMENTS_AT_ONCE // taps))
    at_once = max(1, most // _positions(op, x.shape))
    chunks = [slice(first, first + at_once) for first in range(0, len(x), at_once)]

    def one(chunk: slice) -> tuple[int, list[NDArray[Any]]]:  # Any: float32 or float64, whole numbers but the last two
        seen, missed = _seen(op, x[chunk], floats[chunk], source, middle)
        if taps > MOST_INPUTS:
            return seen.shape[-1], [seen.sum(-1), missed.sum(-1, dtype=np.float64)]
        return seen.shape[-1], _moments(seen, missed)

    count, sums = 0, list[Numbers]()
    together = 1 if taps > _FEWEST_AT_ONCE else len(chunks)
    for first in range(0, len(chunks), max(2, together)):
        for seen, parts in evaluate.for_each(one, chunks[first : first + max(2, together)]):
            count += seen
            if not sums:
                sums = [np.zeros(part.shape) for part in parts]
            for total, part in zip(sums, parts, strict=True):
                total += part
    for total in sums:
        total /= count
    mean, missed = sums[0], sums[1]
    zeros = (middle - source.zero).repeat(mean.size // len(middle)).reshape(mean.shape)
    if len(sums) == 4:
        for square, left in ((sums[2], mean), (sums[3], missed)):
            square -= left[..., :, None] * mean[..., None, :]
    return Observed(
        mean=mean + zeros,
        wanted_mean=mean + zeros + missed,
        covariance=sums[2] if len(sums) == 4 else None,
        missed=sums[3] if len(sums) == 4 else None,
        count=count,
    )


def _moments(x: Floats, missed: Floats) -> list[NDArray[Any]]:  # Any: float32 or float64
    """Sums of x, of what is missed, and of both with x, over the last axis; `missed` is spoilt."""
    squares = x @ np.swapaxes(x, -1, -2)
    largest = float(squares.diagonal(axis1=-2, axis2=-1).max(initial=0))
    # a sum of squares is exact as long as it is below 2^24, and so are all sums of products of such rows
    if largest >= SINGLE and x.shape[-1] > 1:
        half = x.shape[-1] // 2
        parts = _moments(x[..., :half], missed[..., :half]), _moments(x[..., half:], missed[..., half:])
        return [np.add(a, b, dtype=np.float64) for a, b in zip(*parts, strict=True)]
    size = np.sqrt(np.square(missed).sum(-1, keepdims=True, dtype=np.float64) * max(largest, 1.0))
    step = np.ldexp(1.0, np.frexp(np.maximum(size, 1e-30) / (0.9 * SINGLE))[1])
    missed *= (1 / step).astype(np.float32)
    np.rint(missed, out=missed)
    crossed = (missed @ np.swapaxes(x, -1, -2)) * step
    return [x.sum(-1), missed.sum(-1, dtype=np.float64) * step[..., 0], squares, crossed]


def _seen(op: KpuConv, x: NDArray[np.uint8], floats: Floats, source: Scale, middle: Numbers) -> tuple[Floats, Floats]:
    """x less `middle` and y - x, [taps of all channels, positions]; of a depthwise layer [channel, taps, positions].

    Around the picture the KPU sees one byte for all channels, and should see 0.
    """
    form = (1, -1, 1, 1)
    pad = pad_byte(source)
    wanted = floats * (1 / source.step).astype(np.float32).reshape(form)
    wanted -= x
    wanted += source.zero.astype(np.float32).reshape(form)
    seen = _taps(op, x, np.full(x.shape[1], pad, np.uint8))
    seen -= middle.astype(np.float32).reshape(-1, 1, 1)
    missed = _taps(op, wanted, (source.zero - pad).astype(np.float32))
    if op.depthwise:
        return seen, missed
    return seen.reshape(-1, seen.shape[2]), missed.reshape(-1, seen.shape[2])


def _positions(op: KpuConv, shape: tuple[int, ...]) -> int:
    kept, columns, _ = _kept(op, shape)
    return max(1, len(kept) * columns)


def _kept(op: KpuConv, shape: tuple[int, ...]) -> tuple[NDArray[np.int64], int, int]:
    """The rows that are looked at, the number of columns, and the stride between them."""
    stride = 2 if op.pool_type == PICK_LEFT_TOP else 1
    rows, columns = shape[2] // stride, shape[3] // stride
    every = max(1, rows * columns // _POSITIONS)
    return np.arange((every - 1) // 2, rows, every) * stride, columns, stride


def _taps(op: KpuConv, pictures: NDArray[Any], around: NDArray[Any]) -> Floats:  # Any: bytes or floats
    """What each tap sees at some of the pixels that are kept, [channel, tap, positions of all pictures]."""
    count, channels, _, width = pictures.shape
    kept, columns, stride = _kept(op, pictures.shape)
    made = np.empty((channels, op.kernel**2, count, len(kept), columns), np.float32)
    for k, picture in enumerate(pictures):
        if op.kernel == 1:
            made[:, 0, k] = picture[:, kept, ::stride][:, :, :columns]
            continue
        padded = np.empty((channels, picture.shape[1] + 2, width + 2), picture.dtype)
        padded[:] = around[:, None, None]
        padded[:, 1:-1, 1:-1] = picture
        for tap in range(9):
            down, right = divmod(tap, 3)
            made[:, tap, k] = padded[:, kept + down, right : right + width : stride][:, :, :columns]
    return made.reshape(channels, op.kernel**2, -1)
