"""Reading a zip that a stranger made: bounded memory, no odd names, one clear error."""

from __future__ import annotations

import io
import lzma
import re
import stat
import struct
import zipfile
import zlib

from k210kit.errors import FormatError

__all__ = ["SafeZip"]

MOST_ENTRIES = 1000
_ENTRY_BYTES = 1024  # of the directory, per entry: a long path and its attributes
_END = b"PK\x05\x06"
_END_BYTES = 22
_LONGEST_COMMENT = 65535
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)  # all that kflash unpacks
_MOST_LZMA_WINDOW = 64 * 1024 * 1024  # bytes that unpacking will reserve
_ENCRYPTED = 1
_ZIP_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,
    ValueError,
    RuntimeError,
    OSError,  # what bz2 raises for bad data
)


class SafeZip:
    """A zip held in memory. All names are checked on opening; at most `most_bytes` are unpacked in its whole life.

    Raises `FormatError` for: no zip, too many entries, a name twice, a name that would leave the folder, symbolic
    links, encryption, a compression other than deflate, bzip2 and LZMA, a wrong checksum, more bytes than allowed.
    """

    def __init__(self, data: bytes, *, most_bytes: int, most_entries: int = MOST_ENTRIES) -> None:
        self._left = most_bytes
        self._data = data
        _check_directory(data, most_entries)
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
            entries = self._zip.infolist()
        except _ZIP_FAULTS as error:
            raise FormatError(f"not a readable zip ({error})", field="zip") from None
        self._entries: dict[str, zipfile.ZipInfo] = {}
        seen: set[str] = set()
        for entry in entries:
            _check_entry(entry)
            if entry.filename.casefold() in seen:
                raise FormatError("a name is there twice", field="zip", found=repr(entry.filename))
            seen.add(entry.filename.casefold())
            if not entry.is_dir():
                self._entries[entry.filename] = entry

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._entries)

    def read(self, name: str, *, most_bytes: int | None = None) -> bytes:
        """The bytes of one file, counted against what may be unpacked."""
        allowed = min(self._left, self._left if most_bytes is None else most_bytes)
        entry = self._entries[name]
        if entry.compress_type == zipfile.ZIP_LZMA:
            _check_window(self._data, entry)
        try:
            with self._zip.open(entry) as stream:
                data = stream.read(allowed + 1)
        except _ZIP_FAULTS as error:
            raise FormatError(f"cannot be unpacked ({error})", field=repr(name)) from None
        if len(data) > allowed:
            raise FormatError("too large when unpacked", field=repr(name), expected=f"at most {allowed:,} bytes")
        self._left -= len(data)
        return data


def _check_directory(data: bytes, most_entries: int) -> None:
    """Look at the end record before `zipfile` builds an object for every entry it claims."""
    at = len(data) - _END_BYTES
    if at < 0:
        raise FormatError("too short for a zip", field="zip", found=f"{len(data)} bytes")
    if data[at : at + 4] != _END or data[-2:] != b"\0\0":
        at = data.rfind(_END, max(0, len(data) - _END_BYTES - _LONGEST_COMMENT))
    if at < 0 or at + _END_BYTES > len(data):
        raise FormatError("no end record, so not a zip or cut off", field="zip", found=repr(data[:4]))
    size = int.from_bytes(data[at + 12 : at + 16], "little")
    entries = int.from_bytes(data[at + 10 : at + 12], "little")
    if data[max(0, at - 20) : at].startswith(b"PK\x06\x07"):
        raise FormatError("a zip64 archive", field="zip", expected="a plain zip: a flash chip has 16 MiB")
    most_directory = most_entries * _ENTRY_BYTES
    if size > most_directory or entries > most_entries:
        raise FormatError(
            "its directory is too large", field="zip", found=f"{entries} entries in {size:,} bytes",
            expected=f"at most {most_entries} entries in {most_directory:,} bytes",
        )  # fmt: skip


def _check_entry(entry: zipfile.ZipInfo) -> None:
    name = entry.filename
    parts = name.removesuffix("/").split("/")
    if not name or re.search(r'[\x00-\x1f\\:*?"<>|]', name) or any(part in ("", ".", "..") for part in parts):
        raise FormatError("a name that could leave its folder", field="zip", found=repr(name), expected="a plain name")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise FormatError("a symbolic link", field="zip", found=repr(name), expected="plain files")
    if entry.flag_bits & _ENCRYPTED:
        raise FormatError("an encrypted file", field="zip", found=repr(name), expected="plain files")
    if entry.compress_type not in _METHODS:
        raise FormatError(
            "an unusual compression", field="zip", found=f"method {entry.compress_type} for {name!r}",
            expected="stored, deflate, bzip2 or LZMA",
        )  # fmt: skip


def _check_window(data: bytes, entry: zipfile.ZipInfo) -> None:
    """Refuse an LZMA entry that would reserve more memory than a flash chip needs."""
    head = entry.header_offset
    names, extra = struct.unpack("<HH", data[head + 26 : head + 30].ljust(4, b"\0"))
    at = head + 30 + names + extra  # version u16, size of the properties u16, lc/lp/pb, window u32
    window = int.from_bytes(data[at + 5 : at + 9], "little")
    if window > _MOST_LZMA_WINDOW:
        raise FormatError(
            "an LZMA window that is too large", field=repr(entry.filename), found=f"{window:,} bytes",
            expected=f"at most {_MOST_LZMA_WINDOW:,}",
        )  # fmt: skip
