"""The objects that stand for a cascade, a set of corners, a pattern descriptor, and their files."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import keypoints, patterns
from .cascade import BUILT_IN, Cascade, built_in_cascade, read_cascade
from .results import KeypointMatch

if TYPE_CHECKING:
    from k210kit.emulator.board import Block

    from .workshop import Workshop

__all__ = ["CascadeObject", "Corners", "Patterns", "load_cascade", "load_descriptor", "match", "save_descriptor"]

_PATTERNS, _CORNERS = 0, 1


class CascadeObject:
    """What `image.HaarCascade` returns."""

    __slots__ = ("_cascade",)

    def __init__(self, cascade: Cascade) -> None:
        self._cascade = cascade

    def __repr__(self) -> str:
        made = self._cascade
        return (
            f'{{"width":{made.width}, "height":{made.height}, "n_stages":{len(made.stages)}, '
            f'"n_features":{made.features}, "n_rectangles":{made.rectangles}}}'
        )


CascadeObject.__name__ = CascadeObject.__qualname__ = "Cascade"


class Patterns:
    """What `find_lbp` returns."""

    __slots__ = ("_block", "_line")

    def __init__(self, counts: NDArray[np.uint8], block: Block) -> None:
        self._line, self._block = counts, block

    def __repr__(self) -> str:
        return "{}"


Patterns.__name__ = Patterns.__qualname__ = "lbp_desc"


class Corners:
    """What `find_keypoints` returns: each corner as (x, y, score, octave, angle)."""

    __slots__ = ("_block", "_line", "_state")
    __iter__ = None

    def __init__(self, found: list[keypoints.Keypoint], threshold: int, normalized: bool, block: Block) -> None:
        self._line, self._state, self._block = found, (threshold, normalized), block

    def __len__(self) -> int:
        return len(self._line)

    def __getitem__(self, index: int) -> tuple[int, int, int, int, int]:
        if not isinstance(index, int):
            raise TypeError(f"kp_desc indices must be integers, not {type(index).__name__}")
        if not -len(self._line) <= index < len(self._line):
            raise IndexError("kp_desc index out of range")
        point = self._line[index]
        return (point.x, point.y, point.score, point.octave, point.angle)

    def __repr__(self) -> str:
        return f'{{"size":{len(self._line)}, "threshold":{self._state[0]}, "normalized":{int(self._state[1])}}}'


Corners.__name__ = Corners.__qualname__ = "kp_desc"


def load_cascade(workshop: Workshop, path: str, stages: int | None) -> CascadeObject:
    """One of the firmware's own, or a file of the card."""
    if path in BUILT_IN:
        with workshop.board.trusted():
            found = built_in_cascade(path)
    else:
        found = read_cascade(_read(workshop, path))
    return CascadeObject(found if stages is None else found.first(stages))


def save_descriptor(workshop: Workshop, given: Any, path: str) -> bool:
    """Write corners or patterns to a file of the card (Any: one of the two)."""
    if isinstance(given, Patterns):
        data = struct.pack("<I", _PATTERNS) + given._line.tobytes()
    elif isinstance(given, Corners):
        data = struct.pack("<I", _CORNERS) + keypoints.pack(given._line)
    else:
        raise OSError("Descriptor type is not supported")
    with workshop.board.files.open(path, "wb") as stream:
        stream.write(data)
    return True


def load_descriptor(workshop: Workshop, path: str) -> Corners | Patterns:
    """What `save_descriptor` wrote."""
    data = _read(workshop, path)
    kind = struct.unpack_from("<I", data)[0] if len(data) >= 4 else -1
    block = workshop.allocate(max(len(data) - 4, 1))
    try:
        if kind == _PATTERNS and len(data) >= 4 + patterns.DESCRIPTOR_BYTES:
            return Patterns(np.frombuffer(data, np.uint8, patterns.DESCRIPTOR_BYTES, 4), block)
        if kind == _CORNERS:
            return Corners(keypoints.unpack(data[4:]), 10, False, block)
    except ValueError:
        pass
    raise OSError("Descriptor type is not supported")


def match(one: Any, two: Any, threshold: int, filter_outliers: bool) -> Any:
    """Compare two descriptors of one kind: an int for patterns, an object for corners (Any: see above)."""
    if type(one) is not type(two):
        raise OSError("Descriptors have different types!")
    if isinstance(one, Patterns):
        return patterns.pattern_distance(one._line, two._line)
    if not isinstance(one, Corners):
        raise OSError("Descriptor type is not supported")
    if not 0 <= threshold <= 100:
        raise OSError("Expected threshold between 0 and 100")
    found = keypoints.match(one._line, two._line, threshold=threshold, filter_outliers=filter_outliers)
    values = (found.cx, found.cy, found.x, found.y, found.w, found.h, found.count, found.theta)
    return KeypointMatch((*values, list(found.pairs)))


def _read(workshop: Workshop, path: str) -> bytes:
    with workshop.board.files.open(path, "rb") as stream:
        return bytes(stream.read())
