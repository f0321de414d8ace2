"""`fpioa_manager`: `fm`, who registers which pin for what. Source: port/builtin_py/fpioa_manager.py."""

from __future__ import annotations

from typing import Any

from k210kit.emulator.board import Board
from k210kit.emulator.modules.fpioa_functions import GPIO0, GPIOHS0, RESV0
from k210kit.emulator.modules.table import device_module

__all__ = ["FpioaManagerModule"]


class _Manager:
    """`fm`."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self.fpioa: Any = board.module("Maix").FPIOA()  # Any: the board's own FPIOA class

    def help(self) -> None:
        self.fpioa.help()

    def register(self, pin: int, function: int | None = None, force: bool = True) -> None:
        """Give a pin a function; one that has it already loses it, or an Exception says so without `force`."""
        if function is None:
            self._board.warn("fm.register(pin) without a function is M5Stack's; stock MaixPy raises a TypeError.")
            return
        used = self.get_pin_by_function(function)
        if used == pin:
            return
        if used is not None:
            words = f"[Warning] function is used by {self.str_function(function)}(pin:{used})"
            if force is False:
                raise Exception(words)
            self._board.print(words + "\n")
        self.fpioa.set_function(pin, function)

    def unregister(self, pin: int, function: int | None = None) -> None:
        """Take a pin's function away; builds before 0.6 wanted to be told which."""
        if function is not None:
            self._board.warn("fm.unregister takes the pin alone since MaixPy 0.6; a second argument is a TypeError.")
        self.fpioa.set_function(pin, RESV0)

    def get_pin_by_function(self, function: int) -> int | None:
        found: int | None = self.fpioa.get_Pin_num(function)
        return found

    def str_function(self, function: int) -> str:
        if GPIOHS0 <= function < GPIO0:
            return f"fm.fpioa.GPIOHS{function - GPIOHS0}"
        if GPIO0 <= function <= GPIO0 + 7:
            return f"fm.fpioa.GPIO{function - GPIO0}"
        return "unknown"

    def get_gpio_used(self) -> list[tuple[str, int | None]]:
        return [(self.str_function(f), self.get_pin_by_function(f)) for f in range(GPIOHS0, GPIO0 + 8)]


class _OldBoardInfo:
    """`board_info` as builds before 0.6 offered it here too; using it is noted in the report."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def __getattr__(self, name: str) -> Any:
        """A pin of the board (Any: as `board.board_info` has it)."""
        if name.startswith("__"):
            raise AttributeError(f"type object 'board_info' has no attribute '{name}'")
        self._board.warn("fpioa_manager has no board_info since MaixPy 0.6: write `from board import board_info`.")
        pins = self._board.module("board").board_info
        if not hasattr(pins, name):
            raise AttributeError(f"type object 'board_info' has no attribute '{name}'")
        return getattr(pins, name)


@device_module("fpioa_manager", needs="fpioa_manager")
class FpioaManagerModule:
    """The module."""

    def __init__(self, board: Board) -> None:
        self.fm = _Manager(board)
        self.FPIOA = board.module("Maix").FPIOA
        self.board_info = _OldBoardInfo(board)
