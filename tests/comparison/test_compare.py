from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

onnx = pytest.importorskip("onnx", reason="the extra 'onnx' is not installed")

from k210kit.cli.compare import app  # noqa: E402
from k210kit.comparison import compare  # noqa: E402
from k210kit.compiler import Options, compile  # noqa: E402
from k210kit.errors import FormatError, UnsupportedError  # noqa: E402
from tests.compiler.test_onnx_importer import floats, model_of, node  # noqa: E402
from tests.kmodel.samples import small_model  # noqa: E402

PICTURES = np.random.default_rng(3).integers(0, 256, (4, 3, 16, 20), np.uint8)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A small network and its kmodel."""
    nodes = [
        node("Conv", "x w", "a", pads=[1, 1, 1, 1]), node("Relu", "a", "b"), node("Conv", "b v", "c"),
        node("GlobalAveragePool", "c", "d"), node("Flatten", "d", "y"),
    ]  # fmt: skip
    constants = {"w": floats(8, 3, 3, 3), "v": floats(5, 8, 1, 1)}
    model = tmp_path / "m.onnx"
    nodes[2].name = "last Conv"
    model.write_bytes(model_of(nodes, (1, 3, 16, 20), constants).SerializeToString())
    kmodel = tmp_path / "m.kmodel"
    kmodel.write_bytes(compile(model, PICTURES, Options(effort="fast")).to_bytes())
    return model, kmodel


def test_a_kmodel_is_near_its_float_model_layer_by_layer(pair: tuple[Path, Path]) -> None:
    found = compare(*pair, PICTURES, layers=True)
    assert found.engine in ("ONNX Runtime", "ONNX's reference implementation")
    (output,) = found.outputs
    assert output.snr_db is not None
    assert output.snr_db > 25
    assert output.cosine > 0.99
    assert output.top1_agreement is not None
    assert [(x.name, x.shape) for x in found.layers] == [("my Conv", (8, 16, 20)), ("last Conv", (5, 16, 20))]
    assert all(x.snr_db is not None and x.snr_db > 25 for x in found.layers)


def test_another_normalisation_is_seen_as_noise(pair: tuple[Path, Path]) -> None:
    from k210kit.compiler import Normalisation

    good = compare(*pair, PICTURES).outputs[0].snr_db
    bad = compare(*pair, PICTURES, normalisation=Normalisation(mean=(0.5,), std=(0.5,))).outputs[0].snr_db
    assert good is not None
    assert bad is not None
    assert bad < good - 15


def test_what_does_not_belong_together_is_told(pair: tuple[Path, Path], tmp_path: Path) -> None:
    model, _ = pair
    other = tmp_path / "other.kmodel"
    other.write_bytes(small_model().to_bytes())
    with pytest.raises(FormatError, match=r"takes \(3, 8, 10\), .* takes \(3, 16, 20\)"):
        compare(model, other, PICTURES)


@pytest.mark.skipif(importlib.util.find_spec("onnxruntime") is None, reason="the extra 'compare' is not installed")
def test_a_model_that_the_engine_refuses_is_told(pair: tuple[Path, Path]) -> None:
    model, kmodel = pair
    broken = onnx.load(model)
    broken.ir_version = 9999  # every ONNX Runtime is older
    onnx.save(broken, model)
    with pytest.raises(FormatError, match="ONNX Runtime refuses it"):
        compare(model, kmodel, PICTURES)


def _numbered(nodes: list[onnx.NodeProto]) -> None:
    """Give every node a name of its own."""
    for number, one in enumerate(nodes):
        one.name = f"layer {number}"


def test_layers_of_another_compiler_are_not_named(pair: tuple[Path, Path], tmp_path: Path) -> None:
    model = tmp_path / "other.onnx"
    nodes = [
        node("Conv", "x w", "a", pads=[1, 1, 1, 1]), node("Relu", "a", "b"), node("Conv", "b v", "c"),
        node("Conv", "c u", "d"), node("GlobalAveragePool", "d", "e"), node("Flatten", "e", "y"),
    ]  # fmt: skip
    _numbered(nodes)
    constants = {"w": floats(8, 3, 3, 3), "v": floats(6, 8, 1, 1), "u": floats(5, 6, 1, 1)}
    model.write_bytes(model_of(nodes, (1, 3, 16, 20), constants).SerializeToString())
    with pytest.raises(UnsupportedError, match="compare the outputs only, without --layers"):
        compare(model, pair[1], PICTURES, layers=True)


def test_maps_of_two_bytes_are_named_on_the_pictures_of_the_calibration(tmp_path: Path) -> None:
    model, kmodel = tmp_path / "far.onnx", tmp_path / "far.kmodel"
    nodes = [
        node("Conv", "x w", "a", pads=[1, 1, 1, 1]), node("Sigmoid", "a", "g"), node("Mul", "a g", "b"),
        node("Conv", "b v", "c", pads=[1, 1, 1, 1], group=8), node("Relu", "c", "d"), node("Conv", "d u", "y"),
    ]  # fmt: skip
    _numbered(nodes)
    scales = np.geomspace(1, 200, 8).astype(np.float32)[:, None, None, None]
    constants = {"w": floats(8, 3, 3, 3) * scales, "v": floats(8, 1, 3, 3) / scales, "u": floats(5, 8, 1, 1)}
    model.write_bytes(model_of(nodes, (1, 3, 16, 20), constants).SerializeToString())
    kmodel.write_bytes(compile(model, PICTURES, Options(effort="fast")).to_bytes())
    found = compare(model, kmodel, PICTURES, layers=True)
    assert len(found.layers) == 4
    assert all(x.snr_db is not None and x.snr_db > 20 for x in found.layers)


def test_the_command_says_no_below_the_asked_threshold(pair: tuple[Path, Path], tmp_path: Path) -> None:
    for number, picture in enumerate(PICTURES):
        np.save(tmp_path / f"{number}.npy", picture)
    words = [*map(str, pair), "--images", *(str(tmp_path / f"{n}.npy") for n in range(len(PICTURES)))]
    good = CliRunner().invoke(app, [*words, "--json", "--min-snr", "20"])
    assert good.exit_code == 0
    assert json.loads(good.stdout)["outputs"][0]["snr_db"] > 20
    assert CliRunner().invoke(app, [*words, "--min-snr", "90"]).exit_code == 3


def test_the_normalisation_beside_the_kmodel_is_used(pair: tuple[Path, Path], tmp_path: Path) -> None:
    np.save(tmp_path / "0.npy", PICTURES[0])
    words = [*map(str, pair), "--images", str(tmp_path / "0.npy"), "--json"]
    plain = json.loads(CliRunner().invoke(app, words).stdout)["outputs"][0]["snr_db"]
    (tmp_path / "model.json").write_text(json.dumps({"normalisation": {"scale": 255, "mean": 0.5, "std": 0.25}}))
    assert json.loads(CliRunner().invoke(app, words).stdout)["outputs"][0]["snr_db"] < plain - 10
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(FormatError, match="tells no normalisation"):
        CliRunner().invoke(app, words, catch_exceptions=False)
