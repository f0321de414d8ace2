from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

from k210kit.package import FLASH_BYTES, wrap


def k210kit(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "k210kit", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_a_program_and_a_model_reach_the_pretend_chip(tmp_path: Path) -> None:
    program, model, image = tmp_path / "p.bin", tmp_path / "m.kmodel", tmp_path / "flash.bin"
    program.write_bytes(b"\x21\xa8\xef\xbe\xad\xde" + bytes(100_000))
    model.write_bytes(b"\3\0\0\0" + bytes(1000))
    done = k210kit("flash", program, f"{model}@0x300000", "--port", f"virtual:{image}", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    wrapped = wrap(program.read_bytes())
    assert (told["port"], told["board"], told["baud"]) == (f"virtual:{image}", "virtual", 1_500_000)
    assert (told["written"], told["verified"]) == (len(wrapped) + 1004, True)
    chip = image.read_bytes()
    assert len(chip) == FLASH_BYTES
    assert chip.startswith(wrapped)
    assert chip[0x300000:].startswith(model.read_bytes())


def test_a_lost_board_leaves_with_2_and_says_how_to_go_on(tmp_path: Path) -> None:
    model, image = tmp_path / "m.kmodel", tmp_path / "flash.bin"
    model.write_bytes(b"\3\0\0\0" + bytes(200_000))
    arguments = ["flash", f"{model}@0x300000", "--port", f"virtual:{image}"]
    failed = k210kit(*arguments, "--fault", "unplug_after=100000")
    assert failed.returncode == 2
    assert "--resume-at 0x310000" in failed.stderr
    (told,) = (line for line in failed.stderr.splitlines() if line.startswith("to go on: "))
    program, *words = shlex.split(told.removeprefix("to go on: "))
    assert (program, words) == ("k210kit", [*arguments, "--resume-at", "0x310000"])
    again = k210kit(*words, "--fault=unplug_after=100000")
    assert again.returncode == 2
    assert again.stderr.count("to go on: ") == 1
    assert "--resume-at 0x320000" in again.stderr
    assert k210kit(*arguments, "--resume-at", "0x320000").returncode == 0
    assert image.read_bytes()[0x300000:].startswith(model.read_bytes())


def test_a_refused_map_writes_nothing(tmp_path: Path) -> None:
    model, image = tmp_path / "m.kmodel", tmp_path / "flash.bin"
    model.write_bytes(b"\3\0\0\0")
    assert k210kit("flash", f"{model}@0x300001", "--port", f"virtual:{image}").returncode == 3
    assert not image.exists()
