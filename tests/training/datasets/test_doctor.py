"""The doctor says per file what is wrong, and goes on with the rest."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from k210kit.errors import InputError
from k210kit.training.datasets import Examined, examine, read_dataset
from k210kit.training.datasets.pixels import FILL, InputSize, place, upright
from tests.training.datasets.samples import CAT, picture, voc, voc_object, written

SIZE = InputSize(width=96, height=96)


def examined(folder: Path, files: dict[str, bytes | str], **options: object) -> Examined:
    return examine(read_dataset(written(folder, files)), SIZE, **options)  # type: ignore[arg-type]


def said(result: Examined, file: str) -> list[str]:
    return [f.what for f in result.health.findings if f.file == file]


def saved(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def test_a_truncated_jpeg_is_left_out(tmp_path: Path) -> None:
    whole = picture(1, form="JPEG")
    files = {"a/1.jpg": whole[: len(whole) // 2], "a/2.jpg": picture(2), "a/3.jpg": b"", "b/1.jpg": picture(3)}
    result = examined(tmp_path, files)
    assert [r.name for r in result.ready] == ["a/2.jpg", "b/1.jpg"]
    assert said(result, "a/1.jpg")[0].startswith("is damaged: image file is truncated")
    assert said(result, "a/3.jpg") == ["is not a picture that can be read; found an empty file"]
    assert result.health.left_out == 2


def test_bad_boxes_are_named_and_good_ones_stay(tmp_path: Path) -> None:
    boxes = [CAT, (30, 30, 30, 50), (90, 10, 95, 20), (60, 80, 90, 100), CAT]
    files = {"1.png": picture(1), "1.xml": voc("1.png", *(voc_object(box=tuple(map(float, b))) for b in boxes))}
    result = examined(tmp_path, files)
    assert len(result.ready[0].boxes) == 2
    assert said(result, "1.png") == [
        "has a box without size ('cat' at 30,30 to 30,50); it is left out",
        "has a box outside its 80 x 100 pixels ('cat' at 90,10 to 95,20); it is left out",
        "has a box that sticks out by 10 pixels ('cat' at 60,80 to 90,100); it is cut",
        "has the same box twice ('cat' at 10,20 to 50,60); one is kept",
    ]


def test_copies_are_dropped_and_contradictions_too(tmp_path: Path) -> None:
    files = {
        "a/1.png": picture(1),
        "a/2.png": picture(1),
        "a/3.png": picture(3),
        "b/1.png": picture(3),
        "b/2.png": picture(4),
    }
    result = examined(tmp_path, files)
    assert [r.name for r in result.ready] == ["a/1.png", "b/2.png"]
    assert said(result, "a/2.png") == ["is a copy of a/1.png; it is left out"]
    assert said(result, "a/3.png") == [
        "is the same picture under different labels: a/3.png (a), b/1.png (b); all left out"
    ]


def test_small_and_unbalanced_sets_are_told(tmp_path: Path) -> None:
    files = {f"a/{n}.png": picture(n) for n in range(24)} | {f"b/{n}.png": picture(100 + n) for n in range(3)}
    result = examined(tmp_path, files)
    assert result.health.per_class == {"a": 24, "b": 3}
    assert said(result, tmp_path.name) == [
        "has only 3 of 'b'; 20 are few, 100 are a start",
        "is unbalanced: 24 of 'a' for 3 of 'b'",
    ]


def test_labels_that_the_camera_cannot_draw_are_told(tmp_path: Path) -> None:
    result = examined(tmp_path, {"猫/1.png": picture(1), "dog/1.png": picture(2)})
    assert "has the label '猫'; the camera's font has ASCII only and shows a number for it" in said(
        result, tmp_path.name
    )


def test_one_class_is_no_classifier(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has one class only"):
        examined(tmp_path, {"cats/siamese/1.png": picture(1), "cats/siamese/2.png": picture(2)})


def test_unknown_labels_are_left_out_when_the_classes_are_given(tmp_path: Path) -> None:
    files = {"a/1.png": picture(1), "b/1.png": picture(2), "c/1.png": picture(3)}
    result = examined(tmp_path, files, labels=("b", "a"))
    assert [(r.name, r.label) for r in result.ready] == [("a/1.png", 1), ("b/1.png", 0)]
    assert said(result, "c/1.png") == ["has the unknown label 'c' and is left out"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_follow_the_orientation_tag(orientation: int) -> None:
    """A white patch is drawn and annotated on the stored pixels; after turning, the box must still hold it."""
    from k210kit.training.datasets.doctor import _in_pixels
    from k210kit.training.datasets.records import Box, Picture

    stored = np.zeros((60, 100, 3), np.uint8)
    stored[10:30, 20:70] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    seen = upright(saved(Image.fromarray(stored), exif=exif))
    box = Box(label="x", left=20, top=10, right=70, bottom=30)
    sideways = Picture(name="p", read=bytes, boxes=(box,), frame=(100.0, 60.0))
    moved = _in_pixels(box, sideways, seen, seen.image.size)
    if orientation >= 5:  # annotated before turning, as the sizes tell
        rows, columns = np.nonzero(np.asarray(seen.image)[..., 0])
        found = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert (moved.left, moved.top, moved.right, moved.bottom) == found


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "CMYK", "P", "1", "I;16"])
def test_every_kind_of_picture_becomes_rgb(mode: str) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.full((20, 20), 40000, np.uint16))
    else:
        image = Image.new("RGB", (20, 20), (200, 200, 200)).convert(mode)
    seen = upright(saved(image, "TIFF" if mode == "CMYK" else "PNG"))
    level = np.asarray(seen.image)[10, 10]
    assert seen.image.mode == "RGB"
    assert abs(int(level[0]) - (156 if mode == "I;16" else 255 if mode == "1" else 200)) <= 56


def test_what_is_see_through_gets_white_behind_it() -> None:
    seen = upright(saved(Image.new("RGBA", (20, 20), (0, 0, 0, 0))))
    assert np.asarray(seen.image).min() == 255
    assert seen.oddities == ("is partly transparent; white is put behind it",)


@pytest.mark.parametrize(
    ("fit", "corner", "scale"), [("letterbox", FILL, 0.96), ("cover", 255, 1.2), ("stretch", 255, 1.2)]
)
def test_pictures_are_laid_into_the_input(fit: str, corner: int, scale: float) -> None:
    pixels, placement = place(Image.new("RGB", (80, 100), "white"), SIZE, fit)  # type: ignore[arg-type]
    assert pixels.shape == (96, 96, 3)
    assert (pixels[0, 0, 0], placement.scale_x) == (corner, pytest.approx(scale))


def test_boxes_land_where_the_pixels_do(tmp_path: Path) -> None:
    """A white patch on black, annotated exactly, in a picture that is larger than the input."""
    canvas = np.zeros((1000, 1600, 3), np.uint8)
    canvas[200:600, 400:800] = 255
    box = voc_object(box=(400, 200, 800, 600))
    files = {"1.jpg": saved(Image.fromarray(canvas), "JPEG", quality=95), "1.xml": voc("1.jpg", box, size=(1600, 1000))}
    (ready,) = examined(tmp_path, files).ready
    rows, columns = np.nonzero(ready.pixels[..., 0] > 200)
    found = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert np.abs(ready.boxes[0] - found).max() <= 1.0


def test_grey_input_has_one_channel(tmp_path: Path) -> None:
    files = {"a/1.png": picture(1), "b/1.png": picture(2)}
    read = read_dataset(written(tmp_path, files))
    result = examine(read, InputSize(width=64, height=48, channels=1))
    assert result.ready[0].pixels.shape == (48, 64, 1)


def test_an_input_of_another_shape_than_the_pictures_is_told(tmp_path: Path) -> None:
    files = {"1.png": picture(1, size=(320, 240)), "1.xml": voc("1.png", voc_object(), size=(320, 240))}
    read = read_dataset(written(tmp_path, files))
    result = examine(read, InputSize(width=224, height=224))
    told = "is of pictures that fill 75% of the input 224x224; --input 224x168 shows the same and is faster"
    assert told in said(result, tmp_path.name)


def test_things_that_are_small_in_the_input_are_told(tmp_path: Path) -> None:
    boxes = voc_object(), voc_object("fly", (2, 2, 14, 14))
    result = examined(tmp_path, {"1.png": picture(1), "1.xml": voc("1.png", *boxes)})
    (told,) = [what for what in said(result, tmp_path.name) if "small things" in what]
    assert told.startswith("has 'fly' of typically 12 pixels in the input; such small things are found badly. A larger")
