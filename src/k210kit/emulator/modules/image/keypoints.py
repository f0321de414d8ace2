"""find_keypoints and match_descriptor: corners that can be found again, and a description of what is around each.

Corners: the segment test of FAST with nine of sixteen pixels (Rosten and Drummond, ECCV 2006); the firmware's default,
AGAST, finds the same corners. Descriptions: ORB with four-way comparisons (Rublee and others, ICCV 2011), steps as in
`omv/img/orb.c`. The places compared are our own choice, not the firmware's table: descriptions saved by a board cannot
be matched with ours, and which pairs match differs.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from .arguments import Region
from .fast_math import COSINES, SINES

__all__ = ["Keypoint", "Match", "find_keypoints", "match", "pack", "unpack"]

Gray = NDArray[np.uint8]
_CIRCLE = (
    (0, -3), (1, -3), (2, -2), (3, -1), (3, 0), (3, 1), (2, 2), (1, 3),
    (0, 3), (-1, 3), (-2, 2), (-3, 1), (-3, 0), (-3, -1), (-2, -2), (-1, -3),
)  # fmt: skip
_ARC = 9
_PATCH = 31
_BYTES = 32
_MOST_DISTANCE = 8 * _BYTES
_RECORD = struct.Struct("<HHHHHB32s")


@dataclass
class Keypoint:
    """A corner: place in the picture, strength, pyramid level from 1, angle in steps of 15 degrees, description."""

    x: int
    y: int
    score: int
    octave: int
    angle: int
    description: bytes
    matched: bool = False


@dataclass(frozen=True)
class Match:
    """How the corners of one picture were found in another: centre, box, number, turn, pairs of indices."""

    cx: int = 0
    cy: int = 0
    x: int = 0
    y: int = 0
    w: int = 0
    h: int = 0
    count: int = 0
    theta: int = 0
    pairs: tuple[tuple[int, int], ...] = ()


def find_keypoints(
    levels: Gray, region: Region, *, threshold: int, normalized: bool, scale_factor: float, most: int
) -> list[Keypoint]:
    """The strongest corners of gray levels [h, w] over a pyramid; `normalized` looks at the picture's own size only."""
    found: list[Keypoint] = []
    scale, octave = 1.0, 1
    while True:
        box = [round(part / scale) for part in (region.x, region.y, region.w, region.h)]
        inner = Region(box[0] + _PATCH, box[1] + _PATCH, box[2] - 2 * _PATCH, box[3] - 2 * _PATCH)
        if inner.w <= 2 * _PATCH or inner.h <= 2 * _PATCH:
            break
        small = _smooth(_shrunk(levels, round(levels.shape[1] / scale), round(levels.shape[0] / scale)))
        for x, y, score in _corners(small, inner, threshold):
            angle = _angle(small, x, y)
            found.append(Keypoint(int(x * scale), int(y * scale), score, octave, angle, _describe(small, x, y, angle)))
        if normalized or scale_factor <= 1:
            break
        scale, octave = scale * scale_factor, octave + 1
    found.sort(key=lambda point: -point.score)
    return found[:most]


