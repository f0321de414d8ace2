"""Histograms and what they tell: percentiles, Otsu's threshold, statistics.

Source: `omv/img/stats.c`. Bins hold shares of the region's pixels, in single precision and summed in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .arguments import Region, Threshold
from .frame import Frame
from .pixels import Format, lab_table
from .selection import selected

__all__ = ["RANGES", "Summary", "bins_of", "otsu", "percentile", "summarize"]

_F = np.float32
Floats = NDArray[np.float32]

# Lowest and highest value of each channel
RANGES: dict[Format, tuple[tuple[int, int], ...]] = {
    Format.BINARY: ((0, 1),),
    Format.GRAYSCALE: ((0, 255),),
    Format.RGB565: ((0, 100), (-128, 127), (-128, 127)),
}


def bins_of(
    frame: Frame, region: Region, thresholds: Sequence[Threshold], invert: bool, counts: Sequence[int], fast: bool
) -> list[Floats]:
    """The histogram of each channel (gray, or L, a and b) with so many bins.

    A pixel within several thresholds counts several times; shares are of the whole region.
    """
    window = frame.with_data(frame.data[region.rows, region.columns])
    times: NDArray[np.int64] = np.ones(window.data.shape, np.int64)
    if thresholds:
        times = np.sum([selected(window, box, invert, fast) for box in thresholds], axis=0, dtype=np.int64)
    if frame.format is Format.RGB565:
        weights = np.bincount(window.data.ravel(), times.ravel(), 65536)
        channels: list[NDArray[np.int16]] = [part.astype(np.int16) for part in lab_table(fast).T]
    else:
        weights = np.bincount(window.data.ravel(), times.ravel(), 256)
        channels = [np.arange(256, dtype=np.int16)]
    share = _F(1) / _F(region.w * region.h)
    made = []
    for values, count, (low, high) in zip(channels, counts, RANGES[frame.format], strict=True):
        multiplier = _F(count - 1) / _F(high - low)
        place = ((values - low).astype(_F) * multiplier).astype(np.int64)
        inside = (place >= 0) & (place < count)
        total = np.bincount(place[inside], weights[inside], count)
        made.append((total.astype(_F) * share).astype(_F))
    return made


def _values(bins: Floats, low: int, high: int) -> Floats:
    """The value that each bin stands for."""
    step = _F(high - low) / _F(len(bins) - 1)
    return (np.arange(len(bins), dtype=_F) * step + _F(low)).astype(_F)


def percentile(bins: Floats, low: int, high: int, part: float) -> int:
    """The value below which `part` of the pixels lie; 0 when the bins do not add up to it."""
    before = np.concatenate([[_F(0)], np.cumsum(bins, dtype=_F)])
    hits = np.flatnonzero((before[:-1] < _F(part)) & (_F(part) <= before[:-1] + bins))
    return int(_values(bins, low, high)[hits[0]]) if len(hits) else 0


def otsu(bins: Floats, low: int, high: int) -> int:
    """The split that separates two classes best, as a distance from the channel's lowest value.

    The firmware does not add that value and keeps a and b in a signed byte, so theirs come out wrapped.
    """
    cumulated = np.cumsum(bins, dtype=_F)
    weighted = np.cumsum(np.arange(len(bins), dtype=_F) * bins, dtype=_F)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = (cumulated * weighted[-1] - weighted) ** _F(2) / (cumulated * (_F(1) - cumulated))
    variance[(cumulated == 0) | (cumulated == 1)] = 0
    best, at = _F(0), 0
    for place, value in enumerate(variance[:-1]):
        if value > best:
            best, at = value, place
    return _byte(at * (high - low) // (len(bins) - 1), low)


def _byte(value: int, low: int) -> int:
    """What the firmware's byte holds: signed for a and b, unsigned for L and gray."""
    return (value + 128) % 256 - 128 if low < 0 else value % 256


@dataclass(frozen=True)
class Summary:
    """Statistics of a channel."""

    mean: int
    median: int
    mode: int
    stdev: int
    min: int
    max: int
    lq: int
    uq: int

    @property
    def values(self) -> tuple[int, ...]:
        return (self.mean, self.median, self.mode, self.stdev, self.min, self.max, self.lq, self.uq)


def _sum_in_order(terms: Floats) -> np.float32:
    return _F(np.cumsum(terms, dtype=_F)[-1])


def summarize(bins: Floats, low: int, high: int) -> Summary:
    """Mean, median, mode, deviation, bounds and quartiles, all cut to whole numbers."""
    exact = _values(bins, low, high)
    whole = exact.astype(np.int64)
    average = _sum_in_order(exact * bins)
    spread = _sum_in_order(exact * exact * bins) - average * average
    before = np.concatenate([[_F(0)], np.cumsum(bins, dtype=_F)])[:-1]
    after = before + bins

    def at(part: float) -> int:
        hits = np.flatnonzero((before < _F(part)) & (_F(part) <= after))
        return int(whole[hits[-1]]) if len(hits) else 0

    filled = np.flatnonzero(bins > 0)
    return Summary(
        mean=_byte(int(average), low),
        median=at(0.5),
        mode=int(whole[np.argmax(bins)]) if len(filled) else 0,
        stdev=_byte(int(np.sqrt(spread)), low) if spread >= 0 else 0,
        min=int(whole[filled[0]]) if len(filled) else 0,
        max=int(whole[filled[-1]]) if len(filled) else 0,
        lq=at(0.25),
        uq=at(0.75),
    )
