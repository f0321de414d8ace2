"""Files for a board's flash: swapped models, kfpkg packages, the flash map."""

from __future__ import annotations

from .flashmap import (
    FILE_SYSTEM_ADDRESS,
    FILE_SYSTEM_BYTES,
    FIRST_MODEL_ADDRESS,
    FLASH_BYTES,
    SECTOR_BYTES,
    Entry,
    FlashMap,
    Region,
    parse_address,
)
from .kfpkg import Kfpkg, KfpkgFile, load_kfpkg, read_kfpkg, write_kfpkg
from .pack import KMODEL_STARTS, Packed, Placed, Unpacked, pack, package_files, unpack
from .safezip import SafeZip
from .swap import Swapped, swap, swap_words
from .wrapping import IoMode, is_wrapped, program_doubt, unwrap, wrap

__all__ = [
    "FILE_SYSTEM_ADDRESS",
    "FILE_SYSTEM_BYTES",
    "FIRST_MODEL_ADDRESS",
    "FLASH_BYTES",
    "KMODEL_STARTS",
    "SECTOR_BYTES",
    "Entry",
    "FlashMap",
    "IoMode",
    "Kfpkg",
    "KfpkgFile",
    "Packed",
    "Placed",
    "Region",
    "SafeZip",
    "Swapped",
    "Unpacked",
    "is_wrapped",
    "load_kfpkg",
    "pack",
    "package_files",
    "parse_address",
    "program_doubt",
    "read_kfpkg",
    "swap",
    "swap_words",
    "unpack",
    "unwrap",
    "wrap",
    "write_kfpkg",
]
