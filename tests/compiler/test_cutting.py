"""Where a model that cannot be had whole is to be ended, and what is left when it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

onnx = pytest.importorskip("onnx", reason="the extra 'onnx' is not installed")

from k210kit.cli.compile import app  # noqa: E402
from k210kit.compiler import Options, check, compile  # noqa: E402
from k210kit.compiler.importers import read_model  # noqa: E402
from k210kit.errors import InputError, UnsupportedError  # noqa: E402
from tests.compiler.test_onnx_importer import floats, integers, model_of, node  # noqa: E402


@pytest.fixture
def detector(tmp_path: Path) -> Path:
    """Two heads of one trunk, laid out in rows, decoded by a division, chosen from by non-maximum suppression."""
    nodes = [
        node("Conv", "x w", "trunk", pads=[1, 1, 1, 1]), node("Relu", "trunk", "features"),
        node("Conv", "features v", "boxes"), node("Conv", "features u", "scores"),
        node("Reshape", "boxes shape", "rows"), node("Sigmoid", "scores", "chances"),
        node("Div", "rows rows", "decoded"), node("NonMaxSuppression", "decoded chances", "y"),
    ]  # fmt: skip
    constants = {
        "w": floats(8, 3, 3, 3), "v": floats(4, 8, 1, 1), "u": floats(2, 8, 1, 1), "shape": integers(1, 4, 64)
    }  # fmt: skip
    for k, made in enumerate(nodes):
        made.name = f"{made.name} {k}"
    path = tmp_path / "detector.onnx"
    path.write_bytes(model_of(nodes, (1, 3, 8, 8), constants).SerializeToString())
    return path


def test_the_heads_are_named_before_what_is_refused(detector: Path) -> None:
    found = check(detector)
    assert [one.operator for one in found.findings] == ["Div", "NonMaxSuppression"]
    assert found.ends == ("boxes", "chances")


def test_the_message_says_what_to_add(detector: Path) -> None:
    with pytest.raises(UnsupportedError, match="What is before that can: add --outputs boxes,chances"):
        compile(detector, np.zeros((1, 3, 8, 8), np.uint8))


def test_a_model_that_is_ended_there_can_be_compiled_and_compared(detector: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    from k210kit.comparison import compare

    raw = np.random.default_rng(0).integers(0, 256, (3, 3, 8, 8)).astype(np.uint8)
    made = compile(detector, raw, Options(outputs=("boxes", "my Sigmoid 5"), effort="fast"))
    assert [(out.name, out.shape) for out in made.report.outputs] == [("boxes", (4, 8, 8)), ("my Sigmoid 5", (2, 8, 8))]
    (tmp_path / "m.kmodel").write_bytes(made.to_bytes())
    found = compare(detector, tmp_path / "m.kmodel", raw, outputs=("boxes", "my Sigmoid 5"))
    assert min(out.snr_db or 0 for out in found.outputs) > 24


def test_a_name_that_is_not_there_is_told_with_those_like_it(detector: Path) -> None:
    with pytest.raises(InputError, match=r"--outputs: no value or layer is called 'box'. Like it are boxes"):
        read_model(detector, ["box"])


def test_what_stands_behind_the_end_is_not_read_at_all(detector: Path) -> None:
    graph = read_model(detector, ["features"])
    assert [n.kind for n in graph.nodes] == ["Conv", "Relu"]


def test_a_model_that_begins_with_what_is_refused_has_no_end(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(model_of([node("Div", "x x", "a"), node("Relu", "a", "y")], (1, 3, 8, 8), {}).SerializeToString())
    assert check(path).ends == ()


def test_the_command_ends_the_model(detector: Path, tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (8, 8), "red").save(tmp_path / "red.png")
    arguments = [str(detector), "-o", str(tmp_path / "m.kmodel"), "--images", str(tmp_path / "red.png"), "--json"]
    result = CliRunner().invoke(app, [*arguments, "--outputs", "boxes", "--effort", "fast"])
    assert result.exit_code == 0, result.output
    assert '"name": "boxes"' in result.stdout


def test_an_input_that_is_too_large_is_not_cured_by_an_end(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    nodes = [node("Relu", "x", "a"), node("Div", "a a", "y")]
    path.write_bytes(model_of(nodes, (1, 3, 8, 600), {}).SerializeToString())
    found = check(path)
    assert [one.operator for one in found.findings] == ["Div", "input"]
    assert found.ends == ()


def test_a_size_that_the_model_leaves_open_can_be_given(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(model_of([node("Relu")], ("n", 3, "h", "w"), {}).SerializeToString())
    assert read_model(path, size=(12, 8)).input_shape == (3, 8, 12)
    with pytest.raises(InputError, match=r"has no fixed size.*give --input WxH"):
        read_model(path)
