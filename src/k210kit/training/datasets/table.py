"""CSV: a row per box (`filename,width,height,class,xmin,ymin,xmax,ymax`, or `path,x1,y1,x2,y2,class` without a head),
a row per picture (`filename,label`, or a column of 0 and 1 per class), or VIA's columns of JSON."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from k210kit.errors import InputError

from .forms import Read, form
from .records import Box, Findings, Picture, frame_of, tidy_label
from .store import PictureIndex, Store, is_picture, text_of

__all__ = ["read_csv"]

# what a column may be called, the likeliest name first; spaces, dashes and case do not matter
_COLUMNS = {
    "file": (
        "filename",
        "file",
        "file_name",
        "image",
        "image_name",
        "image_path",
        "filepath",
        "path",
        "image_id",
        "imageid",
        "img",
        "id",
        "name",
    ),
    "label": ("class", "label", "class_name", "category", "label_name", "labelname", "labels", "target", "breed"),
    "left": ("xmin", "x1", "left", "x_min", "bbox_x", "box_x", "x"),
    "top": ("ymin", "y1", "top", "y_min", "bbox_y", "box_y", "y"),
    "right": ("xmax", "x2", "right", "x_max"),
    "bottom": ("ymax", "y2", "bottom", "y_max"),
    "box_width": ("bbox_width", "bbox_w", "box_width", "w"),
    "box_height": ("bbox_height", "bbox_h", "box_height", "h"),
    "width": ("width", "image_width", "img_width"),
    "height": ("height", "image_height", "img_height"),
    "shape": ("region_shape_attributes",),
    "attributes": ("region_attributes",),
}
_SIDES = ("left", "top", "right", "bottom")
# tables without a head: keras-retinanet's, MakeSense's, and that of a label alone
_HEADLESS = (
    ("file", "label"),
    ("file", *_SIDES, "label"),
    ("label", "left", "top", "box_width", "box_height", "file", "width", "height"),
)


@dataclass(frozen=True, kw_only=True)
class _Table:
    """One CSV file: where each column is, the rows below the head, the number of the first of them.

    classes: the class of each column of 0 and 1, where there are such in place of a label.
    """

    name: str
    columns: dict[str, int]
    rows: list[list[str]]
    first: int
    classes: dict[int, str] = field(default_factory=dict)

    def cells(self, row: list[str]) -> dict[str, str]:
        cells = {key: row[place] if place < len(row) else "" for key, place in self.columns.items()}
        if self.classes:
            chosen = [label for place, label in self.classes.items() if place < len(row) and row[place] == "1"]
            cells["label"] = chosen[0] if len(chosen) == 1 else ""
        return cells


def _table(store: Store, name: str) -> _Table | None:
    """The table, or None if this is not one of pictures and labels."""
    text = text_of(store, name)
    delimiter = max(",;\t", key=text.split("\n", 1)[0].count)
    reader = csv.reader(text.replace("\0", "").splitlines(), delimiter=delimiter)
    try:
        rows = [[cell.strip() for cell in row] for row in reader if row]
    except csv.Error as error:
        raise InputError(f"is not a readable CSV table: {error}") from error
    if not rows:
        return None
    head = [cell.lower().replace(" ", "_").replace("-", "_") for cell in rows[0]]
    found = {key: head.index(n) for key, names in _COLUMNS.items() for n in names[::-1] if n in head}
    if "file" in found and ("label" in found or {"shape", "attributes"} <= set(found)):
        return _Table(name=name, columns=found, rows=rows[1:], first=2)
    if "file" in found and (classes := _class_columns(rows, found["file"])):
        return _Table(name=name, columns={"file": found["file"]}, rows=rows[1:], first=2, classes=classes)
    for names in _HEADLESS:
        if len(rows[0]) == len(names) and is_picture(rows[0][names.index("file")]):
            return _Table(name=name, columns={key: place for place, key in enumerate(names)}, rows=rows, first=1)
    return None


def _class_columns(rows: list[list[str]], file: int) -> dict[int, str]:
    """Place -> class, if all columns but that of the files hold 0 or 1 alone, as Roboflow writes them."""
    places = [place for place in range(len(rows[0])) if place != file]
    filled = len(rows) > 1 and all(len(row) == len(rows[0]) for row in rows)
    if not places or not filled or any(row[place] not in ("0", "1") for row in rows[1:] for place in places):
        return {}
    return {place: tidy_label(rows[0][place]) for place in places}


def _recognises(store: Store) -> bool:
    index = PictureIndex(store.names)
    for name in (n for n in store.names if n.lower().endswith(".csv")):
        try:
            table = _table(store, name)
        except InputError:
            continue
        files = [table.cells(row)["file"] for row in table.rows[:20]] if table else []
        if any(file and index.find(file, beside=name) for file in files):
            return True
    return False


@form("csv", "CSV", _recognises)
def read_csv(store: Store, findings: Findings) -> Read:
    """Every table with a column of files and one of labels; a row with a file alone is a background picture."""
    index = PictureIndex(store.names)
    pictures: dict[str, Picture] = {}
    spoilt: set[str] = set()
    for name in (n for n in store.names if n.lower().endswith(".csv")):
        try:
            table = _table(store, name)
        except InputError as error:
            findings.error(name, str(error))
            continue
        if table is None:
            continue
        relative = _is_relative(table)
        for number, row in enumerate(table.rows, table.first):
            where = f"{name}:{number}"
            cells = table.cells(row)
            found = index.find(cells["file"], beside=name) if cells["file"] else None
            if found is None:
                findings.error(where, f"names {cells['file'] or 'no picture'}, which is not there")
                continue
            before = pictures.get(found) or Picture(name=found, read=partial(store.read, found))
            after = _with_row(before, cells, relative, where, findings)
            if after is None:
                spoilt.add(found)
            else:
                pictures[found] = after
    for name in sorted(spoilt - {n for n, p in pictures.items() if p.boxes or p.label is not None}):
        pictures.pop(name, None)
        findings.error(name, "has no usable row, and is left out")
    return Read(pictures=list(pictures.values()))


def _is_relative(table: _Table) -> bool:
    """Whether the table's boxes are fractions of the picture: no side is beyond 1 (a little more by rounding)."""
    sides = [box for row in table.rows if (box := _sides(table.cells(row)))]
    return bool(sides) and max(max(box) for box in sides) <= 1.01


