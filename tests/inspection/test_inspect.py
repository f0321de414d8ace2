from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from k210kit.cli.inspect import app
from k210kit.errors import FileError, FormatError
from k210kit.inspection import inspect
from k210kit.package import swap_words
from tests.kmodel.samples import small_model

run = CliRunner().invoke


def _zip(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def _png() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def test_a_kmodel_is_told_layer_by_layer(tmp_path: Path) -> None:
    path = tmp_path / "m.kmodel"
    path.write_bytes(small_model().to_bytes())
    found = inspect(path)
    assert (found.kind, found.version, found.main_memory_bytes) == ("kmodel", 3, 1600)
    assert found.inputs == ("3x8x10 uint8",)
    first = found.layers[0]
    assert (first["name"], first["detail"], first["input"], first["output"]) == (
        "K210_CONV", "3x3", "3x8x10", "4x8x10",
    )  # fmt: skip
    assert first["multiply_adds"] == 9 * 3 * 4 * 80
    assert first["output_lines"] == (1000, 8)
    assert found.kpu_memory_bytes == 64 * (8 + 8)
    assert found.outputs[0]["layer"] == "2 GLOBAL_AVERAGE_POOL2D"
    assert found.outputs[0]["dtype"] == "float32"


def test_a_swapped_kmodel_is_told_as_such_with_its_layers(tmp_path: Path) -> None:
    path = tmp_path / "m_be.kmodel"
    path.write_bytes(swap_words(small_model().to_bytes()))
    found = inspect(path)
    assert found.kind == "kmodel-swapped"
    assert len(found.layers) == 3
    assert "kpu.load_flash" in found.loads_on


@pytest.mark.parametrize(("version", "loads"), [(4, "kmodel V4 support"), (5, "no stock MaixPy")])
def test_later_kmodels_say_what_loads_them(tmp_path: Path, version: int, loads: str) -> None:
    path = tmp_path / "m.kmodel"
    words = (version, 0, 1, 100, 5000, 7, 1, 2, 0, 2, 0, 0, 99, 1, 3, 24, 32)
    path.write_bytes(b"LDMK" + b"".join(w.to_bytes(4, "little") for w in words))
    found = inspect(path)
    assert (found.kind, found.version) == ("kmodel", version)
    assert loads in found.loads_on
    if version == 4:
        assert found.main_memory_bytes == 5000
        assert found.facts["output_count"] == 2
        assert found.inputs == ("1x3x24x32",)


def test_a_package_is_told_part_by_part(tmp_path: Path) -> None:
    listed = {"version": "0.1.0", "files": [{"address": 0x300000, "bin": "m.kmodel", "sha256Prefix": False}]}
    path = tmp_path / "p.kfpkg"
    path.write_bytes(_zip({"flash-list.json": json.dumps(listed).encode(), "m.kmodel": small_model().to_bytes()}))
    found = inspect(path)
    assert found.kind == "kfpkg"
    assert [(name, part.kind) for name, part in found.parts] == [("m.kmodel at 0x300000", "kmodel")]


def test_a_data_set_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "d.zip"
    path.write_bytes(_zip({"cat/1.png": _png(), "cat/2.png": _png(), "dog/1.png": _png(), "dog/1.xml": b"<a/>"}))
    found = inspect(path)
    assert found.kind == "dataset"
    assert found.facts == {"pictures": 3, "folders": {"cat": 2, "dog": 1}, "annotations": {"VOC": 1}}


def test_something_else_is_refused_with_its_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"hello world")
    with pytest.raises(FormatError, match="found 11 bytes that begin with 68 65 6c 6c 6f 20 77 6f"):
        inspect(path)
    with pytest.raises(FileError, match="does not exist"):
        inspect(tmp_path / "none")


def test_every_shared_network_is_described(shared: Path) -> None:
    kinds = {path.suffix: inspect(path) for path in sorted((shared / "models").iterdir())}
    assert kinds[".tflite"].kind == "tflite"
    assert kinds[".onnx"].kind == "onnx"
    assert all(len(found.layers) > 1 for found in kinds.values())


def test_the_command_prints_one_json_object(tmp_path: Path) -> None:
    path = tmp_path / "m.kmodel"
    path.write_bytes(small_model().to_bytes())
    printed = json.loads(run(app, [str(path), "--json"], catch_exceptions=False).stdout)
    assert {"kind", "version", "layers", "main_memory_bytes", "loads_on"} <= set(printed)
    text = run(app, [str(path)], catch_exceptions=False).stdout
    assert "GLOBAL_AVERAGE_POOL2D" in text
    assert "loads on: every MaixPy firmware" in text


def test_the_command_shows_what_differs(tmp_path: Path) -> None:
    first, second = tmp_path / "a.kmodel", tmp_path / "b.kmodel"
    raw = bytearray(small_model().to_bytes())
    first.write_bytes(raw)
    raw[256] ^= 1  # the first weight
    second.write_bytes(raw)
    printed = json.loads(run(app, [str(first), "--diff", str(second), "--json"], catch_exceptions=False).stdout)
    assert [d["where"] for d in printed["differences"]] == ["layer 0 K210_CONV.weights"]
    assert printed["differences"][0]["first"].startswith("1 of 108 differ; at [0, 0, 0, 0]: ")
    same = run(app, [str(first), "--diff", str(first)], catch_exceptions=False)
    assert "The two models say the same." in same.stdout
