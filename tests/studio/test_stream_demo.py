from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import k210kit
from k210kit.cli.stream_demo import app
from k210kit.errors import DeviceError, FileError
from k210kit.studio.drawn_faces import ANCHORS, FACE, LABELS, draw_room
from k210kit.studio.stick import build_stick
from k210kit.studio.stream_demo import Detector, drawn_detector, stream_demo, stream_script
from tests.json_schemas import held


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    pytest.importorskip("onnx", reason="the drawn detector is written as ONNX: pip install 'k210kit[onnx]'")
    return drawn_detector(tmp_path_factory.mktemp("detector"))


def test_the_finder_scores_highest_where_the_face_is(detector: Detector) -> None:
    model = k210kit.load(detector.kmodel)
    for number in (0, 20, 55, 80):
        picture = np.asarray(draw_room(number, 96))
        (output,) = k210kit.simulate(model, [picture.transpose(2, 0, 1).astype(np.uint8)])[0]
        grid = output.reshape(5, 6, 15, 20)[0, 4]
        row, column = np.unravel_index(grid.argmax(), grid.shape)
        skin = (picture[..., 0].astype(int) - picture[..., 2] > 60).nonzero()
        middle = skin[1].mean(), skin[0].mean()
        assert grid.max() > 0
        assert abs(16 * column - middle[0]) < 20
        assert abs(16 * row - middle[1]) < 20
    assert (FACE[0] / 16, FACE[1] / 16) == ANCHORS[:2]


def test_the_script_is_the_example_with_another_detector() -> None:
    text = stream_script(("dog", "cat"), (1.0, 2.0))
    example = (Path(__file__).resolve().parents[2] / "examples" / "unitv_stream.py").read_text()
    changed = [new for old, new in zip(example.splitlines(), text.splitlines(), strict=True) if old != new]
    assert changed == ["LABELS = ('dog', 'cat')", "ANCHORS = (1.0, 2.0)"]
    assert LABELS == ("face",)


@pytest.mark.slow
def test_boxes_move_on_the_sticks_display(detector: Detector, tmp_path: Path) -> None:
    try:
        build_stick(tmp_path / "probe")
    except DeviceError as missing:
        pytest.skip(str(missing))
    result = stream_demo(tmp_path / "demo", detector, frames=24)
    held("stream-demo", result)
    assert (result.view.frames, result.view.damaged, result.view.lost) == (24, 0, 0)
    assert result.drawn >= 20
    assert result.with_boxes == 24
    assert result.box_left[1] - result.box_left[0] > 40
    places = []
    for path in (result.displays[0], result.displays[-1]):
        with Image.open(path) as display:
            green = (np.asarray(display.convert("RGB")) == (0, 255, 0)).all(axis=-1).nonzero()
        assert len(green[0]) > 200
        places.append(green[1].mean())
    assert abs(places[1] - places[0]) > 10


def test_a_folder_of_the_users_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileError, match="exists and is not of an earlier stream-demo"):
        CliRunner().invoke(app, ["-o", str(tmp_path)], catch_exceptions=False)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
