"""Buttons by the keyboard: a key presses a pin for a moment, its capital holds it until pressed again."""

from __future__ import annotations

import os
import select
import sys
from dataclasses import dataclass, field
from typing import Any, Protocol

from k210kit.emulator.board import Board
from k210kit.emulator.boards import BoardKind
from k210kit.emulator.pins import PIN_COUNT
from k210kit.errors import InputError

__all__ = ["ButtonKeys", "Keys", "TerminalKeys", "attach_keys", "read_key_map"]

PRESS_SECONDS = 0.2
_LOOK_SECONDS = 0.02
_LETTERS = "abcdefghij"


class Keys(Protocol):
    """Where key strokes come from."""

    def read(self) -> str:
        """What was typed since the last call; never waits."""
        ...

    def close(self) -> None: ...


class TerminalKeys:
    """The keyboard of the terminal, without waiting for Enter; what is typed does not show."""

    def __init__(self) -> None:
        self._number = sys.stdin.fileno()
        self._before: list[Any] | None = None  # Any: termios has no type of its own
        if os.isatty(self._number):
            try:
                import termios
                import tty
            except ImportError:
                raise InputError(
                    "Buttons by the keyboard need a terminal of Linux or macOS; use --pins FILE."
                ) from None
            self._before = termios.tcgetattr(self._number)
            tty.setcbreak(self._number)

    def read(self) -> str:
        made = b""
        while select.select([self._number], [], [], 0)[0]:
            more = os.read(self._number, 256)
            if not more:
                break
            made += more
        return made.decode("utf-8", "replace")

    def close(self) -> None:
        if self._before is not None:
            import termios

            termios.tcsetattr(self._number, termios.TCSADRAIN, self._before)


@dataclass
class ButtonKeys:
    """Looks at the keys every 20 ms of board time and drives the pins; a pressed button is 0."""

    board: Board
    pins: dict[str, int]
    keys: Keys
    _held: set[int] = field(default_factory=set)

    def look(self) -> None:
        for letter in self.keys.read():
            pin = self.pins.get(letter.lower())
            if pin is None:
                continue
            if letter.isupper():
                self._hold(pin)
            elif pin not in self._held:
                self.board.pins.drive_from_outside(pin, 0)
                self.board.clock.at(self.board.clock.now + PRESS_SECONDS, lambda pin=pin: self._let_go(pin))  # type: ignore[misc]
        self.board.clock.at(self.board.clock.now + _LOOK_SECONDS, self.look)

    def _hold(self, pin: int) -> None:
        if pin in self._held:
            self._held.remove(pin)
            self._let_go(pin)
        else:
            self._held.add(pin)
            self.board.pins.drive_from_outside(pin, 0)

    def _let_go(self, pin: int) -> None:
        if pin not in self._held:
            self.board.pins.drive_from_outside(pin, None)


def read_key_map(text: str, kind: BoardKind) -> dict[str, int]:
    """`auto` gives the board's buttons the letters a, b, c; else `a=18,b=19`."""
    if text == "auto":
        return dict(zip(_LETTERS, kind.buttons, strict=False))
    made = {}
    for part in text.split(","):
        letter, equals, pin = part.strip().partition("=")
        if not equals or len(letter) != 1 or not letter.islower() or not pin.isdigit() or int(pin) >= PIN_COUNT:
            raise InputError(
                f"--keys {text}: {part.strip()!r} is not LETTER=PIN with a small letter and a pin from 0 to "
                f"{PIN_COUNT - 1}. Write --keys a=18,b=19, or --keys auto for the board's own buttons."
            )
        made[letter] = int(pin)
    return made


def attach_keys(board: Board, pins: dict[str, int], keys: Keys) -> ButtonKeys:
    """Let keys press buttons from now on."""
    made = ButtonKeys(board, pins, keys)
    made.look()
    return made
