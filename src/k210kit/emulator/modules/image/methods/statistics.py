"""Histograms, statistics, and how alike two pictures are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arguments import Arguments, as_float, check_count, require
from ..frame import Frame
from ..histogram import RANGES, bins_of, otsu, percentile, summarize
from ..image import Image
from ..pixels import Format
from ..results import Result, Similarity, declare
from ..similarity import similarity
from ..table import method
from .operands import operand

__all__ = ["get_histogram", "get_similarity", "get_statistics"]

_STATISTICS = ("mean", "median", "mode", "stdev", "min", "max", "lq", "uq")


def _channel_words(names: Sequence[str]) -> str:
    """Field words of the three channels."""
    return " ".join(f"{channel}_{name}:%d" for channel in "lab" for name in names)


def _short_names(names: Sequence[str]) -> dict[str, Any]:
    """The names without a channel: the first one's values."""
    return {name: _value_at(at) for at, name in enumerate(names)}


def _value_at(at: int) -> Callable[[Result], int]:
    return lambda result: int(result[at])


def _types(name: str, fields: Sequence[str], slip: tuple[str, str] | None = None) -> tuple[type[Result], type[Result]]:
    """The result type for colours and the one that prints a single channel."""
    words = _channel_words(fields)
    colored = declare(name, words, methods=_short_names(fields))
    if slip is not None:
        colored.FORMAT = colored.FORMAT.replace(*slip)
    shown = "{" + ", ".join(f'"{field}":%d' for field in fields) + "}"
    rest = "%.0s" * (2 * len(fields))
    gray = declare(name, words, methods=_short_names(fields), shown=shown + rest)
    return colored, gray


_Statistics = _types("statistics", _STATISTICS)
_Percentile = _types("percentile", ("value",), slip=('"l_value":%d,', '"l_value:%d",'))  # the firmware's own quotes
_Threshold = _types("threshold", ("value",))


def _result(types: tuple[type[Result], type[Result]], format: Format, per_channel: list[Sequence[int]]) -> Result:
    """A result of one or three channels; missing channels are 0."""
    width = len(per_channel[0])
    values = [value for channel in per_channel for value in channel]
    return types[0 if format is Format.RGB565 else 1](values + [0] * (3 * width - len(values)))


class Histogram:
    """Shares of the pixels in bins, channel by channel."""

    __slots__ = ("_bins", "_format")
    __iter__ = None

    def __init__(self, format: Format, bins: list[NDArray[np.float32]]) -> None:
        self._format, self._bins = format, bins

    def _lists(self) -> tuple[list[float], list[float], list[float]]:
        lists = [channel.tolist() for channel in self._bins]
        return tuple(lists + [[]] * (3 - len(lists)))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            require(index.step in (None, 1), "only slices with step=1 (aka None) are supported")
            return self._lists()[index]
        if not isinstance(index, int):
            raise TypeError(f"histogram indices must be integers, not {type(index).__name__}")
        if not -3 <= index < 3:
            raise IndexError("histogram index out of range")
        return self._lists()[index]

    def __repr__(self) -> str:
        from k210kit.emulator.wording import represent

        l_bins, a_bins, b_bins = (represent(channel) for channel in self._lists())
        if self._format is Format.RGB565:
            return f'{{"l_bins":{l_bins}, "a_bins":{a_bins}, "b_bins":{b_bins}}}'
        return f'{{"bins":{l_bins}}}'

    def bins(self) -> list[float]:
        return self._lists()[0]

    def l_bins(self) -> list[float]:
        return self._lists()[0]

    def a_bins(self) -> list[float]:
        return self._lists()[1]

    def b_bins(self) -> list[float]:
        return self._lists()[2]

    def get_percentile(self, *values: Any) -> Result:
        check_count(len(values) + 1, 2, 2, None)
        part = as_float(values[0])
        return _result(_Percentile, self._format, [[percentile(b, *r, part)] for b, r in self._channels()])

    def get_threshold(self) -> Result:
        return _result(_Threshold, self._format, [[otsu(b, *r)] for b, r in self._channels()])

    def get_statistics(self) -> Result:
        return _result(_Statistics, self._format, [summarize(b, *r).values for b, r in self._channels()])

    get_stats = statistics = get_statistics

    def _channels(self) -> list[tuple[NDArray[np.float32], tuple[int, int]]]:
        return list(zip(self._bins, RANGES[self._format], strict=True))


Histogram.__name__ = Histogram.__qualname__ = "histogram"


def _bin_counts(frame: Frame, arguments: Arguments) -> list[int]:
    """How many bins each channel gets: `bins` for all, `l_bins`, `a_bins`, `b_bins` for one. Keywords only."""
    counts = []
    for name, (low, high) in zip("lab", RANGES[frame.format], strict=False):
        bins = arguments.integer(len(arguments), "bins", high - low + 1)
        require(bins >= 2, "bins must be >= 2")
        counts.append(arguments.integer(len(arguments), f"{name}_bins", bins))
        require(counts[-1] >= 2, f"{name}_bins must be >= 2")
    return counts


def _histogram(image: Image, arguments: Arguments) -> Histogram:
    frame, workshop = image.mutable(), image._workshop
    thresholds = arguments.thresholds(0)
    invert = arguments.flag(1, "invert")
    region = arguments.region(2, frame.width, frame.height)
    bins = bins_of(frame, region, thresholds, invert, _bin_counts(frame, arguments), workshop.fast_yuv)
    workshop.spend("compare", region.w * region.h * max(1, len(thresholds)))
    return Histogram(frame.format, bins)


@method("get_hist", "get_histogram", "histogram", full=True)
def get_histogram(image: Image, arguments: Arguments) -> Histogram:
    return _histogram(image, arguments)


@method("get_stats", "get_statistics", "statistics", full=True)
def get_statistics(image: Image, arguments: Arguments) -> Result:
    return _histogram(image, arguments).get_statistics()


@method("get_similarity", least=2, most=2, full=True)
def get_similarity(image: Image, arguments: Arguments) -> Result:
    """Structural similarity with another picture or a colour."""
    frame, workshop = image.mutable(), image._workshop
    other = operand(image, arguments)
    workshop.spend("compare", frame.data.size)
    return Similarity(similarity(frame, other, workshop.fast_yuv))
