"""SLIP: packets on a serial line (RFC 1055), as the K210's boot ROM and the flash program both frame them.

    0xC0 · the packet, with 0xC0 as 0xDB 0xDC and 0xDB as 0xDB 0xDD · 0xC0

The receiver has three states and no time limit. What follows a lost or an extra 0xC0 is therefore read the wrong way
round, until another 0xC0 sets it right: the gaps between packets are taken for packets, and the packets for gaps.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["END", "SlipReader", "encode", "wire_length"]

END = 0xC0
_ESCAPE = 0xDB
_ESCAPED_END = 0xDC
_ESCAPED_ESCAPE = 0xDD
_WRONG_ESCAPE = re.compile(rb"\xdb(?![\xdc\xdd])")


def encode(packet: bytes) -> bytes:
    """The bytes on the wire for one packet.

    >>> encode(bytes([1, 0xC0, 0xDB])).hex(" ")
    'c0 01 db dc db dd c0'
    """
    return b"\xc0" + packet.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"


def wire_length(packet: bytes) -> int:
    """How many bytes `encode(packet)` has."""
    return len(packet) + packet.count(b"\xdb") + packet.count(b"\xc0") + 2


class SlipReader:
    """The receiving side, with the states of the flash program: idle, in a packet, after an escape.

    Bytes outside of packets are ignored. After an escape only 0xDC, 0xDD and the end count; others are dropped.
    """

    def __init__(self) -> None:
        self._in_packet = False
        self._escaped = False
        self._packet = bytearray()

    @property
    def in_packet(self) -> bool:
        return self._in_packet

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Take bytes from the wire; yield each finished packet with the index in `data` of the byte that ended it."""
        at = 0
        while at < len(data):
            end = data.find(END, at)
            stop = len(data) if end < 0 else end
            if self._in_packet:
                self._take(data[at:stop])
            if end < 0:
                return
            if self._in_packet:
                packet, self._packet = bytes(self._packet), bytearray()
                self._in_packet = self._escaped = False
                yield end, packet
            else:
                self._in_packet, self._escaped = True, False
            at = end + 1

    def _take(self, piece: bytes) -> None:
        if not self._escaped and not piece.endswith(b"\xdb") and not _WRONG_ESCAPE.search(piece):
            self._packet += piece.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")
            return
        for byte in piece:
            if not self._escaped:
                if byte == _ESCAPE:
                    self._escaped = True
                else:
                    self._packet.append(byte)
            elif byte in (_ESCAPED_END, _ESCAPED_ESCAPE):
                self._packet.append(END if byte == _ESCAPED_END else _ESCAPE)
                self._escaped = False
