"""Time, behind one small protocol: the computer's, and one that only moves when somebody waits."""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["Clock", "ModelClock", "RealClock"]


class Clock(Protocol):
    """Seconds since some moment, and a way to let them pass."""

    def now(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


class RealClock:
    """The computer's own clock."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class ModelClock:
    """A clock that stands still until someone sleeps: minutes of flashing pass in a moment, and always the same."""

    def __init__(self) -> None:
        self._now = 0.0

    def now(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += max(seconds, 0.0)

    def move_to(self, moment: float) -> None:
        """Let time pass until `moment`; a moment in the past changes nothing."""
        self._now = max(self._now, moment)
