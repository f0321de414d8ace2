"""The two protocols by which a K210 is programmed over its serial line.

The boot ROM, at 115,200 baud, writes memory and jumps there. What is sent to it first is a small flash program, which
then takes blocks of up to 64 KiB and writes them to the flash chip. Both take SLIP packets of the same form:

    operation u16 · zero u16 · CRC-32 u32 of all that follows · address u32 · length u32 · data

all little-endian, and answer with two bytes, the operation and a result. The numbers are read from kflash 1.1.6 and
from the flash program that it carries; what that program does with each is described in docs/design/flashing.md.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

from .slip import encode

__all__ = [
    "FLASH_BLOCK_BYTES",
    "MEMORY_CHUNK_BYTES",
    "NOP",
    "ROM_NOP",
    "START_ADDRESS",
    "STATUS",
    "Flash",
    "Reply",
    "Result",
    "Rom",
    "request",
]

START_ADDRESS = 0x80000000
MEMORY_CHUNK_BYTES = 1024
FLASH_BLOCK_BYTES = 64 * 1024
ROM_BAUD = 115_200
_HEAD = struct.Struct("<HHI")  # operation, zero, CRC-32
_PLACE = struct.Struct("<II")  # address, length


class Rom(IntEnum):
    """Operations of the boot ROM."""

    ECHO = 0xC1
    NOP = 0xC2
    MEMORY_WRITE = 0xC3
    MEMORY_READ = 0xC4
    MEMORY_BOOT = 0xC5
    CHANGE_BAUD = 0xC6
    DEBUG_TEXT = 0xD1


class Flash(IntEnum):
    """Operations of the flash program."""

    DEBUG_TEXT = 0xD1
    NOP = 0xD2
    ERASE = 0xD3
    WRITE = 0xD4
    REBOOT = 0xD5
    CHANGE_BAUD = 0xD6
    INIT = 0xD7
    ERASE_IN_BACKGROUND = 0xD8
    STATUS = 0xD9


class Result(IntEnum):
    """The second byte of an answer."""

    NONE = 0x00
    OK = 0xE0
    BAD_LENGTH = 0xE1
    BAD_CHECKSUM = 0xE2
    INVALID_COMMAND = 0xE3
    BAD_INIT = 0xE4
    BAD_ERASE = 0xE5
    BAD_WRITE = 0xE6
    BUSY = 0xE7


@dataclass(frozen=True)
class Reply:
    """An answer: which operation, which result."""

    operation: int
    result: int

    @classmethod
    def parse(cls, packet: bytes) -> Reply | None:
        return cls(packet[0], packet[1]) if len(packet) >= 2 else None

    def is_ok(self, operation: int) -> bool:
        return self.operation == operation and self.result == Result.OK

    def __str__(self) -> str:
        name = Result(self.result).name.lower().replace("_", " ") if self.result in set(Result) else "unknown"
        return f"0x{self.operation:02X}: {name} (0x{self.result:02X})"


def request(operation: int, address: int = 0, data: bytes = b"", *, length: int | None = None) -> bytes:
    """One request as it goes over the wire; `length` is that of `data` unless given."""
    body = _PLACE.pack(address, len(data) if length is None else length) + data
    return encode(_HEAD.pack(operation, 0, zlib.crc32(body)) + body)


NOP = encode(bytes([Flash.NOP]) + bytes(13))  # as kflash sends it: without checksum, two bytes short
STATUS = encode(bytes([Flash.STATUS]) + bytes(13))
ROM_NOP = encode(bytes([Rom.NOP]) + bytes(13))
