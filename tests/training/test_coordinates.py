"""A box keeps its place: picture, net's input, map, kmodel, the firmware's decoding, the camera's frame."""

from __future__ import annotations

import importlib.util
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from k210kit.kmodel import Kmodel
from k210kit.simulator import Machine
from k210kit.training.boot import Written
from k210kit.training.cameras import plan_camera
from k210kit.training.cards import write_cards
from k210kit.training.datasets import Ready, examine, read_dataset
from k210kit.training.datasets.pixels import InputSize
from k210kit.training.description import Description
from k210kit.training.detection import assigned
from k210kit.training.measuring import detections, kmodel_outputs
from k210kit.training.yolo import cell_of, find_anchors
from tests.training.test_boot import run_on_the_desk

SIZES = [(224, 224, 32), (224, 168, 32), (320, 240, 32), (96, 64, 16)]


@pytest.fixture(scope="module")
def exact(shared: Path) -> Any:
    """The bit-exact model of the firmware's decoding."""
    spec = importlib.util.spec_from_file_location("yolo2_exact", shared / "oracle" / "yolo2_exact.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["yolo2_exact"] = module
    spec.loader.exec_module(module)
    return module


def decoded(exact: Any, maps: NDArray[np.float32], d: Description) -> list[tuple[Any, ...]]:
    """What the firmware makes of a map [channels, rows, columns]: (x1, y1, x2, y2, class, score)."""
    found, _ = exact.decode(maps.ravel().copy(), d.anchors, *d.grid, d.size.width, d.size.height, d.threshold, d.nms)
    return list(found)


def cards(folder: Path, size: InputSize, fit: str, count: int = 4) -> tuple[tuple[Ready, ...], tuple[str, ...]]:
    write_cards(folder, task="detect", count=count, size=(320, 240), seed=5)
    made = examine(read_dataset(folder), size, fit=fit)  # type: ignore[arg-type]
    return made.ready, made.labels


@pytest.mark.parametrize(("width", "height", "stride"), SIZES)
@pytest.mark.parametrize("fit", ["letterbox", "stretch"])
def test_a_map_that_says_the_truth_is_decoded_to_the_annotated_boxes(
    exact: Any, tmp_path: Path, width: int, height: int, stride: int, fit: str
) -> None:
    size = InputSize(width=width, height=height)
    ready, labels = cards(tmp_path / "cards", size, fit)
    cell = cell_of(size, stride)
    anchors = find_anchors([r.boxes for r in ready], cell, seed=0)
    d = Description(
        task="detect",
        labels=labels,
        size=size,
        fit=fit,  # type: ignore[arg-type]
        net="tiny",
        alpha=1.0,
        anchors=anchors.flat(),
        stride=stride,
        nms=0.4,
        threshold=0.5,
    )
    for item in ready:
        maps = told_truth(item, anchors.sides, cell, d)
        found = decoded(exact, maps, d)
        assert len(found) == len(item.boxes)
        for x1, y1, x2, y2, kind, _ in found:
            near = np.abs(item.boxes - np.array([x1, y1, x2, y2])).max(1)
            assert near.min() <= 1.01  # the firmware cuts fractions off
            assert item.classes[near.argmin()] == kind
            assert in_the_picture(item, near.argmin())


def told_truth(
    item: Ready, sides: NDArray[np.float32], cell: NDArray[np.float32], d: Description
) -> NDArray[np.float32]:
    """The map [channels, rows, columns] of a net that has learnt what the lesson teaches of this picture."""
    rows = np.full((1, max(len(item.boxes), 1), 5), -1, np.float32)
    if len(item.boxes):
        boxes = item.boxes / np.tile(cell, 2)
        rows[0, :, :2], rows[0, :, 2:4] = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
        rows[0, :, 4] = item.classes
    wanted = assigned(rows, sides, d.grid[1], d.grid[0])[0]
    maps = np.zeros((d.grid[1], d.grid[0], 5, 5 + len(d.labels)), np.float32)
    maps[..., 4] = -9
    for y, x, a in zip(*np.nonzero(wanted[..., 5]), strict=True):
        centre, side, kind = wanted[y, x, a, :2], wanted[y, x, a, 2:4], int(wanted[y, x, a, 4])
        inside = np.clip(centre - (x, y), 1e-4, 1 - 1e-4)
        maps[y, x, a, :2], maps[y, x, a, 2:4] = np.log(inside / (1 - inside)), np.log(side / sides[a])
        maps[y, x, a, 4], maps[y, x, a, 5 + kind] = 9, 12
    return maps.reshape(d.grid[1], d.grid[0], -1).transpose(2, 0, 1)


def in_the_picture(item: Ready, number: Any) -> bool:
    """Whether a box, taken back from the input to the picture, is the one in the annotation."""
    p, annotated = item.placement, item.source.boxes[int(number)]
    left, top, right, bottom = item.boxes[int(number)]
    back = ((left - p.shift_x) / p.scale_x, (top - p.shift_y) / p.scale_y)
    far = ((right - p.shift_x) / p.scale_x, (bottom - p.shift_y) / p.scale_y)
    return [*back, *far] == pytest.approx([annotated.left, annotated.top, annotated.right, annotated.bottom], abs=0.01)


@dataclass(frozen=True)
class Net:
    """A small trained net: its kmodel, what describes it, and pictures with its float outputs."""

    kmodel: Kmodel
    description: Description
    items: tuple[Ready, ...]
    outputs: NDArray[np.float32]


@pytest.fixture(scope="module", params=[(64, 48, 16), (224, 168, 32)])
def net(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Net:
    """A net with random weights but a sure opinion; it is where its boxes lie that matters, not what they show."""
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    from k210kit.compiler.pipeline import Normalisation, Options
    from k210kit.compiler.pipeline import compile as compile_model
    from k210kit.training.engine import seeded
    from k210kit.training.export import finished, tflite_bytes
    from k210kit.training.measuring import float_outputs
    from k210kit.training.models import detector

    width, height, stride = request.param
    size, folder = InputSize(width=width, height=height), tmp_path_factory.mktemp("net")
    items, labels = cards(folder / "cards", size, "cover", 12)
    seeded(2)
    model = detector("tiny", size, 0.25, len(labels), 5, stride=stride)
    kernel, bias = model.get_layer("yolo").get_weights()
    model.get_layer("yolo").set_weights([kernel * 6, bias * 0])
    model = finished(model, "detect")
    (folder / "model.tflite").write_bytes(tflite_bytes(model))
    options = Options(normalisation=Normalisation(mean=(0.5,), std=(0.5,)), effort="normal")
    pictures = np.stack([r.pixels for r in items]).transpose(0, 3, 1, 2)
    kmodel = compile_model(folder / "model.tflite", np.ascontiguousarray(pictures), options).kmodel
    d = Description(
        task="detect",
        labels=labels,
        size=size,
        fit="cover",
        net="tiny",
        alpha=0.25,
        anchors=(1.0, 1.1, 1.5, 1.4, 1.9, 2.1, 2.4, 2.2, 3.0, 3.1),
        stride=stride,
        nms=0.4,
    )
    outputs = float_outputs(model, items)
    return Net(kmodel, d, items, outputs)


def test_the_kmodels_map_has_the_float_nets_values_in_the_same_places(net: Net) -> None:
    compiled = kmodel_outputs(net.kmodel, net.items, net.description)
    assert compiled.shape == net.outputs.shape
    noise = compiled - net.outputs
    assert 10 * np.log10(net.outputs.var() / noise.var()) > 15  # any mix-up of axes or anchors gives less than 3


@pytest.mark.parametrize("decoder", ["run_yolo2", "script"])
def test_the_board_draws_boxes_where_the_firmwares_rules_put_them(
    exact: Any, net: Net, tmp_path: Path, decoder: str
) -> None:
    d = replace(net.description, decoder=decoder)  # type: ignore[arg-type]
    plan = plan_camera(net.kmodel, d.size, board="maixbit", firmware=None)
    picture = tmp_path / "camera" / "1.png"
    picture.parent.mkdir()
    write_cards(tmp_path / "cards", task="detect", count=1, size=frame_size(plan.frame), seed=5)
    Image.open(tmp_path / "cards" / "images" / "card_000000.jpg").save(picture)
    maps = seen_by_the_model(np.asarray(Image.open(picture)), net.kmodel, d, plan.window)
    d = replace(d, threshold=about_five(maps, d))
    wanted = in_the_frame(decoded(exact, maps, d), d, plan.window)
    assert 2 <= len(wanted) <= 10
    made = Written(title="cards", summary="…", description=d, plan=plan, kmodel=net.kmodel.to_bytes())
    run = run_on_the_desk(made, tmp_path, camera=picture.parent)
    assert run.error is None, run.error
    told = re.findall(r"(\S+) ([\d.]+) at (-?\d+),(-?\d+) (\d+)x(\d+) ", run.printed.split("fps")[2])
    got = sorted((label, float(score), *map(int, box)) for label, score, *box in told)
    assert [row[0] for row in got] == [row[0] for row in wanted]
    slack = 0 if decoder == "run_yolo2" else 3  # the firmware reckons in single precision, and that is then enlarged
    for mine, theirs in zip(got, wanted, strict=True):
        assert mine[1] == pytest.approx(theirs[1], abs=0.0011)
        assert np.abs(np.array(mine[2:]) - np.array(theirs[2:])).max() <= slack


def frame_size(name: str) -> tuple[int, int]:
    return {"QVGA": (320, 240), "QQVGA": (160, 120)}[name]


def seen_by_the_model(
    frame: NDArray[np.uint8], kmodel: Kmodel, d: Description, window: tuple[int, int]
) -> NDArray[np.float32]:
    """The kmodel's map for the middle of the camera's frame, scaled as MaixPy scales."""
    from k210kit.emulator.modules.image import resize as sizes
    from k210kit.emulator.modules.image.pixels import Format, ai_planes, words_of_rgb

    left, top = (frame.shape[1] - window[0]) // 2, (frame.shape[0] - window[1]) // 2
    words = words_of_rgb(np.ascontiguousarray(frame[top : top + window[1], left : left + window[0]]))
    if window != (d.size.width, d.size.height):
        words = sizes.resize(words, Format.RGB565, d.size.width, d.size.height)
    (maps, *_) = Machine(kmodel).run(ai_planes(words)).outputs
    return np.asarray(maps, np.float32)


def about_five(maps: NDArray[np.float32], d: Description) -> float:
    """A threshold that leaves about five objects."""
    channels_last = maps.reshape(1, -1, d.grid[1], d.grid[0]).transpose(0, 2, 3, 1)
    (found,) = detections(channels_last, d, threshold=0.02)
    return round(float(np.sort(found.scores)[-6]), 3)


def in_the_frame(found: list[tuple[Any, ...]], d: Description, window: tuple[int, int]) -> list[tuple[Any, ...]]:
    """Label, score and box in the camera's window of each decoded object."""
    x, y = window[0] / d.size.width, window[1] / d.size.height
    return sorted(
        (d.labels[kind], round(score, 3), int(x1 * x), int(y1 * y), int((x2 - x1) * x), int((y2 - y1) * y))
        for x1, y1, x2, y2, kind, score in found
    )
