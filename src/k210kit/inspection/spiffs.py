"""MaixPy's flash file system, read as far as its files' names and sizes.

SPIFFS keeps its blocks' page table in each block's first page: a 16-bit object number per page, the top bit set for a
page that describes a file. Sizes are those that MaixPy is configured with; the layout was checked against the resource
image of the M5StickV, whose 24 blocks all carry the mark below.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

__all__ = ["StoredFile", "is_file_system", "stored_files"]

PAGE, BLOCK = 0x1000, 0x20000
_MAGIC = 0x20140529
_MARK_AT = PAGE - 4  # of each block: its mark, 16 bits
_FREE, _DELETED, _DESCRIBES = 0xFFFF, 0x0000, 0x8000
_SIZE_AT, _NAME_AT, _LONGEST_NAME = 8, 13, 128
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
    found = {}
    for block in range(0, len(data) - BLOCK + 1, BLOCK):
        for number in range(1, BLOCK // PAGE):
            entry = _word(data, block + 2 * (number - 1))
            if entry in (_FREE, _DELETED) or not entry & _DESCRIBES:
                continue
            file = _file(data, block + number * PAGE)
            if file is not None:
                found[file.name] = file
    return tuple(found[name] for name in sorted(found))


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
