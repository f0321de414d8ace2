"""`ImageWriter` and `ImageReader`, as far as they work on a board.

`py_image.c` of MaixPy 0.6.2 passes the address of the file's handle where `vfs_wrapper.c` takes the handle. So a writer
leaves its header and no picture, and a reader does not get past opening: on a board the rest follows a wrong pointer.
"""

from __future__ import annotations

from typing import NoReturn

from k210kit.emulator.card import Card
from k210kit.emulator.kpu_library import UndefinedOnBoardError

__all__ = ["ImageWriter", "open_reader"]

_HEADER = b"OMV IMG STR V1.0"


def _undefined(what: str) -> NoReturn:
    raise UndefinedOnBoardError(
        f"{what} crashes a board: MaixPy 0.6.2 follows a wrong pointer there. Use img.save and image.Image, or video."
    )


class ImageWriter:
    """What `image.ImageWriter(path)` gives: a file with a header."""

    __slots__ = ()

    def __init__(self, files: Card, path: str) -> None:
        with files.open(path, "wb") as file:
            file.write(_HEADER)

    def add_frame(self, image: object, /) -> NoReturn:
        _undefined("ImageWriter.add_frame")

    def size(self) -> NoReturn:
        _undefined("ImageWriter.size")

    def close(self) -> NoReturn:
        _undefined("ImageWriter.close")


def open_reader(files: Card, path: str) -> NoReturn:
    """A missing file is an error of the board's; a file that is there leads into the undefined."""
    files.open(path, "rb").close()
    _undefined("image.ImageReader")
