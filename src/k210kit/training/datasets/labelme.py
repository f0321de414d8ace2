"""LabelMe: a JSON file per picture with shapes; the picture beside it or inside it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from functools import partial
from typing import Any

from .forms import Read, form
from .records import Box, Findings, Picture, frame_of, tidy_label
from .store import PictureIndex, Store, has_json_with, json_objects
from .voc import label_list, unannotated

__all__ = ["read_labelme"]


def _recognises(store: Store) -> bool:
    return has_json_with(store, '"shapes"', '"imagePath"')


@form("labelme", "LabelMe JSON", _recognises)
def read_labelme(store: Store, findings: Findings) -> Read:
    """The bounding box of every shape: rectangles, polygons, circles (centre and a point of the rim)."""
    index = PictureIndex(store.names)
    pictures: dict[str, Picture] = {}
    for name, body in json_objects(store, findings):
        if not isinstance(body.get("shapes"), list):
            continue
        title, read = _source(body, name, index, store)
        if read is None:
            findings.error(name, f"annotates {title}, which is neither beside it nor inside it")
            continue
        boxes = [box for shape in body["shapes"] if (box := _box(shape, name, findings))]
        if body["shapes"] and not boxes:
            findings.error(name, "has no usable shape left, so its picture is left out")
            continue
        frame = frame_of(body.get("imageWidth"), body.get("imageHeight"))
        pictures[title] = Picture(name=title, read=read, boxes=tuple(boxes), frame=frame)
    return Read(
        pictures=[*pictures.values(), *unannotated(store, index, set(pictures), findings)], labels=label_list(store)
    )


def _source(
    body: dict[str, Any], name: str, index: PictureIndex, store: Store
) -> tuple[str, Callable[[], bytes] | None]:
    wanted = str(body.get("imagePath") or "")
    found = (index.find(wanted, beside=name) if wanted else None) or index.beside(name)
    if found:
        return found, partial(store.read, found)
    try:
        data = base64.b64decode(body.get("imageData") or "", validate=True)
    except (binascii.Error, TypeError, ValueError):
        data = b""
    return wanted or name, partial(bytes, data) if data else None


def _box(shape: Any, name: str, findings: Findings) -> Box | None:  # Any: JSON
    try:
        label = tidy_label(str(shape["label"]))
        points = [(float(x), float(y)) for x, y in shape["points"]]
    except (KeyError, TypeError, ValueError):
        findings.error(name, "has a shape without a label or points; it is left out")
        return None
    if len(points) < 2 or not label:
        findings.error(name, f"has a {label!r} of {len(points)} points; it is left out")
        return None
    if shape.get("shape_type") == "circle":
        (x, y), (u, v) = points[:2]
        radius = ((u - x) ** 2 + (v - y) ** 2) ** 0.5
        points = [(x - radius, y - radius), (x + radius, y + radius)]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return Box(label=label, left=min(xs), top=min(ys), right=max(xs), bottom=max(ys))
