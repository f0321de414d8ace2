"""Frames on a serial line: declared once, written by `Encoder`, found again by `Decoder` whatever happened to them.

    sync FF 4B | kind, version | sequence | length | header check | payload ... | CRC-32

`FF 4B` cannot occur inside the compressed part of a JPEG, where FF is followed by 00 or D0 to D7 alone. The check is
the low half of the CRC-32 over the header before it; a length is believed only after that. The CRC-32 (zlib's) runs
over the header and the payload, so that a header never passes with another frame's payload. MaixPy has it in C as
`ubinascii.crc32` (mpconfigport.h, MICROPY_PY_UBINASCII_CRC32).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum
from zlib import crc32

from k210kit.errors import FormatError
from k210kit.wire import bits, fields, u16, u32

__all__ = ["MOST_PAYLOAD", "OVERHEAD", "SYNC", "VERSION", "Counts", "Decoder", "Encoder", "Frame", "Header", "Kind"]

VERSION = 1
SYNC = b"\xff\x4b"
MOST_PAYLOAD = 64 * 1024  # a VGA JPEG of quality 50 has about 40 kB; the StickC takes less


class Kind(IntEnum):
    """What a frame's payload is."""

    PICTURE = 1
    DETECTIONS = 2
    TEXT = 3
    COMMAND = 4
    ANSWER = 5
    CAPABILITY = 6
    PICTURE_HEAD = 7


@dataclass(frozen=True, kw_only=True)
class Header:
    """What stands before every payload; little-endian."""

    sync: int = u16("the bytes FF 4B", default=int.from_bytes(SYNC, "little"))
    kind: int = bits(2, 0, 3, "what the payload is", unit=1)
    version: int = bits(2, 4, 7, "of this layout", unit=1, default=VERSION)
    sequence: int = u16("counts every frame of this direction, modulo 65536")
    length: int = u32("bytes of the payload")
    check: int = u16("low half of the CRC-32 over the bytes before it")


def packer(record: type) -> struct.Struct:
    """The record's words as a `struct.Struct`, derived from its declaration; bit fields share their word."""
    words = sorted({(f.offset, f.unit_bytes) for f in fields(record)})
    return struct.Struct("<" + "".join({1: "B", 2: "H", 4: "I", 8: "Q"}[width] for _, width in words))


_HEADER = packer(Header)
_CHECKED = _HEADER.size - 2  # bytes under the header's own check
_CRC = struct.Struct("<I")
OVERHEAD = _HEADER.size + _CRC.size
_MOST_GAP = 1000  # missing numbers; more than that, and the peer has started anew


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame that arrived whole."""

    kind: int
    sequence: int
    payload: bytes


@dataclass
class Encoder:
    """Wraps payloads; `sequence` is that of the next frame."""

    sequence: int = 0

    def encode(self, kind: int, payload: bytes | memoryview) -> bytes:
        """The frame's bytes; a payload above `MOST_PAYLOAD` is a `FormatError`."""
        if len(payload) > MOST_PAYLOAD:
            raise FormatError("the payload is too long for one frame", found=f"{len(payload):,} bytes",
                              expected=f"at most {MOST_PAYLOAD:,}")  # fmt: skip
        head = _HEADER.pack(int.from_bytes(SYNC, "little"), VERSION << 4 | kind, self.sequence, len(payload), 0)
        head = head[:_CHECKED] + (crc32(head[:_CHECKED]) & 0xFFFF).to_bytes(2, "little")
        self.sequence = (self.sequence + 1) & 0xFFFF
        return b"".join((head, payload, _CRC.pack(crc32(payload, crc32(head)))))


@dataclass
class Counts:
    """What a decoder saw."""

    frames: int = 0
    lost: int = 0  # missing sequence numbers
    damaged: int = 0  # a good header, but the CRC did not fit
    duplicates: int = 0
    resyncs: int = 0  # times that bytes had to be skipped to find a frame
    skipped_bytes: int = 0
    foreign: int = 0  # whole frames of another version


@dataclass
class Decoder:
    """Finds frames in a stream of bytes; after damage it goes on at the next possible start.

    A candidate that fails is given up from its second byte on, never by its length, so a damaged header costs its own
    frame alone. At most `most_payload` and one frame's overhead are kept.
    """

    most_payload: int = MOST_PAYLOAD
    counts: Counts = field(default_factory=Counts)
    _buffer: bytearray = field(default_factory=bytearray)
    _last: tuple[int, int] | None = None  # sequence number and CRC of the frame before
    _in_step: bool = False

    @property
    def pending(self) -> int:
        """Bytes kept because more must come before they can be judged."""
        return len(self._buffer)

    def feed(self, data: bytes | memoryview) -> list[Frame | bytes]:
        """Take bytes as they came; return whole frames, and between them the bytes that belong to none, in order."""
        found: list[Frame | bytes] = []
        block = self.most_payload + OVERHEAD
        for start in range(0, len(data), block):
            self._buffer += data[start : start + block]
            self._scan(found, final=False)
        return found

    def give_up(self) -> list[Frame | bytes]:
        """The line has been silent, or has ended: judge what is pending by what is there."""
        found: list[Frame | bytes] = []
        self._scan(found, final=True)
        return found

    def _scan(self, found: list[Frame | bytes], *, final: bool) -> None:
        buffer, at = self._buffer, 0
        with memoryview(buffer) as view:
            while True:
                start = buffer.find(SYNC, at)
                if start < 0:
                    keep = 0 if final or not buffer.endswith(SYNC[:1]) or at == len(buffer) else 1
                    at = self._skip(found, view, at, len(buffer) - keep)
                    break
                at = self._skip(found, view, at, start)
                end = self._try(found, view, start)
                if end is None and not final:
                    break
                at = end or self._skip(found, view, at, start + len(SYNC))
        del buffer[:at]

    def _try(self, found: list[Frame | bytes], view: memoryview, start: int) -> int | None:
        """Judge the candidate at `start`: the frame's end, 0 if it is none, None if more bytes are needed."""
        body = start + _HEADER.size
        if body > len(view):
            return None
        _, kind, sequence, length, check = _HEADER.unpack_from(view, start)
        if crc32(view[start : start + _CHECKED]) & 0xFFFF != check or length > self.most_payload:
            return 0
        end = body + length
        if end + _CRC.size > len(view):
            return None
        crc = crc32(view[start:end])
        if _CRC.unpack_from(view, end)[0] != crc:
            self.counts.damaged += 1
            return 0
        self._in_step = True
        if kind >> 4 != VERSION:
            self.counts.foreign += 1
        elif self._is_new(sequence, crc):
            found.append(Frame(kind & 15, sequence, bytes(view[body:end])))
        return int(end + _CRC.size)

    def _is_new(self, sequence: int, crc: int) -> bool:
        if (sequence, crc) == self._last:
            self.counts.duplicates += 1
            return False
        if self._last is not None:
            gap = (sequence - self._last[0] - 1) & 0xFFFF
            self.counts.lost += gap if gap < _MOST_GAP else 0
        self._last = (sequence, crc)
        self.counts.frames += 1
        return True

    def _skip(self, found: list[Frame | bytes], view: memoryview, start: int, end: int) -> int:
        if end > start:
            found.append(bytes(view[start:end]))
            self.counts.skipped_bytes += end - start
            self.counts.resyncs += self._in_step
            self._in_step = False
        return end
