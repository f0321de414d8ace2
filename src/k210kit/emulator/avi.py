"""AVI files of JPEG pictures, as MaixPy records and plays them; sound in a file is skipped."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import IO

__all__ = ["AviForm", "AviReader", "AviWriter"]


@dataclass(frozen=True, kw_only=True)
class AviForm:
    """What the header tells."""

    width: int
    height: int
    microseconds_per_frame: int
    frames: int


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _header(form: AviForm) -> bytes:
    """The `hdrl` list: main header, one video stream."""
    size = (form.width, form.height)
    main = struct.pack("<14I", form.microseconds_per_frame, 0, 0, 0x10, form.frames, 0, 1, 0, *size, 0, 0, 0, 0)
    stream = b"vidsMJPG" + struct.pack(
        "<IHHIIIIIIIIHHHH", 0, 0, 0, 0, form.microseconds_per_frame, 1_000_000, 0, form.frames, 0, 0, 0, 0, 0, *size
    )
    picture = struct.pack("<IiiHH4sIIIII", 40, *size, 1, 24, b"MJPG", form.width * form.height * 3, 0, 0, 0, 0)
    streams = _chunk(b"LIST", b"strl" + _chunk(b"strh", stream) + _chunk(b"strf", picture))
    return _chunk(b"LIST", b"hdrl" + _chunk(b"avih", main) + streams)


class AviWriter:
    """Appends JPEG pictures; `finish` writes the index and the header's figures."""

    def __init__(self, stream: IO[bytes], form: AviForm) -> None:
        self._stream, self._form = stream, form
        self._index: list[tuple[int, int]] = []  # offset from `movi`, bytes
        self._start = 12 + len(_header(form)) + 8
        stream.write(b"\0" * (self._start - 8) + b"LIST\0\0\0\0movi")

    def append(self, jpeg: bytes) -> None:
        self._index.append((self._stream.tell() - self._start, len(jpeg)))
        self._stream.write(_chunk(b"00dc", jpeg))

    def finish(self) -> None:
        """Complete the file and close it."""
        stream, form = self._stream, self._form
        movi = stream.tell() - self._start
        entries = (struct.pack("<4sIII", b"00dc", 0x10, offset, size) for offset, size in self._index)
        stream.write(_chunk(b"idx1", b"".join(entries)))
        total = stream.tell()
        made = AviForm(
            width=form.width,
            height=form.height,
            microseconds_per_frame=form.microseconds_per_frame,
            frames=len(self._index),
        )
        stream.seek(0)
        stream.write(b"RIFF" + struct.pack("<I", total - 8) + b"AVI " + _header(made))
        stream.write(b"LIST" + struct.pack("<I", movi))
        stream.close()


class AviReader:
    """Reads one picture after the other; raises ValueError for what is no such file."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        kind, _, form = struct.unpack("<4sI4s", self._read(12))
        if kind != b"RIFF" or form != b"AVI ":
            raise ValueError("no AVI file")
        self.form = self._find_pictures()

    def next_picture(self) -> bytes | None:
        """The next JPEG, or None at the end."""
        while len(head := self._stream.read(8)) == 8:
            name, size = struct.unpack("<4sI", head)
            if name == b"LIST":
                self._stream.read(4)
                continue
            data = self._stream.read(size + size % 2)[:size]
            if name[2:] in (b"dc", b"db") and data:
                return data
            if name == b"idx1":
                return None
        return None

    def _find_pictures(self) -> AviForm:
        """Read the header, and stop where the pictures begin."""
        form: AviForm | None = None
        while True:
            name, size = struct.unpack("<4sI", self._read(8))
            if name == b"LIST":
                if self._read(4) == b"movi" and form is not None:
                    return form
            elif name == b"avih":
                words = struct.unpack("<10I", self._read(size)[:40])
                form = AviForm(width=words[8], height=words[9], microseconds_per_frame=words[0], frames=words[4])
            else:
                self._read(size + size % 2)

    def _read(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) < size:
            raise ValueError("the AVI file ends too early")
        return data

    def close(self) -> None:
        self._stream.close()
