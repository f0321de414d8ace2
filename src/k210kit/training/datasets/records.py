"""What every reader returns: pictures, each with a label or with boxes, and what was wrong with the files."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Box", "Dataset", "Finding", "Findings", "Level", "Part", "Picture", "Task", "frame_of", "tidy_label"]

Task = Literal["classify", "detect"]
Part = Literal["train", "validation", "test"]
Level = Literal["error", "warning", "note"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that the doctor has to say about one file.

    error: the file, or a box of it, is left out; warning: it is used, but look at it; note: good to know.
    """

    file: str
    level: Level
    what: str


@dataclass
class Findings:
    """Collects findings while readers and the doctor go on with what is good."""

    found: list[Finding] = field(default_factory=list)

    def error(self, file: str, what: str) -> None:
        self.found.append(Finding(file=file, level="error", what=what))

    def warning(self, file: str, what: str) -> None:
        self.found.append(Finding(file=file, level="warning", what=what))

    def note(self, file: str, what: str) -> None:
        self.found.append(Finding(file=file, level="note", what=what))

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.found)


@dataclass(frozen=True, kw_only=True)
class Box:
    """A labelled rectangle; right and bottom are where it ends. The picture's `frame` gives the unit."""

    label: str
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One picture of a data set, not decoded yet.

    name: where it lies inside the data set. read: gives the bytes of the picture file.
    label: its class, for a classifier. boxes: its objects, for a detector; none makes it a background picture.
    frame: width and height that the boxes refer to: (1, 1) for fractions, None for the upright picture's own pixels.
    part: what the data set's author meant it for, if the folders say so.
    """

    name: str
    read: Callable[[], bytes]
    label: str | None = None
    boxes: tuple[Box, ...] = ()
    frame: tuple[float, float] | None = None
    part: Part | None = None


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A data set as read: `labels` in the order of the class numbers."""

    title: str
    form: str
    task: Task
    labels: tuple[str, ...]
    pictures: tuple[Picture, ...]
    findings: Findings


def tidy_label(text: str) -> str:
    """One spelling per label: composed Unicode (zips from a Mac hold decomposed letters), no spaces around it."""
    return unicodedata.normalize("NFC", text).strip()


def frame_of(width: Any, height: Any) -> tuple[float, float] | None:  # Any: what an annotation file says
    """The size that an annotation gives its picture; None unless both sides are positive numbers."""
    try:
        sides = float(width), float(height)
    except (TypeError, ValueError):
        return None
    return sides if all(math.isfinite(side) and side > 0 for side in sides) else None
