from __future__ import annotations

import contextlib
import io
import json
import stat
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k210kit.errors import FormatError
from k210kit.package import FLASH_BYTES, Kfpkg, KfpkgFile, is_wrapped, read_kfpkg, write_kfpkg
from k210kit.package.kfpkg import FLASH_LIST

ONE = '{"version": "0.1.0", "files": [{"address": %s, "bin": "m.kmodel", "sha256Prefix": false}]}'


def zipped(entries: dict[str, bytes | str], **options: int) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", options.get("method", zipfile.ZIP_DEFLATED)) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return raw.getvalue()


def package(listed: str, **more: bytes) -> bytes:
    return zipped({FLASH_LIST: listed, "m.kmodel": b"\3\0\0\0", **more})


files = st.lists(
    st.builds(
        KfpkgFile,
        address=st.integers(0, 4095).map(lambda sector: sector * 4096),
        name=st.from_regex(r"[a-z]{1,8}\.(bin|kmodel)", fullmatch=True),
        data=st.binary(max_size=100),
        sha256_prefix=st.booleans(),
        reverse_words=st.booleans(),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda file: file.name,
)


@given(files)
def test_what_is_written_is_read_again(made: list[KfpkgFile]) -> None:
    wanted = Kfpkg(files=tuple(made))
    raw = write_kfpkg(wanted)
    assert read_kfpkg(raw) == wanted
    assert write_kfpkg(wanted) == raw


@given(files)
def test_the_flash_list_is_plain_json_that_kflash_reads(made: list[KfpkgFile]) -> None:
    import re

    text = Kfpkg(files=tuple(made)).list_text()
    assert [row["address"] for row in json.loads(text)["files"]] == [file.address for file in made]
    quoted = json.loads(re.sub(r'"address": (.*),', r'"address": "\1",', text))  # what kflash does before parsing
    assert [int(row["address"], 0) for row in quoted["files"]] == [file.address for file in made]


@pytest.mark.parametrize(
    "address", ["3145728", "0x300000", "0X00300000", '"0x300000"', '"3145728"', "03145728", "3145728 "]
)
def test_addresses_are_read_in_every_form_that_occurs(address: str) -> None:
    assert read_kfpkg(package(ONE % address)).files[0].address == 0x300000


def test_odd_json_is_read() -> None:
    odd = '\ufeff{"files":[{"address":0x300000,"bin":"m.kmodel","sha256Prefix":false,},],}'
    assert read_kfpkg(package(odd)).files[0].name == "m.kmodel"


def test_hexadecimal_inside_a_name_is_left_alone() -> None:
    listed = '{"files": [{"address": 0x1000, "bin": "at 0x10,].bin"}]}'
    assert read_kfpkg(zipped({FLASH_LIST: listed, "at 0x10,].bin": b"x"})).files[0].name == "at 0x10,].bin"


def test_a_program_gets_its_wrapping_and_words_are_reversed_as_the_windows_tool_does() -> None:
    assert is_wrapped(KfpkgFile(address=0, name="a", data=b"abc", sha256_prefix=True).flash_bytes())
    reversed_words = KfpkgFile(address=0, name="a", data=b"abcdef", reverse_words=True).flash_bytes()
    assert reversed_words == b"dcba\0\0fe" + b"\0" * 56


def test_a_program_that_the_rom_would_not_start_is_told() -> None:
    listed = '{"files": [{"address": 0, "bin": "m.kmodel", "sha256Prefix": false}]}'
    assert any("the boot ROM will not start it" in text for text in read_kfpkg(package(listed)).warnings())


def test_files_that_the_list_leaves_out_are_told() -> None:
    read = read_kfpkg(package(ONE % "4096", **{"README.md": b"hello"}))
    assert read.unlisted == ("README.md",)
    assert "'README.md' is in the zip, but the flash list does not mention it." in read.warnings()


BAD_LISTS = {
    "address": [ONE % "-1", ONE % "1.5", ONE % "true", ONE % "16777216", ONE % '"here"', ONE % "null", ONE % "[]"],
    "not JSON": ["", "{", "[" * 200_000, '{"files": ' + "9" * 5000 + "}", "{'files': []}"],
    "files": ["{}", '{"files": 3}', '{"files": []}', '{"files": [3]}'],
    "bin": ['{"files": [{"address": 0}]}', '{"files": [{"address": 0, "bin": "absent"}]}'],
    "sha256Prefix": ['{"files": [{"address": 0, "bin": "m.kmodel", "sha256Prefix": 1}]}'],
    "a key is there twice": ['{"files": [], "files": []}'],
    "not an object": ["[]", "3"],
}


@pytest.mark.parametrize(("says", "listed"), [(says, text) for says, texts in BAD_LISTS.items() for text in texts])
def test_a_wrong_list_is_one_clear_error(says: str, listed: str) -> None:
    with pytest.raises(FormatError, match=says) as caught:
        read_kfpkg(package(listed))
    assert FLASH_LIST in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "name", ["../m", "/etc/passwd", "a/../../m", "C:m", "..\\m", "a\\b", "./m", "a//b", "\x01", "con|m", "."]
)
def test_names_that_could_leave_the_folder_are_refused(name: str) -> None:
    raw = zipped({FLASH_LIST: ONE % "0", "m.kmodel": b"", "x" * len(name): b""})
    forged = raw.replace(b"x" * len(name), name.encode())
    with pytest.raises(FormatError, match="a name that could leave its folder"):
        read_kfpkg(forged)


