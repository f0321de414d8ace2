"""What find methods give back: objects read by methods and by index, printed as the firmware prints them.

A result is declared by its fields in index order, each with the firmware's print format.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .arguments import require

__all__ = [
    "AprilTag",
    "Barcode",
    "Blob",
    "Circle",
    "DataMatrix",
    "Displacement",
    "KeypointMatch",
    "Line",
    "QrCode",
    "Rect",
    "Result",
    "Similarity",
    "declare",
]


class Result:
    """An immutable row of values; `corners` and the like are kept beside them."""

    __slots__ = ("_beside", "_values")
    __iter__ = None
    FIELDS: tuple[str, ...] = ()
    FORMAT = ""

    def __init__(self, values: Sequence[Any], **beside: Any) -> None:
        assert len(values) == len(self.FIELDS)
        self._values, self._beside = tuple(values), beside

    def __repr__(self) -> str:
        return self.FORMAT % self._values

    def __getitem__(self, index: object) -> Any:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self._values))
            require(step == 1, "only slices with step=1 (aka None) are supported")
            return self._values[start:stop]
        if not isinstance(index, int):
            raise TypeError(f"{type(self).__name__} indices must be integers, not {type(index).__name__}")
        if not -len(self._values) <= index < len(self._values):
            raise IndexError(f"{type(self).__name__} index out of range")
        return self._values[index]


def _reader(at: int) -> Callable[[Result], Any]:
    def read(self: Result) -> Any:
        return self._values[at]

    return read


def _beside(name: str) -> Callable[[Result], Any]:
    def read(self: Result) -> Any:
        return self._beside[name]

    return read


def _first_four(self: Result) -> tuple[Any, ...]:
    return self._values[:4]


def _named(name: str, call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    call.__name__ = call.__qualname__ = name
    return call


def declare(
    name: str,
    fields: str,
    *,
    rect: str = "",
    beside: str = "",
    methods: dict[str, Callable[[Any], Any]] | None = None,
    shown: str | None = None,
) -> type[Result]:
    """A result type: `fields` are `name:format` words, `rect` the method that gives the first four values."""
    words = [word.split(":") for word in fields.split()]
    offered: dict[str, Callable[[Any], Any]] = {word[0]: _reader(at) for at, word in enumerate(words)}
    offered |= {extra: _beside(extra) for extra in beside.split()}
    if rect:
        offered[rect] = lambda self: _first_four(self)
    offered |= methods or {}
    text = "{" + ", ".join(f'"{field}":{form}' for field, form in words) + "}"
    body: dict[str, Any] = {method: _named(method, call) for method, call in offered.items()}
    body |= {"__slots__": (), "FIELDS": tuple(field for field, _ in words), "FORMAT": shown or text}
    return type(name, (Result,), body)


_BOX = "x:%d y:%d w:%d h:%d"


def _area(blob: Result) -> int:
    return int(blob[2] * blob[3])


def _density(blob: Result) -> float:
    return float(blob[4] / _area(blob)) if _area(blob) else 0.0


def _is_type(kind: int) -> Callable[[Result], bool]:
    return lambda code: bool(code[8] == kind)


Similarity = declare("similarity", "mean:%f stdev:%f min:%f max:%f")
Blob = declare(
    "blob",
    f"{_BOX} pixels:%d cx:%d cy:%d rotation:%f code:%d count:%d",
    rect="rect",
    methods={"area": _area, "density": _density},
)
Line = declare("line", "x1:%d y1:%d x2:%d y2:%d length:%d magnitude:%d theta:%d rho:%d", rect="line")
Circle = declare("circle", "x:%d y:%d r:%d magnitude:%d", methods={"circle": lambda self: self._values[:3]})
Rect = declare("rect", f"{_BOX} magnitude:%d", rect="rect", beside="corners")
QrCode = declare(
    "qrcode",
    f'{_BOX} payload:"%s" version:%d ecc_level:%d mask:%d data_type:%d eci:%d',
    rect="rect",
    beside="corners",
    methods={
        "is_numeric": _is_type(1),
        "is_alphanumeric": _is_type(2),
        "is_binary": _is_type(4),
        "is_kanji": _is_type(8),
    },
)
AprilTag = declare(
    "apriltag",
    f"{_BOX} id:%d family:%d cx:%d cy:%d rotation:%f decision_margin:%f hamming:%d goodness:%f x_translation:%f "
    "y_translation:%f z_translation:%f x_rotation:%f y_rotation:%f z_rotation:%f",
    rect="rect",
    beside="corners",
)
DataMatrix = declare(
    "datamatrix",
    f'{_BOX} payload:"%s" rotation:%f rows:%d columns:%d capacity:%d padding:%d',
    rect="rect",
    beside="corners",
)
Barcode = declare("barcode", f'{_BOX} payload:"%s" type:%d rotation:%f quality:%d', rect="rect", beside="corners")
Displacement = declare("displacement", "x_translation:%f y_translation:%f rotation:%f scale:%f response:%f")


def _box_of_match(found: Result) -> tuple[Any, ...]:
    return (found[2], found[3], found[4], found[5])


KeypointMatch = declare(
    "kptmatch",
    f"cx:%d cy:%d {_BOX} count:%d theta:%d match:%s",
    methods={"rect": _box_of_match},
    shown='{"cx":%d, "cy":%d, "x":%d, "y":%d, "w":%d, "h":%d, "count":%d, "theta":%d}%.0s',
)
