"""find_rects: four-cornered shapes by the edges between dark and light, after the quad detector of AprilTag 2.

Method: Wang and Olson, "AprilTag 2: Efficient and robust fiducial detection", IROS 2016, sections III-B and III-C. The
steps and limits are those of `omv/img/apriltag.c`; sums are made in another order and with 64 bits, and edges are not
refined, so that a corner may lie a pixel from where the board puts it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from .components import label
from .regression import clip_segment

__all__ = ["Quad", "edge_magnitude", "find_quads"]

Floats = NDArray[np.float64]
_TILE = 4
_LEAST_CONTRAST = 5  # levels between the lightest and darkest of a tile and its neighbours
_LEAST_POINTS = 24  # of a border
_MOST_CORNERS = 10  # candidates per border
_MOST_ERROR = 10.0  # mean square of the distance to a fitted line, half pixels
_COSINE_OF_TEN_DEGREES = float(np.cos(np.deg2rad(10.0)))
_UNDECIDED = 127


@dataclass(frozen=True)
class Quad:
    """Corners (x, y): top left, top right, bottom right, bottom left."""

    corners: tuple[tuple[float, float], ...]


def find_quads(levels: NDArray[np.uint8]) -> list[Quad]:
    """Quads in gray levels [h, w]; of two that overlap one is kept."""
    found = []
    for points in _borders(_two_levels(levels)):
        quad = _fit(points)
        if quad is not None:
            found.append(quad)
    return _without_overlaps(found)


def edge_magnitude(levels: NDArray[np.uint8], quad: Quad) -> int:
    """Sobel's gradient summed along the four sides: what the threshold of find_rects is compared with."""
    h, w = levels.shape
    wide = np.pad(levels, 1, mode="edge").astype(np.int64)
    total = 0
    ends = [(round(x), round(y)) for x, y in quad.corners]
    for (x1, y1), (x2, y2) in zip(ends, ends[1:] + ends[:1], strict=True):
        clipped = clip_segment((x1, y1, x2, y2), w, h)
        if clipped is not None:
            total += _along(wide, clipped)
    return total


def _along(wide: NDArray[np.int64], ends: tuple[int, int, int, int]) -> int:
    """The gradient at the pixels of a line; `wide` has a margin of one pixel."""
    x1, y1, x2, y2 = ends
    steps = max(abs(x2 - x1), abs(y2 - y1))
    part = np.linspace(0.0, 1.0, steps + 1)
    x, y = (np.rint(a + (b - a) * part).astype(np.int64) + 1 for a, b in ((x1, x2), (y1, y2)))
    right = wide[y - 1, x - 1] + 2 * wide[y, x - 1] + wide[y + 1, x - 1]
    right -= wide[y - 1, x + 1] + 2 * wide[y, x + 1] + wide[y + 1, x + 1]
    down = wide[y - 1, x - 1] + 2 * wide[y - 1, x] + wide[y - 1, x + 1]
    down -= wide[y + 1, x - 1] + 2 * wide[y + 1, x] + wide[y + 1, x + 1]
    return int(np.rint(np.sqrt((right * right + down * down).astype(np.float64))).sum())


