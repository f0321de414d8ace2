"""The board's files: /flash and /sd as folders of this computer, and the raw flash chip.

A path of the script never leaves its folder: `..` stops at the top, links that lead out are not followed.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

from k210kit.errors import InputError
from k210kit.hardware import FLASH_BYTES

__all__ = ["Card", "FlashChip", "os_error"]


def os_error(number: int) -> OSError:
    """`OSError: [Errno 2] ENOENT`, worded as MicroPython does."""
    return OSError(number, errno.errorcode.get(number, str(number)))


@dataclass
class Card:
    """What is mounted: board folder -> folder of this computer."""

    mounts: dict[str, Path]
    working: str = "/"
    room: dict[str, int] = field(default_factory=dict)  # bytes that fit on a mount, where that is limited
    spend: Callable[[str, int, bool], None] = lambda _mount, _count, _written: None  # lets the time of a transfer pass
    beneath: dict[str, Path] = field(default_factory=dict)  # board path -> file shown there while none lies above it

    def absolute(self, path: str) -> str:
        """The board's full name of a path, without `.` and `..`."""
        if not isinstance(path, str):
            raise TypeError(f"can't convert '{type(path).__name__}' object to str implicitly")
        parts: list[str] = []
        for part in PurePosixPath(self.working, path).parts[1:]:
            if part == "..":
                parts = parts[:-1]
            elif part != ".":
                parts.append(part)
        return "/" + "/".join(parts)

    def split(self, path: str) -> tuple[str, Path] | None:
        """(mount, file of this computer), or None for the root itself and for names that are on no mount."""
        full = self.absolute(path)
        for mount, folder in self.mounts.items():
            if full == mount or full.startswith(mount + "/"):
                inside = folder.joinpath(*PurePosixPath(full).parts[len(PurePosixPath(mount).parts) :])
                if not inside.resolve().is_relative_to(folder.resolve()):
                    raise os_error(errno.EACCES)
                return mount, inside
        return None

    def host(self, path: str) -> Path:
        """The file of this computer behind a board path; ENODEV where nothing is mounted."""
        found = self.split(path)
        if found is None:
            raise os_error(errno.ENODEV)
        return found[1]

    def open(self, path: str, mode: str = "rb") -> IO[Any]:
        """Open a file of the card for the kit's own use, in bytes; errors carry the board's words."""
        host = self._readable(path) if "r" in mode and "+" not in mode else self.host(path)
        if host.is_dir():
            raise os_error(errno.EISDIR)
        try:
            return host.open(mode)
        except OSError as failure:
            raise os_error(failure.errno or errno.EIO) from None

    def _readable(self, path: str) -> Path:
        """The file behind a path: on the card, else the one that shows through from beneath."""
        host = self.host(path)
        return host if host.exists() else self.beneath.get(self.absolute(path), host)

    def transfer(self, path: str, count: int, *, written: bool) -> None:
        """Account for bytes of a file that are read or about to be written; ENOSPC where they do not fit."""
        found = self.split(path)
        mount = found[0] if found is not None else ""
        limit = self.room.get(mount)
        if written and limit is not None:
            used = sum(file.stat().st_size for file in self.mounts[mount].rglob("*") if file.is_file())
            if used + count > limit:
                raise os_error(errno.ENOSPC)
        self.spend(mount, count, written)

    def exists(self, path: str) -> bool:
        full = self.absolute(path)
        found = self.split(path)
        return full == "/" or full in self.beneath or (found is not None and found[1].exists())

    def stat(self, path: str) -> os.stat_result | None:
        """The host's stat, or None for the root."""
        if self.absolute(path) == "/":
            return None
        try:
            return self._readable(path).stat()
        except FileNotFoundError:
            raise os_error(errno.ENOENT) from None

    def listdir(self, path: str = "") -> list[str]:
        full = self.absolute(path)
        if full == "/":
            return [mount[1:] for mount in self.mounts]
        host = self.host(full)
        if not host.is_dir():
            raise os_error(errno.ENOENT)
        shown = [name.rpartition("/")[2] for name in self.beneath if name.rpartition("/")[0] == full]
        return sorted({entry.name for entry in host.iterdir()} | set(shown))

    def change_folder(self, path: str) -> None:
        full = self.absolute(path)
        if full != "/" and not self.host(full).is_dir():
            raise os_error(errno.ENOENT)
        self.working = full

    def folder_of(self, path: str, change: str) -> None:
        """mkdir, rmdir, remove: `change` names which."""
        host = self.host(path)
        try:
            {"mkdir": host.mkdir, "rmdir": host.rmdir, "remove": host.unlink}[change]()
        except OSError as failure:
            raise os_error(failure.errno or errno.EIO) from None

    def rename(self, old: str, new: str) -> None:
        try:
            self.host(old).replace(self.host(new))
        except OSError as failure:
            raise os_error(failure.errno or errno.EIO) from None


class FlashChip:
    """The 16 MiB SPI flash as raw bytes: erased (0xFF) where nothing was written."""

    def __init__(self) -> None:
        self._pieces: list[tuple[int, bytes]] = []

    def write(self, address: int, data: bytes, what: str = "") -> None:
        """Put an image there; an `InputError` if it does not fit the chip."""
        if address < 0 or address + len(data) > FLASH_BYTES:
            raise InputError(
                f"{what or 'the data'} at 0x{address:X} has {len(data):,} bytes and ends beyond the flash chip's "
                f"{FLASH_BYTES:,} bytes. Give a lower address."
            )
        self._pieces.append((address, data))

    def read(self, address: int, count: int) -> bytes:
        """`count` bytes from `address`; later writes lie above earlier ones."""
        made = bytearray(b"\xff" * count)
        for start, data in self._pieces:
            first, last = max(address, start), min(address + count, start + len(data))
            if first < last:
                made[first - address : last - address] = data[first - start : last - start]
        return bytes(made)
