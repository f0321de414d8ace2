from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import k210kit
from k210kit.errors import FileError, FormatError
from k210kit.package import swap_words


def by_hand(data: bytes) -> bytes:
    whole = data + b"0000"[: -len(data) % 4]
    return b"".join(whole[i : i + 4][::-1] for i in range(0, len(whole), 4))


@given(st.binary(max_size=64))
def test_every_word_is_reversed(data: bytes) -> None:
    assert swap_words(data) == by_hand(data)


@given(st.binary(max_size=64))
def test_swapping_twice_gives_the_padded_file_back(data: bytes) -> None:
    assert swap_words(swap_words(data)) == data + b"0" * (-len(data) % 4)


def test_a_short_last_word_is_filled_with_ascii_zeros_and_told(tmp_path: Path) -> None:
    (tmp_path / "odd.bin").write_bytes(b"\3\0\0\0ab")
    result = k210kit.swap(tmp_path / "odd.bin", tmp_path / "out.bin")
    assert (tmp_path / "out.bin").read_bytes() == b"\0\0\0\x0300ba"
    assert (result.padded_bytes, result.became, result.files[0].size) == (2, "big-endian", 8)


def test_a_real_model_swapped_starts_with_0003_and_comes_back(shared: Path, tmp_path: Path) -> None:
    source = shared / "golden" / "real" / "face_detect.kmodel"
    k210kit.swap(source, tmp_path / "be.kmodel")
    assert (tmp_path / "be.kmodel").read_bytes()[:4] == b"\0\0\0\3"
    result = k210kit.swap(tmp_path / "be.kmodel", tmp_path / "le.kmodel")
    assert (tmp_path / "le.kmodel").read_bytes() == source.read_bytes()
    assert result.became == "little-endian"


def test_the_input_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "m.kmodel"
    path.write_bytes(b"1234")
    with pytest.raises(FileError, match="is the input itself"):
        k210kit.swap(path, path, force=True)
    assert path.read_bytes() == b"1234"


def test_an_existing_output_needs_force(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1234")
    (tmp_path / "b").write_bytes(b"mine")
    with pytest.raises(FileError, match="exists already"):
        k210kit.swap(tmp_path / "a", tmp_path / "b")
    k210kit.swap(tmp_path / "a", tmp_path / "b", force=True)
    assert (tmp_path / "b").read_bytes() == b"4321"


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(FormatError, match="is empty"):
        k210kit.swap(tmp_path / "a", tmp_path / "b")