def _sides(cells: dict[str, str]) -> tuple[float, float, float, float] | None:
    """Left, top, right, bottom; None if they are not there, or not numbers."""
    try:
        left, top = float(cells["left"]), float(cells["top"])
        if "right" in cells and "bottom" in cells:
            return left, top, float(cells["right"]), float(cells["bottom"])
        return left, top, left + float(cells["box_width"]), top + float(cells["box_height"])
    except (KeyError, ValueError):
        return None


def _with_row(
    picture: Picture, cells: dict[str, str], relative: bool, where: str, findings: Findings
) -> Picture | None:
    """The picture with what one row says of it; None if the row is no good."""
    if "shape" in cells:
        return _with_region(picture, cells, where, findings)
    label = tidy_label(cells["label"])
    if "left" not in cells or "top" not in cells:
        return _with_label(picture, label, where, findings)
    if not label and not any(cells.get(side) for side in _SIDES):
        return picture
    sides = _sides(cells)
    if sides is None:
        findings.error(where, f"has corners that are not numbers; the box of {label!r} is left out")
        return None
    if not label:
        findings.error(where, "has a box without a label; it is left out")
        return None
    left, top, right, bottom = sides
    box = Box(label=label, left=left, top=top, right=right, bottom=bottom)
    frame = (1.0, 1.0) if relative else frame_of(cells.get("width"), cells.get("height"))
    return replace(picture, boxes=(*picture.boxes, box), frame=frame or picture.frame)


def _with_label(picture: Picture, label: str, where: str, findings: Findings) -> Picture | None:
    if picture.label is not None and picture.label != label:
        findings.error(where, f"calls {picture.name} {label!r}, but an earlier row {picture.label!r}; it is left out")
        return None
    if not label:
        findings.error(where, f"gives {picture.name} no label; it is left out")
        return None
    return replace(picture, label=label)


def _with_region(picture: Picture, cells: dict[str, str], where: str, findings: Findings) -> Picture | None:
    """A row of the VGG Image Annotator: its region's shape and attributes are JSON; no shape is no object."""
    try:
        shape, attributes = (json.loads(cells[key] or "{}") for key in ("shape", "attributes"))
        if not shape:
            return picture
        xs, ys = _extent(shape)
        label = tidy_label(str(next(v for v in attributes.values() if isinstance(v, (str, int)) and str(v).strip())))
    except (json.JSONDecodeError, RecursionError, KeyError, TypeError, ValueError, AttributeError, StopIteration):
        findings.error(where, "has a region without a usable shape or a name; it is left out")
        return None
    box = Box(label=label, left=min(xs), top=min(ys), right=max(xs), bottom=max(ys))
    return replace(picture, boxes=(*picture.boxes, box))


def _extent(shape: dict[str, Any]) -> tuple[list[float], list[float]]:  # Any: JSON
    """The x and the y of a VIA shape's corners."""
    if "all_points_x" in shape:
        return [float(x) for x in shape["all_points_x"]], [float(y) for y in shape["all_points_y"]]
    if "width" in shape:
        x, y, width, height = (float(shape[key]) for key in ("x", "y", "width", "height"))
        return [x, x + width], [y, y + height]
    x, y = float(shape["cx"]), float(shape["cy"])
    across, down = float(shape.get("r") or shape["rx"]), float(shape.get("r") or shape["ry"])
    return [x - across, x + across], [y - down, y + down]
