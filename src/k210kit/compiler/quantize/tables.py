"""The activation table of a layer: sixteen straight pieces from the sums to bytes, slopes never negative.

A piece is y = bias + (b - start) * y_mul / 2^20, clamped to 0..255, and the bias is a whole byte. Where a curve falls
(SiLU left of -1.28), flat pieces step down: at the resolution of a byte they lose little.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler import curves
from k210kit.compiler.ops import Curve
from k210kit.hardware import SEGMENTS
from k210kit.kmodel import ActivationTable

__all__ = ["SHIFT", "Piece", "fitted", "in_regions", "per_channel_slopes", "straight", "table"]

SHIFT = 20  # of every slope; the only one that known models use
_LOWEST, _HIGHEST = -(1 << 35), (1 << 35) - 1
_MOST_SLOPE = (1 << 15) - 1
_GRID = 112  # places where a piece may begin

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Piece:
    """One segment."""

    start: int
    y_mul: int
    bias: int


def table(pieces: list[Piece]) -> ActivationTable:
    """The table of at most sixteen pieces, the rest filled with ones that nothing reaches."""
    rows = [*pieces, *[Piece(_HIGHEST, 0, 255)] * (SEGMENTS - len(pieces))]
    return ActivationTable(
        x_start=np.array([row.start for row in rows], np.int64),
        y_mul=np.array([row.y_mul for row in rows], np.int64),
        shift=np.full(SEGMENTS, SHIFT, np.int64),
        bias=np.array([row.bias for row in rows], np.int64),
    )


def straight(zero: float, bits: int, slope: float = 1.0, clip_below: bool = False) -> list[Piece]:
    """Byte = zero + b / 2^(20 - bits) above 0, and `slope` times that below; `clip_below`: flat below."""
    one = 1 << bits
    whole = round(zero)
    if clip_below or whole == 0:
        return [Piece(_LOWEST, 0, whole), Piece(0, one, whole)]
    below = round(slope * one)
    if below == one:
        return [Piece(_LOWEST, 0, 0), Piece(-(whole << (SHIFT - bits)), one, 0)]
    if below <= 0:
        return [Piece(_LOWEST, 0, whole), Piece(0, one, whole)]
    return [Piece(_LOWEST, 0, 0), Piece(-((whole << SHIFT) // below), below, 0), Piece(0, one, whole)]


_REGION = 1 << 27  # of b, for one slope: a thousand times what a byte spans
_GROUPS = (SEGMENTS - 1) // 3


def per_channel_slopes(slopes: Numbers, zero: float, bits: int) -> tuple[list[Piece], Numbers]:
    """A PReLU: the table is shared by all channels, so each group of like slopes has a region of its own in it.

    Returns the pieces and, per channel, the middle of its region. A region has three pieces: flat, the slope, one.
    """
    levels, member = grouped_slopes(np.maximum(slopes, 0.0))
    one, whole = 1 << bits, round(zero)
    pieces = [Piece(_LOWEST, 0, 0)]
    middles = (np.arange(len(levels)) - len(levels) // 2) * _REGION
    for level, middle in zip(levels, middles, strict=True):
        below = min(round(float(level) * one), _MOST_SLOPE)
        floor = whole if below == 0 else 0
        pieces.append(Piece(int(middle) - _REGION // 2, 0, floor))
        if below:
            pieces.append(Piece(int(middle) - (whole << SHIFT) // below, below, 0))
        pieces.append(Piece(int(middle), one, whole))
    return pieces, middles[member].astype(np.float64)


def grouped_slopes(slopes: Numbers) -> tuple[Numbers, NDArray[np.int64]]:
    """At most five levels with the least sum of squares of what slopes are off by, and the level of each slope."""
    values, counts = np.unique(slopes, return_counts=True)
    levels = values if len(values) <= _GROUPS else _best_levels(values, counts)
    return levels, np.abs(slopes[:, None] - levels).argmin(1).astype(np.int64)


def _best_levels(values: Numbers, counts: NDArray[np.int64]) -> Numbers:
    """On a line the best groups are neighbours: the best of each first part is known when the next is added (Fisher
    1958, "On grouping for maximum homogeneity")."""
    weight, total, square = (np.append(0.0, np.cumsum(counts * values**power)) for power in (0, 1, 2))
    size = len(values)
    behind = np.arange(1, size + 1)
    inside = np.maximum(weight[behind] - weight[:size, None], 1)
    cost = square[behind] - square[:size, None] - (total[behind] - total[:size, None]) ** 2 / inside
    cost = np.where(np.arange(size)[:, None] < behind, np.maximum(cost, 0), np.inf)  # of a group [first, last]
    best, firsts = cost[0], []
    for _ in range(_GROUPS - 1):
        with_next = best[:-1, None] + cost[1:]
        firsts.append(with_next.argmin(0) + 1)
        best = with_next.min(0)
    ends = [size]
    for first in reversed(firsts):
        ends.append(int(first[ends[-1] - 1]))
    bounds = np.array([0, *reversed(ends)])
    return np.asarray(np.diff(total[bounds]) / np.diff(weight[bounds]))


def in_regions(parts: list[list[Piece]]) -> tuple[list[Piece], Numbers]:
    """Tables side by side, each in a region of b of its own; and the middles of the regions."""
    middles = (np.arange(len(parts)) - len(parts) // 2) * _REGION
    joined: list[Piece] = []
    for pieces, middle in zip(parts, middles, strict=True):
        first = pieces[0]
        joined.append(Piece(_LOWEST if not joined else int(middle) - _REGION // 2, first.y_mul, first.bias))
        joined.extend(Piece(piece.start + int(middle), piece.y_mul, piece.bias) for piece in pieces[1:])
    return joined, middles.astype(np.float64)


def fitted(
    curve: Curve, *, unit: float, step: float, zero: float, sample: NDArray[np.float32], most: int = SEGMENTS
) -> list[Piece]:
    """The best pieces for byte = zero + curve(b * unit) / step, by least squares over where the sums fall.

    sample: what the curve sees on the calibration pictures; a tenth of the weight lies evenly on its range and a bit
    beyond.
    """
    low, high = float(sample.min()), float(sample.max())
    margin = 0.1 * max(high - low, 1e-6)
    low, high = low - margin, high + margin
    even = np.linspace(low, high, 8 * _GRID)
    chosen = np.quantile(sample, np.linspace(0, 1, _GRID // 2))
    bend = np.linspace(max(low, -6.0), min(high, 6.0), _GRID // 2) if low < 6 and high > -6 else even[:2]
    starts = np.unique(np.round(np.concatenate([chosen, bend, np.linspace(low, high, _GRID // 4)]) / unit)).astype(
        np.int64
    )
    points = np.concatenate([sample.reshape(-1).astype(np.float64), even])
    weight = np.concatenate([np.full(sample.size, 0.9 / sample.size), np.full(even.size, 0.1 / even.size)])
    place = np.searchsorted(starts, points / unit, side="left") - 1
    place = np.clip(place, 0, len(starts) - 1)
    value = np.clip(zero + curves.evaluate(curve, points) / step, 0, 255)
    cost, slope, bias = _fits(starts.astype(np.float64), place, points / unit, value, weight)
    return _best(starts, cost, slope, bias, most - 1)


def _fits(
    starts: Numbers, place: NDArray[np.int64], b: Numbers, y: Numbers, weight: Numbers
) -> tuple[Numbers, Numbers, Numbers]:
    """Cost, slope and bias of the best piece from each start to before each later one: [from, to]."""
    count = len(starts)

    def sums(what: Numbers) -> Numbers:
        return np.concatenate([[0.0], np.cumsum(np.bincount(place, what, count))])

    middle = float(starts[count // 2])
    spread = max(float(np.abs(starts - middle).max()), 1.0)
    t, origin = (b - middle) / spread, (starts - middle) / spread
    moments = [sums(weight * m) for m in (np.ones_like(b), t, t * t, y, y * t, y * y)]
    w, wt, wtt, wy, wyt, wyy = (m[None, :] - m[:-1, None] for m in moments)
    o = origin[:, None]
    s1, s2 = wt - o * w, wtt - 2 * o * wt + o * o * w  # of t - origin
    sy, sty = wy, wyt - o * wy
    best = np.full((count, count + 1), np.inf)
    slopes, biases = np.zeros_like(best), np.zeros_like(best)
    with np.errstate(divide="ignore", invalid="ignore"):
        free = np.where(
            w * s2 - s1 * s1 > 1e-18,
            (sy * s2 - sty * s1) / np.maximum(w * s2 - s1 * s1, 1e-18),
            sy / np.maximum(w, 1e-18),
        )
        level = sy / np.maximum(w, 1e-18)
    unit_slope = _MOST_SLOPE / 2.0**SHIFT * spread
    for guess in (np.floor(free), np.ceil(free), np.round(level)):
        offset = np.clip(guess, 0, 255)
        slope = np.where(s2 > 1e-18, (sty - offset * s1) / np.maximum(s2, 1e-18), 0.0)
        slope = np.clip(slope, 0, unit_slope)
        slope = np.round(slope / spread * 2.0**SHIFT) / 2.0**SHIFT * spread
        cost = wyy - 2 * offset * sy - 2 * slope * sty + offset**2 * w + 2 * offset * slope * s1 + slope**2 * s2
        better = cost < best - 1e-15
        best = np.where(better, cost, best)
        slopes, biases = np.where(better, slope, slopes), np.where(better, offset, biases)
    best[np.tril_indices(count, -1)] = np.inf
    return np.maximum(best, 0), slopes / spread, biases


def _best(starts: NDArray[np.int64], cost: Numbers, slope: Numbers, bias: Numbers, most: int) -> list[Piece]:
    count = len(starts)
    steps = min(most, count)
    reach = np.full((steps + 1, count + 1), np.inf)
    origin = np.zeros((steps + 1, count + 1), np.int64)
    reach[0, 0] = 0
    for used in range(1, steps + 1):
        total = reach[used - 1][:count, None] + cost[:, :]
        origin[used] = total.argmin(0)
        reach[used] = total.min(0)
    used = int(reach[:, count].argmin())
    cuts = [count]
    for k in range(used, 0, -1):
        cuts.append(int(origin[k, cuts[-1]]))
    cuts.reverse()
    pieces = []
    for first, last in itertools.pairwise(cuts):
        y_mul = round(float(slope[first, last]) * 2**SHIFT)
        pieces.append(Piece(int(starts[first]), y_mul, int(bias[first, last])))
    return [Piece(_LOWEST, 0, pieces[0].bias), *pieces]
