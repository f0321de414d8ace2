"""CSV: a row per box (`filename,width,height,class,xmin,ymin,xmax,ymax`, or `path,x1,y1,x2,y2,class` without a head)
or a row per picture (`filename,label`)."""

from __future__ import annotations

import csv
from dataclasses import replace
from functools import partial

from .forms import Read, form
from .records import Box, Findings, Picture, tidy_label
from .store import PictureIndex, Store, is_picture, text_of

__all__ = ["read_csv"]

# what a column may be called
_COLUMNS = {
    "file": ("filename", "file", "file_name", "image", "image_name", "image_path", "path", "image_id", "name"),
    "label": ("class", "label", "class_name", "category", "label_name"),
    "left": ("xmin", "x1", "left", "x_min"),
    "top": ("ymin", "y1", "top", "y_min"),
    "right": ("xmax", "x2", "right", "x_max"),
    "bottom": ("ymax", "y2", "bottom", "y_max"),
    "width": ("width", "image_width", "img_width"),
    "height": ("height", "image_height", "img_height"),
}
_SIDES = ("left", "top", "right", "bottom")


def _rows(store: Store, name: str) -> list[list[str]]:
    text = text_of(store, name)
    delimiter = max(",;\t", key=text.split("\n", 1)[0].count)
    return [[cell.strip() for cell in row] for row in csv.reader(text.splitlines(), delimiter=delimiter) if row]


def _columns(rows: list[list[str]]) -> tuple[dict[str, int], int] | None:
    """Where each column is, and the number of the first row of data; None if this is not such a table."""
    if not rows:
        return None
    head = [cell.lower() for cell in rows[0]]
    found = {key: head.index(n) for key, names in _COLUMNS.items() for n in names[::-1] if n in head}
    if "file" in found and "label" in found:
        return found, 1
    if is_picture(rows[0][0]) and len(rows[0]) == 6:
        return {"file": 0, "left": 1, "top": 2, "right": 3, "bottom": 4, "label": 5}, 0
    if is_picture(rows[0][0]) and len(rows[0]) == 2:
        return {"file": 0, "label": 1}, 0
    return None


def _recognises(store: Store) -> bool:
    index = PictureIndex(store.names)
    for name in (n for n in store.names if n.lower().endswith(".csv")):
        rows = _rows(store, name)
        if (layout := _columns(rows)) and any(
            len(row) > layout[0]["file"] and row[layout[0]["file"]] and index.find(row[layout[0]["file"]], beside=name)
            for row in rows[layout[1] : layout[1] + 20]
        ):
            return True
    return False


@form("csv", "CSV", _recognises)
def read_csv(store: Store, findings: Findings) -> Read:
    """Every table with a column of files and one of labels; a row with a file alone is a background picture."""
    index = PictureIndex(store.names)
    pictures: dict[str, Picture] = {}
    for name in (n for n in store.names if n.lower().endswith(".csv")):
        rows = _rows(store, name)
        layout = _columns(rows)
        if layout is None:
            continue
        columns, first = layout
        for number, row in enumerate(rows[first:], first + 1):
            where = f"{name}:{number}"
            cells = {key: row[place] if place < len(row) else "" for key, place in columns.items()}
            found = index.find(cells["file"], beside=name) if cells["file"] else None
            if found is None:
                findings.error(where, f"names {cells['file'] or 'no picture'}, which is not there")
                continue
            before = pictures.get(found) or Picture(name=found, read=partial(store.read, found))
            after = _with_row(before, cells, "left" in columns, where, findings)
            if after is not None:
                pictures[found] = after
    return Read(pictures=list(pictures.values()))


def _with_row(
    picture: Picture, cells: dict[str, str], has_boxes: bool, where: str, findings: Findings
) -> Picture | None:
    label = tidy_label(cells["label"])
    if not has_boxes:
        if picture.label is not None and picture.label != label:
            findings.error(
                where, f"calls {picture.name} {label!r}, but an earlier row {picture.label!r}; it is left out"
            )
            return None
        if not label:
            findings.error(where, f"gives {picture.name} no label; it is left out")
            return None
        return replace(picture, label=label)
    if not label and not any(cells.get(side) for side in _SIDES):
        return picture
    try:
        left, top, right, bottom = (float(cells[side]) for side in _SIDES)
    except ValueError:
        findings.error(where, f"has corners that are not numbers; the box of {label!r} is left out")
        return None
    if not label:
        findings.error(where, "has a box without a label; it is left out")
        return None
    box = Box(label=label, left=left, top=top, right=right, bottom=bottom)
    frame = picture.frame
    if cells.get("width", "").isdecimal() and cells.get("height", "").isdecimal():
        frame = (float(cells["width"]), float(cells["height"]))
    elif max(right, bottom) <= 1.0 and frame is None:
        frame = (1.0, 1.0)
    return replace(picture, boxes=(*picture.boxes, box), frame=frame)
