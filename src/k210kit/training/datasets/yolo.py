"""YOLO txt: a text file per picture, a line per box: class number, centre x and y, width and height as fractions."""

from __future__ import annotations

import re
from functools import partial
from pathlib import PurePosixPath

from k210kit.errors import InputError

from .forms import Read, form
from .records import Box, Findings, Picture, tidy_label
from .store import PictureIndex, Store, text_of
from .voc import label_list

__all__ = ["read_yolo"]


def _annotations(store: Store, index: PictureIndex) -> dict[str, str]:
    """Text file -> its picture, for every text file that has a picture's stem."""
    found = {name: index.beside(name) for name in store.names if name.lower().endswith(".txt")}
    return {name: picture for name, picture in found.items() if picture}


def _recognises(store: Store) -> bool:
    pairs = list(_annotations(store, PictureIndex(store.names)))[:20]
    texts = [text_of(store, name) for name in pairs]
    return any(re.match(r"\s*\d+(\s+[-+.\deE]+){4,}\s*$", t.splitlines()[0]) for t in texts if t.strip())


@form("yolo", "YOLO txt", _recognises)
def read_yolo(store: Store, findings: Findings) -> Read:
    """Boxes of every text file; a picture with an empty one, or none, is a background picture, as YOLO has it."""
    index = PictureIndex(store.names)
    names = _names(store)
    used: dict[str, Picture] = {}
    for text_name, picture in _annotations(store, index).items():
        try:
            lines = text_of(store, text_name).splitlines()
        except InputError as error:
            findings.error(text_name, str(error))
            continue
        boxes = [box for n, line in enumerate(lines, 1) if (box := _box(line, f"{text_name}:{n}", names, findings))]
        if any(line.strip() for line in lines) and not boxes:
            findings.error(text_name, "has no usable box left, so its picture is left out")
            continue
        used[picture] = Picture(name=picture, read=partial(store.read, picture), boxes=tuple(boxes), frame=(1.0, 1.0))
    stems = {PurePosixPath(name).stem for name in store.names if name.lower().endswith(".txt")}
    bare = [name for name in index.names if name not in used and PurePosixPath(name).stem not in stems]
    for name in bare:
        findings.note(name, "has no text file and counts as a background picture")
    if names is None:
        findings.warning(store.title, "has no data.yaml, classes.txt or obj.names, so the classes are called by number")
    pictures = [*used.values(), *(Picture(name=name, read=partial(store.read, name)) for name in bare)]
    return Read(pictures=pictures, labels=names)


def _box(line: str, where: str, names: list[str] | None, findings: Findings) -> Box | None:
    if not line.strip():
        return None
    try:
        number, *rest = line.split()
        values = [float(v) for v in rest]
        kind = int(number)
    except ValueError:
        findings.error(where, f"is not 'class x y width height' ({line.strip()[:60]!r}); that box is left out")
        return None
    if len(values) >= 6 and len(values) % 2 == 0:  # a polygon, as for segmentation: its bounding box
        xs, ys = values[0::2], values[1::2]
        corners = (min(xs), min(ys), max(xs), max(ys))
    elif len(values) in (4, 5):  # a fifth number is a detector's score
        x, y, width, height = values[:4]
        corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    else:
        findings.error(where, f"has {len(values)} numbers after the class; 4 were expected; that box is left out")
        return None
    if kind < 0 or (names is not None and kind >= len(names)):
        known = len(names) if names is not None else 0
        findings.error(where, f"has class {kind}, but {known} classes are listed; that box is left out")
        return None
    left, top, right, bottom = corners
    label = names[kind] if names is not None else str(kind)
    return Box(label=label, left=left, top=top, right=right, bottom=bottom)


def _names(store: Store) -> list[str] | None:
    """Class names of data.yaml (a list, or lines `0: cat`), else of classes.txt or obj.names, else None: numbers."""
    for name in store.names:
        if not name.lower().endswith((".yaml", ".yml")):
            continue
        text = text_of(store, name)
        flat = re.search(r"^names:\s*\[(.*?)\]", text, flags=re.MULTILINE | re.DOTALL)
        if flat:
            return [tidy_label(part.strip().strip("'\"")) for part in flat[1].split(",") if part.strip()]
        inline = re.search(r"^names:\s*\{(.*?)\}", text, flags=re.MULTILINE | re.DOTALL)
        if inline:
            pairs = [part.split(":", 1) for part in inline[1].split(",") if ":" in part]
            return [tidy_label(label.strip().strip("'\"")) for _, label in pairs]
        block = re.search(r"^names:\s*\n((?:[ \t]*(?:-|\d+:)[^\n]*\n?)+)", text, flags=re.MULTILINE)
        if block:
            rows = [re.sub(r"^\s*(-|\d+:)\s*", "", row) for row in block[1].splitlines()]
            return [tidy_label(row.split(" #")[0].strip().strip("'\"")) for row in rows if row.strip()]
    return label_list(store)
