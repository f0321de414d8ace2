"""Who takes memory of the GC heap: by line of the script, by global name, and what grows from frame to frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Growth", "Ledger", "LineMemory"]

_FEWEST_FRAMES = 8  # between two looks that are compared


@dataclass
class LineMemory:
    """What a line of the script has allocated in big pieces: how often, bytes ever, and bytes not given back."""

    line: str
    count: int = 0
    bytes: int = 0
    held: int = 0


@dataclass(frozen=True)
class Growth:
    """Bytes that something holds more with each frame."""

    what: str
    bytes_per_frame: float


class Ledger:
    """Kept by the heap; `where` names the line that the script is at."""

    def __init__(self) -> None:
        self.where: Callable[[], str] = lambda: ""
        self.lines: dict[str, LineMemory] = {}
        self._looks: list[tuple[int, dict[str, int]]] = []  # frames so far, bytes held by what

    def took(self, size: int) -> str:
        """Count an allocation; returns the line that it is booked on."""
        line = self.where()
        entry = self.lines.setdefault(line, LineMemory(line))
        entry.count += 1
        entry.bytes += size
        entry.held += size
        return line

    def gave_back(self, line: str, size: int) -> None:
        self.lines[line].held -= size

    def wants_a_look(self, frame: int) -> bool:
        """Whether memory shall be looked at after this frame: the first, second, fourth, eighth, …"""
        return frame & (frame - 1) == 0

    def look(self, frame: int, by_name: dict[str, int], dead: dict[str, int]) -> None:
        """Note what is held: small objects by global name, big ones by line; `dead` are garbage bytes by line."""
        held = {f"name {name}": size for name, size in by_name.items()}
        held |= {f"line {line}": entry.held - dead.get(line, 0) for line, entry in self.lines.items() if line}
        self._looks.append((frame, held))

    def growth(self) -> list[Growth]:
        """What grew in the last part of the run and before, fastest first."""
        if not self._looks:
            return []
        frames, last = self._looks[-1]
        earlier = [look for look in self._looks if frames - look[0] >= _FEWEST_FRAMES]
        if not earlier:
            return []
        first_frames, first = earlier[-1]
        before = earlier[-2][1] if len(earlier) > 1 else {}
        grown = [
            Growth(what, round((size - first.get(what, 0)) / (frames - first_frames), 1))
            for what, size in last.items()
            if size > first.get(what, 0) > before.get(what, -1)
        ]
        return sorted(grown, key=lambda entry: -entry.bytes_per_frame)
