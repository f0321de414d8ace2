"""One picture over another: draw_image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .frame import Frame, binary_of
from .pixels import Format, rgb_of_words, words_of_rgb

__all__ = ["draw_over", "mask_of"]

_F = np.float32


def mask_of(mask: Frame, rows: NDArray[np.int64], columns: NDArray[np.int64], fast: bool) -> NDArray[np.bool_]:
    """Which pixels of these rows and columns a mask lets through; none outside it."""
    inside = ((rows >= 0) & (rows < mask.height))[:, None] & ((columns >= 0) & (columns < mask.width))[None, :]
    clipped = np.ix_(np.clip(rows, 0, mask.height - 1), np.clip(columns, 0, mask.width - 1))
    made: NDArray[np.bool_] = inside & (binary_of(mask, fast)[clipped] != 0)
    return made


def draw_over(
    frame: Frame,
    other: Frame,
    place: tuple[int, int],
    scales: tuple[float, float],
    alpha: float,
    mask: Frame | None,
    *,
    fast: bool,
) -> int:
    """Draw `other` with its upper left corner at `place`; returns how many pixels the board goes through.

    The firmware takes every pixel for RGB565, whatever the formats: gray pixels drawn on a colour picture become raw
    words. With alpha below 256 the share of a pixel also falls with its own brightness: alpha * (r | g | b) / 256.
    """
    sizes = [int(_F(length) * _F(scale)) for length, scale in zip((other.width, other.height), scales, strict=True)]
    if min(sizes) <= 0:
        return 0
    visible = [
        np.arange(max(0, -start), max(0, min(size, limit - start)))
        for start, size, limit in zip(place, sizes, (frame.width, frame.height), strict=True)
    ]
    sources = [
        (steps.astype(_F) * (_F(1) / _F(scale) if scale else _F(0))).astype(np.int64)
        for steps, scale in zip(visible, scales, strict=True)
    ]
    columns = np.minimum(sources[0], other.width - 1)
    rows = np.minimum(sources[1], other.height - 1)
    if not (len(columns) and len(rows)):
        return sizes[0] * sizes[1]
    top, left = place[1] + int(visible[1][0]), place[0] + int(visible[0][0])
    target = frame.data[top : top + len(rows), left : left + len(columns)]
    words = other.data[np.ix_(rows, columns)].astype(np.uint16)
    if alpha != 1:
        words = _blended(words, target.astype(np.uint16), _F(alpha))
    made = words & 1 if frame.format is Format.BINARY else words
    values = made.astype(target.dtype)
    if mask is None:
        target[...] = values
    else:
        target[...] = np.where(mask_of(mask, rows, columns, fast), values, target)
    return sizes[0] * sizes[1]


def _blended(upper: NDArray[np.uint16], lower: NDArray[np.uint16], alpha: np.float32) -> NDArray[np.uint16]:
    above, below = rgb_of_words(upper), rgb_of_words(lower)
    bright = (above[..., 0] | above[..., 1] | above[..., 2]).astype(_F) / _F(256)
    share = (alpha * bright)[..., None]
    mixed = above.astype(_F) * share + below.astype(_F) * (_F(1) - share)
    return words_of_rgb(mixed.astype(np.uint8))
