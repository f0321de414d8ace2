"""The stubs say what the modules are, name by name and argument by argument."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from k210kit.emulator import Interpreter, Setup, power_on
from k210kit.emulator.modules import known_names
from k210kit.emulator.modules.table import instance, public_names
from k210kit.emulator.stubs import ALIASES, is_only_on_the_board, stub_modules, stub_names, write_stubs
from k210kit.errors import FileError
from k210kit.firmware import find
from tests.emulator.desk import Desk

EVERYTHING = find("full").features | {"touch", "video", "mic_array", "ws2812", "thread"}


@pytest.fixture(scope="module")
def board() -> Any:
    full = find("full")
    made = power_on(Setup(firmware=dataclasses.replace(full, features=EVERYTHING)), lambda text: None)
    Interpreter(made)
    return made


def test_every_module_has_a_stub() -> None:
    assert set(stub_modules()) == {ALIASES.get(name, name) for name in known_names()}


@pytest.mark.parametrize("module", stub_modules())
def test_a_stub_lists_what_the_module_has_and_marks_what_it_has_not(board: Any, module: str) -> None:
    offered = public_names(instance(board, module))
    listed = {entry.name: entry for entry in stub_names(module) if "." not in entry.name}
    helpers = {name for name, entry in listed.items() if entry.kind == "class" and name not in offered}
    assert offered.keys() <= listed.keys()
    missing = {name for name, entry in listed.items() if entry.emulated and name not in offered}
    assert missing <= helpers  # classes of results have no name in the module
    for name, value in offered.items():
        entry = listed[name]
        if entry.kind == "function" and inspect.isroutine(value):
            parameters = [p for p in _parameters(value) if not p.startswith("_")]
            assert tuple(p for p in parameters) == entry.parameters or not parameters, f"{module}.{name}"


def _parameters(function: Any) -> list[str]:
    try:
        signature = inspect.signature(function)
    except ValueError:
        return []
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in signature.parameters.values() if p.kind not in kinds]


def test_names_that_only_a_board_has_say_so(desk: Desk) -> None:
    assert is_only_on_the_board("image", "ImageReader")
    result = desk.run("import image\nimage.ImageWriter(1)")
    assert result.error is not None
    assert "image.ImageWriter is in the firmware, but not in the emulator" in result.error
    assert result.not_emulated == {"image.ImageWriter": 1}


def test_a_file_does_not_stand_in_for_a_module_of_the_firmware(desk: Desk) -> None:
    (desk.flash / "nes.py").write_text("x = 1\n")
    assert "The module nes of MaixPy is not emulated" in desk.fails("import nes", firmware="full")
    assert desk.prints("import nes\nprint(nes.x)\n", firmware="minimum") == "1\n"


def test_modules_that_only_a_board_has_say_so(desk: Desk) -> None:
    assert "The module nes of MaixPy is not emulated" in desk.fails("import nes", firmware="full")
    assert desk.fails("import nes", firmware="minimum") == "ImportError: no module named 'nes'"


def test_the_stubs_are_written_for_an_editor(tmp_path: Path) -> None:
    names = {path.name for path in write_stubs(tmp_path / "typings")}
    assert {"sensor.pyi", "KPU.pyi", "time.pyi", "utime.pyi", "os.pyi", "ustruct.pyi"} <= names
    assert not {"sys.pyi", "collections.pyi"} & names
    assert (tmp_path / "typings" / "time.pyi").read_text() == "from utime import *\n"
    with pytest.raises(FileError, match="--force"):
        write_stubs(tmp_path / "typings")


def test_a_type_checker_finds_a_wrong_name_through_the_stubs(tmp_path: Path) -> None:
    write_stubs(tmp_path)
    (tmp_path / "main.py").write_text(
        "import sensor, time\nimport KPU\nimg = sensor.snapshot()\ntask = KPU.load(1)\nimg.draw_cross(1, 2)\n"
        "clock = time.clock()\nclock.tick()\nimg.draw_it()\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-incremental", "main.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[0].startswith('main.py:8: error: "Image" has no attribute "draw_it"'), done.stdout
