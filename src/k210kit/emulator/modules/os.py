"""`os` and `uos`: files of the card. Sources: port/src/standard_lib/uos/moduos.c, extmod/vfs.c."""

from __future__ import annotations

import stat as host
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

from k210kit.emulator.board import Board
from k210kit.emulator.modules.table import NotEmulatedError, device_module
from k210kit.hardware import FILE_SYSTEM_BYTES, FLASH_SECTOR_BYTES

__all__ = ["OsModule"]

_FOLDER, _FILE = 0x4000, 0x8000
_SD_BYTES = 8 << 30
_FROM_1970_TO_2000 = 946_684_800


class _Uname(NamedTuple):
    sysname: str
    nodename: str
    release: str
    version: str
    machine: str


@device_module("os", "uos")
class OsModule:
    """The module."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._files = board.files

    def listdir(self, path: str = "") -> list[str]:
        return self._files.listdir(path)

    def ilistdir(self, path: str = "") -> Iterator[tuple[str, int, int, int]]:
        """(name, type, 0, size) of each entry."""
        for name in self._files.listdir(path):
            kind, _, _, _, _, _, size, *_ = self.stat(f"{path}/{name}" if path else name)
            yield name, kind, 0, size

    def getcwd(self) -> str:
        return self._files.working

    def chdir(self, path: str) -> None:
        self._files.change_folder(path)

    def mkdir(self, path: str) -> None:
        self._files.folder_of(path, "mkdir")

    def rmdir(self, path: str) -> None:
        self._files.folder_of(path, "rmdir")

    def remove(self, path: str) -> None:
        self._files.folder_of(path, "remove")

    unlink = remove

    def rename(self, old: str, new: str) -> None:
        self._files.rename(old, new)

    def stat(self, path: str) -> tuple[int, ...]:
        found = self._files.stat(path)
        if found is None:
            return (_FOLDER, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        kind = _FOLDER if host.S_ISDIR(found.st_mode) else _FILE
        size = 0 if kind == _FOLDER else found.st_size
        when = max(0, int(found.st_mtime) - _FROM_1970_TO_2000)
        return (kind, 0, 0, 0, 0, 0, size, when, when, when)

    def statvfs(self, path: str) -> tuple[int, ...]:
        """Block size, blocks, free blocks, … : 3 MiB on /flash, 8 GiB on /sd."""
        full = self._files.absolute(path)
        block, total = (FLASH_SECTOR_BYTES, FILE_SYSTEM_BYTES) if not full.startswith("/sd") else (32768, _SD_BYTES)
        self._files.stat(path)
        return (block, block, total // block, total // block // 2, total // block // 2, 0, 0, 0, 0, 255)

    def sync(self) -> None:
        return None

    def uname(self) -> _Uname:
        release = self._board.firmware.version.removeprefix("v").split("-")[0]
        version = f"{self._board.firmware.version} on 2022-08-26"
        return _Uname("MaixPy", "MaixPy", release, version, "Sipeed_M1 with kendryte-k210")

    def urandom(self, count: int) -> bytes:
        return self._board.random.randbytes(int(count))

    def dupterm(self, *_: Any) -> None:
        """Any: a stream; the prompt stays where it is."""

    def set_REPLio(self, uart: Any) -> None:
        """Any: a UART; the prompt stays where it is."""

    def mount(self, device: Any, path: str, **_: Any) -> NoReturn:
        """Any: a block device of the script."""
        self._refuse("os.mount")

    def umount(self, path: Any) -> NoReturn:
        """Any: a path or a file system."""
        self._refuse("os.umount")

    def VfsFat(self, device: Any) -> NoReturn:
        """Any: a block device of the script."""
        self._refuse("os.VfsFat")

    def VfsSpiffs(self, device: Any) -> NoReturn:
        """Any: a block device of the script."""
        self._refuse("os.VfsSpiffs")

    def flash_format(self) -> NoReturn:
        self._refuse("os.flash_format")

    def _refuse(self, what: str) -> NoReturn:
        self._board.not_emulated(what)
        raise NotEmulatedError(f"{what} is not emulated: /flash and /sd are folders of this computer.")