def _two_levels(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """0 and 255 by the middle of the lightest and darkest level nearby; 127 where there is no contrast."""
    h, w = levels.shape
    rows, columns = h // _TILE, w // _TILE
    made = np.full((h, w), _UNDECIDED, np.uint8)
    if rows == 0 or columns == 0:
        return made
    tiles = levels[: rows * _TILE, : columns * _TILE].reshape(rows, _TILE, columns, _TILE)
    low, high = _neighbours(tiles.min(axis=(1, 3)), np.minimum), _neighbours(tiles.max(axis=(1, 3)), np.maximum)
    y, x = (np.minimum(np.arange(n) // _TILE, last - 1) for n, last in ((h, rows), (w, columns)))
    low, high = low[y][:, x].astype(np.int64), high[y][:, x].astype(np.int64)
    contrast = high - low
    made = np.where(levels > low + contrast // 2, np.uint8(255), np.uint8(0))
    made[contrast < _LEAST_CONTRAST] = _UNDECIDED
    return made


def _neighbours(tiles: NDArray[np.uint8], best: np.ufunc) -> NDArray[np.uint8]:
    """The least or greatest of each tile and the eight around it."""
    wide = np.pad(tiles, 1, mode="edge")
    made = tiles
    for dy in range(3):
        for dx in range(3):
            made = best(made, wide[dy : dy + tiles.shape[0], dx : dx + tiles.shape[1]])
    return made


def _borders(values: NDArray[np.uint8]) -> list[NDArray[np.int64]]:
    """Where a dark and a light area touch: one array of points [n, (x, y, to the right, down)] per pair.

    Places are in half pixels; the last two are the direction towards the light side.
    """
    numbers = label(values, ignored=_UNDECIDED)
    h, w = values.shape
    parts, keys = [], []
    for dx, dy in ((1, 0), (0, 1), (-1, 1), (1, 1)):
        here = (slice(0, h - dy), slice(max(0, -dx), w - max(0, dx)))
        there = (slice(dy, h), slice(max(0, dx), w - max(0, -dx)))
        a, b = values[here].astype(np.int64), values[there].astype(np.int64)
        y, x = np.nonzero((a + b == 255) & (numbers[here] > 0) & (numbers[there] > 0))
        sign = np.sign(b[y, x] - a[y, x])
        first, second = numbers[here][y, x], numbers[there][y, x]
        x = x + max(0, -dx)
        parts.append(np.stack([2 * x + dx, 2 * y + dy, sign * dx, sign * dy], axis=1))
        keys.append(np.minimum(first, second) * (int(numbers.max()) + 1) + np.maximum(first, second))
    points, key = np.concatenate(parts), np.concatenate(keys)
    order = np.argsort(key, kind="stable")
    points, key = points[order], key[order]
    starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]]) if len(key) else np.zeros(0, np.int64)
    most = 3 * (2 * w + 2 * h)  # longer borders are no quad's
    groups = np.split(points, starts[1:]) if len(key) else []
    return [group for group in groups if _LEAST_POINTS <= len(group) <= most]


def _fit(points: NDArray[np.int64]) -> Quad | None:
    """The quad that a border is, or None."""
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    if (high[0] - low[0]) * (high[1] - low[1]) < _LEAST_POINTS * 4:
        return None
    # a little off the middle, so that points which lie across from each other get different angles
    x, y = (points[:, axis] - ((low[axis] + high[axis]) * 0.5 + off) for axis, off in ((0, 0.05118), (1, -0.028581)))
    order = np.argsort(np.arctan2(y, x), kind="stable")
    path = points[order, :2].astype(np.float64) / 2 + 0.5
    keep = np.r_[True, np.any(path[1:] != path[:-1], axis=1)]
    path = path[keep]
    if len(path) < _LEAST_POINTS:
        return None
    corners = _corners(path)
    return None if corners is None else Quad(corners)


class _Sums:
    """Running sums over a closed path, from which a line is fitted to any stretch of it."""

    def __init__(self, path: Floats) -> None:
        x, y = path[:, 0], path[:, 1]
        self.count = len(path)
        rows = np.stack([x, y, x * x, x * y, y * y, np.ones_like(x)], axis=1)
        self._sums = np.vstack([np.zeros(6), np.cumsum(np.vstack([rows, rows]), axis=0)])

    def fit(self, first: NDArray[np.int64], last: NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
        """(line [n, (x, y, normal x, normal y)], error sums, mean errors) of the stretches first..last, both in."""
        first, last = first % self.count, last % self.count
        last = np.where(last < first, last + self.count, last)
        part = self._sums[last + 1] - self._sums[first]
        n = part[:, 5]
        mx, my = part[:, 0] / n, part[:, 1] / n
        xx, xy, yy = part[:, 2] / n - mx * mx, part[:, 3] / n - mx * my, part[:, 4] / n - my * my
        root = np.sqrt(np.maximum((xx - yy) ** 2 + 4 * xy * xy, 0.0))
        least = 0.5 * (xx + yy - root)
        normal = 0.5 * np.arctan2(-2 * xy, yy - xx)
        line = np.stack([mx, my, np.cos(normal), np.sin(normal)], axis=1)
        return line, least * n, least


def _corners(path: Floats) -> tuple[tuple[float, float], ...] | None:
    sums, count = _Sums(path), len(path)
    half = min(20, count // 12)
    if half < 2:
        return None
    at = np.arange(count)
    _, errors, _ = sums.fit(at - half, at + half)
    errors = _smooth(errors)
    peaks = np.flatnonzero((errors > np.roll(errors, 1)) & (errors > np.roll(errors, -1)))
    if len(peaks) < 4:
        return None
    if len(peaks) > _MOST_CORNERS:
        limit = np.sort(errors[peaks])[::-1][_MOST_CORNERS]
        peaks = peaks[errors[peaks] > limit]
    best = _best_four(sums, peaks)
    if best is None:
        return None
    lines, _, _ = sums.fit(best, np.roll(best, -1))
    return _crossings(lines)


def _smooth(errors: Floats) -> Floats:
    """A Gaussian of sigma 1 around the path, cut where it falls below 5 %."""
    width = int(np.sqrt(-np.log(0.05) * 2)) + 1
    weights = np.exp(-(np.arange(-width, width + 1) ** 2) / 2.0)
    made = np.zeros_like(errors)
    for shift, weight in zip(range(-width, width + 1), weights, strict=True):
        made += weight * np.roll(errors, -shift)
    return made


def _best_four(sums: _Sums, peaks: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """The four corners between which straight lines fit best."""
    choices = np.array(list(combinations(peaks.tolist(), 4)), np.int64).reshape(-1, 4)
    if not len(choices):
        return None
    total, good = np.zeros(len(choices)), np.ones(len(choices), bool)
    normals = []
    for side in range(4):
        line, error, mean = sums.fit(choices[:, side], choices[:, (side + 1) % 4])
        total += error
        good &= mean <= _MOST_ERROR
        normals.append(line[:, 2:])
    good &= np.abs((normals[0] * normals[1]).sum(axis=1)) <= _COSINE_OF_TEN_DEGREES
    total = np.where(good, total / sums.count, np.inf)
    best = int(np.argmin(total))
    return choices[best] if total[best] < _MOST_ERROR else None


def _crossings(lines: Floats) -> tuple[tuple[float, float], ...] | None:
    """Where neighbouring sides meet; None unless they make a convex shape of some size."""
    corners = []
    for one, two in zip(lines, np.roll(lines, -1, axis=0), strict=True):
        across = np.array([[-one[3], two[3]], [one[2], -two[2]]])
        determinant = float(np.linalg.det(across))
        if abs(determinant) < 0.001:
            return None
        along = float(np.linalg.solve(across, two[:2] - one[:2])[0])
        corners.append((float(one[0] - one[3] * along), float(one[1] + one[2] * along)))
    x, y = (np.array([corner[axis] for corner in corners]) for axis in (0, 1))
    area = 0.5 * abs(float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)))
    if area < 0.95 * 36:
        return None
    dx, dy = np.roll(x, -1) - x, np.roll(y, -1) - y
    lengths = np.hypot(dx, dy)
    if np.any(lengths == 0):
        return None
    turns = dx * np.roll(dy, -1) - dy * np.roll(dx, -1)
    cosines = (dx * np.roll(dx, -1) + dy * np.roll(dy, -1)) / (lengths * np.roll(lengths, -1))
    if np.any(np.abs(cosines) > _COSINE_OF_TEN_DEGREES) or not (np.all(turns > 0) or np.all(turns < 0)):
        return None
    return _from_top_left(corners)


def _from_top_left(corners: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Around the shape clockwise, beginning at the corner nearest to the picture's top left."""
    x, y = (np.array([corner[axis] for corner in corners]) for axis in (0, 1))
    if float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) < 0:
        corners = corners[::-1]
    first = min(range(4), key=lambda at: sum(corners[at]))
    return tuple(corners[first:] + corners[:first])


def _without_overlaps(quads: list[Quad]) -> list[Quad]:
    """Of two that overlap, the one whose first differing coordinate is less stays."""
    kept: list[Quad] = []
    for quad in quads:
        rivals = [other for other in kept if _overlap(quad, other)]
        if all(quad.corners < other.corners for other in rivals):
            kept = [other for other in kept if other not in rivals] + [quad]
    return kept


def _overlap(one: Quad, two: Quad) -> bool:
    """Whether no line separates two convex shapes."""
    a, b = np.array(one.corners), np.array(two.corners)
    for shape in (a, b):
        sides = np.roll(shape, -1, axis=0) - shape
        for normal in np.stack([-sides[:, 1], sides[:, 0]], axis=1):
            mine, its = a @ normal, b @ normal
            if mine.max() <= its.min() or its.max() <= mine.min():
                return False
    return True
