"""Damaged firmware, flash images, file systems, configurations and packages: read, or refused; nothing else.

python -m tests.fuzz.test_images [COUNT] [KIND ...]      the long campaign, on all cores
"""

from __future__ import annotations

import io
import sys
import time
import zipfile
from concurrent.futures import ProcessPoolExecutor

import pytest

from k210kit.errors import FormatError
from k210kit.firmware.check import check_configuration
from k210kit.firmware.config import variant_text
from k210kit.firmware.variants import VARIANTS
from k210kit.inspection.firmware import describe_firmware
from k210kit.package import read_kfpkg
from k210kit.package.kfpkg import FLASH_LIST
from tests.firmware.images import STRLEN_THAT_CALLS_ITSELF, image, wrapped
from tests.fuzz.mutations import damaged
from tests.inspection.test_firmware import file_system
from tests.kmodel.samples import small_model

KINDS = ("program", "flash", "file system", "configuration", "package", "package with LZMA", "flash list")
FLASH_LIST_TEXT = (
    b'{"version": "0.1.1", "files": [{"address": 0, "bin": "maixpy.bin", "sha256Prefix": true, "swap": false}, '
    b'{"address": "0x00300000", "bin": "m.kmodel", "sha256Prefix": false, "reverse4Bytes": true}]}'
)
_PIECE = 2000


def sample(kind: str) -> bytes:
    """A whole one of each kind, as small as it can be."""
    program = image(["ide", "thread", "board"], size=2048, code=STRLEN_THAT_CALLS_ITSELF)
    if kind == "program":
        return program
    if kind == "flash":
        data = wrapped(program)
        return data + b"\xff" * (-len(data) % 4096) + small_model().to_bytes()
    if kind == "file system":
        return file_system({"/boot.py": 99}, blocks=2)[:0x2000] + file_system({}, blocks=2)[0x2000:]
    if kind == "configuration":
        return variant_text(VARIANTS[0]).encode()
    if kind == "flash list":
        return FLASH_LIST_TEXT
    method = zipfile.ZIP_LZMA if kind == "package with LZMA" else zipfile.ZIP_DEFLATED
    return zipped(FLASH_LIST_TEXT, method)


def zipped(flash_list: bytes, method: int) -> bytes:
    """A package with this list."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr(FLASH_LIST, flash_list)
        archive.writestr("maixpy.bin", bytes(range(256)))
        archive.writestr("m.kmodel", b"\3\0\0\0" * 20)
    return out.getvalue()


def read_or_refuse(kind: str, data: bytes) -> bool:
    """Whether it was read; any exception but `FormatError` is a fault."""
    if kind == "configuration":
        return check_configuration(data.decode("utf-8", errors="replace")).ok
    try:
        if kind == "flash list":
            return bool(read_kfpkg(zipped(data, zipfile.ZIP_STORED)))
        if kind.startswith("package"):
            return bool(read_kfpkg(data))
        return describe_firmware(data) is not None
    except FormatError:
        return False


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        ("program", 600),
        ("flash", 600),
        ("file system", 60),
        ("configuration", 60),
        ("package", 600),
        ("package with LZMA", 600),
        ("flash list", 600),
    ],
)
def test_damage_is_read_or_refused(kind: str, count: int) -> None:
    for data in damaged(sample(kind), 7, count):
        read_or_refuse(kind, data)


def _piece(work: tuple[str, int, int]) -> tuple[int, int]:
    kind, seed, count = work
    return sum(read_or_refuse(kind, data) for data in damaged(sample(kind), seed, count)), count


def main(arguments: list[str]) -> int:
    count = int(arguments[0]) if arguments else 100_000
    for kind in arguments[1:] or KINDS:
        started = time.time()
        work = [(kind, i, min(_PIECE, count - i * _PIECE)) for i in range(-(-count // _PIECE))]
        with ProcessPoolExecutor() as pool:
            read, tried = (sum(column) for column in zip(*pool.map(_piece, work), strict=True))
        sys.stdout.write(f"{kind}: {tried:,} damaged, {read:,} read, {tried - read:,} refused, none else, ")
        sys.stdout.write(f"{time.time() - started:.0f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
