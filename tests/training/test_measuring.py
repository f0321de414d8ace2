"""The camera's threshold is that of the best F1, and what decodes has room for all objects."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from k210kit.training.datasets import Ready, examine, read_dataset
from k210kit.training.datasets.pixels import InputSize
from k210kit.training.description import Description
from k210kit.training.measuring import at_threshold, detections
from tests.training.datasets.samples import picture, voc, voc_object, written

ANCHORS = (0.5,) * 10
SIZE = InputSize(width=160, height=128)


def crowd(folder: Path, count: int) -> tuple[list[Ready], Description]:
    """A picture of `count` objects, one in each of so many cells of 5 x 4."""
    boxes = [(n % 5 * 32 + 8.0, n // 5 * 32 + 8.0, n % 5 * 32 + 24.0, n // 5 * 32 + 24.0) for n in range(count)]
    text = voc("1.png", *(voc_object(box=b) for b in boxes), size=(160, 128))
    folder.mkdir()
    files = {"1.png": picture(1, size=(160, 128)), "1.xml": text}
    ready = examine(read_dataset(written(folder, files)), SIZE).ready
    description = Description(
        task="detect", labels=("cat",), size=SIZE, fit="letterbox", net="tiny", alpha=1.0, anchors=ANCHORS, nms=0.4
    )
    return list(ready), description


def answer(count: int) -> np.ndarray:  # type: ignore[type-arg]
    """A map that finds `count` objects where `crowd` puts them, each a little surer than the one before."""
    maps = np.zeros((1, 4, 5, 5, 6), np.float32)
    maps[..., 4] = -9
    for n in range(count):
        maps[0, n // 5, n % 5, 0, 4] = 0.2 * n - 1
    return maps.reshape(1, 4, 5, 30)


def test_the_firmware_decodes_up_to_ten_objects(tmp_path: Path) -> None:
    items, description = crowd(tmp_path / "a", 10)
    made, told = at_threshold(answer(10), items, description)
    assert (told, made.decoder, made.threshold < 0.27) == ("", "run_yolo2", True)


def test_the_script_decodes_more_than_ten_and_that_is_told(tmp_path: Path) -> None:
    items, description = crowd(tmp_path / "a", 15)
    made, told = at_threshold(answer(15), items, description)
    (found,) = detections(answer(15), made, threshold=made.threshold)
    assert (made.decoder, len(found.scores)) == ("script", 15)
    assert told.startswith("pictures give up to 15 objects, and run_yolo2 has room for 10")


def test_the_script_decodes_where_any_picture_of_the_set_holds_more(tmp_path: Path) -> None:
    items, description = crowd(tmp_path / "a", 10)
    assert at_threshold(answer(10), items, description, most=11)[0].decoder == "script"
