"""The chip's 48 IO pins: which function drives which, what is connected outside, and when that changes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from k210kit.emulator.clock import Clock
from k210kit.errors import InputError
from k210kit.files import read_whole

__all__ = ["PIN_COUNT", "PinChange", "Pins", "read_timeline"]

PIN_COUNT = 48


@dataclass(frozen=True)
class PinChange:
    """A level that a pin is driven to from outside (None: let go) at a moment of board time."""

    seconds: float
    pin: int
    level: int | None


@dataclass
class Pins:
    """Levels of the IO pins."""

    clock: Clock
    functions: dict[int, int] = field(default_factory=dict)  # pin -> FPIOA function number
    outside: dict[int, int] = field(default_factory=dict)  # pin -> level driven from outside
    outputs: dict[int, int] = field(default_factory=dict)  # pin -> level driven by the script
    history: deque[PinChange] = field(default_factory=lambda: deque(maxlen=10_000))  # what the script drove last
    watchers: dict[int, Callable[[int], None]] = field(default_factory=dict)  # pin -> called with the new level
    idle: dict[int, int] = field(default_factory=dict)  # levels that the board's own resistors give

    def schedule(self, changes: list[PinChange]) -> None:
        """Let the outside world act at the given moments."""
        for change in changes:
            self.clock.at(change.seconds, lambda change=change: self.drive_from_outside(change.pin, change.level))  # type: ignore[misc]

    def drive_from_outside(self, pin: int, level: int | None) -> None:
        before = self.level(pin, pulled_up=True)
        if level is None:
            self.outside.pop(pin, None)
        else:
            self.outside[pin] = level
        after = self.level(pin, pulled_up=True)
        if after != before and pin in self.watchers:
            self.watchers[pin](after)

    def watch(self, pin: int, changed: Callable[[int], None]) -> None:
        """Call at each change of the pin's level from outside, in interrupts."""
        self.watchers[pin] = changed

    def drive(self, pin: int, level: int) -> None:
        """The script sets an output."""
        if self.outputs.get(pin) != level:
            self.history.append(PinChange(self.clock.now, pin, level))
        self.outputs[pin] = level

    def level(self, pin: int, *, pulled_up: bool = False) -> int:
        """What reading the pin gives: outside, else what the script drives, else the pull."""
        if pin in self.outside:
            return self.outside[pin]
        return self.outputs.get(pin, self.idle.get(pin, int(pulled_up)))

    def pin_of(self, function: int) -> int | None:
        """Where a function comes out, or None."""
        for pin, mapped in self.functions.items():
            if mapped == function:
                return pin
        return None


def read_timeline(path: Path) -> list[PinChange]:
    """Read lines `SECONDS PIN LEVEL`, LEVEL being 0, 1 or `-` (let go); `#` starts a remark."""
    changes = []
    for number, line in enumerate(read_whole(path, most_bytes=1 << 20).decode("utf-8", "replace").splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        try:
            seconds, pin, level = float(words[0]), int(words[1]), None if words[2] == "-" else int(words[2])
        except (IndexError, ValueError):
            raise InputError(
                f"{path} line {number}: {line.strip()!r} is not `SECONDS PIN LEVEL`, for example `1.5 18 0`."
            ) from None
        if not 0 <= pin < PIN_COUNT or level not in (0, 1, None):
            raise InputError(f"{path} line {number}: pins are 0 to 47, levels 0, 1 or -; found {line.strip()!r}.")
        changes.append(PinChange(seconds, pin, level))
    return changes
