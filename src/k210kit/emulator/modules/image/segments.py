"""find_line_segments: straight edges, by the line segment detector LSD.

Method: Grompone von Gioi, Jakubowicz, Morel and Randall, "LSD: a Line Segment Detector", Image Processing On Line 2
(2012), written from the paper with the settings of `omv/img/lsd.c`: scale 0.8, sigma 0.6, quantisation 2, 22.5 degrees,
density 0.7. Left out: the paper's search for a better rectangle where one is rejected, so that a few faint segments
which a board reports are missing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FoundSegment", "find_segments"]

Floats = NDArray[np.float64]
_SCALE, _SIGMA, _QUANTISATION = 0.8, 0.6, 2.0
_TOLERANCE = math.radians(22.5)
_DENSITY = 0.7
_BINS = 1024
_NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))


@dataclass(frozen=True)
class FoundSegment:
    """Ends in pixels, and -log10 of the number of false alarms."""

    x1: float
    y1: float
    x2: float
    y2: float
    sureness: float


@dataclass(frozen=True)
class _Box:
    """A rectangle around a region: ends of its middle line, width, direction."""

    x1: float
    y1: float
    x2: float
    y2: float
    width: float
    theta: float

    @property
    def length(self) -> float:
        return math.hypot(self.x2 - self.x1, self.y2 - self.y1)


@dataclass(frozen=True)
class _Field:
    """Direction of the edge and strength of the gradient at each pixel of the scaled picture [h, w]."""

    angles: Floats  # NaN where the gradient is weak
    strength: Floats


def find_segments(levels: NDArray[np.uint8]) -> list[FoundSegment]:
    """Segments in gray levels [h, w], strong gradients first."""
    if min(levels.shape) < 8:
        return []
    field = _gradient(_scaled(levels))
    h, w = field.angles.shape
    tests = 5 * (math.log10(w) + math.log10(h)) / 2 + math.log10(11.0)
    least = max(2, int(-tests / math.log10(_TOLERANCE / math.pi)))
    used = np.isnan(field.angles)
    found = []
    for y, x in _seeds(field):
        if used[y, x]:
            continue
        region, angle = _grow(field, used, y, x, _TOLERANCE)
        if len(region) < least:
            continue
        box = _dense_box(field, used, region, angle)
        if box is None:
            continue
        sureness = _sureness(field, box, tests)
        if sureness > 0:
            x1, y1, x2, y2 = (end / _SCALE + 0.5 for end in (box.x1, box.y1, box.x2, box.y2))
            found.append(FoundSegment(x1, y1, x2, y2, sureness))
    return found


def _scaled(levels: NDArray[np.uint8]) -> Floats:
    """The picture at 0.8 of its size behind a Gaussian filter."""
    made = levels.astype(np.float64)
    for _ in range(2):
        made = _scaled_rows(made).T
    return made


def _scaled_rows(values: Floats) -> Floats:
    """Rows [h, w] at 0.8 of their width."""
    width = values.shape[1]
    sigma = _SIGMA / _SCALE
    reach = math.ceil(sigma * math.sqrt(2 * 3 * math.log(10)))
    size = math.ceil(width * _SCALE)
    centre = np.arange(size) / _SCALE
    whole = np.floor(centre + 0.5).astype(np.int64)
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * ((offsets[None, :] + whole[:, None] - centre[:, None]) / sigma) ** 2)
    weights /= weights.sum(axis=1, keepdims=True)
    places = (whole[:, None] + offsets[None, :]) % (2 * width)
    places = np.where(places >= width, 2 * width - 1 - places, places)
    made: Floats = np.einsum("hnk,nk->hn", values[:, places], weights)
    return made


def _gradient(values: Floats) -> _Field:
    a, b, c, d = values[:-1, :-1], values[:-1, 1:], values[1:, :-1], values[1:, 1:]
    gx, gy = (b + d - a - c) / 2, (c + d - a - b) / 2
    strength = np.hypot(gx, gy)
    angles = np.where(strength <= _QUANTISATION / math.sin(_TOLERANCE), np.nan, np.arctan2(gx, -gy))
    return _Field(angles, strength)


def _seeds(field: _Field) -> list[tuple[int, int]]:
    """Pixels with an edge, in falling order of strength by 1024 classes."""
    y, x = np.nonzero(~np.isnan(field.angles))
    if not len(y):
        return []
    values = field.strength[y, x]
    rank = (values * (_BINS / field.strength.max())).astype(np.int64).clip(0, _BINS - 1)
    order = np.argsort(-rank, kind="stable")
    return list(zip(y[order].tolist(), x[order].tolist(), strict=True))


def _apart(a: float, b: float) -> float:
    turn = abs(a - b) % (2 * math.pi)
    return min(turn, 2 * math.pi - turn)


def _grow(
    field: _Field, used: NDArray[np.bool_], y: int, x: int, tolerance: float
) -> tuple[list[tuple[int, int]], float]:
    """The pixels that hang together with a seed and whose edges point the same way; they are marked as used."""
    angles = field.angles
    h, w = angles.shape
    angle = float(angles[y, x])
    sine, cosine = math.sin(angle), math.cos(angle)
    region, at = [(y, x)], 0
    used[y, x] = True
    while at < len(region):
        row, column = region[at]
        at += 1
        for dy, dx in _NEIGHBOURS:
            ny, nx = row + dy, column + dx
            if not (0 <= ny < h and 0 <= nx < w) or used[ny, nx]:
                continue
            here = float(angles[ny, nx])
            if _apart(here, angle) > tolerance:
                continue
            used[ny, nx] = True
            region.append((ny, nx))
            sine += math.sin(here)
            cosine += math.cos(here)
            angle = math.atan2(sine, cosine)
    return region, angle


def _box(field: _Field, region: list[tuple[int, int]], angle: float) -> _Box:
    """The rectangle of a region, by the moments of its gradients."""
    places = np.array(region, np.int64)
    y, x = places[:, 0], places[:, 1]
    weight = field.strength[y, x]
    total = weight.sum()
    cx, cy = float((x * weight).sum() / total), float((y * weight).sum() / total)
    dx, dy = x - cx, y - cy
    xx, yy = float((dy * dy * weight).sum() / total), float((dx * dx * weight).sum() / total)
    xy = -float((dx * dy * weight).sum() / total)
    least = 0.5 * (xx + yy - math.sqrt((xx - yy) ** 2 + 4 * xy * xy))
    theta = math.atan2(least - xx, xy) if abs(xx) > abs(yy) else math.atan2(xy, least - yy)
    if _apart(theta, angle) > _TOLERANCE:
        theta += math.pi
    ux, uy = math.cos(theta), math.sin(theta)
    along, across = dx * ux + dy * uy, -dx * uy + dy * ux
    low, high = float(min(along.min(), 0.0)), float(max(along.max(), 0.0))
    width = max(1.0, float(max(across.max(), 0.0) - min(across.min(), 0.0)))
    return _Box(cx + low * ux, cy + low * uy, cx + high * ux, cy + high * uy, width, theta)


def _dense_box(field: _Field, used: NDArray[np.bool_], region: list[tuple[int, int]], angle: float) -> _Box | None:
    """The rectangle of a region, of which pixels are given back until it is filled well enough; else None."""
    box = _box(field, region, angle)
    if _filled(region, box):
        return box
    y0, x0 = region[0]
    turns = [
        _signed(float(field.angles[y, x]) - float(field.angles[y0, x0]))
        for y, x in region
        if math.hypot(x - x0, y - y0) < box.width
    ]
    mean = sum(turns) / len(turns)
    spread = 2 * math.sqrt(max(0.0, sum(turn * turn for turn in turns) / len(turns) - mean * mean))
    for y, x in region:
        used[y, x] = False
    region, angle = _grow(field, used, y0, x0, spread)
    if len(region) < 2:
        return None
    box = _box(field, region, angle)
    reach = max(math.hypot(box.x1 - x0, box.y1 - y0), math.hypot(box.x2 - x0, box.y2 - y0))
    while not _filled(region, box):
        reach *= 0.75
        for y, x in region:
            if math.hypot(x - x0, y - y0) > reach:
                used[y, x] = False
        region = [(y, x) for y, x in region if math.hypot(x - x0, y - y0) <= reach]
        if len(region) < 2:
            return None
        box = _box(field, region, angle)
    return box


def _filled(region: list[tuple[int, int]], box: _Box) -> bool:
    return len(region) >= _DENSITY * box.length * box.width


def _signed(angle: float) -> float:
    return (angle + math.pi) % (2 * math.pi) - math.pi


def _sureness(field: _Field, box: _Box, tests: float) -> float:
    """-log10 of how many rectangles as good as this one chance would give."""
    h, w = field.angles.shape
    ux, uy = math.cos(box.theta), math.sin(box.theta)
    reach = box.width / 2
    xs, ys = sorted((box.x1, box.x2)), sorted((box.y1, box.y2))
    left, right = max(0, math.floor(xs[0] - reach)), min(w - 1, math.ceil(xs[1] + reach))
    top, bottom = max(0, math.floor(ys[0] - reach)), min(h - 1, math.ceil(ys[1] + reach))
    if right < left or bottom < top:
        return -tests
    y, x = np.mgrid[top : bottom + 1, left : right + 1]
    along = (x - box.x1) * ux + (y - box.y1) * uy
    across = -(x - box.x1) * uy + (y - box.y1) * ux
    inside = (along >= 0) & (along <= box.length) & (np.abs(across) <= reach)
    here = field.angles[top : bottom + 1, left : right + 1][inside]
    turn = np.abs(here - box.theta) % (2 * np.pi)
    aligned = int((np.minimum(turn, 2 * np.pi - turn) <= _TOLERANCE).sum())
    return _binomial_tail(int(inside.sum()), aligned, _TOLERANCE / math.pi) - tests


def _binomial_tail(n: int, k: int, p: float) -> float:
    """-log10 of the chance of k or more of n where each has the chance p."""
    if n == 0 or k == 0:
        return 0.0
    if n == k:
        return -n * math.log10(p)
    logs = [
        math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) + i * math.log(p) + (n - i) * math.log1p(-p)
        for i in range(k, n + 1)
    ]
    most = max(logs)
    return -(most + math.log(sum(math.exp(value - most) for value in logs))) / math.log(10)
