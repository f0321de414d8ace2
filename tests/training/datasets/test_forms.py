"""Every form in which people have data gives the same pictures, labels and boxes."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from k210kit.errors import InputError
from k210kit.training.datasets import Dataset, read_dataset
from tests.training.datasets.samples import example, only_cat, picture, record, voc, voc_object, written

FRACTIONS = (0.375, 0.4, 0.5, 0.4)  # centre and sides of CAT in a picture of 80 x 100


def whats(dataset: Dataset) -> list[str]:
    return [f.what for f in dataset.findings]


def test_a_folder_per_class(tmp_path: Path) -> None:
    read = read_dataset(written(tmp_path, {"cat/1.png": picture(1), "dog/1.png": picture(2), "dog/2.jpg": picture(3)}))
    assert (read.task, read.labels, read.form) == ("classify", ("cat", "dog"), "a folder per class")
    assert [p.label for p in read.pictures] == ["cat", "dog", "dog"]


def test_class_folders_may_lie_deeper_and_below_train_and_test(tmp_path: Path) -> None:
    files = {
        f"export/images/{part}/{c}/{n}.png": picture(n) for part in ("train", "test") for c in "ab" for n in (1, 2)
    }
    read = read_dataset(written(tmp_path, files))
    assert read.labels == ("a", "b")
    assert {(p.label, p.part) for p in read.pictures} == {(c, t) for c in "ab" for t in ("train", "test")}


def test_a_stray_picture_beside_the_class_folders_is_told(tmp_path: Path) -> None:
    read = read_dataset(written(tmp_path, {"a/1.png": picture(1), "b/1.png": picture(2), "report.png": picture(3)}))
    assert len(read.pictures) == 2
    assert whats(read) == ["lies beside the class folders, so its class is unknown"]


def test_class_numbers_are_ordered_by_value(tmp_path: Path) -> None:
    read = read_dataset(written(tmp_path, {f"{n}/x.png": picture(n) for n in (10, 9, 100)}))
    assert read.labels == ("9", "10", "100")


def test_labels_in_other_scripts_are_one_spelling(tmp_path: Path) -> None:
    read = read_dataset(
        written(tmp_path, {"が/1.png": picture(1), "か\u3099/2.png": picture(2), "猫/1.png": picture(3)})
    )
    assert read.labels == ("が", "猫")


def test_pascal_voc(tmp_path: Path) -> None:
    files = {
        "data/images/one.png": picture(1),
        "data/images/empty.png": picture(2),
        "data/xml/one.xml": voc("one.png", voc_object()),
        "data/xml/empty.xml": voc("empty.png"),
        "data/labels.txt": "cat\n",
    }
    read = read_dataset(written(tmp_path, files))
    assert only_cat(read).name == "data/images/one.png"
    assert [p.boxes for p in read.pictures if p.name.endswith("empty.png")] == [()]


def test_pascal_voc_finds_a_picture_whose_name_was_changed(tmp_path: Path) -> None:
    read = read_dataset(written(tmp_path, {"a.png": picture(1), "a.xml": voc("C:\\old\\x.jpg", voc_object())}))
    assert only_cat(read).name == "a.png"


def test_pascal_voc_says_what_is_wrong(tmp_path: Path) -> None:
    files = {
        "a.png": picture(1),
        "a.xml": voc("a.png", voc_object(), voc_object("lynx"), voc_object().replace("50.0", "wide")),
        "b.xml": voc("b.png", voc_object()),
        "c.xml": "<annotation><filename>",
        "d.png": picture(2),
        "background/e.png": picture(3),
        "labels.txt": "cat\n",
    }
    read = read_dataset(written(tmp_path, files))
    assert len(read.pictures) == 2
    assert whats(read) == [
        "has a box of 'lynx', which the label file does not list; that box is left out",
        "has a 'cat' whose corners are not four numbers; that box is left out",
        "annotates b.png, which is not there",
        "is not readable XML: no element found: line 1, column 22",
        "has no annotation and is left out; give it an empty one, or put it below background/",
    ]


def test_xml_entities_are_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE a [<!ENTITY x "y">]><annotation><filename>a.png</filename></annotation>'
    read_into = written(tmp_path, {"a.png": picture(1), "a.xml": bomb, "b.png": picture(2)})
    (tmp_path / "b.xml").write_text(voc("b.png", voc_object()))
    assert "declares XML entities, which no annotation needs; it is left out" in whats(read_dataset(read_into))


def test_coco_json(tmp_path: Path) -> None:
    body = {
        "images": [
            {"id": 7, "file_name": "one.png", "width": 80, "height": 100},
            {"id": 8, "file_name": "two.png", "width": 80, "height": 100},
            {"id": 9, "file_name": "gone.png"},
        ],
        "categories": [{"id": 3, "name": "cat"}, {"id": 1, "name": "dog"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 3, "bbox": [10, 20, 40, 40]},
            {"id": 2, "image_id": 7, "category_id": 5, "bbox": [10, 20, 40, 40]},
            {"id": 3, "image_id": 7, "category_id": 3, "bbox": [0, 0, 9, 9], "iscrowd": 1},
        ],
    }
    files = {"images/one.png": picture(1), "images/two.png": picture(2), "annotations/instances.json": json.dumps(body)}
    read = read_dataset(written(tmp_path, files))
    assert only_cat(read).name == "images/one.png"
    assert whats(read)[:3] == [
        "has the unknown category 5; that box is left out",
        "marks a crowd, not an object; it is left out",
        "lists gone.png, which is not there",
    ]


@pytest.mark.parametrize("names", ["names: [cat]\n", "names:\n  0: cat\n", "names:\n- 'cat'\nnc: 1\n"])
def test_yolo_txt(tmp_path: Path, names: str) -> None:
    line = "0 " + " ".join(map(str, FRACTIONS))
    files = {
        "data.yaml": names,
        "images/train/one.png": picture(1),
        "images/val/none.png": picture(2),
        "labels/train/one.txt": f"{line}\n3 0.1 0.1 0.1 0.1\n0 0.5 half 0.1 0.1\n",
    }
    read = read_dataset(written(tmp_path, files))
    assert only_cat(read).part == "train"
    assert [p.part for p in read.pictures if not p.boxes] == ["validation"]
    assert whats(read)[:2] == [
        "has class 3, but 1 classes are listed; that box is left out",
        "is not 'class x y width height' ('0 0.5 half 0.1 0.1'); that box is left out",
    ]


def test_yolo_polygons_give_their_bounds(tmp_path: Path) -> None:
    polygon = "0 0.125 0.2 0.625 0.3 0.4 0.6"
    files = {"one.png": picture(1), "one.txt": polygon, "classes.txt": "cat"}
    only_cat(read_dataset(written(tmp_path, files)))


@pytest.mark.parametrize("inside", [False, True])
def test_labelme_with_the_picture_beside_or_inside(tmp_path: Path, inside: bool) -> None:
    shapes = [
        {"label": "cat", "points": [[50, 60], [10, 20]], "shape_type": "rectangle"},
        {"label": "cat", "points": [[1, 1]]},
    ]
    body = {"shapes": shapes, "imagePath": "one.png", "imageWidth": 80, "imageHeight": 100}
    if inside:
        body["imageData"] = base64.b64encode(picture(1)).decode()
    files: dict[str, bytes | str] = {"one.json": json.dumps(body)}
    files |= {} if inside else {"one.png": picture(1)}
    read = read_dataset(written(tmp_path, files))
    assert only_cat(read).name == "one.png"
    assert whats(read)[0] == "has a 'cat' of 1 points; it is left out"


@pytest.mark.parametrize(
    "table",
    [
        "filename,width,height,class,xmin,ymin,xmax,ymax\none.png,80,100,cat,10,20,50,60\ntwo.png,80,100,,,,,\n",
        "image;x_min;y_min;x_max;y_max;label\none.png;10;20;50;60;cat\ntwo.png;;;;;\n",
        "one.png,10,20,50,60,cat\ntwo.png,,,,,\n",
        "file,label,x1,y1,x2,y2\none.png,cat,0.125,0.2,0.625,0.6\ntwo.png,,,,,\n",
    ],
)
def test_csv_of_boxes(tmp_path: Path, table: str) -> None:
    files = {"one.png": picture(1), "two.png": picture(2), "boxes.csv": table}
    read = read_dataset(written(tmp_path, files))
    assert only_cat(read).name == "one.png"
    assert len(read.pictures) == 2


def test_csv_of_labels(tmp_path: Path) -> None:
    table = "filename,label\nimg/one.png,cat\nimg/two.png,dog\nimg/one.png,dog\nimg/gone.png,cat\n"
    read = read_dataset(written(tmp_path, {"img/one.png": picture(1), "img/two.png": picture(2), "l.csv": table}))
    assert [(p.name, p.label) for p in read.pictures] == [("img/one.png", "cat"), ("img/two.png", "dog")]
    assert whats(read) == [
        "calls img/one.png 'dog', but an earlier row 'cat'; it is left out",
        "names img/gone.png, which is not there",
    ]


def test_a_csv_of_something_else_does_not_hide_class_folders(tmp_path: Path) -> None:
    files = {"a/1.png": picture(1), "b/1.png": picture(2), "people.csv": "name,class\nAnn,3\n"}
    assert read_dataset(written(tmp_path, files)).form == "a folder per class"


def test_vott_tfrecord(tmp_path: Path) -> None:
    files = {
        "x/1.tfrecord": record(example(picture(1), "one.png", ["cat"], [(0.125, 0.2, 0.625, 0.6)])),
        "x/2.tfrecord": record(example(picture(2), "two.png", [], [])) + b"cut off",
        "x/tf_label_map.pbtxt": "item {\n id: 1\n name: 'cat'\n}\n",
    }
    read = read_dataset(written(tmp_path, files))
    assert only_cat(read).name == "one.png"
    assert whats(read)[0].startswith("the rest of the file is left out: x/2.tfrecord at byte ")


def test_the_real_vott_export_is_read(shared: Path) -> None:
    read = read_dataset(shared / "datasets" / "test-TFRecords-export.zip")
    assert (read.labels, len(read.pictures), read.task) == (("card0", "card1"), 15, "detect")


def test_a_detector_cannot_be_trained_from_labels_alone(tmp_path: Path) -> None:
    folder = written(tmp_path, {"a/1.png": picture(1), "b/1.png": picture(2)})
    with pytest.raises(InputError, match="holds no boxes, and a detector learns from boxes"):
        read_dataset(folder, task="detect")


def test_a_classifier_can_be_trained_from_boxes_of_one_class(tmp_path: Path) -> None:
    files = {f"{n}.png": picture(n) for n in (1, 2, 3)} | {
        "1.xml": voc("1.png", voc_object("cat")),
        "2.xml": voc("2.png", voc_object("dog"), voc_object("dog", (0, 0, 9, 9))),
        "3.xml": voc("3.png", voc_object("dog"), voc_object("cat")),
    }
    read = read_dataset(written(tmp_path, files), task="classify")
    assert [(p.name, p.label) for p in read.pictures] == [("1.png", "cat"), ("2.png", "dog")]
    assert whats(read) == ["has boxes of 2 classes; a classifier needs exactly one"]


def test_what_is_no_data_set_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a data set that is known here: 1 files, 0 of them pictures"):
        read_dataset(written(tmp_path, {"notes.txt": "hello"}))
