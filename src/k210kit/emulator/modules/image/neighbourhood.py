"""Filters over the square around each pixel: means, medians, modes, kernels, erosion and dilation.

Sources: `omv/img/filter.c`, `binary.c`. At the edge the outermost pixel is repeated; every pixel reads the picture as
it was. RGB565 is filtered in 5, 6 and 5 bits. Floats are single precision, results are cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .fast_math import exponential, saturated, whole
from .frame import Frame, binary_of
from .pixels import Format, join565, split565, yuv_table

__all__ = [
    "Cut",
    "bilateral",
    "dilated",
    "eroded",
    "filtered",
    "gaussian_kernel",
    "kernel",
    "laplacian_kernel",
    "mean",
    "median",
    "midpoint",
    "mode",
]

Pixels = NDArray[Any]
Ints = NDArray[np.int64]
Filter = Callable[[Ints, int, int], Ints]  # a channel, the kernel's reach, the channel's greatest value
_F = np.float32


@dataclass(frozen=True)
class Cut:
    """Adaptive threshold: white where the filtered pixel less `offset` is darker than the pixel itself."""

    offset: int = 0
    invert: bool = False


def _shifted(channel: Pixels, reach: int) -> Iterator[Pixels]:
    """The channel moved so that each neighbour in turn lies on the pixel, row by row."""
    height, width = channel.shape
    padded = np.pad(channel, reach, mode="edge")
    for y in range(2 * reach + 1):
        for x in range(2 * reach + 1):
            yield padded[y : y + height, x : x + width]


def filtered(frame: Frame, reach: int, apply: Filter, cut: Cut | None, fast: bool) -> Pixels:
    """The filtered picture, or its comparison with the picture."""
    if frame.format is Format.RGB565:
        parts = zip(split565(frame.data), (31, 63, 31), strict=True)
        made: Pixels = join565(*(apply(part, reach, top) for part, top in parts))
    else:
        top = 1 if frame.format is Format.BINARY else 255
        made = apply(frame.data.astype(np.int64), reach, top)
    if cut is not None:
        return _compared(frame, made, cut, fast)
    return (
        made
        if frame.format is Format.RGB565
        else (made & (1 if frame.format is Format.BINARY else 255)).astype(np.uint8)
    )


def _compared(frame: Frame, made: Pixels, cut: Cut, fast: bool) -> Pixels:
    if frame.format is Format.RGB565:
        light = yuv_table(fast)[:, 0].astype(np.int64)
        smooth, own = light[made], light[frame.data]
    else:
        smooth, own = made.astype(np.int64), frame.data.astype(np.int64)
    level = smooth - cut.offset
    if frame.format is Format.BINARY:
        level &= 0xFFFFFFFF  # binary pixels are unsigned in C, and so is the comparison with them
    white = (level < own) ^ cut.invert
    top = {Format.RGB565: 0xFFFF, Format.GRAYSCALE: 255, Format.BINARY: 1}[frame.format]
    return np.where(white, top, 0).astype(frame.data.dtype)


def _cells(reach: int) -> int:
    return (2 * reach + 1) ** 2


def _box_sum(channel: Ints, reach: int) -> Ints:
    padded = np.pad(channel, reach, mode="edge")
    total = np.pad(padded.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    n = 2 * reach + 1
    made: Ints = total[n:, n:] - total[:-n, n:] - total[n:, :-n] + total[:-n, :-n]
    return made


def mean(channel: Ints, reach: int, _: int) -> Ints:
    share = _F(1) / _F(_cells(reach))
    return whole(_box_sum(channel, reach).astype(_F) * share)


def median(percentile: float) -> Filter:
    """The value at a share of the sorted neighbourhood."""

    def apply(channel: Ints, reach: int, top: int) -> Ints:
        place = int(_F(percentile) * _F(_cells(reach) - 1))
        stack = np.stack([part.astype(np.uint8) for part in _shifted(channel, reach)])
        made: Ints = np.partition(stack, place, axis=0)[place].astype(np.int64)
        return made

    return apply


def mode(channel: Ints, reach: int, _: int) -> Ints:
    """The most frequent value; of several the one that got there first, row by row."""
    stack = [part.astype(np.uint8) for part in _shifted(channel, reach)]
    best_count, best = np.zeros(channel.shape, np.int32), np.zeros(channel.shape, np.uint8)
    for at, value in enumerate(stack):
        count = np.zeros(channel.shape, np.int32)
        for earlier in stack[: at + 1]:
            count += earlier == value
        better = count > best_count
        best_count = np.where(better, count, best_count)
        best = np.where(better, value, best)
    return best.astype(np.int64)


def midpoint(bias: float) -> Filter:
    """Between the least (0) and the greatest (1) value."""
    high, low = _F(bias), _F(1) - _F(bias)

    def apply(channel: Ints, reach: int, _: int) -> Ints:
        least, most = channel, channel
        for part in _shifted(channel, reach):
            least, most = np.minimum(least, part), np.maximum(most, part)
        return whole(least.astype(_F) * low + most.astype(_F) * high)

    return apply


def kernel(weights: Sequence[int], multiplier: float, addend: int) -> Filter:
    """The weighted sum, scaled and moved, clipped to the channel's range."""

    def apply(channel: Ints, reach: int, top: int) -> Ints:
        total = np.zeros(channel.shape, np.int64)
        for weight, part in zip(weights, _shifted(channel, reach), strict=True):
            if weight:
                total += weight * part
        return np.clip(whole(total.astype(_F) * _F(multiplier)) + addend, 0, top)

    return apply


