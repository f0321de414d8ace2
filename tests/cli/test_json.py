"""`--json` of every command is as its schema says; what training and boards need is held in their own tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from PIL import Image

from docs.json_schemas import RESULTS, file_name
from k210kit.cli.table import COMMANDS
from k210kit.firmware.config import configuration_text
from k210kit.firmware.presets import preset_settings
from k210kit.link import legacy_frame
from tests.firmware.images import image
from tests.json_schemas import SCHEMAS, held, read_schema
from tests.kmodel.samples import small_model

# what users rely on, by command: the schema must demand it
PROMISED = {
    "demo": "steps accuracy_float accuracy_kmodel bundle pictures seconds",
    "inspect": "kind version layers main_memory_bytes loads_on",
    "simulate": "outputs milliseconds",
    "swap": "files",
    "pack": "files",
    "unpack": "files",
    "compile": "kmodel_bytes main_memory_bytes kpu_memory_peak_bytes milliseconds_estimate layers warnings",
    "compare": "outputs",
    "check": "ok findings",
    "train": "task classes metrics_float metrics_kmodel seconds bundle",
    "evaluate": "metrics_float metrics_kmodel",
    "fit": "fits free_bytes needed_bytes items remedies fps_estimate",
    "run": "frames fps_board_estimate printed error heap",
    "view": "frames lost resyncs fps",
    "flash": "port board baud written verified",
    "doctor": "findings",
    "explain": "causes",
}
PROMISED_PARTS = {
    ("compile", "LayerRow"): "name origin where reason cycles bytes",
    ("compare", "OutputCompared"): "name snr_db cosine top1_agreement",
    ("simulate", "OutputTold"): "shape dtype",
    ("swap", "Entry"): "address size sha256",
    ("pack", "Entry"): "address size sha256",
}
ELSEWHERE = {  # commands whose tests need training, a stream or a pretend board: they call `held` there
    "demo", "train", "evaluate", "stream-demo", "terminal", "terminal --rescue", "terminal --wipe-files",
    "firmware build", "firmware build --dry-run",
}  # fmt: skip


@pytest.fixture
def things(tmp_path: Path) -> Path:
    """Small files of every kind, in the folder where the commands run."""
    (tmp_path / "m.kmodel").write_bytes(small_model().to_bytes())
    Image.fromarray(np.full((8, 10, 3), 90, np.uint8)).save(tmp_path / "p.png")
    Image.fromarray(np.full((48, 64, 3), 90, np.uint8)).save(tmp_path / "p.jpg")
    (tmp_path / "firmware.bin").write_bytes(image(["ide", "thread"]))
    (tmp_path / "c.mk").write_text(configuration_text(preset_settings("unitv"), "c"))
    (tmp_path / "s.py").write_text("import sensor\nsensor.reset()\nsensor.set_pixformat(sensor.RGB565)\n"
                                   "sensor.set_framesize(sensor.QVGA)\nsensor.snapshot()\nprint('hi')\n")  # fmt: skip
    (tmp_path / "stream.bin").write_bytes(legacy_frame((tmp_path / "p.jpg").read_bytes()) * 3)
    return tmp_path


CALLS = {
    "inspect": ["inspect m.kmodel", "inspect firmware.bin", "inspect p.kfpkg"],
    "inspect --diff": ["inspect m.kmodel --diff m.kmodel"],
    "simulate": ["simulate m.kmodel p.png", "simulate m.kmodel p.png p.jpg --layers -o o.npz"],
    "swap": ["swap m.kmodel be.kmodel"],
    "pack": ["pack -o q.kfpkg m.kmodel@0x300000"],
    "unpack": ["unpack p.kfpkg -o out"],
    "fit": ["fit m.kmodel", "fit m.kmodel --firmware firmware.bin --load flash-dual --gc-heap 4M"],
    "run": ["run s.py --camera p.jpg --fast --frames 3"],
    "stubs": ["stubs -o typings"],
    "view": ["view file:stream.bin"],
    "flash": ["flash m.kmodel@0x300000 --port virtual:chip.bin"],
    "firmware list": ["firmware list", "firmware list --needs lvgl,ws2812"],
    "firmware inspect": ["firmware inspect firmware.bin"],
    "firmware config": ["firmware config unitv -o d.mk"],
    "firmware check": ["firmware check c.mk --script s.py"],
    "firmware diff": ["firmware diff unitv c.mk", "firmware diff unitv firmware.bin"],
    "doctor": ["doctor"],
    "explain": ["explain ERR_NO_MEM", "explain nothing"],
    "new-project": ["new-project mine"],
    "draw-cards": ["draw-cards -o cards --count 3 --size 64x48"],
    "(an error)": ["inspect none.bin", "run s.py --frames 0", "fit m.kmodel --firmware nothing"],
}


@pytest.mark.parametrize("command", CALLS)
def test_what_a_command_prints_is_as_its_schema_says(command: str, call: Callable[..., Any], things: Path) -> None:
    call("pack", "-o", "p.kfpkg", "m.kmodel@0x300000")
    for words in CALLS[command]:
        left = call(*words.split(), "--json")
        assert left.out.count("\n") == 1, "one object, on a line of its own"
        held(file_name(command).removesuffix(".json"), left.out)


def test_what_the_compiler_prints_is_as_its_schema_says(call: Callable[..., Any], tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="the extra 'onnx' is not installed")
    from tests.compiler.test_onnx_importer import floats, model_of, node

    nodes = [node("Conv", "x w", "a"), node("Relu", "a", "b"), node("GlobalAveragePool", "b", "y")]
    (tmp_path / "m.onnx").write_bytes(model_of(nodes, (1, 3, 8, 10), {"w": floats(4, 3, 3, 3)}).SerializeToString())
    np.save(tmp_path / "p.npy", np.random.default_rng(0).integers(0, 256, (3, 8, 10), np.uint8))
    held("check", call("check", "m.onnx", "--json").out)
    made = call("compile", "m.onnx", "-o", "m.kmodel", "--images", "p.npy", "--effort", "fast", "--json")
    assert held("compile", made.out)["layers"]
    compared = call("compare", "m.onnx", "m.kmodel", "--images", "p.npy", "--layers", "--json")
    assert held("compare", compared.out)["layers"]


def test_every_command_has_a_schema_and_a_test() -> None:
    assert {name.split(" ")[0] for name in RESULTS} - {"(an"} == {row.name for row in COMMANDS}
    assert set(RESULTS) == set(CALLS) | ELSEWHERE | {"check", "compile", "compare"}
    assert {path.name for path in SCHEMAS.iterdir()} == {file_name(command) for command in RESULTS}


@pytest.mark.parametrize("command", RESULTS)
def test_a_schema_is_one(command: str) -> None:
    jsonschema.Draft202012Validator.check_schema(read_schema(file_name(command).removesuffix(".json")))


def test_the_schemas_demand_what_is_promised() -> None:
    for (command, part), fields in {**{(c, ""): f for c, f in PROMISED.items()}, **PROMISED_PARTS}.items():
        schema = read_schema(command)
        required = schema["$defs"][part or schema["$ref"].rpartition("/")[2]]["required"]
        assert set(fields.split()) <= set(required), (command, part)


def test_a_schema_refuses_what_is_not_so(things: Path, call: Callable[..., Any]) -> None:
    body = json.loads(call("fit", "m.kmodel", "--json").out)
    for wrong in ({**body, "fits": "yes"}, {**body, "more": 1}, {k: v for k, v in body.items() if k != "items"}):
        with pytest.raises(jsonschema.ValidationError):
            held("fit", json.dumps(wrong))
