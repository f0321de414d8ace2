"""find_blobs: connected pixels of a colour, found from a grid of starting points, and merged by their rectangles.

Source: `omv/img/blob.c`. Pixels are connected by their four sides. The firmware fills from each starting point; here
every connected piece is labelled first, and the first starting point in it takes it. Widths and heights are
differences of the outermost pixels' places: one less than their count, as on the board.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .arguments import Region, Threshold
from .fast_math import arc_tangent2
from .frame import Frame
from .joining import joined_while_any
from .selection import selected

__all__ = ["Found", "Search", "find_blobs", "moments", "pieces"]

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Found:
    """A blob."""

    x: int
    y: int
    w: int
    h: int
    pixels: int
    cx: int
    cy: int
    rotation: float
    code: int
    count: int = 1

    @property
    def values(self) -> tuple[int | float, ...]:
        return (
            self.x, self.y, self.w, self.h, self.pixels, self.cx, self.cy, self.rotation, self.code, self.count,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Search:
    """How to look for blobs."""

    thresholds: Sequence[Threshold]
    invert: bool = False
    region: Region
    x_stride: int = 2
    y_stride: int = 1
    area_threshold: int = 10
    pixels_threshold: int = 10
    merge: bool = False
    margin: int = 0
    accept: Callable[[Found], bool] | None = None
    join: Callable[[Found, Found], bool] | None = None


@dataclass(frozen=True)
class _Runs:
    """Horizontal runs of set pixels: row, first column, column after the last, and the piece each belongs to."""

    row: Ints
    start: Ints
    end: Ints
    piece: Ints


def pieces(mask: NDArray[np.bool_]) -> _Runs:
    """Label the pieces of a mask that are connected by their sides; a piece is named after its first run."""
    height, width = mask.shape
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    row, start = np.nonzero(edges == 1)
    end = np.nonzero(edges == -1)[1]
    first_of_row = np.searchsorted(row, np.arange(height + 1))
    above, below = _touching(row, start, end, first_of_row, width)
    return _Runs(row, start, end, _united(len(row), above, below))


def _touching(row: Ints, start: Ints, end: Ints, first_of_row: Ints, width: int) -> tuple[Ints, Ints]:
    """Pairs of runs in neighbouring rows that share a column."""
    key_end, key_start = row * (width + 1) + end, row * (width + 1) + start
    # In the row below, runs that end after this one's start and start before its end.
    low = np.searchsorted(key_end, (row + 1) * (width + 1) + start, side="right")
    high = np.searchsorted(key_start, (row + 1) * (width + 1) + end, side="left")
    next_end = first_of_row[np.minimum(row + 2, len(first_of_row) - 1)]
    low, high = np.maximum(low, first_of_row[row + 1]), np.minimum(high, next_end)
    count = np.maximum(high - low, 0)
    above = np.repeat(np.arange(len(row)), count)
    offset = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    return above, low[above] + offset


def _united(count: int, a: Ints, b: Ints) -> Ints:
    """The smallest member of each group that the pairs connect."""
    name = np.arange(count)
    while True:
        smaller = np.minimum(name[a], name[b])
        before = name.copy()
        np.minimum.at(name, name[a], smaller)
        np.minimum.at(name, name[b], smaller)
        while not np.array_equal(name, name[name]):
            name = name[name]
        if np.array_equal(before, name):
            return name


def find_blobs(frame: Frame, search: Search, fast: bool) -> list[Found]:
    """Every blob, threshold by threshold, in the order in which the starting points meet them."""
    region = search.region
    window = frame.with_data(frame.data[region.rows, region.columns])
    free = np.ones(window.data.shape, bool)
    found: list[Found] = []
    for code, threshold in enumerate(search.thresholds):
        runs = pieces(selected(window, threshold, search.invert, fast) & free)
        met = _met_by_grid(runs, search)
        found += [blob for blob in _measured(runs, met, search, code) if search.accept is None or search.accept(blob)]
        free &= ~_mask_of(runs, np.isin(runs.piece, met), free.shape)
    return _merged(found, search) if search.merge else found


def _met_by_grid(runs: _Runs, search: Search) -> Ints:
    """The pieces that hold a starting point, ordered by the first one in it."""
    # Starting rows count from the region's top; starting columns from its left plus y modulo the stride.
    shift = (runs.row + search.region.y) % search.x_stride
    first = runs.start + (shift - runs.start) % search.x_stride
    starts = np.flatnonzero((runs.row % search.y_stride == 0) & (first < runs.end))
    named, at = np.unique(runs.piece[starts], return_index=True)
    ordered: Ints = named[np.argsort(at, kind="stable")]
    return ordered


def _mask_of(runs: _Runs, chosen: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The pixels of some runs."""
    steps = np.zeros((shape[0], shape[1] + 1), np.int8)
    steps[runs.row[chosen], runs.start[chosen]] = 1
    np.subtract.at(steps, (runs.row[chosen], runs.end[chosen]), 1)
    return np.cumsum(steps[:, :-1], axis=1, dtype=np.int8) > 0


