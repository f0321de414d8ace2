"""HDF5 files are looked over before the HDF5 library sees them: it runs in circles over some damaged ones.

For others it asks for gigabytes, the length of a text that is none: where the system can, its memory is bounded.

Source: the HDF5 file format specification 3.0, III.E (global heap): a collection is the letters GCOL, version 1, its
size, and objects, each of index, references, size and data in multiples of 8 bytes; index 0 is the room that is left.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from pathlib import Path

from k210kit.errors import FormatError

__all__ = ["bounded_memory", "check_heaps"]

_HEAD, _OBJECT = 16, 16
_STATM = Path("/proc/self/statm")  # of Linux: the process's size in pages comes first


@contextlib.contextmanager
def bounded_memory(more_bytes: int) -> Iterator[None]:
    """Let the process grow by so much and no more, on Linux; elsewhere nothing is bounded."""
    try:
        import resource

        pages = int(_STATM.read_text(encoding="utf-8").split()[0])
    except (ImportError, OSError):
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    most = pages * resource.getpagesize() + more_bytes
    if before[0] != resource.RLIM_INFINITY:
        most = min(most, before[0])
    resource.setrlimit(resource.RLIMIT_AS, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def check_heaps(data: bytes, name: str) -> None:
    """Walk every global heap, where texts such as the network's description lie; a `FormatError` if one is damaged."""
    at = data.find(b"GCOL")
    while at >= 0:
        if at % 8 == 0:
            _check(data, at, name)
        at = data.find(b"GCOL", at + 4)


def _check(data: bytes, start: int, name: str) -> None:
    version, size = data[start + 4 : start + 5], data[start + 8 : start + 16]
    if version != b"\x01" or len(size) < 8:
        return  # these letters in somebody's weights
    (length,) = struct.unpack("<Q", size)
    if not _HEAD < length <= len(data) - start:
        raise FormatError("the HDF5 file is damaged: a heap is larger than the file", field=name, offset=start)
    place, end = start + _HEAD, start + length
    while place + _OBJECT <= end:
        index, _, _, count = struct.unpack_from("<HHIQ", data, place)
        if index == 0:  # the room that is left, its own head counted
            break
        step = _OBJECT + -(-count // 8) * 8
        if step > end - place:
            raise FormatError("the HDF5 file is damaged: a text is longer than its heap", field=name, offset=place)
        place += step
    if place + _OBJECT <= end and struct.unpack_from("<Q", data, place + 8)[0] != end - place:
        raise FormatError("the HDF5 file is damaged: a heap does not fill its room", field=name, offset=place)
