from __future__ import annotations

from pathlib import Path

import pytest

from k210kit.errors import FileError
from k210kit.files import read_whole, write_whole


def test_a_file_is_written_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    write_whole(tmp_path / "deep" / "a.bin", b"abc")
    assert (tmp_path / "deep" / "a.bin").read_bytes() == b"abc"
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["a.bin"]


def test_an_existing_file_is_kept_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_whole(path, "old")
    with pytest.raises(FileError, match=r"exists already\. Give another name, or --force to replace it\."):
        write_whole(path, "new")
    assert path.read_text() == "old"
    write_whole(path, "new", force=True)
    assert path.read_text() == "new"


def test_a_missing_file_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"gone\.bin does not exist\."):
        read_whole(tmp_path / "gone.bin")


def test_a_folder_in_place_of_a_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="is a folder; a file was expected"):
        read_whole(tmp_path)
