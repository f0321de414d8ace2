from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def k210kit(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "k210kit", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_swap_pack_and_unpack_list_address_size_and_sha256(tmp_path: Path) -> None:
    model = tmp_path / "m.kmodel"
    model.write_bytes(b"\3\0\0\0abc")
    swapped = k210kit("swap", model, tmp_path / "be.kmodel", "--json")
    assert json.loads(swapped.stdout)["files"][0]["size"] == 8
    assert "filled up with 1 x ASCII '0'" in swapped.stderr
    packed = k210kit("pack", "-o", tmp_path / "a.kfpkg", f"{tmp_path / 'be.kmodel'}@0x300000", "--json")
    (file,) = json.loads(packed.stdout)["files"]
    assert (file["address"], file["size"], len(file["sha256"])) == (0x300000, 8, 64)
    unpacked = k210kit("unpack", tmp_path / "a.kfpkg", "-o", tmp_path / "out", "--json")
    assert json.loads(unpacked.stdout)["files"] == [file]


def test_the_flash_map_is_shown(tmp_path: Path) -> None:
    (tmp_path / "m.kmodel").write_bytes(b"\3\0\0\0")
    shown = k210kit("pack", "-o", tmp_path / "a.kfpkg", f"{tmp_path / 'm.kmodel'}@0x300000").stdout
    assert "0x300000" in shown
    assert "MaixPy's file system" in shown


def test_a_refused_map_leaves_with_3_and_wrong_input_with_2(tmp_path: Path) -> None:
    (tmp_path / "m.kmodel").write_bytes(b"\3\0\0\0")
    refused = k210kit("pack", "-o", tmp_path / "a.kfpkg", f"{tmp_path / 'm.kmodel'}@0x300001")
    assert (refused.returncode, refused.stdout) == (3, "")
    assert refused.stderr.startswith("error: The flash map is refused.")
    assert k210kit("unpack", tmp_path / "m.kmodel", "-o", tmp_path / "out").returncode == 2
    assert k210kit("pack", "-o", tmp_path / "a.kfpkg", tmp_path / "m.kmodel").returncode == 2
