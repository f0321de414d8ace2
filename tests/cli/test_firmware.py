"""`k210kit firmware` as a user calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.firmware.images import image, wrapped


def call(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "k210kit", "firmware", *map(str, arguments)], capture_output=True, text=True, timeout=60
    )


def test_list_shows_the_builds_that_have_what_is_needed() -> None:
    made = call("list", "--needs", "thread,ws2812,ide", "--json")
    names = [row["name"] for row in json.loads(made.stdout)["firmware"]]
    assert made.returncode == 0
    assert names[0] == "unitv"
    assert "full" in names
    assert "minimum_with_ide" not in names
    assert call("list", "--needs", "lvgl,kmodel-v4").returncode == 3
    assert "minimum_with_ide" in call("list").stdout


def test_inspect_tells_what_is_inside(tmp_path: Path) -> None:
    path = tmp_path / "StickV_5.1.2.bin"
    path.write_bytes(image(version="v0.5.0", m5stickv=True, sensor_hz=12_000_000))
    made = call("inspect", path)
    assert made.returncode == 0, made.stderr
    for text in ("v0.5.0", "board M5STICK", "12 MHz", "named 5.1.2, but it holds v0.5.0"):
        assert text in made.stdout
    (tmp_path / "flash.bin").write_bytes(wrapped(image()))
    body = json.loads(call("inspect", tmp_path / "flash.bin", "--json").stdout)
    assert body["kind"] == "flash"
    assert body["parts"][0][1]["facts"]["variant"] == "minimum_with_ide"


def test_inspect_of_something_else_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"nothing at all, and no firmware")
    made = call("inspect", tmp_path / "a.bin")
    assert made.returncode == 2
    assert "Traceback" not in made.stderr


def test_a_preset_is_written_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "config_unitv.mk"
    made = call("config", "unitv", "-o", path, "--json")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["size"]["image_bytes"] == 736_192
    assert "CONFIG_MAIXPY_THREAD_ENABLE=y" in path.read_text()
    assert call("config", "unitv", "-o", path).returncode == 2
    good = call("check", path, "--json")
    assert (good.returncode, json.loads(good.stdout)["ok"]) == (0, True)


def test_check_compares_a_script_and_answers_no(tmp_path: Path) -> None:
    path, script = tmp_path / "config.mk", tmp_path / "main.py"
    call("config", "minimum_with_ide", "-o", path)
    script.write_text("import _thread\n")
    made = call("check", path, "--script", script)
    assert made.returncode == 3
    assert "Line 1 of the script needs thread" in made.stdout


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_at_a_terminal_questions_are_asked(tmp_path: Path) -> None:
    import pty

    path = tmp_path / "asked.mk"
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "k210kit", "firmware", "config", "-o", str(path), "--json"]
    process = subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    os.write(ours, b"maix\nn\ny\nn\nn\nn\nn\nn\nn\n256\n")  # board, IDE, image functions, ..., GC heap
    printed, errors = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0, errors
    settings = json.loads(printed)["settings"]
    assert (settings["MAIXPY_IDE_SUPPORT"], settings["MAIXPY_OMV_MINIMUM"]) == ("n", "n")
    assert settings["MAIXPY_GC_HEAP_SIZE"] == "0x40000"
    assert "Which board?" in errors


def test_without_a_terminal_nobody_is_asked(tmp_path: Path) -> None:
    made = call("config", "-o", tmp_path / "x.mk")
    assert made.returncode == 2
    assert "There is nobody to ask" in made.stderr


def test_diff_speaks_in_words() -> None:
    made = call("diff", "m5stickv", "unitv")
    assert made.returncode == 0
    assert "The camera clock is 24,000,000 Hz on unitv, 12,000,000 on m5stickv." in made.stdout


def test_build_says_what_is_missing(tmp_path: Path) -> None:
    call("config", "unitv", "-o", tmp_path / "u.mk")
    made = call("build", tmp_path / "u.mk", "--maixpy", tmp_path)
    assert made.returncode == 2
    assert "no checkout of MaixPy-v1" in made.stderr
