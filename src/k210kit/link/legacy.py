"""The pictures of the older programs: two zero bytes, a big-endian 16-bit length, a JPEG, and nothing else.

A picture is taken only if its length leads exactly to the JPEG's end marker; otherwise the search goes on at the next
`00 00 .. .. FF D8 FF`, so a wrong length or a zero in the stream costs one picture.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

__all__ = ["Legacy"]

_START = re.compile(rb"\0\0..\xff\xd8\xff", re.DOTALL)
_HEAD = 4
_MOST = _HEAD + 0xFFFF


@dataclass
class Legacy:
    """Takes the bytes that belong to no frame, and returns the JPEGs among them."""

    pictures: int = 0
    damaged: int = 0
    _buffer: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> list[bytes]:
        found: list[bytes] = []
        for start in range(0, len(data), _MOST):
            self._buffer += data[start : start + _MOST]
            self._scan(found)
        return found

    def forget(self) -> None:
        """A frame stood here: what came before cannot go on behind it."""
        self._buffer.clear()

    def _scan(self, found: list[bytes]) -> None:
        buffer, at = self._buffer, 0
        while match := _START.search(buffer, at):
            start = match.start()
            end = start + _HEAD + int.from_bytes(buffer[start + 2 : start + _HEAD], "big")
            following = _START.search(buffer, start + _HEAD)
            if len(buffer) < end and not following:
                at = start
                break
            if len(buffer) >= end and buffer[end - 2 : end] == b"\xff\xd9":
                found.append(bytes(buffer[start + _HEAD : end]))
                self.pictures += 1
                at = end
            else:
                self.damaged += 1
                at = start + _HEAD
        else:
            at = max(at, len(buffer) - (_HEAD + 2))  # a start may be cut in two
        del buffer[:at]
