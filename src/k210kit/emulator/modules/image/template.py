"""find_template and find_edges on gray pictures.

Sources: `omv/img/template.c`, `edge.c`. Correlation sums are exact integers; means are cut.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import neighbourhood as around
from .arguments import Region
from .fast_math import whole
from .frame import Frame

__all__ = ["best_match", "canny", "simple_edges"]

_F = np.float32
Gray = NDArray[np.uint8]


def best_match(picture: Gray, template: Gray, region: Region, step: int) -> tuple[float, int, int]:
    """The greatest normalised cross-correlation and its place; 0 when none is positive."""
    height, width = template.shape
    rows = np.arange(region.y, region.y + region.h - height + 1, step)
    columns = np.arange(region.x, region.x + region.w - width + 1, step)
    wide, small = picture.astype(np.int64), template.astype(np.int64)
    count = template.size
    away = small - int(small.sum()) // count
    sums, squares = (_window_sums(part, rows, columns, height, width) for part in (wide, wide * wide))
    mean = whole(sums.astype(_F) / _F(count))
    product = np.zeros(sums.shape, np.int64)
    for y, x in np.argwhere(away):
        product += away[y, x] * wide[np.ix_(rows + y, columns + x)]
    numerator = product - mean * int(away.sum())
    spread = np.maximum(squares.astype(_F) - sums.astype(_F) * (sums.astype(_F) / _F(count)), 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        match = numerator.astype(_F) / (np.sqrt(np.floor(spread)) * np.sqrt(_F(int((away * away).sum()))))
    match = np.nan_to_num(match, nan=0.0, posinf=np.inf)
    at = np.unravel_index(int(np.argmax(match)), match.shape)
    best = float(match[at])
    return (best, int(columns[at[1]]), int(rows[at[0]])) if best > 0 else (0.0, 0, 0)


def _window_sums(
    values: NDArray[np.int64], rows: NDArray[np.int64], columns: NDArray[np.int64], height: int, width: int
) -> NDArray[np.int64]:
    total = np.pad(values.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))

    def corner(dy: int, dx: int) -> NDArray[np.int64]:
        return total[np.ix_(rows + dy, columns + dx)]

    return corner(height, width) - corner(0, width) - corner(height, 0) + corner(0, 0)


def simple_edges(frame: Frame, low: int, high: int, fast: bool) -> Gray:
    """White where the high-passed picture lies within the bounds and has two such neighbours."""
    passed = around.filtered(frame, 1, around.kernel([-1, -1, -1, -1, 8, -1, -1, -1, -1], 1.0, 0), None, fast)
    white = np.where((passed >= (low & 0xFF)) & (passed <= (high & 0xFF)), 255, 0).astype(np.uint8)
    return around.eroded(frame.with_data(white), 1, 2, fast)


def canny(picture: Gray, region: Region, low: int, high: int) -> Gray:
    """Thin edges: a blurred gradient, both thresholds, and only the strongest across the edge."""
    made = picture.copy()
    wide = np.pad(picture.astype(np.int64), 1)
    height, width = picture.shape
    weights = ((1, 2, 1), (2, 4, 2), (1, 2, 1))
    blurred = sum(w * wide[y : y + height, x : x + width] for y, row in enumerate(weights) for x, w in enumerate(row))
    window = np.asarray(blurred)[region.rows, region.columns] // 16
    strength, direction = np.zeros(window.shape, np.int64), np.zeros(window.shape, np.int64)
    if min(window.shape) > 2:
        a = [[window[y : y + region.h - 2, x : x + region.w - 2] for x in range(3)] for y in range(3)]
        right = a[0][0] - a[0][2] + 2 * (a[1][0] - a[1][2]) + a[2][0] - a[2][2]
        down = a[0][0] + 2 * a[0][1] + a[0][2] - a[2][0] - 2 * a[2][1] - a[2][2]
        strength[1:-1, 1:-1] = whole(np.sqrt((right * right + down * down).astype(_F)))
        degrees = whole(np.abs(np.degrees(np.arctan2(down, right))))
        direction[1:-1, 1:-1] = np.digitize(degrees, [22, 67, 112, 160]) % 4
    edges = _thinned(strength, direction, low, high)
    made[region.rows, region.columns] = np.where(edges, 255, 0)
    return made


def _thinned(strength: NDArray[np.int64], direction: NDArray[np.int64], low: int, high: int) -> NDArray[np.bool_]:
    """Edges that are strong or touch a strong one, and exceed both neighbours across them."""
    padded = np.pad(strength, 1)
    height, width = strength.shape

    def moved(dy: int, dx: int) -> NDArray[np.int64]:
        return padded[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]

    steps = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    near_strong = np.any([moved(*step) >= high for step in steps], axis=0)
    across = [(0, -1, 0, 1), (1, -1, -1, 1), (1, 0, -1, 0), (1, 1, -1, -1)]
    beaten = np.zeros(strength.shape, bool)
    for kind, (ay, ax, by, bx) in enumerate(across):
        weaker = (strength > moved(ay, ax)) & (strength > moved(by, bx))
        beaten |= (direction == kind) & ~weaker
    kept: NDArray[np.bool_] = (strength >= low) & near_strong & ~beaten
    kept[[0, -1], :] = False
    kept[:, [0, -1]] = False
    return kept
