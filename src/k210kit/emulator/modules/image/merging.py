"""Joining segments that lie along each other. Source: `merge_alot` of `omv/img/line.c`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .joining import joined_while_any
from .regression import Segment

__all__ = ["merged"]

_Ends = tuple[int, int, int, int]


def merged(lines: list[Segment], distance: int, most_turn: int) -> list[Segment]:
    """Join segments whose angles differ by at most `most_turn` degrees and of which one ends near the other."""

    def join(one: Segment, two: Segment) -> Segment | None:
        together = _turn(one, two) <= most_turn and _near(*_by_length(one, two), distance)
        return _joined(one, two) if together else None

    return joined_while_any(lines, join)


def _turn(one: Segment, two: Segment) -> int:
    apart = abs(one.theta - two.theta)
    return 180 - apart if apart >= 90 else apart


def _by_length(one: Segment, two: Segment) -> tuple[Segment, Segment]:
    """The longer one first."""
    return (one, two) if _length(one) > _length(two) else (two, one)


def _length(line: Segment) -> int:
    return int(np.rint(np.hypot(line.x2 - line.x1, line.y2 - line.y1)))


def _near(big: Segment, small: Segment, distance: int) -> bool:
    """Whether an end of the small segment is that near to a point of the big one."""
    steps = max(abs(big.x2 - big.x1), abs(big.y2 - big.y1))
    part = np.arange(steps + 1) / max(steps, 1)
    x, y = (np.floor(a + (b - a) * part + 0.5) for a, b in ((big.x1, big.x2), (big.y1, big.y2)))
    return any(
        bool((np.rint(np.hypot(x - end_x, y - end_y)) <= distance).any())
        for end_x, end_y in ((small.x1, small.y1), (small.x2, small.y2))
    )


def _joined(one: Segment, two: Segment) -> Segment:
    """The longer segment, drawn out over both; angle, distance and strength stay those of the first."""
    level = abs(one.x2 - one.x1) >= abs(one.y2 - one.y1)
    mine, its = (_forward((line.x1, line.y1, line.x2, line.y2), level) for line in (one, two))
    base = mine if _length(one) > _length(two) else its
    first, last = (0, 2) if level else (1, 3)
    low, high = min(mine[first], its[first]), max(mine[last], its[last])
    run = base[last] - base[first] or 1
    rise = base[3] - base[1] if level else base[2] - base[0]
    across = (base[1], base[3]) if level else (base[0], base[2])
    start = across[0] - int(rise * (base[first] - low) / run)
    end = across[1] + int(rise * (high - base[last]) / run)
    ends = (low, start, high, end) if level else (start, low, end, high)
    return replace(one, x1=ends[0], y1=ends[1], x2=ends[2], y2=ends[3])


def _forward(ends: _Ends, level: bool) -> _Ends:
    """The ends in the order in which x (or y) grows."""
    backwards = ends[2] < ends[0] if level else ends[3] < ends[1]
    return (*ends[2:], *ends[:2]) if backwards else ends
