"""The stubs say what the modules are, name by name and argument by argument."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import k210kit.emulator.stubs
from k210kit.emulator import Interpreter, Setup, power_on
from k210kit.emulator.modules import known_names
from k210kit.emulator.modules.image.arguments import Arguments
from k210kit.emulator.modules.image.cascade import read_cascade
from k210kit.emulator.modules.image.described import CascadeObject
from k210kit.emulator.modules.image.table import METHODS
from k210kit.emulator.modules.table import instance, public_names
from k210kit.emulator.stubs import ALIASES, is_only_on_the_board, stub_modules, stub_names, write_stubs
from k210kit.errors import FileError
from k210kit.firmware import find
from tests.emulator.desk import Desk
from tests.emulator.modules.image.test_features import dark_over_light

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


def test_the_stub_of_pictures_has_the_names_places_and_defaults_that_the_methods_look_for(
    board: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every method is called in several ways, and what it looks for among its arguments is written down."""
    asked: list[tuple[int, str, Any]] = []

    def watched(name: str) -> Any:
        original = getattr(Arguments, name)

        def look(self: Arguments, at: int, keyword: str, default: Any = None) -> Any:
            asked.append((at, keyword, default if name != "value" else None))
            return original(self, at, keyword, default)

        return look

    for name in ("integer", "number", "value"):
        monkeypatch.setattr(Arguments, name, watched(name))
    make, stub = instance(board, "image"), _signatures("Image")
    ways = _ways_to_call(board)
    wrong = []
    for entry in METHODS.values():
        if entry.name in stub:
            pictures = [make.Image(size=(_SIDE, _SIDE)) for _ in ways]
            asked.clear()
            for picture, values in zip(pictures, ways, strict=True):
                with contextlib.suppress(Exception):  # most ways do not suit the method; what it looked for counts
                    entry.call(picture, Arguments(values, {}))
            wrong += [f"{entry.name}: {fault}" for fault in _disagreements(stub[entry.name], asked)]
    assert not wrong


_SIDE = 26  # more than the window of the cascade


def _ways_to_call(board: Any) -> list[tuple[Any, ...]]:
    image = instance(board, "image")
    other, small = image.Image(size=(_SIDE, _SIDE)), image.Image(size=(8, 8)).to_grayscale()
    box, color, cascade = (0, 0, 20, 20), [(0, 50)], CascadeObject(read_cascade(dark_over_light()))
    return [
        *[(1,) * count for count in range(7)],
        (other,), (small, 1, 1), (small, 0.5), (color,), (cascade,), (box,), (1, [1] * 9),
        (1, 1, "a"), ("/flash/a.bmp",), (1, 1, 8, 8, b"\x01" * 8), ([(1, 1, 0)],),
    ]  # fmt: skip


def _signatures(owner: str) -> dict[str, list[tuple[str, Any]]]:
    """Parameters and literal defaults of a class in the stub of `image` (Any: a number, or None)."""
    text = Path(k210kit.emulator.stubs.__file__).with_name("api").joinpath("image.pyi").read_text(encoding="utf-8")
    (body,) = (node.body for node in ast.parse(text).body if isinstance(node, ast.ClassDef) and node.name == owner)
    made: dict[str, list[tuple[str, Any]]] = {}
    for node in body:
        if isinstance(node, ast.FunctionDef):
            defaults = [None] * (len(node.args.args) - len(node.args.defaults)) + list(node.args.defaults)
            pairs = [(a.arg, _number(d)) for a, d in zip(node.args.args, defaults, strict=True)]
            made[node.name] = [*pairs[1:], *((a.arg, None) for a in node.args.kwonlyargs)]
    return made


def _number(default: ast.expr | None) -> Any:
    with contextlib.suppress(ValueError):
        value = ast.literal_eval(default) if default is not None else None
        return value if isinstance(value, int | float) else None
    return None


def _disagreements(parameters: list[tuple[str, Any]], asked: list[tuple[int, str, Any]]) -> list[str]:
    names = [name for name, _ in parameters]
    made = []
    for keyword in {keyword for _, keyword, _ in asked if keyword}:
        places = {at for at, other, _ in asked if other == keyword}
        defaults = {value for _, other, value in asked if other == keyword and value is not None}
        if keyword not in names:
            made.append(f"no {keyword}")
        elif names.index(keyword) not in places and -1 not in places and "bins" not in keyword:
            made.append(f"{keyword} in {places}, not in {names.index(keyword)}")
        else:
            said = dict(parameters)[keyword]
            if said is not None and defaults and said not in defaults:
                made.append(f"{keyword} is {defaults}, not {said}")
    return made


def test_names_that_only_a_board_has_say_so(desk: Desk) -> None:
    assert is_only_on_the_board("os", "mount")
    result = desk.run("import image\nimage.Image(size=(8, 8)).remove_shadows()")
    assert result.error is not None
    assert "image.Image.remove_shadows is in the firmware, but not in the emulator" in result.error
    assert result.not_emulated == {"image.Image.remove_shadows": 1}


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
