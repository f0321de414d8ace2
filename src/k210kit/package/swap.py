"""Big-endian words for `kpu.load_flash`: every 32-bit word of a file reversed.

MaixPy reads a model that stays in flash word by word over SPI, which delivers each word reversed. Its own script
(MaixPy-v1_scripts, machine_vision/model_le2be.py) turns every word of the file round, the 64-bit registers too, and
fills a last short word with the ASCII character `0`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from k210kit.errors import FileError, FormatError
from k210kit.files import read_whole, refuse_existing, write_whole

from .flashmap import FLASH_BYTES, Entry

__all__ = ["Swapped", "swap", "swap_words"]

WORD_BYTES = 4
PADDING = b"0"  # 0x30, as MaixPy's script pads
_VERSION_3 = (3).to_bytes(WORD_BYTES, "little")


@dataclass(frozen=True, kw_only=True)
class Swapped:
    """What `swap` wrote: `became` is `big-endian`, `little-endian`, or `unknown` for no kmodel V3."""

    files: tuple[Entry, ...]
    became: str
    padded_bytes: int


def swap_words(data: bytes) -> bytes:
    """Reverse every 32-bit word; a last short word is filled with ASCII `0` first.

    >>> swap_words(bytes([3, 0, 0, 0, 1, 2])).hex(" ")
    '00 00 00 03 30 30 02 01'
    """
    whole = data + PADDING * (-len(data) % WORD_BYTES)
    return np.frombuffer(whole, dtype="<u4").byteswap().tobytes()


def swap(source: Path | str, target: Path | str, *, force: bool = False) -> Swapped:
    """Write `source` with every 32-bit word reversed to `target`; swapping twice gives the (padded) file back."""
    source, target = Path(source), Path(target)
    if target.exists() and source.exists() and target.samefile(source):
        raise FileError(f"{target} is the input itself. Give the output another name; the input is kept as it is.")
    refuse_existing(target, force=force)
    data = read_whole(source, most_bytes=FLASH_BYTES)
    if not data:
        raise FormatError(f"{source} is empty; a kmodel was expected")
    swapped = swap_words(data)
    write_whole(target, swapped, force=force)
    return Swapped(
        files=(Entry.of(target.name, swapped),), became=_order(swapped), padded_bytes=len(swapped) - len(data)
    )


def _order(data: bytes) -> str:
    if data.startswith(_VERSION_3):
        return "little-endian"
    return "big-endian" if data.startswith(_VERSION_3[::-1]) else "unknown"
