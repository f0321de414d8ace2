"""A KPU layer worked out beforehand: what its integers can reach, and how floats give the very same bytes.

A float type holds every integer up to a size exactly: 2^24 in float32, 2^53 in float64. Where a layer's weights prove
that no partial sum leaves that range, a product of float matrices is exact, and so are batch norm and the activation
lines in float64, where rounding to the nearest with ties to even is the processor's own. A layer that proves no such
thing has no plan, and runs in 64-bit integers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from k210kit.kmodel.arithmetic.kpu import Convolution, largest_sum, reachable
from k210kit.kmodel.registers import POOLS

__all__ = ["BEYOND", "Lines", "Plan", "plan"]

BEYOND = 1 << 35  # nncase 1.9 asserts that acc and b are signed 36-bit numbers; what lies beyond is not known
_FLOAT32_EXACT, _FLOAT64_EXACT = float(1 << 24), float(1 << 53)
_MOST_PARTS = 3  # products of float32 that are quicker than one of float64
_MOST_LINES = 3  # more are looked up in a table
_MOST_ENTRIES = 1 << 20

Doubles = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Lines:
    """The reachable part of an activation table, from left to right.

    `round((b - start) * slope) + bias` holds where b > above, unless a later line's `above` is passed too. The first
    line holds for every smaller b as well. Bytes are clamped to 0 to 255 afterwards.
    """

    above: Doubles
    start: Doubles
    slope: Doubles  # a power of two times an integer: every product is exact
    bias: Doubles

    def __len__(self) -> int:
        return len(self.above)

    def at(self, b: Doubles) -> Doubles:
        """The clamped lines at `b`, [n]."""
        value = np.full(b.shape, 0.0)
        for i in range(len(self)):
            line = np.clip(np.rint((b - self.start[i]) * self.slope[i]) + self.bias[i], 0, 255)
            value = line if i == 0 else np.where(b > self.above[i], line, value)
        return value

    @property
    def rising(self) -> bool:
        """Whether a larger b never gives a smaller byte."""
        if (self.slope < 0).any():
            return False
        edges = np.concatenate([self.above[1:], self.above[1:] + 1])
        values = self.at(edges)
        return bool((values[len(self) - 1 :] >= values[: len(self) - 1]).all())


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """A layer that floats compute exactly."""

    kernel: int
    depthwise: bool
    pad_value: int
    pool_type: int
    taps: NDArray[np.floating]  # [out, in x k x k], float32 or float64: weights less their zero point
    parts: tuple[slice, ...]  # of the taps: each one's sums are exact in the taps' type, and added up in float64
    constant: Doubles  # [out], added to the sums
    scale: Doubles  # [out], mul / 2^shift
    add: Doubles  # [out]
    lines: Lines
    table: NDArray[np.uint8] | None  # the byte at b = table_start + index, where there are many lines
    table_start: float
    pools_sums: bool  # the largest byte comes from the largest sum, or the smallest where `scale` is negative

    def of_channels(self, first: int, end: int) -> Plan:
        """The plan of output channels `first` to `end` alone."""
        names = ("taps", "constant", "scale", "add")
        return replace(self, **{name: getattr(self, name)[first:end] for name in names})


def plan(spec: Convolution) -> Plan | None:
    """How floats compute `spec`; None where they are not proven exact."""
    taps = spec.folded
    if taps is None:
        return None
    constant = spec.constant
    most = 255.0 * np.maximum(taps, 0).sum(axis=1, dtype=np.float64)
    least = 255.0 * np.minimum(taps, 0).sum(axis=1, dtype=np.float64)
    size = float(np.maximum(most, -least).max(initial=0))
    low, high = least + constant, most + constant
    largest = np.maximum(np.abs(low), np.abs(high))
    if largest.max(initial=0) >= BEYOND or (largest * np.abs(spec.bn_mul)).max(initial=0) > _FLOAT64_EXACT:
        return None
    parts = _parts(taps, size)
    if spec.depthwise and len(parts) != 1:
        return None
    scale = np.ldexp(spec.bn_mul.astype(np.float64), -spec.bn_shift)
    ends = np.floor(np.stack([low * scale, high * scale])) + spec.bn_add
    lowest, highest = int(ends.min()), int(ends.max())
    if max(-lowest, highest) >= BEYOND:
        return None
    lines = _lines(spec, lowest, highest)
    if lines is None:
        return None
    table, start = _table(lines, lowest, highest)
    return Plan(
        kernel=spec.kernel,
        depthwise=spec.depthwise,
        pad_value=spec.pad_value,
        pool_type=spec.pool_type,
        taps=taps.astype(np.float32 if parts else np.float64),
        parts=parts or (slice(None),),
        constant=constant.astype(np.float64),
        scale=scale,
        add=spec.bn_add.astype(np.float64),
        lines=lines,
        table=table,
        table_start=start,
        pools_sums=POOLS[spec.pool_type].name.startswith("max") and lines.rising,
    )


def _parts(taps: NDArray[np.int64], size: float) -> tuple[slice, ...]:
    """The fewest equal pieces of the taps whose sums float32 holds exactly; none if more than a few are needed."""
    for count in range(max(1, int(np.ceil(size / _FLOAT32_EXACT))), _MOST_PARTS + 1):
        edges = np.linspace(0, taps.shape[1], count + 1).astype(int).tolist()
        pieces = tuple(slice(a, b) for a, b in pairwise(edges))
        if all(largest_sum(taps[:, piece]) <= _FLOAT32_EXACT for piece in pieces):
            return pieces
    return ()


def _lines(spec: Convolution, lowest: int, highest: int) -> Lines | None:
    """The lines that some b from `lowest` to `highest` falls on, equal neighbours joined."""
    chosen = reachable(spec.x_start, lowest, highest)
    below_all = lowest <= int(spec.x_start.min())
    if below_all and spec.y_mul[0] != 0:
        return None
    start, y_mul, bias = (array[list(chosen)].astype(np.float64) for array in (spec.x_start, spec.y_mul, spec.bias))
    reach = max(abs(lowest), abs(highest)) + np.abs(start)
    if (y_mul < 0).any() or (reach * np.abs(y_mul)).max() > _FLOAT64_EXACT:
        return None
    slope = np.ldexp(y_mul, -np.minimum(spec.shift[list(chosen)], 1000))
    kept: list[int] = []
    for i in range(len(chosen)):
        flat = kept and slope[kept[-1]] == 0
        if flat and slope[i] == 0 and bias[i] == bias[kept[-1]]:
            continue  # the same constant goes on
        if flat and len(kept) == 1 and bias[kept[-1]] == 0 and bias[i] == 0:
            kept.pop()  # left of its start this line is negative, and clamped to the same 0
        kept.append(i)
    return Lines(above=start[kept], start=start[kept], slope=slope[kept], bias=bias[kept])


def _table(lines: Lines, lowest: int, highest: int) -> tuple[NDArray[np.uint8] | None, float]:
    """Every byte between the b at which the first line ends to change and that at which the last line does."""
    if len(lines) <= _MOST_LINES:
        return None, 0.0
    first, last = lowest, highest
    if lines.slope[0] == 0:
        first = max(first, int(lines.above[1]))
    else:
        first = max(first, int(np.floor(lines.start[0] - (lines.bias[0] + 1) / lines.slope[0])))
    if lines.slope[-1] > 0:
        last = min(last, int(lines.start[-1] + np.ceil((256 - lines.bias[-1]) / lines.slope[-1])))
    else:
        last = min(last, int(lines.above[-1]) + 1)
    if last - first >= _MOST_ENTRIES or last < first:
        return None, 0.0
    table = np.empty(last - first + 1, np.uint8)
    edges = [first, *np.clip(lines.above[1:] + 1, first, last + 1).astype(int).tolist(), last + 1]
    for i, (begin, end) in enumerate(pairwise(edges)):
        line = np.rint((np.arange(begin, end, dtype=np.float64) - lines.start[i]) * lines.slope[i]) + lines.bias[i]
        table[begin - first : end - first] = np.clip(line, 0, 255)
    return table, float(first)
