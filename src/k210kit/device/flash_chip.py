"""A 16 MiB SPI NOR flash chip in memory, kept in an image file: erasing sets bits, programming clears them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from k210kit.errors import FileError
from k210kit.files import read_whole, write_whole
from k210kit.package import FLASH_BYTES, SECTOR_BYTES

__all__ = ["INSTANT", "W25Q128", "FlashChip", "FlashTiming"]

PAGE_BYTES = 256
BLOCK_BYTES = 64 * 1024
HALF_BLOCK_BYTES = 32 * 1024


@dataclass(frozen=True, kw_only=True)
class FlashTiming:
    """How long the chip is busy, in seconds."""

    erase_4k: float
    erase_32k: float
    erase_64k: float
    program_page: float


# Winbond W25Q128JV data sheet, table of AC characteristics, typical values
W25Q128 = FlashTiming(erase_4k=0.045, erase_32k=0.120, erase_64k=0.150, program_page=0.0004)
INSTANT = FlashTiming(erase_4k=0.0, erase_32k=0.0, erase_64k=0.0, program_page=0.0)


class FlashChip:
    """The chip's contents, and how long each operation takes. Addresses wrap round at the end, as the chip's do."""

    def __init__(self, data: bytes | None = None, *, timing: FlashTiming = W25Q128) -> None:
        self.data = bytearray(data) if data is not None else bytearray(b"\xff" * FLASH_BYTES)
        self.timing = timing

    @classmethod
    def load(cls, path: Path, *, timing: FlashTiming = W25Q128) -> FlashChip:
        """The chip of an image file; an erased one if the file does not exist."""
        if not path.exists():
            return cls(timing=timing)
        data = read_whole(path, most_bytes=FLASH_BYTES)
        if len(data) != FLASH_BYTES:
            raise FileError(
                f"{path} has {len(data):,} bytes; a pretend board's flash image has exactly {FLASH_BYTES:,}. "
                "Name a new file to start with an erased chip."
            )
        return cls(data, timing=timing)

    def save(self, path: Path) -> None:
        """Write the image; the file is the pretend chip itself, so it is replaced without asking."""
        write_whole(path, bytes(self.data), force=True)

    def erase(self, address: int, size: int) -> float:
        """Erase `size` bytes (4, 32 or 64 KiB) from the aligned `address`; return the seconds it takes."""
        start = address % FLASH_BYTES // size * size
        self.data[start : start + size] = b"\xff" * size
        times = {SECTOR_BYTES: self.timing.erase_4k, HALF_BLOCK_BYTES: self.timing.erase_32k}
        return times.get(size, self.timing.erase_64k)

    def erase_all(self) -> float:
        """Erase the whole chip; return the seconds it takes."""
        self.data[:] = b"\xff" * FLASH_BYTES
        return self.timing.erase_64k * (FLASH_BYTES // BLOCK_BYTES)

    def program(self, address: int, data: bytes) -> float:
        """Clear the bits that are 0 in `data` from a page-aligned `address` on; return the seconds it takes."""
        start = address % FLASH_BYTES
        end = min(start + len(data), FLASH_BYTES)
        old = int.from_bytes(self.data[start:end], "little")
        new = int.from_bytes(data[: end - start], "little")
        self.data[start:end] = (old & new).to_bytes(end - start, "little")
        return -(-len(data) // PAGE_BYTES) * self.timing.program_page

    def read(self, address: int, size: int) -> bytes:
        start = address % FLASH_BYTES
        return bytes(self.data[start : start + size])