def _shrunk(levels: Gray, width: int, height: int) -> Gray:
    rows, columns = (
        np.arange(new) * ((old << 16) // new + 1) >> 16 for new, old in zip((height, width), levels.shape, strict=True)
    )
    made: Gray = levels[rows][:, columns]
    return made


def _smooth(levels: Gray) -> Gray:
    """A Gaussian over 3 x 3 pixels."""
    wide = np.pad(levels, 1, mode="edge").astype(np.int64)
    rows = wide[:-2] + 2 * wide[1:-1] + wide[2:]
    made: Gray = ((rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) // 16).astype(np.uint8)
    return made


def _corners(levels: Gray, region: Region, threshold: int) -> list[tuple[int, int, int]]:
    """(x, y, score) where nine neighbouring pixels of the circle are all lighter or all darker by the threshold."""
    h, w = levels.shape
    values = levels.astype(np.int16)
    centre = values[3 : h - 3, 3 : w - 3]
    away = np.stack([values[3 + dy : h - 3 + dy, 3 + dx : w - 3 + dx] - centre for dx, dy in _CIRCLE])
    around = np.concatenate([away, away[: _ARC - 1]])
    scores = np.zeros((h, w), np.int16)
    best = np.full(centre.shape, -255, np.int16)
    for start in range(16):
        arc = around[start : start + _ARC]
        best = np.maximum(best, np.maximum(arc.min(axis=0), -arc.max(axis=0)))
    scores[3 : h - 3, 3 : w - 3] = np.where(best > threshold, best, 0)
    inside = np.zeros((h, w), bool)
    inside[region.rows, region.columns] = True
    scores[~inside] = 0
    wide = np.pad(scores, 1)
    greatest = scores > 0
    for dy in range(3):
        for dx in range(3):
            greatest &= scores >= wide[dy : dy + h, dx : dx + w]
    return [(int(x), int(y), int(scores[y, x]) - 1) for y, x in np.argwhere(greatest)]


@cache
def _disk() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Offsets (x, y) of the pixels of a disk of 31 across."""
    reach = _PATCH // 2
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    inside = x * x + y * y <= (reach + 0.5) ** 2
    return x[inside], y[inside]


def _angle(levels: Gray, x: int, y: int) -> int:
    """The direction of the centre of brightness."""
    dx, dy = _disk()
    values = levels[y + dy, x + dx].astype(np.int64)
    degrees = int(np.degrees(np.arctan2(float((values * dy).sum()), float((values * dx).sum()))))
    degrees += 360 if degrees < 0 else 0
    return degrees - degrees % 15


@cache
def _places() -> NDArray[np.int64]:
    """Where to compare, [128 comparisons, 4 places, (x, y)]: chance, more often near the centre, the same for ever."""
    source = np.random.default_rng(0x0DB)
    return np.clip(np.rint(source.normal(0, _PATCH / 5, (4 * _BYTES, 4, 2))), -13, 13).astype(np.int64)


def _describe(levels: Gray, x: int, y: int, angle: int) -> bytes:
    """Two bits for each comparison: which of four places is the lightest."""
    places, cosine, sine = _places(), float(COSINES[angle]), float(SINES[angle])
    dx = np.rint(places[..., 0] * cosine - places[..., 1] * sine).astype(np.int64)
    dy = np.rint(places[..., 0] * sine + places[..., 1] * cosine).astype(np.int64)
    lightest = np.argmax(levels[y + dy, x + dx], axis=1).reshape(_BYTES, 4)
    return bytes((lightest << np.array([0, 2, 4, 6])).sum(axis=1).astype(np.uint8))


def _nearest(point: Keypoint, others: list[Keypoint]) -> tuple[int | None, int, int]:
    """(index, distance, second distance) of the most alike that is not taken."""
    best, first, second = None, _MOST_DISTANCE, _MOST_DISTANCE
    mine = int.from_bytes(point.description, "little")
    for at, other in enumerate(others):
        if other.matched:
            continue
        distance = (mine ^ int.from_bytes(other.description, "little")).bit_count()
        if distance < first:
            best, first, second = at, distance, first
    return best, first, second


def match(one: list[Keypoint], two: list[Keypoint], *, threshold: int, filter_outliers: bool) -> Match:
    """Pairs of corners that are each other's most alike, clearly before the second (`threshold` per cent)."""
    pairs: list[tuple[int, int]] = []
    turns: list[int] = []
    for mine, point in enumerate(one):
        its, first, second = _nearest(point, two)
        if its is None or first * 100 // max(second, 1) > threshold:
            continue
        back, first, second = _nearest(two[its], one)
        if back != mine or first * 100 // max(second, 1) > threshold:
            continue
        two[its].matched = True
        turns.append(abs(two[its].angle - point.angle))
        pairs.append((mine, its))
    found = [two[its] for _, its in pairs]
    if not found:
        return Match()
    theta = max(sorted(set(turns)), key=turns.count)
    return _around(_near(found) if filter_outliers else found, theta, tuple(pairs))


def _near(found: list[Keypoint]) -> list[Keypoint]:
    """Those whose distance from the centre is within one standard deviation of the mean."""
    cx, cy = (sum(getattr(point, axis) for point in found) // len(found) for axis in ("x", "y"))
    away = np.array([np.hypot(cx - point.x, cy - point.y) for point in found])
    return [p for p, off in zip(found, np.abs(away - away.mean()), strict=True) if off <= away.std()] or found


def _around(found: list[Keypoint], theta: int, pairs: tuple[tuple[int, int], ...]) -> Match:
    xs, ys = [point.x for point in found], [point.y for point in found]
    return Match(
        cx=sum(xs) // len(xs),
        cy=sum(ys) // len(ys),
        x=min(xs),
        y=min(ys),
        w=max(xs) - min(xs),
        h=max(ys) - min(ys),
        count=len(found),
        theta=theta,
        pairs=pairs,
    )


def pack(points: list[Keypoint]) -> bytes:
    """For a file: the number, then each corner."""
    rows = (_RECORD.pack(p.x, p.y, p.score, p.octave, p.angle, 0, p.description) for p in points)
    return struct.pack("<I", len(points)) + b"".join(rows)


def unpack(data: bytes) -> list[Keypoint]:
    """What `pack` wrote; ValueError where the data ends too early."""
    if len(data) < 4 or len(data) < 4 + struct.unpack_from("<I", data)[0] * _RECORD.size:
        raise ValueError("the descriptor ends too early")
    (count,) = struct.unpack_from("<I", data)
    rows = (_RECORD.unpack_from(data, 4 + at * _RECORD.size) for at in range(count))
    return [Keypoint(x, y, score, octave, angle, text) for x, y, score, octave, angle, _, text in rows]
