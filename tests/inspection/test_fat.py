"""The image of an SD card: what lies on it comes out as files and folders."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k210kit.errors import FormatError
from k210kit.inspection.fat import card_entries
from tests.inspection.cards import card

FILES = {"MAIN.PY": b"print(1)\n", "EMPTY.TXT": b"", "LIB/DEEP.BIN": bytes(range(256)) * 5}


def read(path: Path) -> dict[str, bytes | None]:
    return {
        "/".join(entry.parts): None if entry.size is None else b"".join(content)
        for entry, content in card_entries(path)
    }


@pytest.mark.parametrize("bits", [12, 16, 32])
@pytest.mark.parametrize("first_sector", [0, 2048])
def test_files_and_folders_of_every_kind_of_fat_come_out(tmp_path: Path, bits: int, first_sector: int) -> None:
    image = card(tmp_path / "card.img", bits, FILES, first_sector=first_sector)
    assert read(image) == {**FILES, "LIB": None}


def test_long_names_are_put_together(tmp_path: Path) -> None:
    image = card(tmp_path / "card.img", 16, FILES, long_names=True)
    assert read(image) == {
        "long MAIN.PY": FILES["MAIN.PY"],
        "long EMPTY.TXT": b"",
        "long LIB": None,
        "long LIB/long DEEP.BIN": FILES["LIB/DEEP.BIN"],
    }


def test_a_file_that_is_no_card_is_refused(tmp_path: Path) -> None:
    (tmp_path / "card.img").write_bytes(b"print(1)\n")
    with pytest.raises(FormatError, match="This is no image of an SD card; expected a FAT16 or FAT32 file system"):
        read(tmp_path / "card.img")
    (tmp_path / "card.img").write_bytes(b"\0\0\0EXFAT   ".ljust(512, b"\0"))
    with pytest.raises(FormatError, match="The card has exFAT, which MaixPy does not read"):
        read(tmp_path / "card.img")


def test_a_chain_that_bites_its_tail_ends_in_an_error(tmp_path: Path) -> None:
    image = card(tmp_path / "card.img", 16, {"A.BIN": bytes(5000)})
    data = bytearray(image.read_bytes())
    struct.pack_into("<H", data, 32 * 512 + 2 * 5, 3)  # the second cluster of A.BIN leads back to its first
    image.write_bytes(data)
    assert read(image)["A.BIN"] == bytes(5000)  # as many bytes as the file has, from a ring
    folder_at = data.index(b"LIB        ") + 26
    struct.pack_into("<H", data, folder_at, 3)
    image.write_bytes(data)
    with pytest.raises(FormatError, match="A chain of clusters has no end"):
        read(image)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40 * 512), st.integers(0, 255)), min_size=1, max_size=8))
def test_damage_ends_in_an_error_or_in_files(
    tmp_path_factory: pytest.TempPathFactory, damage: list[tuple[int, int]]
) -> None:
    image = card(tmp_path_factory.mktemp("fat") / "card.img", 12, FILES)
    data = bytearray(image.read_bytes())
    for at, value in damage:
        data[at % len(data)] = value
    image.write_bytes(data)
    with contextlib.suppress(FormatError):
        read(image)
