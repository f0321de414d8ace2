"""`_thread`: threads of the script, on firmware that has them. Source: MicroPython 1.11 py/modthread.c."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from k210kit.emulator.board import Board
from k210kit.emulator.modules.table import device_module

__all__ = ["ThreadModule"]

_POLL_SECONDS = 1e-3


class _Lock:
    """A lock."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._taken = False

    def acquire(self, wait: int = 1, timeout: float = -1) -> bool:
        clock = self._board.clock
        until = clock.now + timeout if timeout >= 0 else None
        while self._taken:
            if not wait or (until is not None and clock.now >= until):
                return False
            clock.sleep(_POLL_SECONDS)
        self._taken = True
        return True

    def release(self) -> None:
        if not self._taken:
            raise RuntimeError("release unlocked lock")
        self._taken = False

    def locked(self) -> bool:
        return self._taken

    def __enter__(self) -> _Lock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


@device_module("_thread", needs="thread")
class ThreadModule:
    """The module. One thread runs at a time and they change every few milliseconds, as under MicroPython's GIL."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._stack_size = 4096
        self.LockType = _Lock

    def start_new_thread(self, function: Callable[..., Any], arguments: tuple[Any, ...], named: Any = None) -> None:
        """Start a thread (Any: the script's function and values)."""
        if not isinstance(arguments, tuple):
            arguments = tuple(arguments)
        if named is not None and not isinstance(named, dict):
            raise TypeError("expecting a dict for keyword args")
        self._board.clock.start_thread(function, arguments, named or {})

    def allocate_lock(self) -> _Lock:
        return _Lock(self._board)

    def get_ident(self) -> int:
        return self._board.clock.thread_number

    def exit(self) -> None:
        raise SystemExit

    def stack_size(self, size: int = 0) -> int:
        before, self._stack_size = self._stack_size, int(size) or 4096
        return before
