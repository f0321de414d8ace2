"""What keeps a stranger's script from this computer's files, network and memory, as far as Python can.

The script has no built-in name that leads out, and `script` hides the attributes that would. Behind that stands an
audit hook of CPython: while a script runs, opening files outside of the given folders, starting programs and opening
connections raise PermissionError. Memory is limited by the system, and watched.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["Fence", "limit_memory", "memory_watch"]

# Arguments that are paths, by audit event; the first number is the event's argument.
_READS = ("open", "os.listdir", "os.scandir", "os.walk")
_WRITES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.chmod", "os.truncate", "os.link", "os.symlink")
_REFUSED = (
    "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "os.kill", "os.chown",
    "subprocess.Popen", "socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "pty.spawn",
    "webbrowser.open", "ftplib.connect", "smtplib.connect", "urllib.Request", "ctypes.dlopen", "ctypes.dlsym",
    "ctypes.call_function", "ctypes.cdata", "os.putenv", "os.add_dll_directory", "sys.addaudithook", "code.__new__",
)  # fmt: skip
# Modules with which a program leaves its process; the kit's own use of some happens while the fence is open.
_NOT_IMPORTED = frozenset(
    (
        "_ctypes",
        "_posixsubprocess",
        "_socket",
        "_multiprocessing",
        "ctypes",
        "multiprocessing",
        "pty",
        "socket",
        "subprocess",
    )
)
_SPARE_BYTES = 600 * 1024 * 1024
_WATCHED_BYTES = 320 * 1024 * 1024
_WATCHED_BLOCKS = 500_000  # of small objects; a board's heap holds about 16,000


class Fence:
    """An audit hook that guards while it is closed. Hooks cannot be removed, so a process has one fence."""

    def __init__(self, readable: Iterable[Path], writable: Iterable[Path]) -> None:
        own = [
            Path(sys.prefix),
            Path(sys.base_prefix),
            Path(__file__).parent.parent,
            *map(Path, filter(None, sys.path)),
        ]
        self._writable = [str(path.resolve()) for path in writable]
        self._readable = [*(str(path.resolve()) for path in [*own, *readable]), *self._writable]
        self._package = str(Path(__file__).resolve().parent.parent)
        self._numba = str(Path("~/.cache/numba").expanduser())
        self._closed = False
        self.own_blocks = 0  # small objects that the kit's own code has kept
        sys.addaudithook(self._hook)

    def close(self) -> None:
        self._closed = True

    def open(self) -> None:
        self._closed = False

    @contextmanager
    def trusted(self) -> Iterator[None]:
        """Open while the kit's own code works."""
        was_closed, self._closed = self._closed, False
        blocks = sys.getallocatedblocks()
        try:
            yield
        finally:
            self._closed = was_closed
            self.own_blocks += sys.getallocatedblocks() - blocks

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:  # Any: each event has its own
        if not self._closed:
            return
        if event in _REFUSED:
            raise PermissionError(f"{event} is not for a script on the emulated board")
        if event == "import" and str(arguments[0]).partition(".")[0] in _NOT_IMPORTED:
            raise PermissionError(f"{arguments[0]} is not for a script on the emulated board")
        if event == "open":
            self._check_open(*arguments[:3])
        elif event in _READS:
            self._check(arguments[0], self._readable)
        elif event in _WRITES:
            for path in arguments[:2] if event in ("os.rename", "os.link", "os.symlink") else arguments[:1]:
                self._check(path, self._writable)

    def _check_open(self, path: Any, mode: Any, flags: Any) -> None:
        writes = bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)) if isinstance(flags, int) else False
        if isinstance(mode, str):
            writes = writes or any(letter in mode for letter in "wax+")
        self._check(path, self._writable if writes else self._readable)

    def _check(self, path: Any, folders: list[str]) -> None:
        if isinstance(path, int) or path is None:
            return
        self._closed = False  # resolving asks the system, and must not ask this hook
        try:
            full = os.path.realpath(os.fsdecode(path))
        finally:
            self._closed = True
        if full.startswith(
            (
                "/proc/self/",
                f"/proc/{os.getpid()}/",
                "/sys/devices/system/cpu",
                "/proc/meminfo",
                "/dev/null",
                "/dev/urandom",
            )
        ):
            return
        if self._is_cache(full):
            return
        if not any(full == folder or full.startswith(folder.rstrip(os.sep) + os.sep) for folder in folders):
            raise PermissionError(f"{full} lies outside of the emulated card")

    def _is_cache(self, full: str) -> bool:
        """Compiled code that the kit's own libraries keep: Python's and numba's."""
        return (full.startswith(self._package) and f"{os.sep}__pycache__" in full) or full.startswith(self._numba)


def limit_memory() -> None:
    """Let the system refuse what goes far beyond what is in use now; where it can (Linux)."""
    try:
        import resource
    except ImportError:
        return
    in_use = _status_bytes("VmData:")
    if in_use is not None:
        limit = in_use + _SPARE_BYTES
        resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def memory_watch(fence: Fence) -> Callable[[], None]:
    """A check that raises MemoryError once the process has grown by far more than any board holds."""
    blocks = sys.getallocatedblocks()
    resident = _status_bytes("VmRSS:")

    def check() -> None:
        if sys.getallocatedblocks() - fence.own_blocks - blocks > _WATCHED_BLOCKS:
            raise MemoryError("memory allocation failed, allocating 32 bytes")
        now = _status_bytes("VmRSS:") if resident is not None else None
        if now is not None and resident is not None and now - resident > _WATCHED_BYTES:
            raise MemoryError("memory allocation failed, allocating 4096 bytes")

    return check


def _status_bytes(name: str) -> int | None:
    try:
        with Path("/proc/self/status").open(encoding="utf-8") as stream:
            for line in stream:
                if line.startswith(name):
                    return int(line.split()[1]) * 1024
    except OSError:
        return None
    return None
