"""The memory as bars: one description, drawn on the terminal, in HTML and as PNG."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from k210kit.hardware import GENERAL_MEMORY_BYTES, KPU_MEMORY_BYTES
from k210kit.planner.memory import Item
from k210kit.planner.plan import Fit

__all__ = ["COLOURS", "Bar", "Segment", "bars"]

COLOURS: dict[str, str] = {
    "program": "#64748b",
    "GC heap": "#0284c7",
    "other": "#94a3b8",
    "camera": "#16a34a",
    "LCD": "#ca8a04",
    "model": "#7c3aed",
    "script": "#0d9488",
    "free": "#e2e8f0",
    "too much": "#dc2626",
}


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A piece of a bar; `group` is a key of COLOURS."""

    name: str
    group: str
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A memory of `total` bytes, filled from the left; what did not fit follows as "too much"."""

    title: str
    total: int
    segments: tuple[Segment, ...]

    @property
    def drawn(self) -> int:
        """Bytes that the whole bar stands for: the memory, or more if something is too much."""
        return max(self.total, sum(segment.bytes for segment in self.segments))

    @property
    def free(self) -> int:
        return sum(segment.bytes for segment in self.segments if segment.group == "free")


def bars(result: Fit) -> tuple[Bar, ...]:
    """General memory, GC heap and KPU memory of a plan."""
    made = [
        _bar("6 MiB of general memory", GENERAL_MEMORY_BYTES, result.items, ("program", "system heap")),
        _bar("GC heap of MicroPython, inside it", result.gc_heap_bytes, result.items, ("GC heap",)),
        _bar("2 MiB of KPU memory, the layer that takes most", KPU_MEMORY_BYTES, result.items, ("KPU memory",)),
    ]
    return tuple(bar for bar in made if len(bar.segments) > 1 or bar.free < bar.total)


def _bar(title: str, total: int, items: Iterable[Item], places: tuple[str, ...]) -> Bar:
    chosen = [item for item in items if item.where in places]
    largest = _largest_call(chosen)
    chosen = [item for item in chosen if not item.fits or item.passing in ("", largest)]
    segments = [Segment(name=item.name, group=_group(item), bytes=item.bytes) for item in chosen if item.fits]
    free = total - sum(segment.bytes for segment in segments)
    if free > 0:
        segments.append(Segment(name="free", group="free", bytes=free))
    failed = [item for item in chosen if not item.fits]
    for item in failed[:1]:
        over = max(item.bytes - max(free, 0), 1)
        segments.append(Segment(name=f"too much: {item.name}", group="too much", bytes=over))
    return Bar(title=title, total=total, segments=tuple(segments))


def _largest_call(items: list[Item]) -> str:
    """Of the calls that give back what they take, the one that takes most: the others come before or after it."""
    taken: Counter[str] = Counter()
    for item in items:
        if item.passing and item.fits:
            taken[item.passing] += item.bytes
    return max(taken, key=lambda call: taken[call], default="")


def _group(item: Item) -> str:
    if item.where == "program":
        return "program"
    for start, group in (("camera", "camera"), ("LCD", "LCD"), ("model", "model"), ("GC heap", "GC heap")):
        if item.name.startswith(start):
            return group
    if item.where == "KPU memory":
        return "model"
    return "script" if item.where == "GC heap" else "other"
