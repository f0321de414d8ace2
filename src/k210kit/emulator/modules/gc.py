"""`gc`: MicroPython's heap. Big objects have exact places; small ones live in CPython and are counted by a walk."""

from __future__ import annotations

import gc as host

from k210kit.emulator.board import Board
from k210kit.emulator.modules.table import device_module

__all__ = ["GcModule"]

_COLLECT_SECONDS = 3e-3  # marking and sweeping 512 KiB; an estimate


@device_module("gc")
class GcModule:
    """The module."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._enabled = True

    def collect(self) -> None:
        host.collect()
        self._board.gc.collect()
        self._board.clock.advance(_COLLECT_SECONDS)

    def disable(self) -> None:
        self._enabled = False

    def enable(self) -> None:
        self._enabled = True

    def isenabled(self) -> bool:
        return self._enabled

    def mem_free(self) -> int:
        self._board.gc.look_at()
        return self._board.gc.free_bytes

    def mem_alloc(self) -> int:
        self._board.gc.look_at()
        return self._board.gc.used_bytes

    def threshold(self, *arguments: int) -> int | None:
        return None if arguments else -1
