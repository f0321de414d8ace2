"""Every command with nonsense: one message, exit code 2 (or an honest answer), and never a traceback."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image

from k210kit.cli.table import COMMANDS
from k210kit.package import Placed, pack
from tests.kmodel.samples import small_model

_JUNK = np.random.default_rng(0).integers(0, 256, 3000, np.uint8).tobytes()
CONTENTS = {
    "empty": b"",
    "text": "Dear camera, ünïcode.\n".encode(),
    "junk": _JUNK,
    "zeros": bytes(4096),
    "zip": b"PK\3\4" + _JUNK,
    "hdf5": b"\x89HDF\r\n\x1a\n" + _JUNK,
    "tflite": b"\x1c\0\0\0TFL3" + _JUNK,
    "kmodel": b"\3\0\0\0" + _JUNK,
    "v4": b"LDMK\4\0\0\0" + _JUNK,
    "elf": b"\x7fELF" + _JUNK,
}
# command lines with a place {} for what is wrong, and the names under which the contents are tried there
PLACES = {
    "inspect {}": "a.kmodel",
    "inspect good.kmodel --diff {}": "a.kmodel",
    "simulate {} good.png": "a.kmodel",
    "simulate good.kmodel {}": "a.png a.npy",
    "check {}": "a.tflite a.onnx a.h5 a.keras a.txt",
    "compile {} -o o.kmodel --images photos": "a.tflite a.onnx a.h5 a.keras a.txt",
    "compare {} good.kmodel --images photos": "a.tflite a.onnx a.h5 a.keras a.txt",
    "evaluate {} photos": "a.kmodel",
    "evaluate good.kmodel {} --description good.json": "a.zip",
    "evaluate good.kmodel photos --description {}": "a.json",
    "train {} -o run": "a.zip a.tfrecords",
    "fit {}": "a.kmodel",
    "fit good.kmodel --firmware {}": "a.bin",
    "swap {} o.kmodel": "a.kmodel",
    "pack -o o.kfpkg {}@0x300000": "a.kmodel",
    "pack -o o.kfpkg --firmware {}": "a.bin",
    "unpack {} -o out": "a.kfpkg",
    "flash {} --port virtual:chip.bin": "a.kfpkg a.bin",
    "flash good.kfpkg --port virtual:{}": "a.bin",
    "flash good.kfpkg --port {}": "a",
    "terminal --port {} --list": "a",
    "view {}": "a",
    "view file:{} --seconds 1": "a.bin",
    "firmware inspect {}": "a.bin",
    "firmware check {}": "a.mk",
    "firmware check good.mk --script {}": "a.py",
    "firmware diff unitv {}": "a.bin a.mk",
    "firmware build {} --maixpy nowhere": "a.mk",
    "firmware build good.mk --maixpy {}": "a",
}
HONEST = {  # exit codes other than 2 that are right: the bytes are used as they are, or the answer is no
    ("swap {} o.kmodel", 0): set(CONTENTS) - {"empty"},
    ("pack -o o.kfpkg {}@0x300000", 0): set(CONTENTS) - {"empty"},
    ("pack -o o.kfpkg --firmware {}", 0): set(CONTENTS) - {"empty", "kmodel", "v4"},  # with a warning
    ("flash {} --port virtual:chip.bin", 0): {"text", "junk", "zeros", "hdf5", "tflite"},  # with a warning
    ("inspect {}", 0): {"v4"},
    ("view file:{} --seconds 1", 3): set(CONTENTS),  # no picture in it
    ("firmware check {}", 3): {"empty", "text", "zeros"},
    ("firmware check good.mk --script {}", 0): {"empty", "zeros"},
    ("firmware check good.mk --script {}", 3): {"text"},
    ("firmware build {} --maixpy nowhere", 3): set(CONTENTS),
}


@pytest.fixture
def things(tmp_path: Path) -> Path:
    """What is right, beside what is wrong."""
    from k210kit.firmware.config import configuration_text
    from k210kit.firmware.presets import preset_settings

    (tmp_path / "good.kmodel").write_bytes(small_model().to_bytes())
    (tmp_path / "good.mk").write_text(configuration_text(preset_settings("unitv"), "good"))
    (tmp_path / "good.json").write_text("{}")
    (tmp_path / "good.py").write_text("print('good')\n")
    pack(tmp_path / "good.kfpkg", [Placed(path=tmp_path / "good.kmodel", address=0x300000)])
    for name in ("good.png", "photos/a/1.png", "photos/b/2.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 10, 3), len(name), np.uint8)).save(path)
    return tmp_path


def _one_message(left: Any) -> None:
    """Exit code 2, one error, nothing on stdout, no traceback."""
    assert left.code == 2, (left.code, left.err)
    assert left.out == ""
    assert left.err.count("error: ") == 1
    assert "Traceback" not in left.err
    assert len(left.err) < 1500


def _needs(place: str, name: str) -> None:
    for extra, needed in (("onnx", name.endswith(".onnx")), ("h5py", name.endswith((".h5", ".keras")))):
        if needed and importlib.util.find_spec(extra) is None:
            pytest.skip(f"{extra} is not installed")
    if place.split()[0] in ("flash", "terminal", "view") and importlib.util.find_spec("serial") is None:
        pytest.skip("the extra 'device' is not installed")


@pytest.mark.parametrize("place", PLACES)
def test_wrong_bytes_are_one_message(place: str, call: Callable[..., Any], things: Path) -> None:
    for name in PLACES[place].split():
        _needs(place, name)
        for kind, data in CONTENTS.items():
            (things / name).write_bytes(data)
            left = call(*place.format(name).split(), *(["--force"] if "-o " in place else []))
            if kind in HONEST.get((place, left.code), ()):
                assert "Traceback" not in left.err
            else:
                assert left.code == 2, (kind, left)
                _one_message(left)


@pytest.mark.parametrize("place", [*PLACES, "run {}", "run good.py --camera {}", "run good.py --sd {}",
                                   "run good.py --flash 0x300000={}", "run good.py --pins {}"])  # fmt: skip
def test_what_is_not_there_is_one_message(place: str, call: Callable[..., Any], things: Path) -> None:
    if "virtual:{}" in place:
        return  # a new chip is made there
    for name in ("none.kmodel", "x" * 300):
        left = call(*place.format(name).split())
        _one_message(left)


@pytest.mark.parametrize("place", PLACES)
def test_a_folder_in_place_of_a_file_is_one_message(place: str, call: Callable[..., Any], things: Path) -> None:
    (things / "folder").mkdir()
    _one_message(call(*place.format("folder").split()))


WRITES = {
    "compile good.onnx -o {} --images good.png": "good.onnx",
    "simulate good.kmodel good.png -o {}": "",
    "swap good.kmodel {}": "",
    "pack -o {} good.kmodel@0x300000": "",
    "unpack good.kfpkg -o {}": "",
    "firmware config unitv -o {}": "",
    "fit good.kmodel --html {}": "",
    "fit good.kmodel --png {}": "",
    "stubs -o {}": "",
    "new-project {}": "",
    "draw-cards --count 2 -o {}": "",
    "draw-cards --pdf {}": "",
    "train photos -o {}": "",
    "demo -o {}": "",
    "stream-demo -o {}": "",
}


@pytest.mark.parametrize("place", WRITES)
def test_where_nothing_can_be_written_is_one_message(place: str, call: Callable[..., Any], things: Path) -> None:
    if "onnx" in place:
        pytest.importorskip("onnx", reason="the extra 'onnx' is not installed")
        from tests.compiler.test_onnx_importer import floats, model_of, node

        model = model_of([node("Conv", "x w", "y")], (1, 3, 8, 10), {"w": floats(4, 3, 3, 3)})
        (things / "good.onnx").write_bytes(model.SerializeToString())
    before = (things / "good.json").read_bytes()
    for target in ("good.json/below", "good.json"):  # below a file; a file of the user's
        if target == "good.json" and "train" in place:
            continue  # the data set is looked at first
        _one_message(call(*place.format(target).split()))
        assert (things / "good.json").read_bytes() == before


def _number_options() -> Iterator[tuple[str, str]]:
    for row in COMMANDS:
        yield from _of(f"{row.name}", typer.main.get_command(importlib.import_module(row.module).app))


def _of(name: str, command: Any) -> Iterator[tuple[str, str]]:  # Any: a command of typer's own click
    for child, one in getattr(command, "commands", {}).items():
        yield from _of(f"{name} {child}", one)
    for option in command.params:
        kind = f"{option.type!r} {getattr(option.type, 'func', '')}".lower()
        if option.param_type_name == "option" and ("int" in kind or "float" in kind or ".number" in kind):
            yield name, option.opts[0]


ARGUMENTS = {"train": "photos -o run", "draw-cards": "-o cards", "compare": "a.tflite good.kmodel --images photos",
             "compile": "a.tflite -o o.kmodel --images photos", "run": "good.py", "view": "file:good.json",
             "flash": "good.kfpkg --port virtual:chip.bin", "fit": "good.kmodel"}  # fmt: skip


@pytest.mark.parametrize(("command", "option"), sorted(_number_options()))
def test_an_impossible_number_is_one_message(command: str, option: str, call: Callable[..., Any], things: Path) -> None:
    for number in ("-7e9", "-7000000000", "1e40", "9" * 40, "nan", "inf", "many", ""):
        left = call(*command.split(), *ARGUMENTS.get(command, "").split(), f"{option}={number}")
        _one_message(left)
        assert option.lstrip("-") in left.err, left.err
