"""Fonts that a script loads: glyphs of all code points one after the other, in flash or in a .Dzk file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .text import Font

if TYPE_CHECKING:
    from k210kit.emulator.board import Board

__all__ = ["UTF8", "font_from"]

UTF8 = 2


def font_from(board: Board, width: int, height: int, source: object) -> Font | None:
    """A UTF-8 font from a flash address or a file name; None if the source is neither, as the firmware ignores it."""
    size = width // 8 * height
    if isinstance(source, int):
        if source <= 0:
            raise ValueError("[MAIXPY]image: font_addr must > 0 ")
        address = int(source)
        return Font(width, height, lambda code: board.flash.read(address + code * size, size))
    if isinstance(source, str):
        if ".Dzk" not in source:
            raise ValueError("[MAIXPY]image: font format don't match, only supply .Dzk ")
        return Font(width, height, _from_file(board, source, size))
    return None


def _from_file(board: Board, path: str, size: int) -> Callable[[int], bytes]:
    with board.files.open(path, "rb") as file:
        data = bytes(file.read())
    return lambda code: data[code * size : (code + 1) * size].ljust(size, b"\0")
