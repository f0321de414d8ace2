"""Arguments as the firmware takes them.

The C functions look for each argument by its keyword first, then by its place, and ignore keywords they do not know.
Points and rectangles may come as one tuple or as separate numbers. Conversions raise MicroPython's errors, word for
word. Source: `omv/py/py_helper.c`; texts as found in the published images of v0.6.2-84.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .pixels import Format, clipped_color

__all__ = ["Arguments", "Region", "Threshold", "as_array", "as_float", "as_int", "as_text", "check_count", "require"]

_MISSING = object()


def require(condition: bool, message: str) -> None:
    """The firmware's assertion: an OSError with its message."""
    if not condition:
        raise OSError(message)


def as_int(value: object) -> int:
    """An integer argument; floats are refused as on the board."""
    if isinstance(value, int):
        return int(value)
    raise TypeError(f"can't convert {type(value).__name__} to int")


def as_float(value: object) -> float:
    """A number argument."""
    if isinstance(value, (int, float)):
        return float(value)
    raise TypeError(f"can't convert {type(value).__name__} to float")


def as_array(value: object, length: int | None = None) -> Sequence[Any]:
    """A tuple or list argument, of a fixed length if one is asked."""
    if not isinstance(value, (tuple, list)):
        raise TypeError(f"object '{type(value).__name__}' isn't a tuple or list")
    if length is not None and len(value) != length:
        raise ValueError(f"requested length {length} but object has length {len(value)}")
    return value


def as_text(value: object) -> bytes:
    """A string argument as the bytes that C sees."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, bytes):
        return value
    raise TypeError(f"can't convert '{type(value).__name__}' object to str implicitly")


def check_count(given: int, least: int, most: int | None, keywords: Mapping[str, object] | None) -> None:
    """MicroPython's check of how many positional arguments a function got; `keywords` is None if it takes them."""
    if keywords:
        raise TypeError("function doesn't take keyword arguments")
    if least == most:
        if given != least:
            raise TypeError(f"function takes {least} positional arguments but {given} were given")
    elif given < least:
        raise TypeError(f"function missing {least - given} required positional arguments")
    elif most is not None and given > most:
        raise TypeError(f"function expected at most {most} arguments, got {given}")


@dataclass(frozen=True)
class Region:
    """A rectangle inside a picture."""

    x: int
    y: int
    w: int
    h: int

    @property
    def rows(self) -> slice:
        return slice(self.y, self.y + self.h)

    @property
    def columns(self) -> slice:
        return slice(self.x, self.x + self.w)


@dataclass(frozen=True)
class Threshold:
    """A box of colours: L (or gray), a and b, bounds included."""

    l_min: int
    l_max: int
    a_min: int
    a_max: int
    b_min: int
    b_max: int


@dataclass(frozen=True)
class Arguments:
    """What a method was called with, the picture itself left out."""

    values: tuple[Any, ...]
    keywords: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.values)

    def value(self, at: int, name: str, default: Any = None) -> Any:
        """The keyword `name`, else the value in place `at`, else the default."""
        found = self.keywords.get(name, _MISSING)
        if found is not _MISSING:
            return found
        return self.values[at] if at < len(self.values) else default

    def integer(self, at: int, name: str, default: int) -> int:
        found = self.value(at, name, _MISSING)
        return default if found is _MISSING else as_int(found)

    def flag(self, at: int, name: str, default: bool = False) -> bool:
        return bool(self.integer(at, name, int(default)))

    def number(self, at: int, name: str, default: float) -> float:
        found = self.value(at, name, _MISSING)
        return default if found is _MISSING else as_float(found)

    def numbers(self, at: int, name: str, default: Sequence[float]) -> list[float]:
        """A tuple of as many numbers as the default has."""
        found = self.value(at, name, _MISSING)
        return list(default) if found is _MISSING else [as_float(item) for item in as_array(found, len(default))]

    def integers(self, at: int, name: str, default: Sequence[int]) -> list[int]:
        found = self.value(at, name, _MISSING)
        return list(default) if found is _MISSING else [as_int(item) for item in as_array(found, len(default))]

    def vector(self, at: int, length: int) -> tuple[list[Any], int]:
        """`length` values from place `at`, given as one tuple or one by one; and the next place."""
        if at < len(self.values) and isinstance(self.values[at], (tuple, list)):
            return list(as_array(self.values[at], length)), at + 1
        require(len(self.values) - at >= length, "Not enough positional arguments!")
        return list(self.values[at : at + length]), at + length

    def point(self, at: int, length: int) -> tuple[list[int], int]:
        """`vector` of integers."""
        found, following = self.vector(at, length)
        return [as_int(item) for item in found], following

    def color(self, at: int, format: Format, fast: bool, default: int = -1, name: str = "color") -> int:
        """A pixel value: an integer as it is, or a tuple (r, g, b) in the format's own terms; -1 is white."""
        from .pixels import yuv_table

        found = self.value(at, name, _MISSING)
        if found is _MISSING:
            return default
        if isinstance(found, int):
            return int(found)
        word = clipped_color(*(as_int(part) for part in as_array(found, 3)))
        level = int(yuv_table(fast)[word, 0])
        if format is Format.BINARY:
            return int(level > -1)
        return level + 128 if format is Format.GRAYSCALE else word

    def region(self, at: int, width: int, height: int, name: str = "roi") -> Region:
        """A rectangle cut to the picture; the whole picture by default."""
        x, y, w, h = self.integers(at, name, (0, 0, width, height))
        require(w >= 1 and h >= 1, "Invalid ROI dimensions!")
        require(x < width and y < height and x + w > 0 and y + h > 0, "ROI does not overlap on the image!")
        left, top = max(x, 0), max(y, 0)
        return Region(left, top, min(x + w, width) - left, min(y + h, height) - top)

    def thresholds(self, at: int, name: str = "thresholds") -> list[Threshold]:
        """The list of colour boxes; entries that are missing in a box take the whole range."""
        found = self.value(at, name, _MISSING)
        if found is _MISSING:
            return []
        boxes = [as_array(box) for box in as_array(found)]
        return [_threshold(box) for box in boxes if len(box)]


def _threshold(box: Sequence[Any]) -> Threshold:
    lows, highs = (0, 0, -128, -128, -128, -128), (255, 255, 127, 127, 127, 127)
    whole = (0, 255, -128, 127, -128, 127)
    parts = [min(max(as_int(box[i]), lows[i]), highs[i]) if i < len(box) else whole[i] for i in range(6)]
    pairs = [sorted(parts[i : i + 2]) for i in (0, 2, 4)]
    return Threshold(*pairs[0], *pairs[1], *pairs[2])
