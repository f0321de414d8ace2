"""Files are written whole or not at all, and never over something of the user's without being asked."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from k210kit.errors import FileError, missing_file

__all__ = ["of_the_computer", "read_whole", "refuse_existing", "write_whole"]

# what a computer says about a name or a disk; any other OSError is our own fault
_NAMES_AND_DISKS = frozenset(
    (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ENOSPC, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ELOOP)
)
_FULL = frozenset((errno.ENOSPC, errno.EFBIG, errno.EDQUOT))


def read_whole(path: Path, *, most_bytes: int | None = None) -> bytes:
    """Read a file of the user's; a missing, unreadable or oversized one is a `FileError`."""
    try:
        if path.is_dir():
            raise FileError(f"{path} is a folder; a file was expected.")
        size = path.stat().st_size
        if most_bytes is not None and size > most_bytes:
            raise FileError(f"{path} has {size:,} bytes; at most {most_bytes:,} are read here.")
        return path.read_bytes()
    except FileNotFoundError:
        raise missing_file(path) from None
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}.") from error


def refuse_existing(path: Path, *, force: bool) -> None:
    """Raise `FileError` if `path` exists and `force` is not set."""
    if path.exists() and not force:
        raise FileError(f"{path} exists already. Give another name, or --force to replace it.")


def write_whole(path: Path, data: bytes | str, *, force: bool = False) -> None:
    """Write `data` to a temporary file beside `path`, then rename it into place; text is UTF-8."""
    refuse_existing(path, force=force)
    raw = data.encode() if isinstance(data, str) else data
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(raw)
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror}.") from error


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def of_the_computer(error: OSError) -> FileError | None:
    """What a computer says about a name or a disk, as an error of the user's; None for an `OSError` of our own."""
    if error.errno in _FULL and error.filename is None:
        return FileError(
            f"Nothing more can be written: {error.strerror}. Make room on the disk that the output goes to."
        )
    if error.errno not in _NAMES_AND_DISKS or not isinstance(error.filename, str):
        return None
    return FileError(f"{error.filename} cannot be used: {error.strerror}.")
