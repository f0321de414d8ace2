"""Programs, whole flash images and what lies in them: firmware, models, file system."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from k210kit.errors import FormatError
from k210kit.firmware import FirmwareImage, is_program, named_otherwise, read_image
from k210kit.hardware import (
    FILE_SYSTEM_ADDRESS,
    FILE_SYSTEM_BYTES,
    FLASH_SECTOR_BYTES,
    PROGRAM_DIGEST_BYTES,
    PROGRAM_HEAD_BYTES,
)
from k210kit.inspection.inspect import Inspection, describe_model
from k210kit.inspection.spiffs import is_file_system, stored_files
from k210kit.kmodel import recognise
from k210kit.package.wrapping import is_wrapped, unwrap

__all__ = ["compare_with_name", "describe_file_system", "describe_firmware", "describe_flash", "describe_program"]

MOST_FLASH = 32 * 1024 * 1024
_FLASH_SIZES = tuple(megabytes * 1024 * 1024 for megabytes in (4, 8, 16, 32))
_MOST_MODELS = 64


def describe_firmware(data: bytes) -> Inspection | None:
    """A .bin, a wrapped .bin, a file system or a whole flash image; None if it is none of them."""
    if is_program(data):
        return describe_program(read_image(data))
    if is_file_system(data):
        return describe_file_system(data)
    if _looks_wrapped(data) or len(data) in _FLASH_SIZES:
        return describe_flash(data)
    return None


def compare_with_name(found: Inspection, file_name: str) -> Inspection:
    """Add a warning if the name speaks of another version than the firmware that was found inside."""
    versions = [found.version] if found.kind == "firmware" else []
    versions += [part.version for _, part in found.parts if part.kind in ("firmware", "flash")]
    told = (named_otherwise(str(version), file_name) for version in versions)
    added = tuple(message for message in told if message)
    return dataclasses.replace(found, warnings=(*added, *found.warnings)) if added else found


def describe_program(image: FirmwareImage) -> Inspection:
    """One program."""
    if not image.is_maixpy:
        return Inspection(
            kind="firmware",
            loads_on="flash address 0 of a K210 board",
            version=image.version,
            facts={
                "program": image.system or "not MicroPython",
                "machine": image.machine,
                "date": image.date,
                "size": image.size,
                "heap_start": _hexadecimal(image.heap_start),
            },
            warnings=(*image.warnings, *image.unknown),
        )
    told = {there: [word for word, value in image.features.items() if value is there] for there in (True, False, None)}
    facts: dict[str, object] = {
        "date": image.date,
        "release": image.release,
        "machine": image.machine,
        "variant": image.variant if image.variant_exact else f"none exactly; nearest is {image.variant}",
        "board": image.board,
        "features": told[True],
        "features_absent": told[False],
        "features_unknown": told[None],
        "kmodel_versions": image.kmodel_versions,
        "sensor_hz": image.sensor_hz,
        "size": image.size,
        "ram_bytes": image.ram_bytes,
        "heap_start": _hexadecimal(image.heap_start),
        "before_gc_heap_bytes": image.pre_gc_bytes,
        "free_after_gc_heap_bytes": image.free_after_gc_bytes,
        "gc_heap_falls_back": image.gc_fallback,
        "self_calls": [f"{address:#x}" for address in image.self_calls],
        "unknown": image.unknown,
    }
    return Inspection(
        kind="firmware",
        version=image.version,
        loads_on="flash address 0 of a K210 board: k210kit flash FILE",
        facts=facts,
        warnings=image.warnings,
    )


def _hexadecimal(address: int | None) -> str | None:
    return None if address is None else f"{address:#x}"


def describe_flash(data: bytes) -> Inspection:
    """A dump of a flash, or a program as it lies there: everything found, by address."""
    if len(data) > MOST_FLASH:
        raise FormatError(
            "larger than any flash of a K210 board", field="size", found=f"{len(data):,} bytes", expected="up to 32 MiB"
        )
    warnings: list[str] = []
    parts: list[tuple[str, Inspection]] = []
    program_end = PROGRAM_HEAD_BYTES + int.from_bytes(data[1:PROGRAM_HEAD_BYTES], "little")
    if is_wrapped(data):
        program = unwrap(data)
        if data[0] & 1:
            warnings.append("The program is encrypted (AES flag set); what it is cannot be told.")
        elif is_program(program):
            parts.append(("0x000000", describe_program(read_image(program))))
        else:
            warnings.append("The program at address 0 does not begin as one made with Kendryte's SDK does.")
    elif data[:FLASH_SECTOR_BYTES].count(0xFF) == len(data[:FLASH_SECTOR_BYTES]):
        warnings.append("There is no program at address 0: the sector is blank.")
    else:
        warnings.append("The SHA-256 behind the program is wrong or missing: the boot ROM will not start it.")
        if is_program(data[PROGRAM_HEAD_BYTES:]):
            cut = data[PROGRAM_HEAD_BYTES : min(program_end, len(data))]
            parts.append(("0x000000", describe_program(read_image(cut))))
    models = list(_models(data, program_end + PROGRAM_DIGEST_BYTES if program_end < len(data) else FLASH_SECTOR_BYTES))
    parts += models
    area = data[FILE_SYSTEM_ADDRESS : FILE_SYSTEM_ADDRESS + FILE_SYSTEM_BYTES]
    if is_file_system(area):
        parts.append((f"{FILE_SYSTEM_ADDRESS:#08x}", describe_file_system(area)))
    facts: dict[str, object] = {
        "size": len(data),
        "program_sha256": "right" if is_wrapped(data) else "wrong or missing",
        "models": len(models),
        "file_system": _file_system(data),
    }
    version = next((part.version for _, part in parts if part.kind == "firmware"), "")
    return Inspection(
        kind="flash",
        version=version,
        loads_on="a K210 board's flash, from address 0",
        facts=facts,
        warnings=tuple(warnings),
        parts=tuple(parts),
    )


def _looks_wrapped(data: bytes) -> bool:
    """A flag byte, a length and then an SDK program, or a right SHA-256 behind whatever it is."""
    return (
        len(data) > 64
        and data[0] <= 3
        and (is_program(data[PROGRAM_HEAD_BYTES : PROGRAM_HEAD_BYTES + 16]) or is_wrapped(data))
    )


def _models(data: bytes, start: int) -> Iterator[tuple[str, Inspection]]:
    """Models at the sectors of the flash; those that only look like one are passed over."""
    address, found = -(-start // FLASH_SECTOR_BYTES) * FLASH_SECTOR_BYTES, 0
    end = min(len(data), FILE_SYSTEM_ADDRESS)
    while address < end and found < _MOST_MODELS:
        step = FLASH_SECTOR_BYTES
        if data[address : address + 4] not in (b"\xff" * 4, b"\0" * 4, b""):
            made = _model_at(data, address, end)
            if made is not None:
                found += 1
                yield f"{address:#08x}", made
                step = max(FLASH_SECTOR_BYTES, -(-made.bytes // FLASH_SECTOR_BYTES) * FLASH_SECTOR_BYTES)
        address += step


def _model_at(data: bytes, address: int, end: int) -> Inspection | None:
    head = data[address : address + 256]
    try:
        kind = recognise(head)
        if kind is None:
            return None
        if kind.version != 3:
            return Inspection(kind=kind.kind, version=kind.version, loads_on=kind.loads_on, facts=kind.facts)
        size = _kmodel_size(data, address, end, swapped=kind.kind == "kmodel-swapped")
        if size is None:
            return None
        made = describe_model(data[address : address + size])
    except FormatError:
        return None
    return None if made is None else dataclasses.replace(made, bytes=size)


def _kmodel_size(data: bytes, address: int, end: int, *, swapped: bool) -> int | None:
    """Bytes of a kmodel V3 in a flash, as the loader computes them: tables and the sum of the bodies."""
    order = "big" if swapped else "little"

    def word(offset: int) -> int:
        return int.from_bytes(data[address + offset : address + offset + 4], order)  # type: ignore[arg-type]

    layers, outputs = word(12), word(24)
    tables = 28 + 8 * outputs + 8 * layers
    if not 0 < layers <= 4096 or outputs > 64 or address + tables > end:
        return None
    size = tables + sum(word(28 + 8 * outputs + 8 * i + 4) for i in range(layers))
    return size if address + size <= end else None


def describe_file_system(data: bytes) -> Inspection:
    """A formatted file system: the files in it."""
    files = stored_files(data)
    return Inspection(
        kind="file system",
        version="SPIFFS",
        loads_on=f"flash address {FILE_SYSTEM_ADDRESS:#x} of a MaixPy board, as /flash",
        facts={"size": len(data), "files": {file.name: file.size for file in files}},
    )


def _file_system(data: bytes) -> str:
    area = data[FILE_SYSTEM_ADDRESS : FILE_SYSTEM_ADDRESS + FILE_SYSTEM_BYTES]
    if not area:
        return "not in this image"
    if area.count(0xFF) == len(area):
        return "blank; MaixPy formats it at its first start"
    return "SPIFFS, formatted" if is_file_system(area) else "in use, but its mark is not that of MaixPy's SPIFFS"
