"""get_regression: a line through the pixels of a colour, by least squares or (robust) by medians.

Source: `imlib_get_regression` of `omv/img/stats.c`; `lb_clip_line` of `imlib.c`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .arguments import Region, Threshold
from .blobs import moments
from .fast_math import COSINES, SINES, arc_tangent2
from .frame import Frame
from .selection import selected

__all__ = ["Sampling", "Segment", "clip_segment", "line_across", "regression"]

_F = np.float32
_HALF_PI, _DEGREES = _F(1.570796), _F(57.295780)


@dataclass(frozen=True)
class Segment:
    """A line: its ends within the region, how sure it is, and its angle and distance from the region's corner."""

    x1: int
    y1: int
    x2: int
    y2: int
    magnitude: int
    theta: int
    rho: int

    @property
    def values(self) -> tuple[int, ...]:
        """As the script's line object has them, with the length."""
        dx, dy = self.x2 - self.x1, self.y2 - self.y1
        length = int(np.sqrt(_F(dx * dx + dy * dy)))
        return (self.x1, self.y1, self.x2, self.y2, length, self.magnitude, self.theta, self.rho)


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Which pixels are taken, and how many there must be."""

    region: Region
    x_stride: int = 2
    y_stride: int = 1
    area_threshold: int = 10
    pixels_threshold: int = 10


def clip_segment(ends: tuple[int, int, int, int], w: int, h: int) -> tuple[int, int, int, int] | None:
    """The part of a segment inside 0..w-1, 0..h-1 (Liang and Barsky), or None."""
    x1, y1, x2, y2 = ends
    dx, dy = x2 - x1, y2 - y1
    low, high = _F(0), _F(1)
    for p, q in ((-dx, x1), (dx, w - 1 - x1), (-dy, y1), (dy, h - 1 - y1)):
        if p == 0:
            if q < 0:
                return None
            continue
        u = _F(q) / _F(p)
        if (p < 0 and u > high) or (p > 0 and u < low):
            return None
        low, high = (max(low, u), high) if p < 0 else (low, min(high, u))
    if high < low:
        return None
    start = (int(_F(x1) + _F(dx) * low), int(_F(y1) + _F(dy) * low))
    return (*start, int(_F(x1) + _F(dx) * high), int(_F(y1) + _F(dy) * high))


def line_across(theta: int, rho: int, magnitude: int, region: Region) -> Segment | None:
    """The line at an angle and distance, drawn across the region; None if it misses it."""
    sine, cosine = SINES[theta], COSINES[theta]
    if 45 <= theta < 135:
        far = region.w - 1
        ends = (0, int(_F(rho) / sine), far, int((_F(rho) - _F(far) * cosine) / sine))
    else:
        far = region.h - 1
        ends = (int(_F(rho) / cosine), 0, int((_F(rho) - _F(far) * sine) / cosine), far)
    clipped = clip_segment(ends, region.w, region.h)
    if clipped is None:
        return None
    x1, y1, x2, y2 = clipped
    moved = rho + int(_F(region.x) * cosine + _F(region.y) * sine)
    return Segment(x1 + region.x, y1 + region.y, x2 + region.x, y2 + region.y, magnitude, theta, moved)


def regression(
    frame: Frame, thresholds: Sequence[Threshold], invert: bool, sampling: Sampling, robust: bool, fast: bool
) -> Segment | None:
    """The line through the sampled pixels, or None when there are too few."""
    xs, ys = _points(frame, thresholds, invert, sampling, fast)
    if not len(xs):
        return None
    area = (int(xs.max()) - int(xs.min())) * (int(ys.max()) - int(ys.min()))
    if area < sampling.area_threshold or len(xs) < sampling.pixels_threshold:
        return None
    if robust and len(xs) < 2:
        return None
    center, rotation, magnitude = _medians(xs, ys) if robust else _least_squares(xs, ys)
    theta = int(np.fmod(int(rotation * _DEGREES), 180)) % 180
    region = sampling.region
    offset = _F(center[0] - region.x) * COSINES[theta] + _F(center[1] - region.y) * SINES[theta]
    return line_across(theta, int(offset), magnitude, region)


def _points(
    frame: Frame, thresholds: Sequence[Threshold], invert: bool, sampling: Sampling, fast: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of the pixels on the grid within each threshold, in the firmware's order."""
    region = sampling.region
    window = frame.with_data(frame.data[region.rows, region.columns])
    y, x = np.indices(window.data.shape)
    grid = (y % sampling.y_stride == 0) & ((x - (y + region.y) % sampling.x_stride) % sampling.x_stride == 0)
    grid &= x >= (y + region.y) % sampling.x_stride
    places = [np.nonzero(selected(window, box, invert, fast) & grid) for box in thresholds]
    return (
        np.concatenate([found[1] for found in places]).astype(np.int64) + region.x,
        np.concatenate([found[0] for found in places]).astype(np.int64) + region.y,
    )


def _least_squares(xs: NDArray[np.int64], ys: NDArray[np.int64]) -> tuple[tuple[int, int], np.float32, int]:
    sums = (int(part.sum()) for part in (xs, ys, xs * xs, xs * ys, ys * ys))
    mx, my, a, b, c = moments(len(xs), *sums)
    rotation = (arc_tangent2(2 * b, a - c) / _F(2) if a != c else _HALF_PI) + _HALF_PI
    half = _F(a + c) / _F(2)
    root = np.sqrt(_F(4) * _F(b) * _F(b) + _F(a - c) * _F(a - c)) / _F(2)
    with np.errstate(divide="ignore", invalid="ignore"):
        longer, shorter = np.sqrt(half + root), np.sqrt(half - root)
        ratio = max(longer, shorter) / min(longer, shorter)
    magnitude = int(ratio) - 1 if np.isfinite(ratio) else (1 << 31) - 2
    return (mx, my), _F(rotation), magnitude


def _median(values: NDArray[np.int64]) -> int:
    return int(np.partition(values, (len(values) + 1) // 2 - 1)[(len(values) + 1) // 2 - 1])


def _medians(xs: NDArray[np.int64], ys: NDArray[np.int64]) -> tuple[tuple[int, int], np.float32, int]:
    """Medians of the places, and of the differences of all pairs (counted, not listed)."""
    dx, dy = _median_difference(xs), _median_difference(ys)
    rotation = (arc_tangent2(dy, dx) if dx else _HALF_PI) + _HALF_PI
    return (_median(xs), _median(ys)), _F(rotation), int(np.sqrt(_F(dx * dx + dy * dy)))


def _median_difference(values: NDArray[np.int64]) -> int:
    """The median of values[i] - values[j] over all i < j."""
    low = int(values.min())
    size = int(values.max()) - low + 1
    seen, pairs = np.zeros(size, np.int64), np.zeros(2 * size - 1, np.int64)
    for value in values - low:
        # every earlier value minus this one
        pairs[size - 1 - value : 2 * size - 1 - value] += seen
        seen[value] += 1
    total = np.cumsum(pairs)
    return int(np.searchsorted(total, (int(total[-1]) + 1) // 2)) - (size - 1)
