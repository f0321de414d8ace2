from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k210kit.device.plan import FlashFile, plan_flash, read_files
from k210kit.errors import FileError, FormatError, InputError, RefusedError
from k210kit.package import FLASH_BYTES, Kfpkg, KfpkgFile, unwrap, wrap, write_kfpkg


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 200_000)), min_size=1, max_size=4))
def test_blocks_hold_every_byte_once_and_cross_no_64_kib_boundary(rows: list[tuple[int, int]]) -> None:
    files = [
        FlashFile(name=str(index), address=sector * 0x31000, data=bytes([index]) * size)
        for index, (sector, size) in enumerate(rows)
    ]
    try:
        plan = plan_flash(files)
    except RefusedError:
        return
    assert sum(block.size for block in plan.blocks) == plan.size
    seen: dict[int, int] = {}
    for block in plan.blocks:
        for address, data in block.pieces:
            assert address // 65536 == (address + len(data) - 1) // 65536 == block.number
            seen[address] = data[0]
    for file in plan.files:
        assert seen[file.address] == file.data[0]


def test_the_map_is_checked_before_anything_is_sent() -> None:
    with pytest.raises(RefusedError, match="overlaps"):
        plan_flash([FlashFile(name="a", address=0, data=bytes(5000)), FlashFile(name="b", address=4096, data=b"x")])


def test_a_bin_is_wrapped_for_the_rom_once(tmp_path: Path) -> None:
    path = tmp_path / "maixpy.bin"
    path.write_bytes(b"program")
    (plain,) = read_files([str(path)])
    assert (plain.address, unwrap(plain.data)) == (0, b"program")
    path.write_bytes(wrap(b"program"))
    assert read_files([str(path)])[0].data == plain.data


def test_a_whole_flash_image_goes_to_0_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "flash.bin"
    path.write_bytes(b"\xff" * FLASH_BYTES)
    (file,) = read_files([str(path)])
    assert (file.address, len(file.data)) == (0, FLASH_BYTES)
    assert "the boot ROM will not start it" in plan_flash([file]).warnings[0]


def test_models_need_an_address(tmp_path: Path) -> None:
    path = tmp_path / "m.kmodel"
    path.write_bytes(b"\3\0\0\0")
    with pytest.raises(InputError, match=r"is a kmodel and needs an address: .*m.kmodel@0x300000"):
        read_files([str(path)])
    with pytest.raises(InputError, match="address 0 is for the program"):
        read_files([f"{path}@0"])
    assert read_files([f"{path}@3M"])[0].address == 0x300000


def test_a_package_brings_its_own_addresses(tmp_path: Path) -> None:
    path = tmp_path / "a.kfpkg"
    write_kfpkg(
        Kfpkg(
            files=(
                KfpkgFile(address=0, name="p.bin", data=b"program", sha256_prefix=True),
                KfpkgFile(address=0x300000, name="m.kmodel", data=b"model"),
            )
        ),
        path,
    )
    program, model = read_files([str(path)])
    assert (unwrap(program.data), model.address, model.data) == (b"program", 0x300000, b"model")


def test_what_cannot_be_flashed_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.elf").write_bytes(b"\x7fELF")
    with pytest.raises(FormatError, match=r"flash the .bin"):
        read_files([str(tmp_path / "a.elf")])
    with pytest.raises(FileError, match="does not exist"):
        read_files([str(tmp_path / "absent.bin")])
    with pytest.raises(InputError, match="nothing to flash"):
        plan_flash([])
