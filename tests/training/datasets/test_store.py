"""Zips are opened without being unpacked, and what is dangerous in them is left out and told."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from k210kit.errors import FormatError
from k210kit.training.datasets import Findings, read_dataset
from k210kit.training.datasets.store import open_store
from tests.training.datasets.samples import picture


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as target:
        for name, data in files.items():
            target.writestr(name, data)
    return path


def test_a_zip_reads_as_its_folder_would(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {f"images/{c}/{n}.png": picture(n) for c in "ab" for n in (1, 2)})
    read = read_dataset(path)
    assert (read.labels, len(read.pictures), list(read.findings)) == (("a", "b"), 4, [])
    assert read.pictures[0].read() == picture(1)


def test_names_that_lead_out_and_links_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as target:
        target.writestr("../../up.png", b"x")
        target.writestr("/root.png", b"x")
        link = zipfile.ZipInfo("link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        target.writestr(link, "/etc/passwd")
        target.writestr("good.png", b"x")
    findings = Findings()
    assert open_store(path, findings).names == ("good.png",)
    assert [f.what for f in findings] == [
        "has a name that leads out of the zip; it is left out",
        "has a name that leads out of the zip; it is left out",
        "is a link inside the zip; links are not followed",
    ]


def test_a_zip_bomb_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("bomb.png", bytes(64 << 20))
    findings = Findings()
    assert open_store(path, findings).names == ()
    assert "a zip bomb; it is left out" in next(iter(findings)).what


def test_a_zip_that_lies_about_a_size_is_stopped(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.png": bytes(1000)})
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = (10).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(FormatError):
        open_store(path, Findings()).read("a.png")


def test_damage_inside_a_zip_is_told_per_file(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a/1.png": picture(1), "b/1.png": picture(2)})
    data = bytearray(path.read_bytes())
    at = data.index(picture(1)[:40])
    data[at + 20] ^= 255
    path.write_bytes(data)
    read = read_dataset(path)
    with pytest.raises(FormatError, match=r"a/1\.png is damaged inside the zip"):
        read.pictures[0].read()


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp932", ["赤いボール", "青い箱"]),
        ("gbk", ["红球", "蓝盒"]),
        ("cp437", ["Bälle", "Würfel", "éléphant"]),
        ("utf-8", ["犬", "고양이"]),
    ],
)
def test_names_without_the_unicode_mark_are_read(tmp_path: Path, encoding: str, names: list[str]) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as target:
        for number in range(len(names)):
            target.writestr(zipfile.ZipInfo(f"{number}" * len(names[number].encode(encoding)) + "/1.png"), b"x")
    data = path.read_bytes()
    for number, name in enumerate(names):
        raw = name.encode(encoding)
        data = data.replace(f"{number}".encode() * len(raw) + b"/", raw + b"/")
    path.write_bytes(data)
    assert set(open_store(path, Findings()).names) == {f"{name}/1.png" for name in names}


def test_what_is_no_zip_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"hello")
    with pytest.raises(FormatError, match="is not a readable zip"):
        open_store(path, Findings())


def test_a_link_to_a_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    findings = Findings()
    assert open_store(tmp_path, findings).names == ()
    assert [f.what for f in findings] == ["a link to a folder; it is not followed"]
