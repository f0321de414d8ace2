"""Histogram equalisation tile by tile, with a limit on contrast (CLAHE, Zuiderveld 1994).

Source of the settings: `omv/img/clahe.c`. The picture is cut into 2 to 16 tiles a side by its size; each tile maps
gray levels by its own clipped histogram, and pixels take the mix of the four nearest tiles' maps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .frame import Frame, gray_of
from .pixel_math import relit
from .pixels import Format

__all__ = ["adaptively_equalized"]

Ints = NDArray[np.int64]
_LEVELS = 256
_NO_LIMIT = 1 << 14


def adaptively_equalized(frame: Frame, limit: float, fast: bool) -> NDArray[Any]:
    """The picture with its tiles' brightness spread; a limit of 0 or less does not clip, 1 changes nothing."""
    height, width = frame.data.shape
    tiles_x, tiles_y = (max(16 >> (10 - min(length.bit_length(), 10)), 2) for length in (width, height))
    padded_w, padded_h = -(-width // tiles_x) * tiles_x, -(-height // tiles_y) * tiles_y
    # The firmware lays rows of the picture's width into memory that it then reads in rows of the padded width.
    memory = np.zeros(padded_w * padded_h, np.int64)
    start = (padded_h - height) // 2 * width + (padded_w - width) // 2
    levels = gray_of(frame, fast).astype(np.int64).ravel()[: len(memory) - start]
    memory[start : start + len(levels)] = levels
    if limit != 1.0:
        memory = _equalized(memory.reshape(padded_h, padded_w), tiles_x, tiles_y, limit).ravel()
    made = np.zeros(height * width, np.int64)
    made[: len(levels)] = memory[start : start + len(levels)]
    if frame.format is Format.BINARY:
        made = (made > 127).astype(np.int64)
    return relit(frame, made.reshape(height, width), fast)


def _equalized(levels: Ints, tiles_x: int, tiles_y: int, limit: float) -> Ints:
    size_y, size_x = levels.shape[0] // tiles_y, levels.shape[1] // tiles_x
    bound = (
        max(int(np.float32(limit) * np.float32(size_x * size_y) / np.float32(_LEVELS)), 1) if limit > 0 else _NO_LIMIT
    )
    maps = np.empty((tiles_y, tiles_x, _LEVELS), np.int64)
    for y in range(tiles_y):
        for x in range(tiles_x):
            tile = levels[y * size_y : (y + 1) * size_y, x * size_x : (x + 1) * size_x]
            histogram = _clipped(np.bincount(tile.ravel(), minlength=_LEVELS), bound)
            scale = np.float32(255) / np.float32(size_x * size_y)
            maps[y, x] = np.minimum(np.cumsum(histogram).astype(np.float32) * scale, 255).astype(np.int64)
    return _mixed(levels, maps, size_x, size_y)


def _clipped(histogram: Ints, bound: int) -> Ints:
    """Cut bins at the bound and share the excess out, evenly first, then one by one over spread bins."""
    excess = int(np.maximum(histogram - bound, 0).sum())
    step = excess // _LEVELS
    over, high = histogram > bound, (histogram <= bound) & (histogram > bound - step)
    made = np.where(over | high, bound, histogram + step)
    excess -= int((histogram[high] - (bound - step)).sum()) + step * int((~over & ~high).sum())
    while excess > 0:
        before = excess
        for first in range(_LEVELS):
            if excess <= 0:
                break
            stride = max(_LEVELS // excess, 1)
            free = np.arange(first, _LEVELS, stride)
            free = free[made[free] < bound][:excess]
            made[free] += 1
            excess -= len(free)
        if excess == before:  # every bin is full: the firmware would search on for ever
            break
    return made


def _mixed(levels: Ints, maps: Ints, size_x: int, size_y: int) -> Ints:
    """Mix the maps of the neighbouring tiles by distance, block by block between the tiles' centres."""
    made = levels.copy()
    top = 0
    for upper, lower, rows in _spans(maps.shape[0], size_y):
        left = 0
        for west, east, columns in _spans(maps.shape[1], size_x):
            block = levels[top : top + rows, left : left + columns]
            down, right = np.arange(rows)[:, None], np.arange(columns)[None, :]
            up_mix = (columns - right) * maps[upper, west][block] + right * maps[upper, east][block]
            low_mix = (columns - right) * maps[lower, west][block] + right * maps[lower, east][block]
            if block.size:
                mixed = ((rows - down) * up_mix + down * low_mix) // (rows * columns)
                made[top : top + rows, left : left + columns] = mixed & 0xFF
            left += columns
        top += rows
    return made


def _spans(tiles: int, size: int) -> list[tuple[int, int, int]]:
    """(tile before, tile after, length) of each stretch from the edge over the tiles' centres to the other edge."""
    inner = [(tile, tile + 1, size) for tile in range(tiles - 1)]
    return [(0, 0, size >> 1), *inner, (tiles - 1, tiles - 1, (size + 1) >> 1)]
