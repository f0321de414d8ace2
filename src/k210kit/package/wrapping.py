"""The wrapping in which the boot ROM wants the program at flash address 0.

    flag byte (bit 0: AES-128-CBC, bit 1: dual SPI) · length, 4 bytes little-endian · program · SHA-256 of all before

Flag and order are read from kflash 1.1.6 (`flash_firmware`), which sets bit 1 unless it is called with `--iomode qio`.
"""

from __future__ import annotations

import hashlib
from typing import Literal

from k210kit.errors import FormatError
from k210kit.hardware import PROGRAM_DIGEST_BYTES, PROGRAM_HEAD_BYTES

__all__ = ["WRAPPING_BYTES", "IoMode", "is_wrapped", "program_doubt", "unwrap", "wrap"]

IoMode = Literal["dio", "qio"]
_FLAGS: dict[IoMode, int] = {"dio": 0x02, "qio": 0x00}
WRAPPING_BYTES = PROGRAM_HEAD_BYTES + PROGRAM_DIGEST_BYTES


def wrap(program: bytes, io_mode: IoMode = "dio") -> bytes:
    """The bytes that go to flash address 0 for `program`."""
    body = bytes([_FLAGS[io_mode]]) + len(program).to_bytes(4, "little") + program
    return body + hashlib.sha256(body).digest()


def is_wrapped(data: bytes) -> bool:
    """Whether `data` begins with a whole wrapped program whose SHA-256 is right; more may follow."""
    end = PROGRAM_HEAD_BYTES + int.from_bytes(data[1:PROGRAM_HEAD_BYTES], "little")
    if len(data) < WRAPPING_BYTES or data[0] > 3 or end + PROGRAM_DIGEST_BYTES > len(data):
        return False
    return hashlib.sha256(memoryview(data)[:end]).digest() == data[end : end + PROGRAM_DIGEST_BYTES]


def unwrap(data: bytes) -> bytes:
    """The program inside wrapped `data`."""
    if not is_wrapped(data):
        raise FormatError("no program in the boot ROM's wrapping", expected="flag, length, program and its SHA-256")
    return data[PROGRAM_HEAD_BYTES : PROGRAM_HEAD_BYTES + int.from_bytes(data[1:PROGRAM_HEAD_BYTES], "little")]


def _begins_with_a_jump(program: bytes) -> bool:
    """Whether the first instruction is `c.j` or `jal x0`, as in the SDK's start code and in every other loader seen."""
    first = int.from_bytes(program[:4], "little")
    return first & 0xE003 == 0xA001 or first & 0xFFF == 0x06F


def program_doubt(name: str, data: bytes) -> str:
    """What will surprise about `data` at flash address 0; empty if it looks like a program that the boot ROM starts."""
    if not is_wrapped(data):
        return (
            f"{name!r} goes to address 0, but the boot ROM will not start it: length and SHA-256 are missing. "
            "In a kfpkg, set sha256Prefix to true for a program."
        )
    if not _begins_with_a_jump(unwrap(data)):
        return f"{name!r} does not begin as K210 programs do; is it a .bin for this chip?"
    return ""
