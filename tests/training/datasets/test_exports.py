"""Data sets as tools really write them: folders, names and quirks of each export."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from k210kit.errors import InputError
from k210kit.training.datasets import Dataset, read_dataset
from tests.training.datasets.samples import CAT, example, only_cat, picture, record, voc, voc_object, written

LINE = "0 0.375 0.4 0.5 0.4"  # CAT in a picture of 80 x 100
BOX = [10, 20, 40, 40]  # CAT as COCO has it


def said(dataset: Dataset, file: str) -> list[str]:
    return [f.what for f in dataset.findings if f.file == file]


def coco(**changes: object) -> str:
    body: dict[str, object] = {
        "info": {},
        "licenses": [],
        "images": [{"id": 0, "file_name": "one.png", "width": 80, "height": 100}],
        "categories": [{"id": 1, "name": "cat", "supercategory": ""}],
        "annotations": [{"id": 0, "image_id": 0, "category_id": 1, "bbox": BOX, "iscrowd": 0}],
    }
    return json.dumps(body | changes)


def test_labelimg_writes_pascal_voc_with_paths_of_another_computer(tmp_path: Path) -> None:
    annotation = voc("one.png", voc_object()).replace("<annotation>", '<annotation verified="yes">')
    annotation = annotation.replace("<size>", "<path>C:\\Users\\me\\one.png</path><size>")
    only_cat(read_dataset(written(tmp_path, {"one.png": picture(1), "one.xml": annotation})))


def test_cvat_writes_pascal_voc_without_suffixes_and_with_fractions(tmp_path: Path) -> None:
    files = {
        "Annotations/clip/one.xml": voc("clip/one", voc_object(box=(10.0, 20.0, 50.0, 60.0))),
        "JPEGImages/clip/one.png": picture(1),
        "ImageSets/Main/default.txt": "clip/one\n",
        "labelmap.txt": "# label:color_rgb:parts:actions\ncat:128,0,0::\n",
    }
    only_cat(read_dataset(written(tmp_path, files)))


def test_cvat_writes_yolo_with_its_names_in_obj_names(tmp_path: Path) -> None:
    files = {
        "obj.data": "classes = 1\nnames = data/obj.names\n",
        "obj.names": "cat\n",
        "train.txt": "data/obj_train_data/one.png\n",
        "obj_train_data/one.png": picture(1),
        "obj_train_data/one.txt": f"{LINE}\n",
    }
    only_cat(read_dataset(written(tmp_path, files)))


@pytest.mark.parametrize(
    "shape",
    [
        '<box label="cat" occluded="0" xtl="10.0" ytl="20.00" xbr="50.0" ybr="60" z_order="0"></box>',
        '<polygon label="cat" points="10,20;50,40;30,60"></polygon>',
        '<ellipse label="cat" cx="30" cy="40" rx="20" ry="20"/>',
    ],
)
def test_cvat_writes_one_xml_for_all_pictures(tmp_path: Path, shape: str) -> None:
    body = (
        '<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version><meta><job><labels>'
        "<label><name>cat</name></label><label><name>dog</name></label></labels></job></meta>"
        f'<image id="0" name="one.png" width="80" height="100">{shape}</image>'
        '<image id="1" name="two.png" width="80" height="100"></image>'
        '<image id="2" name="gone.png" width="80" height="100"></image></annotations>'
    )
    files = {"images/one.png": picture(1), "images/two.png": picture(2), "annotations.xml": body}
    read = read_dataset(written(tmp_path, files))
    assert read.form == "CVAT XML"
    assert [p.name for p in read.pictures if not p.boxes] == ["images/two.png"]
    assert said(read, "annotations.xml") == ["annotates gone.png, which is not there"]
    only_cat(read)


def test_roboflow_writes_coco_per_part_with_an_unused_first_category(tmp_path: Path) -> None:
    categories = [{"id": 0, "name": "pets"}, {"id": 1, "name": "cat", "supercategory": "pets"}]
    files = {
        "README.roboflow.txt": "…",
        "train/_annotations.coco.json": coco(categories=categories),
        "train/one.png": picture(1),
        "valid/_annotations.coco.json": coco(categories=categories, annotations=[]),
        "valid/one.png": picture(2),
    }
    read = read_dataset(written(tmp_path, files))
    assert {(p.name, p.part, len(p.boxes)) for p in read.pictures} == {
        ("train/one.png", "train", 1),
        ("valid/one.png", "validation", 0),
    }
    only_cat(read)


def test_roboflow_writes_yolo_with_the_same_names_in_every_part(tmp_path: Path) -> None:
    files = {
        "data.yaml": "train: ../train/images\nval: ../valid/images\n\nnc: 1\nnames: ['cat']\n",
        "train/images/a_png.rf.0f.png": picture(1),
        "train/labels/a_png.rf.0f.txt": LINE,
        "valid/images/a_png.rf.0f.png": picture(2),
        "valid/labels/a_png.rf.0f.txt": "",
    }
    read = read_dataset(written(tmp_path, files))
    assert {p.name: len(p.boxes) for p in read.pictures} == {
        "train/images/a_png.rf.0f.png": 1,
        "valid/images/a_png.rf.0f.png": 0,
    }
    only_cat(read)


def test_roboflow_writes_tfrecords_with_numbers_in_place_of_names(tmp_path: Path) -> None:
    body = example(picture(1), "one.png", ["cat"], [(0.125, 0.2, 0.625, 0.6)])
    files = {
        "train/pets.tfrecord": record(body),
        "train/pets_label_map.pbtxt": 'item {\n  name: "cat",\n  id: 1,\n  display_name: "cat"\n}\n',
    }
    only_cat(read_dataset(written(tmp_path / "texts", files)))
    numbers = example(picture(1), "one.png", [1], [(0.125, 0.2, 0.625, 0.6)])
    only_cat(read_dataset(written(tmp_path / "numbers", files | {"train/pets.tfrecord": record(numbers)})))


def test_label_studio_writes_coco_whose_file_names_lead_elsewhere(tmp_path: Path) -> None:
    image = {"id": 0, "file_name": "..\\..\\label-studio\\data\\media\\upload\\1\\ab12-one.png", "width": 80}
    files = {"images/ab12-one.png": picture(1), "result.json": coco(images=[image | {"height": 100}])}
    only_cat(read_dataset(written(tmp_path, files)))


def test_label_studio_writes_yolo_with_notes(tmp_path: Path) -> None:
    files = {
        "classes.txt": "cat\n",
        "notes.json": json.dumps({"categories": [{"id": 0, "name": "cat"}], "info": {"year": 2026}}),
        "images/ab12-one.png": picture(1),
        "labels/ab12-one.txt": LINE,
    }
    only_cat(read_dataset(written(tmp_path, files)))


def test_ultralytics_writes_names_in_braces(tmp_path: Path) -> None:
    files = {
        "coco.yaml": 'path: ../pets\nnames: {0: "cat", 1: dog}\n',
        "images/train/one.png": picture(1),
        "labels/train/one.txt": f"{LINE}\n",
    }
    only_cat(read_dataset(written(tmp_path, files)))


def test_yolo_without_names_calls_classes_by_number(tmp_path: Path) -> None:
    read = read_dataset(written(tmp_path, {"one.png": picture(1), "one.txt": LINE, "two.png": picture(2)}))
    assert read.labels == ("0",)
    assert said(read, tmp_path.name) == [
        "has no data.yaml, classes.txt or obj.names, so the classes are called by number"
    ]
    assert said(read, "two.png") == ["has no text file and counts as a background picture"]


def test_vott_writes_a_table_with_pixels_and_quotes(tmp_path: Path) -> None:
    table = '"image","xmin","ymin","xmax","ymax","label"\n"one.png",10.0,20.0,50.0,60.0,"cat"\n'
    only_cat(read_dataset(written(tmp_path, {"one.png": picture(1), "pets-export.csv": table})))


def test_open_images_has_fractions_in_its_own_order(tmp_path: Path) -> None:
    head = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded\n"
    files = {"one.png": picture(1), "boxes.csv": f"{head}one,xclick,cat,1,0.125,0.625,0.2,0.6,0\n"}
    only_cat(read_dataset(written(tmp_path, files)))


def test_a_table_may_give_corner_and_size(tmp_path: Path) -> None:
    head = "image_name,bbox_x,bbox_y,bbox_width,bbox_height,label_name\n"
    files = {"one.png": picture(1), "t.csv": f"{head}one.png,10,20,40,40,cat\n"}
    only_cat(read_dataset(written(tmp_path, files)))


def test_fractions_beside_the_pictures_size_stay_fractions(tmp_path: Path) -> None:
    head = "filename,width,height,class,xmin,ymin,xmax,ymax\n"
    files = {"one.png": picture(1), "t.csv": f"{head}one.png,80,100,cat,0.125,0.2,0.625,0.6\n"}
    only_cat(read_dataset(written(tmp_path, files)))


@pytest.mark.parametrize(
    "shape",
    [
        {"name": "rect", "x": 10, "y": 20, "width": 40, "height": 40},
        {"name": "polygon", "all_points_x": [10, 50, 30], "all_points_y": [20, 40, 60]},
        {"name": "circle", "cx": 30, "cy": 40, "r": 20},
        {"name": "ellipse", "cx": 30, "cy": 40, "rx": 20, "ry": 20},
    ],
)
def test_via_writes_shapes_as_json_in_a_table(tmp_path: Path, shape: dict[str, object]) -> None:
    def cell(value: object) -> str:
        return '"' + json.dumps(value).replace('"', '""') + '"'

    table = (
        "#filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes\n"
        f'one.png,1,"{{}}",2,0,{cell(shape)},{cell({"class": "cat"})}\n'
        f'one.png,1,"{{}}",2,1,{cell({"name": "point", "cx": 1})},{cell({"class": "cat"})}\n'
        f'two.png,1,"{{}}",0,0,{cell({})},{cell({})}\n'
    ).replace("#", "")
    read = read_dataset(written(tmp_path, {"one.png": picture(1), "two.png": picture(2), "via.csv": table}))
    assert said(read, "via.csv:3") == ["has a region without a usable shape or a name; it is left out"]
    assert [p.name for p in read.pictures if not p.boxes] == ["two.png"]
    only_cat(read)


def test_kaggle_writes_ids_without_suffix(tmp_path: Path) -> None:
    files = {"train/ab.png": picture(1), "train/cd.png": picture(2), "labels.csv": "id,breed\nab,pug\ncd,boxer\n"}
    read = read_dataset(written(tmp_path, files))
    assert [(p.label, p.part) for p in read.pictures] == [("pug", "train"), ("boxer", "train")]


def test_coco_masks_give_boxes_and_crowds_do_not_become_background(tmp_path: Path) -> None:
    images = [{"id": n, "file_name": f"{n}.png", "width": 80, "height": 100} for n in "abcd"]
    run_lengths = {"counts": "PYV`0", "size": [100, 80]}
    annotations = [
        {"id": 1, "image_id": "a", "category_id": 18, "segmentation": [[10, 20, 50, 20, 30, 60]], "iscrowd": 0},
        {"id": 2, "image_id": "b", "category_id": 18, "bbox": BOX, "segmentation": run_lengths, "iscrowd": 1},
        {"id": 3, "image_id": "c", "category_id": 18, "segmentation": run_lengths},
        {"id": 4, "image_id": "a", "category_id": 18, "bbox": BOX, "segmentation": run_lengths, "iscrowd": 1},
    ]
    body = coco(images=images, annotations=annotations, categories=[{"id": 18, "name": "cat"}, {"id": 3, "name": "x"}])
    read = read_dataset(written(tmp_path, {f"{n}.png": picture(i) for i, n in enumerate("abcd")} | {"i.json": body}))
    assert [(p.name, len(p.boxes)) for p in read.pictures] == [("a.png", 1), ("d.png", 0)]
    for name in ("b.png", "c.png"):
        assert said(read, name) == ["has annotations, but no usable box among them, and is left out"]
    only_cat(read)


def test_a_phone_turns_its_pictures_by_a_tag_and_boxes_fit_either_way(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying, shown upright: the stored left edge is the upright top
    stored = Image.open(io.BytesIO(picture(1))).rotate(90, expand=True)
    buffer = io.BytesIO()
    stored.save(buffer, "JPEG", exif=exif, quality=95)
    upright_tool = {"a.jpg": buffer.getvalue(), "a.xml": voc("a.jpg", voc_object())}
    only_cat(read_dataset(written(tmp_path / "upright", upright_tool)))
    left, top, right, bottom = CAT
    lying = voc_object(box=(top, 80 - right, bottom, 80 - left))
    other_tool = {"a.jpg": buffer.getvalue(), "a.xml": voc("a.jpg", lying, size=(100, 80))}
    only_cat(read_dataset(written(tmp_path / "lying", other_tool)))


def test_pictures_that_are_not_read_are_named(tmp_path: Path) -> None:
    files = {"a/1.png": picture(1), "b/1.png": picture(2), "b/IMG_1.HEIC": b"x", "b/clip.mp4": b"x"}
    read = read_dataset(written(tmp_path, files))
    assert said(read, "b/IMG_1.HEIC") == [
        "is a HEIC picture, as iPhones take them, which is not read; save it as JPEG or PNG"
    ]
    assert said(read, "b/clip.mp4") == ["is a video, which is not read; take single pictures out of it"]


@pytest.mark.parametrize(
    ("body", "title"),
    [
        ([{"annotations": [{"result": [{"original_width": 1}]}], "predictions": []}], "Label Studio's own JSON"),
        ({"_via_settings": {}, "_via_img_metadata": {}}, "a project of the VGG Image Annotator"),
        ({"assets": {}, "videoSettings": {}}, "VoTT's own JSON"),
    ],
)
def test_projects_of_tools_are_named_with_what_to_do(tmp_path: Path, body: object, title: str) -> None:
    files = {"images/1.png": picture(1), "images/2.png": picture(2), "export.json": json.dumps(body)}
    with pytest.raises(InputError, match=f"export.json is {title}, which is not read. Export as Pascal VOC, COCO"):
        read_dataset(written(tmp_path, files))


def test_labelimgs_stock_suggestions_are_not_the_labels_of_a_set(tmp_path: Path) -> None:
    files = {"one.png": picture(1), "one.xml": voc("one.png", voc_object()), "predefined_classes.txt": "dog\nperson\n"}
    only_cat(read_dataset(written(tmp_path, files)))


def test_a_label_file_of_another_set_is_told_and_not_used(tmp_path: Path) -> None:
    files = {"one.png": picture(1), "one.xml": voc("one.png", voc_object()), "labels.txt": "dog\nperson\n"}
    read = read_dataset(written(tmp_path, files))
    assert said(read, tmp_path.name) == ["has a label file that lists no label in use (dog, person); not used"]
    only_cat(read)


@pytest.mark.parametrize("declaration", ["", '<?xml version="1.0" encoding="GBK"?>'])
def test_chinese_windows_writes_gbk_and_one_label_stays_one(tmp_path: Path, declaration: str) -> None:
    # 蓝盒 alone would also be four half-width katakana of Shift JIS
    files: dict[str, bytes | str] = {}
    for number, label in enumerate(("红球", "蓝盒", "蓝盒"), 1):
        files[f"{number}.png"] = picture(number)
        files[f"{number}.xml"] = (declaration + voc(f"{number}.png", voc_object(label))).encode("gbk")
    assert read_dataset(written(tmp_path, files)).labels == ("红球", "蓝盒")


def test_makesense_writes_a_table_without_a_head(tmp_path: Path) -> None:
    only_cat(read_dataset(written(tmp_path, {"one.png": picture(1), "t.csv": "cat,10,20,40,40,one.png,80,100\n"})))


def test_roboflow_writes_a_column_per_class(tmp_path: Path) -> None:
    table = "filename, cat, dog\na.png, 1, 0\nb.png, 0, 1\nc.png, 1, 1\n"
    files = {"train/_classes.csv": table, **{f"train/{n}.png": picture(k) for k, n in enumerate("abc")}}
    read = read_dataset(written(tmp_path, files))
    assert [(p.name, p.label) for p in read.pictures] == [("train/a.png", "cat"), ("train/b.png", "dog")]
    assert said(read, "train/_classes.csv:4") == ["gives train/c.png no label; it is left out"]


@pytest.mark.parametrize("names", ["_darknet.labels", "coco.names", "_classes.txt"])
def test_darknet_calls_its_list_of_classes_by_a_suffix(tmp_path: Path, names: str) -> None:
    files = {"train/one.png": picture(1), "train/one.txt": "0 0.375 0.4 0.5 0.4\n", f"train/{names}": "cat\n"}
    only_cat(read_dataset(written(tmp_path, files)))


def test_keras_yolo_has_a_line_per_picture(tmp_path: Path) -> None:
    lines = "pictures/one.png 10,20,50,60,0\npictures/two.png\ngone.png 1,2,3,4,0\npictures/one.png 1,2,3,4,7\n"
    files = {"p/one.png": picture(1), "p/two.png": picture(2), "train.txt": lines, "classes.txt": "cat\n"}
    read = read_dataset(written(tmp_path, files))
    assert said(read, "train.txt:3") == ["names gone.png, which is not there"]
    assert said(read, "train.txt:4") == [
        "has class 7, but 1 classes are listed; that box is left out",
        "has no usable box left, so its picture is left out",
    ]
    only_cat(read)
