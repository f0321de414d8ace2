"""The verbs `pack` and `unpack`: files into a kfpkg with a checked flash map, and out of it again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from k210kit.errors import FileError, FormatError, InputError
from k210kit.files import read_whole, refuse_existing, write_whole

from .flashmap import FIRMWARE_ADDRESS, FIRST_MODEL_ADDRESS, FLASH_BYTES, Entry, FlashMap, parse_address
from .kfpkg import FLASH_LIST, Kfpkg, KfpkgFile, load_kfpkg, write_kfpkg
from .wrapping import is_wrapped

__all__ = ["KMODEL_STARTS", "Packed", "Placed", "Unpacked", "pack", "package_files", "unpack"]


KMODEL_STARTS = (b"\3\0\0\0", b"\0\0\0\3", b"LDMK", b"KMDL")  # V3, V3 swapped, V4 and later, swapped


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A file and the flash address it shall have."""

    path: Path
    address: int

    @classmethod
    def parse(cls, text: str) -> Placed:
        """Read `FILE@ADDRESS`; the file's name may hold an `@` too."""
        name, at, address = text.rpartition("@")
        if not at or not name:
            raise InputError(f"{text!r} has no address. Write FILE@ADDRESS, for example model.kmodel@0x300000.")
        return cls(path=Path(name), address=parse_address(address))


@dataclass(frozen=True, kw_only=True)
class Packed:
    """What `pack` wrote, with the flash map it will make."""

    output: Path
    files: tuple[Entry, ...]
    flash_map: FlashMap
    warnings: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Unpacked:
    """What `unpack` wrote, with the package's flash map; `problems` are why `flash` would refuse it."""

    folder: Path
    files: tuple[Entry, ...]
    flash_map: FlashMap
    problems: tuple[str, ...]
    warnings: tuple[str, ...]


def pack(
    output: Path | str,
    files: Iterable[Placed | tuple[Path | str, int]] = (),
    *,
    firmware: Path | str | None = None,
    file_system: bool = True,
    force: bool = False,
) -> Packed:
    """Write a kfpkg of `files` (path and flash address) and, at address 0, of a `firmware` .bin.

    Raises `RefusedError` for overlaps, addresses that are no multiple of 4 KiB, and files that reach past the flash or
    into MaixPy's file system at 0xD00000; for firmware that keeps no files there, set `file_system` to False.
    """
    placed = [item if isinstance(item, Placed) else Placed(path=Path(item[0]), address=item[1]) for item in files]
    if firmware is not None:
        placed.append(Placed(path=Path(firmware), address=FIRMWARE_ADDRESS))
    package = package_files(placed)
    flash_map = package.flash_map(file_system=file_system)
    flash_map.check()
    output = Path(output)
    refuse_existing(output, force=force)
    write_kfpkg(package, output, force=force)
    entries = tuple(file.entry for file in package.files)
    return Packed(output=output, files=entries, flash_map=flash_map, warnings=package.warnings())


def package_files(placed: Iterable[Placed]) -> Kfpkg:
    """A package in memory: what lies at address 0 is a program and gets the boot ROM's wrapping, unless it has it."""
    made: list[KfpkgFile] = []
    for item in sorted(placed, key=lambda item: item.address):
        data = read_whole(item.path, most_bytes=FLASH_BYTES)
        if not data:
            raise FormatError(f"{item.path} is empty; there is nothing to write")
        wanted = item.address == FIRMWARE_ADDRESS and not is_wrapped(data)
        if wanted and data.startswith(KMODEL_STARTS):
            raise InputError(
                f"{item.path} is a kmodel, and address 0 is for the program. Use 0x{FIRST_MODEL_ADDRESS:X} or higher."
            )
        name = _free_name(item.path.name, {file.name.casefold() for file in made})
        made.append(KfpkgFile(address=item.address, name=name, data=data, sha256_prefix=wanted))
    if not made:
        raise InputError("There is nothing to pack. Name files as FILE@ADDRESS, or a program with --firmware.")
    return Kfpkg(files=tuple(made))


def unpack(package: Path | str, folder: Path | str, *, force: bool = False) -> Unpacked:
    """Write every file of a kfpkg below `folder`, and its flash list as plain JSON."""
    package, folder = Path(package), Path(folder)
    if folder.exists() and not folder.is_dir():
        raise FileError(f"{folder} is a file; a folder was expected.")
    read = load_kfpkg(package)
    texts = {FLASH_LIST: read.list_text().encode(), **{file.name: file.data for file in read.files}}
    for name in texts:
        refuse_existing(folder / name, force=force)
    for name, data in texts.items():
        write_whole(folder / name, data, force=force)
    flash_map = read.flash_map()
    return Unpacked(
        folder=folder,
        files=tuple(file.entry for file in read.files),
        flash_map=flash_map,
        problems=flash_map.problems(),
        warnings=read.warnings(),
    )


def _free_name(name: str, taken: set[str]) -> str:
    candidate, number = name, 2
    while candidate.casefold() in taken | {FLASH_LIST}:
        candidate = f"{Path(name).stem}-{number}{Path(name).suffix}"
        number += 1
    return candidate
