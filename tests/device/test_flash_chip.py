from __future__ import annotations

from pathlib import Path

import pytest

from k210kit.device.flash_chip import FlashChip
from k210kit.errors import FileError
from k210kit.package import FLASH_BYTES


def test_programming_only_clears_bits_and_erasing_sets_them() -> None:
    chip = FlashChip()
    chip.program(0x1000, b"\xf0\x0f")
    chip.program(0x1000, b"\x3c\x3c")
    assert chip.read(0x1000, 3) == b"\x30\x0c\xff"
    chip.erase(0x1234, 4096)
    assert chip.read(0x1000, 2) == b"\xff\xff"


def test_times_are_those_of_the_data_sheet() -> None:
    chip = FlashChip()
    assert chip.erase(0, 65536) == 0.150
    assert chip.program(0, bytes(65536)) == pytest.approx(256 * 0.0004)


def test_the_image_file_is_the_chip(tmp_path: Path) -> None:
    path = tmp_path / "flash.bin"
    chip = FlashChip.load(path)
    chip.program(5, b"abc")
    chip.save(path)
    assert path.stat().st_size == FLASH_BYTES
    assert FlashChip.load(path).read(5, 3) == b"abc"


def test_a_file_of_another_size_is_no_chip(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"mine")
    with pytest.raises(FileError, match="has 4 bytes; a pretend board's flash image has exactly 16,777,216"):
        FlashChip.load(tmp_path / "x.bin")
