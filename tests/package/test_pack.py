from __future__ import annotations

from pathlib import Path

import pytest

import k210kit
from k210kit.errors import FileError, InputError, RefusedError
from k210kit.package import Placed, load_kfpkg, unpack, wrap


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "fw.bin").write_bytes(b"program" * 1000)
    (tmp_path / "m.kmodel").write_bytes(b"\3\0\0\0" * 2000)
    return tmp_path


def test_overlaps_are_refused_and_nothing_is_written(folder: Path) -> None:
    with pytest.raises(RefusedError, match=r"'fw.bin' at .* overlaps 'm.kmodel'"):
        k210kit.pack(folder / "o.kfpkg", [(folder / "fw.bin", 0x301000), (folder / "m.kmodel", 0x300000)])
    assert not (folder / "o.kfpkg").exists()


def test_misalignment_is_refused(folder: Path) -> None:
    with pytest.raises(RefusedError, match="no multiple of 4096"):
        k210kit.pack(folder / "o.kfpkg", [(folder / "m.kmodel", 0x300001)])


def test_the_firmware_counts_with_its_wrapping(folder: Path) -> None:
    (folder / "fw.bin").write_bytes(b"\x21" * (4096 - 36))
    with pytest.raises(RefusedError, match="overlaps"):
        k210kit.pack(folder / "o.kfpkg", [(folder / "m.kmodel", 4096)], firmware=folder / "fw.bin")


def test_a_wrapped_program_is_not_wrapped_again(folder: Path) -> None:
    (folder / "fw.bin").write_bytes(wrap(b"program"))
    k210kit.pack(folder / "o.kfpkg", firmware=folder / "fw.bin")
    assert load_kfpkg(folder / "o.kfpkg").files[0].flash_bytes() == wrap(b"program")


def test_a_model_at_address_0_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match=r"is a kmodel, and address 0 is for the program. Use 0x300000 or higher."):
        k210kit.pack(folder / "o.kfpkg", [(folder / "m.kmodel", 0)])


def test_two_files_of_one_name_get_two_names(folder: Path) -> None:
    (folder / "b").mkdir()
    (folder / "b" / "m.kmodel").write_bytes(b"other")
    k210kit.pack(folder / "o.kfpkg", [(folder / "m.kmodel", 0x300000), (folder / "b/m.kmodel", 0x400000)])
    assert [file.name for file in load_kfpkg(folder / "o.kfpkg").files] == ["m.kmodel", "m-2.kmodel"]


def test_file_at_address_takes_names_with_an_at_sign() -> None:
    assert Placed.parse("a@b.kmodel@0x300000") == Placed(path=Path("a@b.kmodel"), address=0x300000)
    with pytest.raises(InputError, match=r"has no address. Write FILE@ADDRESS"):
        Placed.parse("m.kmodel")


def test_nothing_to_pack_is_told(folder: Path) -> None:
    with pytest.raises(InputError, match="There is nothing to pack"):
        k210kit.pack(folder / "o.kfpkg")


def test_unpacking_overwrites_nothing_of_the_users(folder: Path) -> None:
    k210kit.pack(folder / "o.kfpkg", [(folder / "m.kmodel", 0x300000)])
    (folder / "out").mkdir()
    (folder / "out" / "m.kmodel").write_text("mine")
    with pytest.raises(FileError, match="exists already"):
        unpack(folder / "o.kfpkg", folder / "out")
    assert (folder / "out" / "m.kmodel").read_text() == "mine"
    assert not (folder / "out" / "flash-list.json").exists()
