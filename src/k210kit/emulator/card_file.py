"""What `open` gives a script: a file of the card with MicroPython's methods. Sources: vfs_spiffs_file.c, stream.c.

Text files and binary ones both take text and bytes when written; text ones give text when read.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from typing import IO, Any

from k210kit.emulator.buffers import as_bytes
from k210kit.emulator.card import Card, os_error

__all__ = ["CardFile", "opener"]


class CardFile:
    """One open file; `_stream` is this computer's, in bytes."""

    __slots__ = ("_moved", "_stream", "_text")

    def __init__(self, stream: IO[bytes], text: bool, moved: Callable[[int, bool], None]) -> None:
        """`moved` is told of bytes that are read, and of those to be written."""
        self._stream, self._text, self._moved = stream, text, moved

    def _given(self, data: bytes) -> Any:
        """Bytes as the script gets them (Any: str or bytes)."""
        self._moved(len(data), False)
        if not self._text:
            return data
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise UnicodeError from None

    def read(self, size: int = -1) -> Any:
        """All, or so many bytes; of a text file so many characters (Any: str or bytes)."""
        data = self._checked().read(-1 if size is None or size < 0 else size)
        if self._text and size is not None and size > 0:
            while len(data.decode(errors="ignore")) < size and (more := self._stream.read(1)):
                data += more
        return self._given(data)

    def readline(self, size: int = -1) -> Any:
        """Up to the next newline (Any: see above)."""
        return self._given(self._checked().readline(size))

    def readlines(self) -> list[Any]:
        """Any: see above."""
        return list(self)

    def readinto(self, buffer: Any, size: int = -1) -> int:
        """Any: a buffer."""
        view = memoryview(buffer).cast("B")
        data = self._checked().read(len(view) if size < 0 else min(size, len(view)))
        view[: len(data)] = data
        self._moved(len(data), False)
        return len(data)

    def write(self, data: Any, *_: int) -> int:
        """Any: text or a buffer."""
        stream, made = self._checked(), as_bytes(data)
        self._moved(len(made), True)
        count = stream.write(made)
        stream.flush()
        return count

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return self._checked().seek(offset, whence)
        except (OSError, ValueError):
            raise os_error(errno.EINVAL) from None

    def tell(self) -> int:
        return self._checked().tell()

    def flush(self) -> None:
        self._checked().flush()

    def close(self) -> None:
        self._stream.close()

    def _checked(self) -> IO[bytes]:
        """The stream, while it is open."""
        if self._stream.closed:
            raise os_error(errno.EINVAL)
        return self._stream

    def __enter__(self) -> CardFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        """The next line (Any: see above)."""
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def __repr__(self) -> str:
        return "<io.TextIOWrapper>" if self._text else "<io.FileIO>"


def opener(card: Card) -> Callable[..., CardFile]:
    """The script's `open`."""

    def open(file: str, mode: str = "r", buffering: int = -1, encoding: Any = None) -> CardFile:
        """Open a file of the card; the last two arguments are taken and mean nothing (Any: so)."""

        def moved(count: int, written: bool) -> None:
            card.transfer(file, count, written=written)

        return CardFile(card.open(file, mode.replace("t", "").replace("b", "") + "b"), "b" not in mode, moved)

    return open
