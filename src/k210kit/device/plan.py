"""What will be written where: files turned into the chip's 64 KiB blocks, checked before the first byte is sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from k210kit.errors import FormatError, InputError, missing_file
from k210kit.files import read_whole
from k210kit.package import (
    FIRST_MODEL_ADDRESS,
    FLASH_BYTES,
    KMODEL_STARTS,
    Entry,
    FlashMap,
    IoMode,
    Placed,
    Region,
    is_wrapped,
    load_kfpkg,
    program_doubt,
    wrap,
)

from .isp import FLASH_BLOCK_BYTES

__all__ = ["Block", "FlashFile", "FlashPlan", "plan_flash", "read_files"]

_ZIP = b"PK\x03\x04"
_ELF = b"\x7fELF"


@dataclass(frozen=True, kw_only=True)
class FlashFile:
    """One file for the flash: `data` is what the chip will hold from `address` on."""

    name: str
    address: int
    data: bytes

    @property
    def end(self) -> int:
        return self.address + len(self.data)


@dataclass(frozen=True, kw_only=True)
class Block:
    """What goes into one 64 KiB block of the chip: pieces with their addresses, none crossing the block's end."""

    number: int
    pieces: tuple[tuple[int, bytes], ...]

    @property
    def address(self) -> int:
        return self.number * FLASH_BLOCK_BYTES

    @property
    def size(self) -> int:
        return sum(len(data) for _, data in self.pieces)


@dataclass(frozen=True, kw_only=True)
class FlashPlan:
    """Files, their flash map, and the blocks in the order of writing."""

    files: tuple[FlashFile, ...]
    flash_map: FlashMap
    blocks: tuple[Block, ...]
    warnings: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        return sum(len(file.data) for file in self.files)

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(Entry.of(file.name, file.data, file.address) for file in self.files)

    def name_at(self, address: int) -> str:
        return next((file.name for file in self.files if file.address <= address < file.end), "")


def plan_flash(files: Iterable[FlashFile], *, file_system: bool = True) -> FlashPlan:
    """Check the flash map of `files` (`RefusedError`) and cut them into blocks."""
    ordered = tuple(sorted(files, key=lambda file: file.address))
    if not ordered:
        raise InputError("There is nothing to flash. Name a .bin, a .kfpkg, or FILE@ADDRESS.")
    regions = [Region(name=file.name, address=file.address, size=len(file.data)) for file in ordered]
    flash_map = FlashMap.of(regions, file_system=file_system)
    flash_map.check()
    pieces: dict[int, list[tuple[int, bytes]]] = {}
    for file in ordered:
        at = file.address
        while at < file.end:
            stop = min(file.end, (at // FLASH_BLOCK_BYTES + 1) * FLASH_BLOCK_BYTES)
            pieces.setdefault(at // FLASH_BLOCK_BYTES, []).append(
                (at, file.data[at - file.address : stop - file.address])
            )
            at = stop
    blocks = tuple(Block(number=number, pieces=tuple(parts)) for number, parts in sorted(pieces.items()))
    warnings = tuple(filter(None, (program_doubt(file.name, file.data) for file in ordered if file.address == 0)))
    return FlashPlan(files=ordered, flash_map=flash_map, blocks=blocks, warnings=warnings)


def read_files(arguments: Iterable[str], *, io_mode: IoMode = "dio") -> tuple[FlashFile, ...]:
    """Read what a user names: `maixpy.bin`, `camera.kfpkg`, `model.kmodel@0x300000`."""
    return tuple(file for argument in arguments for file in _read(argument, io_mode))


def _read(argument: str, io_mode: IoMode) -> tuple[FlashFile, ...]:
    if "@" in argument and not Path(argument).exists():
        placed = Placed.parse(argument)
        return (_file(placed.path, placed.address, io_mode),)
    path = Path(argument)
    if not path.exists():
        raise missing_file(path)
    start = read_whole(path, most_bytes=2 * FLASH_BYTES)[:4]
    if start == _ZIP:
        package = load_kfpkg(path)
        return tuple(
            FlashFile(name=file.name, address=file.address, data=file.flash_bytes(io_mode)) for file in package.files
        )
    if start.startswith(KMODEL_STARTS):
        raise InputError(f"{path} is a kmodel and needs an address: {path}@0x{FIRST_MODEL_ADDRESS:X}, for example.")
    if start == _ELF:
        raise FormatError(f"{path} is an ELF file; flash the .bin that the build made beside it")
    return (_file(path, 0, io_mode),)


def _file(path: Path, address: int, io_mode: IoMode) -> FlashFile:
    data = read_whole(path, most_bytes=FLASH_BYTES)
    if not data:
        raise FormatError(f"{path} is empty; there is nothing to write")
    whole_chip = len(data) == FLASH_BYTES
    if address == 0 and data.startswith(KMODEL_STARTS):
        raise InputError(
            f"{path} is a kmodel, and address 0 is for the program. Use 0x{FIRST_MODEL_ADDRESS:X} or higher."
        )
    if address == 0 and not whole_chip and not is_wrapped(data):
        data = wrap(data, io_mode)
    return FlashFile(name=path.name, address=address, data=data)
