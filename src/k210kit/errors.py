"""Every error of the kit.

    KitError                     the root; on its own, our own fault          exit 1
    ├─ InputError                what the user gave is wrong                  exit 2
    │  ├─ FileError              a file is missing, exists already, cannot be read or written
    │  ├─ FormatError            bytes are not what their format demands
    │  ├─ UnsupportedError       valid, but the K210 or the kit cannot do it
    │  ├─ MissingExtraError      an optional library is not installed
    │  └─ DeviceError            a port, a board or a link does not answer as expected
    └─ RefusedError              the answer is no                             exit 3

A message says what happened, the value received, what was expected, and what to do next.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = [
    "DeviceError",
    "FileError",
    "FormatError",
    "InputError",
    "KitError",
    "MissingExtraError",
    "RefusedError",
    "UnsupportedError",
    "in_file",
    "missing_file",
    "unknown",
]


class KitError(Exception):
    """The root of all errors of the kit; `exit_code` is what the command line returns for it."""

    exit_code = 1


class InputError(KitError):
    """What the user gave is wrong."""

    exit_code = 2


class FileError(InputError):
    """A file is missing, exists already, or cannot be read or written."""


class FormatError(InputError):
    """Bytes are not what their format demands.

    `field` names the place in the format, `offset` is in bytes from the start of the file; `in_file` adds `file`.
    """

    def __init__(
        self, message: str, *, field: str = "", offset: int | None = None, found: object = None, expected: str = "",
        file: str = "",
    ) -> None:  # fmt: skip
        self.message, self.field, self.offset, self.found, self.expected = message, field, offset, found, expected
        self.file = file
        where = f"{field}" + (f" at byte {offset}" if offset is not None else "") if field or offset is not None else ""
        parts = [": ".join(filter(None, (file, where, message)))]
        if found is not None:
            parts.append(f"found {found}")
        if expected:
            parts.append(f"expected {expected}")
        super().__init__("; ".join(parts) + ".")


class UnsupportedError(InputError):
    """Valid, but the K210 or the kit cannot do it."""


class MissingExtraError(InputError):
    """An optional library is not installed.

    >>> raise MissingExtraError("tensorflow", extra="train", purpose="training")
    Traceback (most recent call last):
    k210kit.errors.MissingExtraError: training needs tensorflow, which is not installed. \
Install it with: pip install 'k210kit[train]'
    """

    def __init__(self, library: str, *, extra: str, purpose: str) -> None:
        self.library, self.extra = library, extra
        super().__init__(
            f"{purpose} needs {library}, which is not installed. Install it with: pip install 'k210kit[{extra}]'"
        )


class DeviceError(InputError):
    """A port, a board or a link does not answer as expected."""


class RefusedError(KitError):
    """The answer is no: it does not fit, it is below the asked threshold, a check failed."""

    exit_code = 3


def missing_file(path: Path) -> FileError:
    """The one wording for a file that is not there."""
    return FileError(f"{path} does not exist. Check the name, or give the full path.")


def unknown(what: str, name: str, known: Iterable[str], more: str = "") -> InputError:
    """The one wording for a name that is not among those that are known; `more` is a sentence for the end."""
    from difflib import get_close_matches

    names = list(known)
    cases = {one.lower(): one for one in names}
    near = get_close_matches(name.lower(), list(cases), n=1, cutoff=0.6)
    hint = f" Did you mean {cases[near[0]]}?" if near else ""
    return InputError(f"There is no {what} {name!r}.{hint} Known: {', '.join(names)}.{more and ' ' + more}")


@contextmanager
def in_file(path: Path | str) -> Iterator[None]:
    """Name the file in every `FormatError` that its bytes raise."""
    try:
        yield
    except FormatError as error:
        if error.file or str(path) in error.message:
            raise
        raise FormatError(
            error.message, field=error.field, offset=error.offset, found=error.found, expected=error.expected,
            file=str(path),
        ) from error  # fmt: skip
