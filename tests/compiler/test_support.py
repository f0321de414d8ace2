from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

onnx = pytest.importorskip("onnx", reason="the extra 'onnx' is not installed")

from k210kit.cli.check import app  # noqa: E402
from k210kit.compiler import check, compile  # noqa: E402
from k210kit.errors import UnsupportedError  # noqa: E402
from tests.compiler.test_onnx_importer import floats, model_of, node  # noqa: E402


def _write(path: Path, nodes: list[Any], shape: tuple[int, ...], **constants: Any) -> Path:
    path.write_bytes(model_of(nodes, shape, constants).SerializeToString())
    return path


def _conv(outputs: int, inputs: int = 3, kernel: int = 1) -> Any:
    return floats(outputs, inputs, kernel, kernel)


def test_a_model_that_fits_is_ok(tmp_path: Path) -> None:
    path = _write(tmp_path / "m.onnx", [node("Conv", "x w", "y", pads=[1, 1, 1, 1])], (1, 3, 16, 16), w=_conv(8, 3, 3))
    found = check(path)
    assert found.ok
    assert found.kpu_layers == 1
    assert found.kpu_memory_bytes == 64 * (16 + 2 * 16)


@pytest.mark.parametrize(
    ("nodes", "shape", "weights", "messages"),
    [
        (
            [node("Conv", "x w", "y")], (1, 1500, 16, 16), _conv(4, 1500),
            ["input 'x': a map of 1500x16x16", "channels of a map is 1,500; the KPU takes 1 to 1,024"],
        ),
        (
            [node("Conv", "x w", "y")], (1, 3, 8, 600), _conv(4),
            ["input 'x': a map of 3x8x600", "width of a map in pixels is 600; the KPU takes 1 to 512"],
        ),
        (
            [node("Conv", "x w", "a"), node("Resize", "a  s", "y", mode="cubic")], (1, 3, 16, 16), _conv(4),
            ["Resize 'my Resize': on 4x16x16, it interpolates (16, 16) to (32, 32) (cubic); nearest neighbour; "
             "bilinear by 2 or by half in both directions, without aligned corners. Use mode='nearest'"],
        ),
        (
            [node("Conv", "x w", "a"), node("Conv", "a v", "y")], (1, 3, 256, 256), _conv(32),
            ["of KPU memory", "the KPU has 2,097,152", "An input of ", " would fit."],
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_told_by_name_size_limit_and_cure(
    tmp_path: Path, nodes: list[Any], shape: tuple[int, ...], weights: Any, messages: list[str]
) -> None:
    path = _write(tmp_path / "m.onnx", nodes, shape, w=weights, v=_conv(32, 32), s=np.float32([1, 1, 2, 2]))
    found = check(path)
    assert not found.ok
    said = " ".join(map(str, found.findings))
    for message in messages:
        assert message in said
    with pytest.raises(UnsupportedError) as caught:
        compile(path, np.zeros((1, *shape[1:]), np.uint8))
    assert messages[0] in str(caught.value)
    result = CliRunner().invoke(app, [str(path), "--json"])
    assert result.exit_code == 3
    assert not json.loads(result.stdout)["ok"]
