"""What lies where in a board's flash, checked before anything is written.

The layout is MaixPy's: the firmware at 0, models from 0x300000, the file system (SPIFFS, 3 MiB) at 0xD00000 of a
16 MiB chip (`hardware`). The chip is erased in sectors of 4 KiB.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from k210kit.errors import InputError, RefusedError
from k210kit.hardware import FILE_SYSTEM_ADDRESS, FILE_SYSTEM_BYTES, FIRST_MODEL_ADDRESS, FLASH_BYTES
from k210kit.hardware import FLASH_SECTOR_BYTES as SECTOR_BYTES

__all__ = [
    "FILE_SYSTEM_ADDRESS",
    "FILE_SYSTEM_BYTES",
    "FIRMWARE_ADDRESS",
    "FIRST_MODEL_ADDRESS",
    "FLASH_BYTES",
    "SECTOR_BYTES",
    "Entry",
    "FlashMap",
    "Region",
    "parse_address",
    "sectors",
]

FIRMWARE_ADDRESS = 0


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One file as reports list it; `size` and `sha256` are of the bytes that reach the file or the flash."""

    name: str
    address: int | None
    size: int
    sha256: str

    @classmethod
    def of(cls, name: str, data: bytes, address: int | None = None) -> Entry:
        return cls(name=name, address=address, size=len(data), sha256=hashlib.sha256(data).hexdigest())


@dataclass(frozen=True, kw_only=True)
class Region:
    """A stretch of flash that one thing takes: `[address, end)` in bytes."""

    name: str
    address: int
    size: int

    @property
    def end(self) -> int:
        return self.address + self.size

    @property
    def span(self) -> str:
        return f"0x{self.address:06X} to 0x{max(self.end - 1, self.address):06X}"

    def overlaps(self, other: Region) -> bool:
        return self.address < other.end and other.address < self.end


FILE_SYSTEM = Region(name="MaixPy's file system", address=FILE_SYSTEM_ADDRESS, size=FILE_SYSTEM_BYTES)


@dataclass(frozen=True)
class FlashMap:
    """The regions of one flash chip, in the order of their addresses.

    `file_system` is False for a firmware that keeps no files at 0xD00000.
    """

    regions: tuple[Region, ...]
    flash_bytes: int = FLASH_BYTES
    file_system: bool = True

    @classmethod
    def of(cls, regions: Iterable[Region], *, flash_bytes: int = FLASH_BYTES, file_system: bool = True) -> FlashMap:
        ordered = tuple(sorted(regions, key=lambda region: (region.address, region.end)))
        return cls(ordered, flash_bytes, file_system)

    def problems(self) -> tuple[str, ...]:
        """Everything that speaks against writing this map, each with what to do."""
        found = [text for region in self.regions for text in self._alone(region)]
        furthest: Region | None = None
        for region in self.regions:
            if furthest is not None and furthest.overlaps(region):
                found.append(
                    f"{region.name!r} at {region.span} overlaps {furthest.name!r} at {furthest.span}. "
                    f"The next free address is 0x{sectors(furthest.end) * SECTOR_BYTES:06X}."
                )
            furthest = region if furthest is None or region.end > furthest.end else furthest
        return tuple(found)

    def check(self) -> None:
        """Raise `RefusedError` with all problems, if there are any."""
        found = self.problems()
        if found:
            raise RefusedError("The flash map is refused. " + " ".join(found))

    def rows(self) -> list[tuple[str, str, str, str]]:
        """First address, last address, bytes and name of every region and every gap: the columns of `COLUMNS`."""
        rows: list[tuple[str, str, str, str]] = []
        at = 0
        for region in self._with_file_system():
            if region.address > at:
                rows.append(_row("(free)", at, region.address))
            rows.append(_row(region.name, region.address, region.end))
            at = max(at, region.end)
        if at < self.flash_bytes:
            rows.append(_row("(free)", at, self.flash_bytes))
        return rows

    COLUMNS = ("from", "to", "bytes>", "what")

    def _with_file_system(self) -> list[Region]:
        taken = any(region.overlaps(FILE_SYSTEM) for region in self.regions)
        extra = [] if taken or not self.file_system else [FILE_SYSTEM]
        return sorted([*self.regions, *extra], key=lambda region: (region.address, region.end))

    def _alone(self, region: Region) -> Iterable[str]:
        if region.size == 0:
            yield f"{region.name!r} is empty; there is nothing to write."
        if region.address % SECTOR_BYTES:
            down = region.address // SECTOR_BYTES * SECTOR_BYTES
            yield (
                f"{region.name!r} starts at 0x{region.address:06X}, which is no multiple of {SECTOR_BYTES} "
                f"(the flash is erased in 4 KiB sectors). Use 0x{down:06X} or 0x{down + SECTOR_BYTES:06X}."
            )
        if region.end > self.flash_bytes:
            yield (
                f"{region.name!r} would end at 0x{region.end:X}; the flash has 0x{self.flash_bytes:X} bytes. "
                "Use a lower address or a smaller file."
            )
        elif self.file_system and region.address != FILE_SYSTEM_ADDRESS and self._reaches_files(region):
            yield (
                f"{region.name!r} at {region.span} reaches into MaixPy's file system at 0x{FILE_SYSTEM_ADDRESS:X}, "
                "where boot.py lies. Use a lower address, or say that this firmware keeps no files there "
                "(--no-file-system)."
            )

    def _reaches_files(self, region: Region) -> bool:
        whole_chip = region.address == 0 and region.size == self.flash_bytes
        return region.overlaps(FILE_SYSTEM) and not whole_chip


def parse_address(text: str) -> int:
    """An address as people write it: `0x300000`, `3145728`, `3M`, `0xC00K`.

    >>> parse_address("0x300000") == parse_address("3145728") == parse_address("3M")
    True
    """
    unit = {"K": 1024, "M": 1024 * 1024}.get(text[-1:].upper(), 1)
    digits = (text if unit == 1 else text[:-1]).strip()
    try:
        number = int(digits, 16 if digits.lower().startswith("0x") else 10) * unit
    except ValueError:
        number = -1
    if number < 0:
        raise InputError(f"{text!r} is no flash address; expected one such as 0x300000, 3145728 or 3M.")
    return number


def sectors(size: int) -> int:
    """How many 4 KiB sectors `size` bytes take."""
    return -(-size // SECTOR_BYTES)


def _row(name: str, start: int, end: int) -> tuple[str, str, str, str]:
    return f"0x{start:06X}", f"0x{max(end - 1, start):06X}", f"{end - start:,}", name
