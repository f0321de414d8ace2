"""Pixel by pixel: sums, products, gamma, histogram equalisation.

Sources: `omv/img/mathop.c`, `filter.c` (histeq). In RGB565 each operation works on 5, 6 and 5 bits. Floats are single
precision; results are cut, not rounded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .fast_math import power, saturated, whole
from .frame import Frame, gray_of
from .pixels import EIGHT_TO_FIVE, EIGHT_TO_SIX, Format, join565, split565, yuv_table

__all__ = [
    "add",
    "blend",
    "by_channel",
    "difference",
    "divide",
    "equalized",
    "gamma_corrected",
    "largest",
    "multiply",
    "negated",
    "smallest",
    "subtract",
    "word_of_yuv",
]

Pixels = NDArray[Any]
Ints = NDArray[np.int64]
Operation = Callable[[Ints, Ints, int], Ints]  # mine, other, greatest value
_F = np.float32
_TOPS = {Format.BINARY: (1,), Format.GRAYSCALE: (255,), Format.RGB565: (31, 63, 31)}


def by_channel(frame: Frame, other: Pixels, operation: Operation) -> Pixels:
    """Apply an operation to each channel of two pictures of one format."""
    tops = _TOPS[frame.format]
    if frame.format is Format.RGB565:
        pairs = zip(split565(frame.data), split565(other), tops, strict=True)
        return join565(*(operation(mine, its, top) for mine, its, top in pairs))
    made = operation(frame.data.astype(np.int64), other.astype(np.int64), tops[0])
    return (made & tops[0]).astype(np.uint8)


def add(a: Ints, b: Ints, top: int) -> Ints:
    total: Ints = np.minimum(a + b, top)
    return total


def subtract(reverse: bool) -> Operation:
    return lambda a, b, _: np.maximum(b - a if reverse else a - b, 0)


def multiply(invert: bool) -> Operation:
    """The product of the shares of the greatest value, or with `invert` of what is missing to it."""

    def apply(a: Ints, b: Ints, top: int) -> Ints:
        scale, part = _F(top), _F(1) / _F(top)
        if invert:
            product = (scale - a.astype(_F)) * (scale - b.astype(_F)) * part
            return whole(scale - product)
        return whole((a * b).astype(_F) * part)

    return apply


def divide(invert: bool, modulo: bool) -> Operation:
    """The quotient (or the remainder) of the shares; 0 where the divisor is 0."""

    def apply(a: Ints, b: Ints, top: int) -> Ints:
        upper, lower = (b * top, a) if invert else (a * top, b)
        safe = np.maximum(lower, 1)
        made = upper % safe if modulo else upper // safe
        return np.minimum(np.where(lower == 0, 0, made), top)

    return apply


def smallest(a: Ints, b: Ints, _: int) -> Ints:
    return np.minimum(a, b)


def largest(a: Ints, b: Ints, _: int) -> Ints:
    return np.maximum(a, b)


def difference(a: Ints, b: Ints, _: int) -> Ints:
    distance: Ints = np.abs(a - b)
    return distance


def blend(alpha: float) -> Operation:
    """`alpha` of this picture, the rest of the other."""
    mine, its = _F(alpha), _F(1) - _F(alpha)
    return lambda a, b, _: whole(a.astype(_F) * mine + b.astype(_F) * its)


def negated(frame: Frame) -> Pixels:
    """What is missing to white."""
    if frame.format is Format.RGB565:
        return ~frame.data
    return (1 - frame.data if frame.format is Format.BINARY else 255 - frame.data).astype(np.uint8)


def gamma_corrected(frame: Frame, gamma: float, contrast: float, brightness: float) -> Pixels:
    """value ** (1 / gamma) * contrast + brightness, of shares of the greatest value."""
    exponent = float(_F(1) / _F(gamma)) if gamma else 0.0

    def table(top: int) -> Ints:
        share = np.arange(top + 1, dtype=_F) * (_F(1) / _F(top))
        with np.errstate(over="ignore", invalid="ignore"):
            bent = (power(share, exponent) * _F(contrast) + _F(brightness)) * _F(top)
        return np.clip(saturated(bent), 0, top)

    tops = _TOPS[frame.format]
    if frame.format is Format.RGB565:
        return join565(*(table(top)[part] for part, top in zip(split565(frame.data), tops, strict=True)))
    made: Pixels = table(tops[0])[frame.data].astype(np.uint8)
    return made


def word_of_yuv(y: Ints, u: NDArray[np.integer], v: NDArray[np.integer]) -> NDArray[np.uint16]:
    """The word of Y 0..255 with signed U and V, by the firmware's fixed-point factors."""
    u64, v64 = u.astype(np.int64), v.astype(np.int64)
    red = np.clip(y + (91881 * v64 >> 16), 0, 255)
    green = np.clip(y - (22554 * u64 + 46802 * v64 >> 16), 0, 255)
    blue = np.clip(y + (116130 * u64 >> 16), 0, 255)
    return join565(EIGHT_TO_FIVE[red], EIGHT_TO_SIX[green], EIGHT_TO_FIVE[blue])


def equalized(frame: Frame, fast: bool) -> Pixels:
    """Spread the brightness over the whole range by its cumulated histogram."""
    levels = frame.data if frame.format is Format.BINARY else gray_of(frame, fast)
    top = 1 if frame.format is Format.BINARY else 255
    cumulated = np.cumsum(np.bincount(levels.ravel(), minlength=top + 1)).astype(_F)
    table = whole(_F(top) / _F(levels.size) * cumulated)
    return relit(frame, table[levels], fast)


def relit(frame: Frame, levels: Ints, fast: bool) -> Pixels:
    """The picture with other gray levels: colours keep their U and V."""
    if frame.format is not Format.RGB565:
        return levels.astype(np.uint8)
    _, u, v = yuv_table(fast)[frame.data].transpose(2, 0, 1)
    return word_of_yuv(levels & 0xFF, u, v)
