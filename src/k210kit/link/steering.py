"""Quality that steers itself to a wanted rate.

Each picture may take the time that the wanted rate leaves for the wire. The camera knows how long a picture took it
besides sending, and how many bytes the last one had; `unitv_stream.py` holds the same rule for the real camera.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LADDER", "Steering"]

LADDER = (3, 4, 5, 7, 10, 13, 17, 22, 28, 35, 45, 55, 65, 75, 85)
_PATIENCE = 4  # pictures with room to spare before the quality rises
_MARGIN = 0.9  # of the time that is left, for heads, answers and busier pictures
_GROWTH = 1.25  # one rung makes a picture about this much larger


@dataclass
class Steering:
    """Chooses a rung of the quality ladder from the mean size of the last few pictures: down at once, up with patience.

    A changed quality costs a new picture head (600 bytes), so it stays where it is as long as it fits.
    """

    rate: float  # pictures per second
    bytes_per_second: float
    rung: int = 4
    fixed: int = 0  # a quality that was asked for, or 0
    _room: int = 0
    _mean: float = 0.0
    _busy: float = 0.0

    @property
    def quality(self) -> int:
        return self.fixed or LADDER[self.rung]

    def budget(self, busy_seconds: float) -> float:
        """Bytes that one picture may have, after `busy_seconds` of capturing, detecting and compressing."""
        return _MARGIN * max(1 / self.rate - busy_seconds, 0.1 / self.rate) * self.bytes_per_second

    def sent(self, size: int, busy_seconds: float) -> None:
        """A picture of `size` bytes was sent, its head not counted."""
        self._busy += (busy_seconds - self._busy) / (2 * _PATIENCE)
        room = self.budget(max(self._busy, 0.0))
        self._mean += (size - self._mean) / _PATIENCE if self._mean else size
        self._room = self._room + 1 if self._mean * _GROWTH <= room else 0
        if self._mean > room and self.rung > 0:
            self.rung -= 1
            self._mean /= _GROWTH
        elif self._room >= _PATIENCE and self.rung < len(LADDER) - 1:
            self.rung += 1
            self._mean *= _GROWTH
            self._room = 0