def test_symbolic_links_are_refused() -> None:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        info = zipfile.ZipInfo("m.kmodel")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(FormatError, match="a symbolic link"):
        read_kfpkg(raw.getvalue())


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice_is_refused_whatever_its_case() -> None:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr("m.kmodel", "1")
        archive.writestr("M.kmodel", "2")
    with pytest.raises(FormatError, match="a name is there twice"):
        read_kfpkg(raw.getvalue())


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_every_compression_that_kflash_unpacks_is_read(method: int) -> None:
    made = read_kfpkg(zipped({FLASH_LIST: ONE % "0", "m.kmodel": "abc" * 500}, method=method))
    assert made.files[0].data == b"abc" * 500


def test_a_package_of_a_whole_blank_chip_is_read() -> None:
    """As the vendor's K210-chip_erase.kfpkg is one."""
    blank = b"\xff" * FLASH_BYTES
    assert read_kfpkg(zipped({FLASH_LIST: ONE % "0", "m.kmodel": blank})).files[0].data == blank


def test_other_compressions_are_refused() -> None:
    packed = bytearray(zipped({FLASH_LIST: ONE % "0"}))
    for mark, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        place = packed.find(mark) + at
        packed[place : place + 2] = b"\x5d\x00"  # Zstandard
    with pytest.raises(FormatError, match="an unusual compression; found method 93"):
        read_kfpkg(bytes(packed))


def test_an_lzma_window_larger_than_a_flash_chip_needs_is_refused() -> None:
    packed = bytearray(zipped({FLASH_LIST: ONE % "0", "m.kmodel": "abc"}, method=zipfile.ZIP_LZMA))
    at = packed.find(b"PK\x03\x04") + 30 + len(FLASH_LIST) + 5
    packed[at : at + 4] = (1 << 30).to_bytes(4, "little")
    with pytest.raises(FormatError, match=r"an LZMA window that is too large; found 1,073,741,824 bytes"):
        read_kfpkg(bytes(packed))


def test_a_zip_bomb_costs_no_more_memory_than_one_flash_chip() -> None:
    raw = package(ONE % "0", bomb=b"")
    bomb = zipped({FLASH_LIST: ONE % "0", "m.kmodel": b"\0" * (200 << 20)})
    assert len(bomb) < 1 << 20
    tracemalloc.start()
    with pytest.raises(FormatError, match="too large when unpacked"):
        read_kfpkg(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 << 20
    assert read_kfpkg(raw).files


def test_the_allowance_counts_over_all_files() -> None:
    half = b"\0" * (9 << 20)
    listed = json.dumps({"files": [{"address": 0, "bin": "a"}, {"address": 0x900000, "bin": "b"}]})
    with pytest.raises(FormatError, match="'b': too large when unpacked"):
        read_kfpkg(zipped({FLASH_LIST: listed, "a": half, "b": half}))


def test_a_large_directory_is_refused_before_it_is_read() -> None:
    with pytest.raises(FormatError, match="its directory is too large"):
        read_kfpkg(zipped({f"{index}": b"" for index in range(1001)}))


def test_no_zip_and_no_list_are_told() -> None:
    with pytest.raises(FormatError, match="too short for a zip"):
        read_kfpkg(b"PK")
    with pytest.raises(FormatError, match="not a zip or cut off"):
        read_kfpkg(b"MZ" + b"\0" * 100)
    with pytest.raises(FormatError, match=r"zip: a kfpkg holds a flash-list.json; found 'a'"):
        read_kfpkg(zipped({"a": b""}))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_package_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    raw = bytearray(package(ONE % "0x1000", other=b"data" * 20))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    with contextlib.suppress(FormatError):
        read_kfpkg(bytes(raw[: cut if data.draw(st.booleans()) else len(raw)]))


@settings(max_examples=200, deadline=None)
@given(
    st.text(max_size=200) | st.from_regex(r'\{"files": \[\{"address": .{0,20}, "bin": "m.kmodel"\}\]\}', fullmatch=True)
)
def test_any_list_is_read_or_refused(listed: str) -> None:
    with contextlib.suppress(FormatError):
        assert 0 <= read_kfpkg(package(listed.encode("utf-8", "replace").decode())).files[0].address < 16 << 20


def test_packages_unpacked_and_packed_again_are_the_same(tmp_path: Path) -> None:
    import k210kit
    from k210kit.package import unpack

    (tmp_path / "fw.bin").write_bytes(b"program")
    (tmp_path / "m.kmodel").write_bytes(b"\3\0\0\0model")
    first = tmp_path / "a.kfpkg"
    result = k210kit.pack(first, [(tmp_path / "m.kmodel", 0x300000)], firmware=tmp_path / "fw.bin")
    assert [(file.name, file.address, file.size) for file in result.files] == [
        ("fw.bin", 0, 7),
        ("m.kmodel", 0x300000, 9),
    ]
    unpacked = unpack(first, tmp_path / "out")
    assert unpacked.files == result.files
    assert (tmp_path / "out" / "m.kmodel").read_bytes() == b"\3\0\0\0model"
    again = k210kit.pack(
        tmp_path / "b.kfpkg", [(tmp_path / "out/m.kmodel", 0x300000)], firmware=tmp_path / "out/fw.bin"
    )
    assert again.files == result.files
    assert first.read_bytes() == (tmp_path / "b.kfpkg").read_bytes()