def _pascal(reach: int) -> list[int]:
    row = [1]
    for i in range(2 * reach):
        row.append(row[-1] * (2 * reach - i) // (i + 1))
    return row


def gaussian_kernel(reach: int, unsharp: bool) -> tuple[list[int], int]:
    """Weights by Pascal's triangle and their sum; `unsharp` takes the blur from twice the picture."""
    row = _pascal(reach)
    weights = [a * b for a in row for b in row]
    total = sum(weights)
    if unsharp:
        weights[len(weights) // 2] -= 2 * total
        total = -total
    return weights, total


def laplacian_kernel(reach: int, sharpen: bool) -> tuple[list[int], int]:
    """The picture less its blur; `sharpen` adds the picture once more."""
    row = _pascal(reach)
    weights = [-a * b for a in row for b in row]
    middle = len(weights) // 2
    weights[middle] -= sum(weights)
    total = weights[middle]
    if sharpen:
        weights[middle] += total
    return weights, total


def _bell(x: NDArray[np.float32], sigma: np.float32) -> NDArray[np.float32]:
    """The normal distribution's density, with the firmware's exponential."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        made: NDArray[np.float32] = exponential(x * x / (_F(-2) * sigma * sigma)) / (np.abs(sigma) * _F(2.506628))
    return made


def bilateral(color_sigma: float, space_sigma: float) -> Filter:
    """A mean weighted by nearness in place and in value."""

    def apply(channel: Ints, reach: int, top: int) -> Ints:
        by_value = _bell(np.arange(top + 1, dtype=_F) * (_F(1) / _F(top)), _F(color_sigma))
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        away = np.sqrt((x * x + y * y).astype(_F))
        scale = _F(1) / away[0, 0] if away[0, 0] else _F(0)
        by_place = _bell((away * scale).ravel(), _F(space_sigma))
        total, weight = np.zeros(channel.shape, _F), np.zeros(channel.shape, _F)
        with np.errstate(over="ignore", invalid="ignore"):
            for near, part in zip(by_place, _shifted(channel, reach), strict=True):
                share = by_value[np.abs(channel - part)] * near
                total += part.astype(_F) * share
                weight += share
            quotient = np.divide(total, weight, out=np.zeros_like(total), where=weight != 0)
        return saturated(np.minimum(quotient, _F(top)))

    return apply


def eroded(frame: Frame, reach: int, threshold: int, fast: bool) -> Pixels:
    """Black where fewer than `threshold` neighbours are set; other pixels stay as they are."""
    bits = binary_of(frame, fast).astype(np.int64)
    drop = (bits == 1) & (_box_sum(bits, reach) - 1 < threshold)
    return np.where(drop, 0, frame.data).astype(frame.data.dtype)


def dilated(frame: Frame, reach: int, threshold: int, fast: bool) -> Pixels:
    """White where more than `threshold` neighbours are set; other pixels stay as they are."""
    bits = binary_of(frame, fast).astype(np.int64)
    white = {Format.RGB565: 0xFFFF, Format.GRAYSCALE: 255, Format.BINARY: 1}[frame.format]
    lift = (bits == 0) & (_box_sum(bits, reach) > threshold)
    return np.where(lift, white, frame.data).astype(frame.data.dtype)
