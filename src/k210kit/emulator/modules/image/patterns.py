"""What find_lbp, find_hog and find_eye compute. Sources: `omv/img/lbp.c`, `hog.c`, `eye.c`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .arguments import Region
from .draw import draw_line
from .fast_math import COSINES, SINES

__all__ = ["DESCRIPTOR_BYTES", "draw_gradients", "find_pupil", "local_patterns", "pattern_distance"]

Gray = NDArray[np.uint8]
_REGIONS = 7
_UNIFORM = 58  # patterns with at most two changes between 0 and 1 around the pixel
DESCRIPTOR_BYTES = _REGIONS * _REGIONS * (_UNIFORM + 1)
# How much each of the 7 x 7 regions of a face tells: Ahonen, Hadid and Pietikainen, 2004, as the firmware has them.
_WEIGHTS = np.array(
    [int(c) for c in "2111112" "2441442" "1110111" "0110110" "0111110" "0112110" "0111110"], np.int64
)  # fmt: skip
_BINS, _BIN_DEGREES = 9, 20


def _uniform_numbers() -> NDArray[np.int64]:
    """The number of each uniform pattern in rising order; 58 for all others."""
    bits = np.arange(256)[:, None] >> np.arange(8) & 1
    changes = (bits != np.roll(bits, 1, axis=1)).sum(axis=1)
    uniform = changes <= 2
    return np.where(uniform, np.cumsum(uniform) - 1, _UNIFORM)


def local_patterns(levels: Gray, region: Region) -> NDArray[np.uint8]:
    """Histograms of local binary patterns in 7 x 7 regions, in bytes that wrap.

    As in the firmware the loops run over the picture's size, not the region's; places outside are left out here.
    """
    h, w = levels.shape
    down, right = max(region.h // _REGIONS, 1), max(region.w // _REGIONS, 1)
    ys, xs = np.arange(region.y, min(region.y + h - 3, h - 2)), np.arange(region.x, min(region.x + w - 3, w - 2))
    y, x = ys[:, None], xs[None, :]
    middle = levels[y + 1, x + 1]
    around = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
    pattern = sum((levels[y + dy, x + dx] >= middle).astype(np.int64) << bit for bit, (dy, dx) in enumerate(around))
    place = (y - region.y) // down * _REGIONS + (x - region.x) // right
    index = place * (_UNIFORM + 1) + _uniform_numbers()[pattern]
    counts = np.bincount(index[index < DESCRIPTOR_BYTES].reshape(-1), minlength=DESCRIPTOR_BYTES)
    return counts.astype(np.uint8)


def pattern_distance(one: NDArray[np.uint8], two: NDArray[np.uint8]) -> int:
    """How unlike two descriptors are; whole numbers, divided towards zero."""
    a, b = one.astype(np.int64), two.astype(np.int64)
    parts = (a - b) ** 2 // np.maximum(a + b, 1)
    return int((parts.reshape(-1, _UNIFORM + 1).sum(axis=1) * _WEIGHTS).sum())


def draw_gradients(levels: Gray, region: Region, cell: int) -> None:
    """Replace a picture by a drawing of its gradient directions: nine lines per cell, brighter where stronger."""
    h, w = levels.shape
    values = levels.astype(np.int64)
    vx, vy = np.zeros_like(values), np.zeros_like(values)
    vx[:, 1:-1] = values[:, 2:] - values[:, :-2]
    vy[1:-1] = values[2:] - values[:-2]
    strength = np.sqrt((vx * vx + vy * vy).astype(np.float32))
    y, x = np.mgrid[0:h, 0:w]
    inside = (x > 0) & (y > 0) & (x >= region.x) & (y >= region.y)
    inside &= (x < region.x + region.w - 1) & (y < region.y + region.h - 1) & (strength >= 2)
    strength = np.where(inside, strength, np.float32(0))
    bins = np.abs(np.degrees(np.arctan2(vx, vy))).astype(np.int64) // _BIN_DEGREES % _BINS
    levels[...] = 0
    block = 2 * cell
    for top in range(region.y, region.y + region.h - block + 1, block):
        for left in range(region.x, region.x + region.w - block + 1, block):
            part = (slice(top, top + block), slice(left, left + block))
            _draw_block(levels, (left, top), cell, strength[part], bins[part])


def _draw_block(
    levels: Gray, corner: tuple[int, int], cell: int, strength: NDArray[np.float32], bins: NDArray[np.int64]
) -> None:
    """Four cells, brightened by the strength of all four together."""
    total = float(np.sqrt((strength.astype(np.float64) ** 2).sum()))
    if total == 0:
        return
    for row in range(2):
        for column in range(2):
            part = (slice(row * cell, (row + 1) * cell), slice(column * cell, (column + 1) * cell))
            sums = np.bincount(bins[part].reshape(-1), strength[part].reshape(-1), minlength=_BINS)
            bright = np.clip((sums / total * 255).astype(np.int64), 0, 255)
            x, y = corner[0] + column * cell + cell // 2, corner[1] + row * cell + cell // 2
            for at in np.argsort(bright, kind="stable").tolist():
                dx, dy = (int(cell // 2 * table[at * _BIN_DEGREES]) for table in (COSINES, SINES))
                draw_line(levels, x - dx, y + dy, x + dx, y - dy, int(bright[at]))


def find_pupil(levels: Gray, region: Region) -> tuple[int, int]:
    """The dark point from which the gradients of the region point away: Timm and Barth, VISAPP 2011."""
    left, top = region.x + int(0.15 * region.w), region.y + int(0.40 * region.h)
    width, height = region.w - int(0.15 * region.w), region.h - int(0.40 * region.h)
    box = levels[top : top + height, left : left + width].astype(np.int64)
    if min(box.shape) < 4:
        return (0, 0)
    vx = box[:-2, :-2] - box[:-2, 2:] + 2 * (box[1:-1, :-2] - box[1:-1, 2:]) + box[2:, :-2] - box[2:, 2:]
    vy = box[:-2, :-2] + 2 * box[:-2, 1:-1] + box[:-2, 2:] - box[2:, :-2] - 2 * box[2:, 1:-1] - box[2:, 2:]
    strength = np.sqrt((vx * vx + vy * vy).astype(np.float64))[:-1, :-1]
    y, x = np.nonzero(strength > 200)
    if not len(y):
        return (0, 0)
    size = strength[y, x]
    near = np.abs(size - size.mean()) <= 100
    y, x, size = y[near], x[near], size[near]
    if not len(y):
        return (0, 0)
    best, place = 0.0, (0, 0)
    columns = np.arange(box.shape[1])
    for row in range(box.shape[0]):
        dx, dy = columns[:, None] - (x + 1)[None, :], np.broadcast_to(row - (y + 1), (len(columns), len(y)))
        away = np.hypot(dx, dy)
        with np.errstate(divide="ignore", invalid="ignore"):
            agree = np.nan_to_num((dx * (vx[y, x] / size) + dy * (vy[y, x] / size)) / away)
        score = (np.maximum(agree, 0) ** 2).mean(axis=1) * (255 - box[row])
        at = int(np.argmax(score))
        if score[at] > best:
            best, place = float(score[at]), (left + at, top + row)
    return place