def _measured(runs: _Runs, met: Ints, search: Search, code: int) -> Iterator[Found]:
    """The blobs of these pieces that are large enough."""
    row, start, end = runs.row + search.region.y, runs.start + search.region.x, runs.end + search.region.x
    length = end - start
    sum_x = (start + end - 1) * length // 2
    squares = ((end - 1) * end * (2 * end - 1) - (start - 1) * start * (2 * start - 1)) // 6
    count = len(row)

    def total(values: Ints) -> Ints:
        return np.bincount(runs.piece, values, count).astype(np.int64)

    def extreme(ufunc: np.ufunc, values: Ints, begin: int) -> Ints:
        made = np.full(count, begin, np.int64)
        ufunc.at(made, runs.piece, values)
        return made

    pixels = total(length)
    sums = [total(part) for part in (sum_x, row * length, squares, row * sum_x, row * row * length)]
    far = 1 << 20
    left, top = extreme(np.minimum, start, far), extreme(np.minimum, row, far)
    right, bottom = extreme(np.maximum, end - 1, -far), extreme(np.maximum, row, -far)
    large = ((right - left) * (bottom - top) >= search.area_threshold) & (pixels >= search.pixels_threshold)
    for piece in met[large[met]].tolist():
        mx, my, a, b, c = moments(int(pixels[piece]), *(int(part[piece]) for part in sums))
        rotation = float(arc_tangent2(2 * b, a - c) / np.float32(2)) if a != c else 0.0
        x, y = int(left[piece]), int(top[piece])
        w, h = int(right[piece]) - x, int(bottom[piece]) - y
        yield Found(x, y, w, h, int(pixels[piece]), mx, my, rotation, 1 << code)


def _wrapped(value: int) -> int:
    """A C int of 32 bits."""
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


def moments(pixels: int, sx: int, sy: int, sxx: int, sxy: int, syy: int) -> tuple[int, int, int, int, int]:
    """The centre (cut to whole pixels) and the second moments about it, in the firmware's 32-bit integers."""
    mx, my = sx // pixels, sy // pixels
    a = sxx - 2 * mx * sx + pixels * mx * mx
    b = sxy - mx * sy - my * sx + pixels * mx * my
    c = syy - 2 * my * sy + pixels * my * my
    return mx, my, _wrapped(a), _wrapped(b), _wrapped(c)


def _merged(blobs: list[Found], search: Search) -> list[Found]:
    """Join blobs whose rectangles overlap, until none do."""

    def join(blob: Found, other: Found) -> Found | None:
        together = _overlap(blob, other, search.margin) and (search.join is None or search.join(blob, other))
        return _joined(blob, other) if together else None

    return joined_while_any(blobs, join)


def _overlap(blob: Found, other: Found, margin: int) -> bool:
    x, y = other.x - margin, other.y - margin
    w, h = max(other.w + 2 * margin, 0), max(other.h + 2 * margin, 0)
    return blob.x < x + w and blob.y < y + h and x < blob.x + blob.w and y < blob.y + blob.h


def _joined(a: Found, b: Found) -> Found:
    """One blob of two; the centre and the direction are weighted by pixels."""
    x, y = min(a.x, b.x), min(a.y, b.y)
    total = a.pixels + b.pixels
    one, two, both = np.float32(a.pixels), np.float32(b.pixels), np.float32(total)
    angles = np.float32(a.rotation), np.float32(b.rotation)
    sine, cosine = ((function(angles[0]) * one + function(angles[1]) * two) / both for function in (np.sin, np.cos))
    return replace(
        a,
        x=x,
        y=y,
        w=max(a.x + a.w, b.x + b.w) - x,
        h=max(a.y + a.h, b.y + b.h) - y,
        pixels=total,
        cx=(a.cx * a.pixels + b.cx * b.pixels) // total,
        cy=(a.cy * a.pixels + b.cy * b.pixels) // total,
        rotation=float(arc_tangent2(float(sine), float(cosine))),
        code=a.code | b.code,
        count=min(a.count + b.count, 65535),
    )
