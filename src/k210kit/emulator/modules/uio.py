"""`uio` and `io`: streams in memory, and `open` on the card."""

from __future__ import annotations

import io as host
from typing import Any

from k210kit.emulator.board import Board
from k210kit.emulator.buffers import as_bytes
from k210kit.emulator.card_file import opener
from k210kit.emulator.modules.table import device_module

__all__ = ["BytesIO", "IoModule", "StringIO"]


class StringIO(host.StringIO):
    """Text in memory; a number makes room, as on the board."""

    def __init__(self, start: Any = "") -> None:
        super().__init__("" if isinstance(start, int) else str(start))

    def write(self, text: Any) -> int:
        """Any: text or bytes."""
        return super().write(text if isinstance(text, str) else as_bytes(text).decode("utf-8", "replace"))


class BytesIO(host.BytesIO):
    """Bytes in memory; a number makes room."""

    def __init__(self, start: Any = b"") -> None:
        super().__init__(b"" if isinstance(start, int) else as_bytes(start))

    def write(self, data: Any) -> int:
        """Any: a buffer, a picture too."""
        return super().write(as_bytes(data))


class IOBase:
    """What a script's own stream inherits."""


@device_module("uio", "io")
class IoModule:
    """The module."""

    StringIO = StringIO
    BytesIO = BytesIO
    IOBase = IOBase

    def __init__(self, board: Board) -> None:
        self.open = opener(board.files)
