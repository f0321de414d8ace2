"""get_similarity: structural similarity (SSIM) of blocks of eight rows.

Source: `imlib_get_similarity` of `omv/img/stats.c`. Two slips of the firmware are kept: block number x begins at column
x, not 8 x, and the greatest similarity starts from the smallest positive float.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .frame import Frame
from .pixels import Format, lab_table

__all__ = ["similarity"]

_F = np.float32
_TOP = {Format.BINARY: 1, Format.GRAYSCALE: 255, Format.RGB565: 100}


def _levels(frame: Frame, data: NDArray[Any], fast: bool) -> NDArray[np.int64]:
    return (lab_table(fast)[data, 0] if frame.format is Format.RGB565 else data).astype(np.int64)


def _cut(value: NDArray[np.int64], by: NDArray[np.int64]) -> NDArray[np.int64]:
    """C's division, towards zero."""
    quotient: NDArray[np.int64] = np.sign(value) * (np.abs(value) // by)
    return quotient


def similarity(frame: Frame, other: NDArray[Any], fast: bool) -> tuple[float, float, float, float]:
    """Mean, deviation, least and greatest similarity of the blocks."""
    mine, theirs = _levels(frame, frame.data, fast), _levels(frame, other, fast)
    height, width = mine.shape
    columns = np.arange(-(-width // 8))
    sizes = np.minimum(width - columns * 8, 8)
    c1, c2 = _F(_TOP[frame.format]) * _F(0.01), _F(_TOP[frame.format]) * _F(0.03)
    values = []
    for top in range(0, height, 8):
        a, b = mine[top : top + 8], theirs[top : top + 8]
        sums = [_block_sums(part, columns, sizes) for part in (a, b, a * a, b * b, a * b)]
        values.append(_ssim(sums, sizes * len(a), c1, c2))
    ssim = np.concatenate(values)
    count = _F(len(ssim))
    mean = _F(np.cumsum(ssim, dtype=_F)[-1]) / count
    square = _F(np.cumsum(ssim * ssim, dtype=_F)[-1]) / count
    spread = square - mean * mean
    greatest = max(_F(np.finfo(np.float32).tiny), ssim.max())
    return float(mean), float(np.sqrt(spread)) if spread >= 0 else float("nan"), float(ssim.min()), float(greatest)


def _block_sums(part: NDArray[np.int64], start: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    total = np.concatenate([[0], np.cumsum(part.sum(axis=0))])
    sums: NDArray[np.int64] = total[start + sizes] - total[start]
    return sums


def _ssim(
    sums: list[NDArray[np.int64]], size: NDArray[np.int64], c1: np.float32, c2: np.float32
) -> NDArray[np.float32]:
    x, y, xx, yy, xy = sums
    mx, my = _cut(x, size), _cut(y, size)
    vx = xx - 2 * mx * x + size * mx * mx
    vy = yy - 2 * my * y + size * my * my
    vxy = xy - (mx * y + my * x) + size * mx * my
    upper = ((2 * mx * my).astype(_F) + c1) * ((2 * vxy).astype(_F) + c2)
    lower = ((mx * mx + my * my).astype(_F) + c1) * ((vx + vy).astype(_F) + c2)
    ssim: NDArray[np.float32] = (upper / lower).astype(_F)
    return ssim
