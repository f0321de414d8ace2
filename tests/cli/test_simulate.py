from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from k210kit.cli.simulate import app
from k210kit.errors import FileError, FormatError, UnsupportedError
from k210kit.kmodel import load
from k210kit.simulator import simulate
from tests.kmodel.samples import small_model

run = CliRunner().invoke


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.kmodel"
    path.write_bytes(small_model().to_bytes())
    return path


@pytest.fixture
def array(tmp_path: Path) -> Path:
    path = tmp_path / "pixels.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, (3, 8, 10), np.uint8))
    return path


def test_an_array_gives_the_outputs_by_input_and_output(model: Path, array: Path, tmp_path: Path) -> None:
    out, trace = tmp_path / "out.npz", tmp_path / "trace.npz"
    arguments = [str(model), str(array), str(array), "-o", str(out), "--trace", str(trace), "--layers", "--json"]
    told = json.loads(run(app, arguments, catch_exceptions=False).stdout)
    made = np.load(out)
    assert sorted(made) == ["output_0_0", "output_1_0"]
    assert np.array_equal(made["output_1_0"], simulate(load(model), [np.load(array)])[0][0])
    assert told["outputs"][0]["shape"] == [4]
    assert told["outputs"][0]["dtype"] == "float32"
    assert len(told["milliseconds"]) == 2
    assert [row["name"] for row in told["layers"][0]] == ["K210_CONV", "DEQUANTIZE", "GLOBAL_AVERAGE_POOL2D"]
    assert told["layers"][0][0]["maximum"] <= 255
    assert sorted(np.load(trace))[0] == "0_layer_000_K210_CONV"


def test_a_picture_is_resized_to_the_models_input(model: Path, tmp_path: Path) -> None:
    picture, exact = tmp_path / "photo.png", tmp_path / "exact.npy"
    Image.new("RGB", (40, 30), (200, 100, 50)).save(picture)
    np.save(exact, np.broadcast_to(np.array([200, 100, 50], np.uint8)[:, None, None], (3, 8, 10)).copy())
    results = [
        json.loads(run(app, [str(model), str(path), "--json"], catch_exceptions=False).stdout)["outputs"]
        for path in (picture, exact)
    ]
    assert results[0] == results[1]


def test_nothing_is_overwritten_unasked(model: Path, array: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.npz"
    out.write_text("mine")
    with pytest.raises(FileError, match="exists already"):
        run(app, [str(model), str(array), "-o", str(out)], catch_exceptions=False)
    assert out.read_text() == "mine"
    run(app, [str(model), str(array), "-o", str(out), "--force"], catch_exceptions=False)
    assert "output_0_0" in np.load(out)


def test_what_is_no_picture_is_said_to_be_none(model: Path, tmp_path: Path) -> None:
    text, broken = tmp_path / "photo.jpg", tmp_path / "broken.npy"
    text.write_text("hello")
    broken.write_bytes(b"\x93NUMPY no")
    with pytest.raises(
        FormatError, match=r"photo.jpg is no picture of a known format; expected JPEG, PNG, BMP or .npy"
    ):
        run(app, [str(model), str(text)], catch_exceptions=False)
    with pytest.raises(FormatError, match=r"broken.npy is no array"):
        run(app, [str(model), str(broken)], catch_exceptions=False)


def test_a_model_of_floats_takes_no_picture(shared: Path, tmp_path: Path) -> None:
    picture = tmp_path / "photo.png"
    Image.new("RGB", (4, 4)).save(picture)
    with pytest.raises(UnsupportedError, match="the model takes 4 floats, which a picture does not give"):
        run(app, [str(shared / "golden" / "real" / "iris.kmodel"), str(picture)], catch_exceptions=False)
