"""Firmware, whole flash images and packages, taken apart."""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k210kit.errors import FormatError, KitError
from k210kit.inspection import inspect
from k210kit.inspection.firmware import describe_firmware, describe_flash
from k210kit.package import swap_words
from tests.firmware.images import image, wrapped
from tests.timing.nets import face_detector

MODEL = face_detector().to_bytes()


def flash_image(program: bytes, models: dict[int, bytes], size: int = 0x1000000) -> bytes:
    out = bytearray(b"\xff" * size)
    out[: len(program)] = program
    for address, data in models.items():
        out[address : address + len(data)] = data
    return bytes(out)


def test_a_bin_is_firmware(tmp_path: Path) -> None:
    path = tmp_path / "maixpy_v0.6.2.bin"
    path.write_bytes(image())
    found = inspect(path)
    assert (found.kind, found.version) == ("firmware", "v0.6.2-84-g8fcd84a58")
    assert found.facts["variant"] == "minimum_with_ide"
    assert found.warnings == ()


def test_a_name_that_lies_is_caught_in_a_bin_and_in_a_package(tmp_path: Path) -> None:
    from k210kit.package import Kfpkg, KfpkgFile, write_kfpkg

    old = image(version="v0.5.0-98-g4b9ff9afe", date="2020-02-16")
    (tmp_path / "M5StickV_v5.1.2.bin").write_bytes(old)
    assert "named 5.1.2, but it holds v0.5.0" in inspect(tmp_path / "M5StickV_v5.1.2.bin").warnings[0]
    package = Kfpkg(files=(KfpkgFile(address=0, name="maixpy.bin", data=old, sha256_prefix=True),))
    write_kfpkg(package, tmp_path / "M5StickV_v5.1.2.kfpkg")
    assert "named 5.1.2, but it holds v0.5.0" in inspect(tmp_path / "M5StickV_v5.1.2.kfpkg").warnings[0]


def test_a_whole_flash_is_taken_apart() -> None:
    data = flash_image(wrapped(image()), {0x300000: MODEL, 0x500000: swap_words(MODEL)})
    found = describe_firmware(data)
    assert found is not None
    assert found.kind == "flash"
    assert [(name, part.kind) for name, part in found.parts] == [
        ("0x000000", "firmware"),
        ("0x300000", "kmodel"),
        ("0x500000", "kmodel-swapped"),
    ]
    assert found.facts["program_sha256"] == "right"
    assert str(found.facts["file_system"]).startswith("blank")
    assert found.parts[1][1].bytes == len(MODEL)


def file_system(files: dict[str, int], blocks: int = 24) -> bytes:
    """A SPIFFS image with files of these names and sizes, one page of each written."""
    out = bytearray(b"\xff" * blocks * 0x20000)
    for block in range(blocks):
        mark = (0x20140529 ^ 0x1000 ^ (blocks - block)) & 0xFFFF
        struct.pack_into("<H", out, block * 0x20000 + 0xFFC, mark)
    for number, (name, size) in enumerate(files.items(), 1):
        page = number * 0x1000
        struct.pack_into("<H", out, 2 * (number - 1), 0x8000 | number)
        struct.pack_into("<HHB3xIB", out, page, 0x8000 | number, 0, 0xF8, size, 1)
        out[page + 13 : page + 14 + len(name)] = name.encode() + b"\0"
    return bytes(out)


def test_a_file_system_is_read_alone_and_in_a_flash() -> None:
    made = file_system({"/boot.py": 1200, "/startup.jpg": 27_867})
    alone = describe_firmware(made)
    assert alone is not None
    assert (alone.kind, alone.version) == ("file system", "SPIFFS")
    assert alone.facts["files"] == {"/boot.py": 1200, "/startup.jpg": 27_867}
    inside = describe_flash(flash_image(wrapped(image()), {0xD00000: made}))
    assert inside.facts["file_system"] == "SPIFFS, formatted"
    assert inside.parts[-1][0] == "0xd00000"
    assert inside.parts[-1][1].facts["files"] == alone.facts["files"]


def test_what_is_in_the_place_of_the_file_system_but_is_none_is_told() -> None:
    other = flash_image(wrapped(image()), {0xD00000: b"something"})
    assert "not that of MaixPy" in str(describe_flash(other).facts["file_system"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 0x3000), st.integers(0, 255)), max_size=30))
def test_a_damaged_file_system_never_ends_in_a_fault(flips: list[tuple[int, int]]) -> None:
    data = bytearray(file_system({"/boot.py": 1200}, blocks=2))
    for place, value in flips:
        data[place] = value
    describe_firmware(bytes(data))


def test_a_wrong_checksum_is_told_and_the_program_still_read() -> None:
    data = bytearray(wrapped(image()))
    data[-1] ^= 1
    found = describe_firmware(bytes(data))
    assert found is not None
    assert "SHA-256" in found.warnings[0]
    assert found.parts[0][1].kind == "firmware"


def test_a_flash_without_a_program_is_told_so() -> None:
    found = describe_firmware(flash_image(b"", {0x300000: MODEL}))
    assert found is not None
    assert "no program" in found.warnings[0]
    assert found.facts["models"] == 1


def test_an_encrypted_program_is_not_guessed_at() -> None:
    found = describe_firmware(wrapped(bytes(range(256)) * 16, flag=1))
    assert found is not None
    assert "encrypted" in found.warnings[0]
    assert found.parts == ()


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 5000), st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255))))
def test_damaged_flashes_never_end_in_a_fault(tail: bytes, cut: int, flips: list[tuple[int, int]]) -> None:
    data = bytearray(wrapped(image(size=4096))[:cut] + tail)
    for place, value in flips:
        if place < len(data):
            data[place] = value
    with suppress(FormatError):
        describe_firmware(bytes(data))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4095), st.integers(0, 255)), max_size=12), st.booleans())
def test_damaged_models_in_a_flash_are_told_or_passed_over(flips: list[tuple[int, int]], swapped: bool) -> None:
    model = bytearray(MODEL[:8192])
    for place, value in flips:
        model[place] = value
    data = wrapped(image(size=4096))
    data += b"\xff" * (-len(data) % 4096) + (swap_words(bytes(model)) if swapped else bytes(model))
    describe_flash(data)


def test_a_text_is_no_firmware(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_text("this is only text " * 10)
    with pytest.raises(KitError, match="no file of a kind"):
        inspect(tmp_path / "a.bin")
