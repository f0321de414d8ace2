"""COCO JSON: one file lists pictures, categories and boxes."""

from __future__ import annotations

from functools import partial
from typing import Any

from .forms import Read, form, part_of
from .records import Box, Findings, Picture, frame_of, tidy_label
from .store import PictureIndex, Store, has_json_with, json_objects

__all__ = ["read_coco"]


def _recognises(store: Store) -> bool:
    return has_json_with(store, '"images"', '"categories"')


@form("coco", "COCO JSON", _recognises)
def read_coco(store: Store, findings: Findings) -> Read:
    """Every JSON file with `images` and `categories`; the order of the classes is that of the category numbers."""
    index = PictureIndex(store.names)
    pictures: dict[str, Picture] = {}
    categories: dict[Any, str] = {}
    for name, body in json_objects(store, findings):
        if not all(isinstance(body.get(k), list) for k in ("images", "categories")):
            continue
        own = {c["id"]: tidy_label(str(c["name"])) for c in _rows(body["categories"]) if {"id", "name"} <= set(c)}
        categories |= own
        boxes = _boxes(_rows(body.get("annotations")), own, name, findings)
        for image in _rows(body["images"]):
            _add(image, boxes, index, store, name, pictures, findings)
    order = sorted(categories, key=lambda key: (not isinstance(key, int), key if isinstance(key, int) else 0, str(key)))
    return Read(pictures=list(pictures.values()), labels=[categories[key] for key in order])


def _rows(value: Any) -> list[dict[str, Any]]:  # Any: JSON
    """The objects of a JSON list whose keys are plain values."""
    items = value if isinstance(value, list) else []
    keys = ("id", "image_id", "category_id")
    return [i for i in items if isinstance(i, dict) and not any(isinstance(i.get(k), (list, dict)) for k in keys)]


def _boxes(
    annotations: list[dict[str, Any]], categories: dict[Any, str], name: str, findings: Findings
) -> dict[Any, list[Box]]:
    """The usable boxes of each picture's number; an empty list where there were annotations, but none is usable."""
    boxes: dict[Any, list[Box]] = {}
    for item in annotations:
        where = f"{name}, annotation {item.get('id', '?')}"
        own = boxes.setdefault(item.get("image_id"), [])
        label = categories.get(item.get("category_id"))
        if label is None:
            findings.error(where, f"has the unknown category {item.get('category_id')!r}; that box is left out")
            continue
        if item.get("iscrowd"):
            findings.note(where, "marks a crowd, not an object; it is left out")
            continue
        corners = _corners(item)
        if corners is None:
            findings.error(where, f"has no bbox of four numbers ({item.get('bbox')!r}); that box is left out")
            continue
        left, top, right, bottom = corners
        own.append(Box(label=label, left=left, top=top, right=right, bottom=bottom))
    return boxes


def _corners(item: dict[str, Any]) -> tuple[float, float, float, float] | None:
    """Left, top, right, bottom of `bbox`, or else of the polygons of `segmentation`; None if there is neither."""
    try:
        if item.get("bbox"):
            left, top, width, height = (float(v) for v in item["bbox"])
            return left, top, left + width, top + height
        values = [[float(v) for v in polygon] for polygon in item["segmentation"]]
        xs, ys = [x for p in values for x in p[0::2]], [y for p in values for y in p[1::2]]
        return min(xs), min(ys), max(xs), max(ys)
    except (KeyError, TypeError, ValueError):
        return None


def _add(
    image: dict[str, Any],
    boxes: dict[Any, list[Box]],
    index: PictureIndex,
    store: Store,
    name: str,
    pictures: dict[str, Picture],
    findings: Findings,
) -> None:
    wanted = str(image.get("file_name") or "")
    found = index.find(wanted, beside=name)
    if found is None:
        findings.error(name, f"lists {wanted or 'an unnamed picture'}, which is not there")
        return
    if found in pictures:
        findings.error(name, f"lists {wanted} a second time; the first one is used")
        return
    own = boxes.get(image.get("id"))
    if own is not None and not own:
        findings.error(found, "has annotations, but no usable box among them, and is left out")
        return
    pictures[found] = Picture(
        name=found,
        read=partial(store.read, found),
        boxes=tuple(own or ()),
        frame=frame_of(image.get("width"), image.get("height")),
        part=part_of(found) or part_of(name),
    )
