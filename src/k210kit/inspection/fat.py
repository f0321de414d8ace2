"""The files of an SD card's image: FAT12, FAT16 and FAT32 with long names, alone or in the first partition.

Read only, and from Microsoft's "FAT General Overview of On-Disk Format", version 1.03. Every number of a cluster is
checked, so a damaged image ends in a `FormatError` and never in an endless chain.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from k210kit.errors import FormatError

__all__ = ["CardEntry", "card_entries"]

_SECTOR = 512
_PARTITIONS_AT, _KINDS = 0x1BE, (0x01, 0x04, 0x06, 0x0B, 0x0C, 0x0E)
_ENTRY = 32
_FOLDER, _LABEL, _LONG_NAME = 0x10, 0x08, 0x0F
_LAST, _DELETED = 0x00, 0xE5
_MOST_FAT12, _MOST_FAT16 = 4084, 65524  # clusters
_DEEPEST = 32


@dataclass(frozen=True, kw_only=True)
class CardEntry:
    """A file or folder of the card: its path's parts, and how many bytes it has (a folder: None)."""

    parts: tuple[str, ...]
    size: int | None
    cluster: int

    def read(self, volume: _Volume) -> Iterator[bytes]:
        """The content, a cluster at a time."""
        left = self.size or 0
        for cluster in volume.chain(self.cluster) if left else ():
            data = volume.cluster(cluster)[:left]
            left -= len(data)
            yield data
            if not left:
                return
        if left:
            raise FormatError(f"{'/'.join(self.parts)} ends {left:,} bytes early")


class _Volume:
    """Where the parts of a FAT volume lie in its image."""

    def __init__(self, file: BinaryIO, start: int) -> None:
        self._file, self._start = file, start
        head = self._at(0, _SECTOR)
        self.sector, self.per_cluster, reserved, tables, self.root_entries, total16, _, table16 = struct.unpack_from(
            "<HBHBHHBH", head, 11
        )
        total32, table32, _, _, self.root_cluster = struct.unpack_from("<IIHHI", head, 32)
        if self.sector not in (512, 1024, 2048, 4096) or not self.per_cluster or not tables or not reserved:
            raise FormatError("This is no image of an SD card", expected="a FAT16 or FAT32 file system, or a partition")
        self.table_at = reserved * self.sector
        self.root_at = self.table_at + tables * (table16 or table32) * self.sector
        self.data_at = self.root_at + -(-self.root_entries * _ENTRY // self.sector) * self.sector
        self.clusters = ((total16 or total32) * self.sector - self.data_at) // (self.sector * self.per_cluster)
        self.bits = 12 if self.clusters <= _MOST_FAT12 else 16 if self.clusters <= _MOST_FAT16 else 32

    def _at(self, offset: int, count: int) -> bytes:
        self._file.seek(self._start + offset)
        data = self._file.read(count)
        if len(data) < count:
            raise FormatError("The image ends too early", offset=self._start + offset)
        return data

    def cluster(self, number: int) -> bytes:
        size = self.sector * self.per_cluster
        return self._at(self.data_at + (number - 2) * size, size)

    def chain(self, first: int) -> Iterator[int]:
        """The clusters of a file, in order."""
        number = first
        for _ in range(self.clusters):
            if not 2 <= number < self.clusters + 2:
                raise FormatError(f"A chain of clusters leads to number {number}", expected=f"2 to {self.clusters + 1}")
            yield number
            number = self._next(number)
            if number >= (1 << min(self.bits, 28)) - 8:
                return
        raise FormatError("A chain of clusters has no end")

    def _next(self, number: int) -> int:
        if self.bits == 12:
            (pair,) = struct.unpack("<H", self._at(self.table_at + number * 3 // 2, 2))
            return int(pair >> 4 if number & 1 else pair & 0xFFF)
        size = self.bits // 8
        return int.from_bytes(self._at(self.table_at + number * size, size), "little") & 0x0FFFFFFF

    def root(self) -> bytes:
        if self.bits < 32:
            return self._at(self.root_at, self.root_entries * _ENTRY)
        return self.folder(self.root_cluster)

    def folder(self, cluster: int) -> bytes:
        return b"".join(map(self.cluster, self.chain(cluster)))


def card_entries(path: Path) -> Iterator[tuple[CardEntry, Iterator[bytes]]]:
    """Everything on the card with its content, folders before what is in them. Raises `FormatError`."""
    with path.open("rb") as file:
        volume = _Volume(file, _volume_start(file))
        for entry in _entries(volume, volume.root(), ()):
            yield entry, iter(()) if entry.size is None else entry.read(volume)


def _volume_start(file: BinaryIO) -> int:
    """Where the file system begins: at the first partition that has one, else at the image's start."""
    head = file.read(_SECTOR)
    if head[3:11] == b"EXFAT   ":
        raise FormatError("The card has exFAT, which MaixPy does not read", expected="FAT16 or FAT32")
    if len(head) < _SECTOR or head[510:] != b"\x55\xaa":
        raise FormatError("This is no image of an SD card", expected="a FAT16 or FAT32 file system, or a partition")
    if head[54:57] == b"FAT" or head[82:85] == b"FAT":
        return 0
    for at in range(_PARTITIONS_AT, _PARTITIONS_AT + 64, 16):
        kind, first = head[at + 4], int.from_bytes(head[at + 8 : at + 12], "little")
        if kind in _KINDS:
            return first * _SECTOR
    raise FormatError("No partition of the image has a FAT file system", expected="FAT16 or FAT32")


def _entries(volume: _Volume, table: bytes, above: tuple[str, ...]) -> Iterator[CardEntry]:
    if len(above) > _DEEPEST:
        raise FormatError(f"Folders lie more than {_DEEPEST} deep in each other")
    long_name: list[str] = []
    for at in range(0, len(table) - _ENTRY + 1, _ENTRY):
        raw = table[at : at + _ENTRY]
        if raw[0] == _LAST:
            return
        kind = raw[11]
        if raw[0] == _DELETED or (kind & _LABEL and kind != _LONG_NAME):
            long_name = []
            continue
        if kind == _LONG_NAME:
            long_name.insert(0, (raw[1:11] + raw[14:26] + raw[28:32]).decode("utf-16-le", "replace"))
            continue
        name = "".join(long_name).split("\0")[0] or _short_name(raw)
        long_name = []
        if name in (".", "..") or "/" in name or "\\" in name:
            continue
        high, low, size = struct.unpack_from("<H4xHI", raw, 20)
        cluster = (high << 16 if volume.bits == 32 else 0) | low
        entry = CardEntry(parts=(*above, name), size=None if kind & _FOLDER else size, cluster=cluster)
        yield entry
        if kind & _FOLDER:
            yield from _entries(volume, volume.folder(cluster), entry.parts)


def _short_name(raw: bytes) -> str:
    """`NAME.EXT`; two bits say that name or extension are in small letters."""
    first = b"\xe5" + raw[1:8] if raw[0] == 0x05 else raw[:8]
    name, extension = (part.decode("cp437").rstrip() for part in (first, raw[8:11]))
    name = name.lower() if raw[12] & 0x08 else name
    extension = extension.lower() if raw[12] & 0x10 else extension
    return f"{name}.{extension}" if extension else name
