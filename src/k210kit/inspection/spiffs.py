"""MaixPy's flash file system, read: its files' names, sizes and contents.

SPIFFS keeps its blocks' page table in each block's first page: a 16-bit object number per page, the top bit set for a
page that describes a file. Every page begins with its object number and its place in the file, 16 bits each, and a byte
of flags; a page of data goes on with the data. Sizes are those that MaixPy is configured with; the layout was checked
against the resource image of the M5StickV, whose 24 blocks all carry the mark below and whose pictures and sounds end
as their formats ask.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["StoredFile", "file_contents", "is_file_system", "stored_files"]

PAGE, BLOCK = 0x1000, 0x20000
_MAGIC = 0x20140529
_MARK_AT = PAGE - 4  # of each block: its mark, 16 bits
_FREE, _DELETED, _DESCRIBES = 0xFFFF, 0x0000, 0x8000
_SIZE_AT, _NAME_AT, _LONGEST_NAME = 8, 13, 128
_DATA_AT = 5  # behind a page's head
_UNDEFINED_SIZE = 0xFFFFFFFF


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """A file's name, with the slash that MaixPy puts before it, and its size in bytes."""

    name: str
    size: int


def is_file_system(data: bytes) -> bool:
    """Whether `data` is a formatted file system of whole blocks: the first block's mark names their number."""
    blocks = len(data) // BLOCK
    if blocks < 2 or len(data) % BLOCK:
        return False
    return _word(data, _MARK_AT) == (_MAGIC ^ PAGE ^ blocks) & 0xFFFF


def stored_files(data: bytes) -> tuple[StoredFile, ...]:
    """The files of a file system, by name; pages that make no sense are passed over."""
    found = {file.name: file for _, file in _descriptions(data)}
    return tuple(found[name] for name in sorted(found))


def file_contents(data: bytes) -> dict[str, bytes]:
    """Name to bytes of each file whose pages are all there; a file with a page missing is left out."""
    pages = {(entry, _word(data, page + 2)): page for entry, page in _pages(data) if not entry & _DESCRIBES}
    found = {}
    for number, file in _descriptions(data):
        if file.size > len(data):
            continue
        count = -(-file.size // (PAGE - _DATA_AT))
        places = [pages.get((number, k)) for k in range(count)]
        parts = [data[place + _DATA_AT : place + PAGE] for place in places if place is not None]
        if len(parts) == count:
            found[file.name] = b"".join(parts)[: file.size]
    return found


def _descriptions(data: bytes) -> Iterator[tuple[int, StoredFile]]:
    """Object number and description of each file."""
    for entry, page in _pages(data):
        file = _file(data, page) if entry & _DESCRIBES else None
        if file is not None:
            yield entry & ~_DESCRIBES, file


def _pages(data: bytes) -> Iterator[tuple[int, int]]:
    """Entry in its block's table, and offset, of each page in use."""
    for block in range(0, len(data) - BLOCK + 1, BLOCK):
        for number in range(1, BLOCK // PAGE):
            entry = _word(data, block + 2 * (number - 1))
            if entry not in (_FREE, _DELETED):
                yield entry, block + number * PAGE


def _file(data: bytes, page: int) -> StoredFile | None:
    """The file that a page describes, if it is the first of those that do."""
    if _word(data, page + 2) != 0:
        return None
    raw = data[page + _NAME_AT : page + _NAME_AT + _LONGEST_NAME].split(b"\0")[0]
    (size,) = struct.unpack_from("<I", data, page + _SIZE_AT)
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if not name or not name.isprintable():
        return None
    return StoredFile(name=name, size=0 if size == _UNDEFINED_SIZE else size)


def _word(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 2], "little")
