"""Whatever is wrong with an annotation file, reading ends with findings or with an error for the user."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from k210kit.errors import InputError
from k210kit.training.datasets import read_dataset
from tests.training.datasets.samples import example, picture, record, voc, voc_object, written

LABELME = {"imagePath": "one.png", "imageHeight": 100, "imageWidth": 80, "shapes": []}
SHAPE = {"label": "cat", "points": [[10, 20], [50, 60]], "shape_type": "rectangle"}
COCO = {
    "images": [{"id": 1, "file_name": "one.png", "width": 80, "height": 100}],
    "categories": [{"id": 1, "name": "cat"}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 20, 40, 40], "segmentation": [[1, 2]]}],
}
VIA = (
    "filename,region_shape_attributes,region_attributes\n"
    'one.png,"{""name"":""rect"",""x"":1,""y"":2,""width"":9,""height"":9}","{""class"":""cat""}"\n'
)
CVAT = '<annotations><image name="one.png" width="80"><box label="cat" xtl="1" ytl="2" xbr="3" ybr="4"/></image>'
WHOLE: dict[str, bytes] = {
    "one.xml": voc("one.png", voc_object()).encode(),
    "all.xml": f"{CVAT}</annotations>".encode(),
    "coco.json": json.dumps(COCO).encode(),
    "one.json": json.dumps(LABELME | {"shapes": [SHAPE]}).encode(),
    "one.txt": b"0 0.4 0.4 0.2 0.2\n",
    "boxes.csv": b"filename,width,height,class,xmin,ymin,xmax,ymax\none.png,80,100,cat,10,20,50,60\n",
    "via.csv": VIA.encode(),
    "one.tfrecord": record(example(picture(1), "one.png", ["cat"], [(0.1, 0.2, 0.6, 0.6)])),
}


def reading_ends_well(folder: Path) -> None:
    with contextlib.suppress(InputError):
        read_dataset(folder)


@pytest.mark.parametrize("name", WHOLE)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_bytes_may_be_changed_lost_or_added(name: str, tmp_path: Path, data: st.DataObject) -> None:
    body = bytearray(WHOLE[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body)))
        piece = data.draw(st.binary(max_size=4) | st.sampled_from([b"null", b"-1e999", b'"', b"{}", b",", b"[", b"\0"]))
        body[at : at + data.draw(st.integers(0, 6))] = piece
    reading_ends_well(written(tmp_path, {"one.png": picture(1), name: bytes(body)}))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 300) | st.floats() | st.sampled_from(["", "1", "one.png", "cat"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "name", "label"]), inner),
    max_leaves=5,
)


def changed(value: object, draw: Callable[[st.SearchStrategy[object]], object]) -> object:
    """A copy of some JSON in which one place holds something else."""
    if isinstance(value, dict) and value and draw(st.integers(0, 3)):
        key = draw(st.sampled_from(sorted(value)))
        return value | {key: changed(value[key], draw)}
    if isinstance(value, list) and value and draw(st.integers(0, 3)):
        return [changed(value[0], draw), *value[1:]]
    return draw(JSON)


@pytest.mark.parametrize("name", ["coco.json", "one.json"])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_values_may_be_of_any_kind(name: str, tmp_path: Path, data: st.DataObject) -> None:
    body = json.dumps(changed(json.loads(WHOLE[name]), data.draw))
    reading_ends_well(written(tmp_path, {"one.png": picture(1), name: body}))


def test_the_undamaged_files_are_read(tmp_path: Path) -> None:
    for name, body in WHOLE.items():
        folder = written(tmp_path / name, {"one.png": picture(1), name: body})
        assert sum(len(p.boxes) for p in read_dataset(folder).pictures) == 1, name
