"""Change of size: resize, scaled copies, cuts and pools, with the firmware's rounding and its slips.

Sources: `py_image_resize`, `py_image_copy_int`, `py_image_cut` of `omv/py/py_image.c`; `omv/img/pool.c`. Floats are
single precision; a conversion to unsigned makes negative values 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arguments import Region
from .pixels import Format, join565, split565

__all__ = ["cut", "mean_pool", "midpoint_pool", "resize", "scaled_region"]

Pixels = NDArray[Any]
_F = np.float32


def _to_byte(values: NDArray[np.float32]) -> NDArray[np.int64]:
    """A C cast of floats to an unsigned byte: negative becomes 0, the rest is cut to its low eight bits."""
    return np.maximum(values, 0).astype(np.int64) & 0xFF


def resize(pixels: Pixels, format: Format, width: int, height: int) -> Pixels:
    """Resize as `Image.resize` does.

    RGB565: the nearest pixel when shrinking, bilinear when both sides grow. Grayscale: bilinear when a side grows,
    the mean of a box when both shrink.
    """
    old_height, old_width = pixels.shape
    if format is Format.RGB565:
        if (old_width, old_height) == (width, height):
            return pixels.copy()
        if old_width >= width or old_height > height:
            return pixels[np.ix_(_nearest(height, old_height), _nearest(width, old_width))]
        return _bilinear_words(pixels, width, height)
    if width >= old_width or height >= old_height:
        return _bilinear_gray(pixels, width, height)
    return _box_gray(pixels, width, height)


def _nearest(new: int, old: int) -> NDArray[np.int64]:
    return (np.arange(new, dtype=_F) * (_F(old) / _F(new))).astype(np.int64)


def _bilinear_places(new: int, old: int) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """Left pixel of each new pixel, and the weights of it and of its right neighbour (which may lie outside 0..1)."""
    place = (np.arange(new, dtype=_F) + _F(0.5)) * (_F(old) / _F(new)) - _F(0.5)
    left = np.trunc(place).astype(np.int64)
    return left, (left + 1).astype(_F) - place, place - left.astype(_F)


def _bilinear_gray(pixels: Pixels, width: int, height: int) -> Pixels:
    old_height, old_width = pixels.shape
    x, x_near, x_far = _bilinear_places(width, old_width)
    y, y_near, y_far = _bilinear_places(height, old_height)
    x2, y2 = np.minimum(x + 1, old_width - 1), np.minimum(y + 1, old_height - 1)
    source = pixels.astype(_F)
    total = np.zeros((height, width), _F)
    for rows, row_weight in ((y, y_near), (y2, y_far)):
        for columns, column_weight in ((x, x_near), (x2, x_far)):
            total += source[np.ix_(rows, columns)] * column_weight[None, :] * row_weight[:, None]
    return _to_byte(total).astype(np.uint8)


def _bilinear_words(words: Pixels, width: int, height: int) -> Pixels:
    """Channels are mixed in 5 and 6 bits; a weight outside 0..1 at the border may spill into the next channel."""
    old_height, old_width = words.shape
    x, x_near, x_far = _bilinear_places(width, old_width)
    y, y_near, y_far = _bilinear_places(height, old_height)
    x2, y2 = np.minimum(x + 1, old_width - 1), np.minimum(y + 1, old_height - 1)
    mixed = []
    for channel in split565(words):
        part = channel.astype(_F)
        upper = x_near * part[np.ix_(y, x)] + x_far * part[np.ix_(y, x2)]
        lower = x_near * part[np.ix_(y2, x)] + x_far * part[np.ix_(y2, x2)]
        mixed.append(_to_byte(y_near[:, None] * upper + y_far[:, None] * lower))
    made = join565(*mixed)
    edge = (y + 1 >= old_height)[:, None] | (x + 1 >= old_width)[None, :]
    return np.where(edge, words[np.ix_(y, x)], made)


def _box_gray(pixels: Pixels, width: int, height: int) -> Pixels:
    """The mean of a box, both of whose bounds are included; the vertical scale serves both axes.

    The last box of the picture reaches past the end of the pixels; there the last pixel is repeated.
    """
    old_height, old_width = pixels.shape
    scale = _F(old_height) / _F(height)
    top, bottom = ((np.arange(height) + more) * scale for more in (0, 1))
    left, right = ((np.arange(width) + more) * scale for more in (0, 1))
    y0, y1, x0, x1 = (bound.astype(_F).astype(np.int64) for bound in (top, bottom, left, right))
    spare = int(y1[-1]) * old_width + int(x1[-1]) + 1 - pixels.size
    flat = np.concatenate([pixels.ravel(), np.full(max(spare, 0), pixels.flat[-1])]).astype(np.int64)
    sums = np.concatenate([[0], np.cumsum(flat)])
    total = np.zeros((height, width), np.int64)
    for step in range(int((y1 - y0).max()) + 1):
        row = np.minimum(y0 + step, y1)
        start = row[:, None] * old_width
        part = sums[start + x1[None, :] + 1] - sums[start + x0[None, :]]
        total += np.where((y0 + step <= y1)[:, None], part, 0)
    return (total // ((y1 - y0 + 1)[:, None] * (x1 - x0 + 1)[None, :])).astype(np.uint8)


def scaled_region(pixels: Pixels, region: Region, x_scale: float, y_scale: float) -> Pixels:
    """A region, each side scaled by taking the nearest pixels; the caller has checked that something is left."""
    width, height = int(_F(region.w) * _F(x_scale)), int(_F(region.h) * _F(y_scale))
    columns = (np.arange(width, dtype=_F) * (_F(1) / _F(x_scale))).astype(np.int64) + region.x
    rows = (np.arange(height, dtype=_F) * (_F(1) / _F(y_scale))).astype(np.int64) + region.y
    last_row, last_column = pixels.shape[0] - 1, pixels.shape[1] - 1
    return pixels[np.ix_(np.minimum(rows, last_row), np.minimum(columns, last_column))]


def cut(pixels: Pixels, x: int, y: int, width: int, height: int) -> Pixels:
    """A piece of the asked size, black where the picture ends at the right or bottom.

    A start left of the picture reads on in the row above, as memory lies; before the first pixel it reads 0.
    """
    old_height, old_width = pixels.shape
    made: Pixels = np.zeros((height, width), pixels.dtype)
    rows = np.arange(y, min(y + height, old_height))
    columns = np.arange(x, min(x + width, old_width))
    if len(rows) and len(columns):
        places = rows[:, None] * old_width + columns[None, :]
        values = pixels.ravel()[np.maximum(places, 0)]
        made[: len(rows), : len(columns)] = np.where(places < 0, 0, values)
    return made


def _tiles(channel: NDArray[Any], x_div: int, y_div: int) -> NDArray[np.int64]:
    """The tiles [rows, columns, pixels of a tile] of a channel; what does not fill a tile is left out."""
    rows, columns = channel.shape[0] // y_div, channel.shape[1] // x_div
    whole = channel[: rows * y_div, : columns * x_div].astype(np.int64)
    return whole.reshape(rows, y_div, columns, x_div).swapaxes(1, 2).reshape(rows, columns, -1)


def mean_pool(pixels: Pixels, format: Format, x_div: int, y_div: int) -> Pixels:
    """The mean of each tile, cut to whole numbers (of 5 and 6 bits in RGB565)."""
    if format is Format.RGB565:
        return join565(*(_tiles(part, x_div, y_div).sum(axis=2) // (x_div * y_div) for part in split565(pixels)))
    made: Pixels = (_tiles(pixels, x_div, y_div).sum(axis=2) // (x_div * y_div)).astype(np.uint8)
    return made


def midpoint_pool(pixels: Pixels, format: Format, x_div: int, y_div: int, bias: int) -> Pixels:
    """Between the least (bias 0) and the greatest (bias 256) value of each tile."""

    def between(channel: NDArray[Any]) -> NDArray[np.int64]:
        tiles = _tiles(channel, x_div, y_div)
        made: NDArray[np.int64] = (tiles.min(axis=2) * (256 - bias) + tiles.max(axis=2) * bias) >> 8
        return made

    if format is Format.RGB565:
        return join565(*(between(part) for part in split565(pixels)))
    return between(pixels).astype(np.uint8)
