"""COCO JSON: one file lists pictures, categories and boxes."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from k210kit.errors import InputError

from .forms import Read, form, part_of
from .records import Box, Findings, Picture, tidy_label
from .store import PictureIndex, Store, text_of

__all__ = ["read_coco"]


def _recognises(store: Store) -> bool:
    heads = [text_of(store, name) for name in store.names if name.lower().endswith(".json")][:5]
    return any('"images"' in text and '"categories"' in text for text in heads)


@form("coco", "COCO JSON", _recognises)
def read_coco(store: Store, findings: Findings) -> Read:
    """Every JSON file with `images` and `categories`; the order of the classes is that of the category numbers."""
    index = PictureIndex(store.names)
    pictures: dict[str, Picture] = {}
    categories: dict[int, str] = {}
    for name in (n for n in store.names if n.lower().endswith(".json")):
        try:
            body = json.loads(text_of(store, name))
        except (json.JSONDecodeError, InputError, RecursionError) as error:
            findings.error(name, f"is not readable JSON: {error}")
            continue
        if not isinstance(body, dict) or not all(isinstance(body.get(k), list) for k in ("images", "categories")):
            continue
        own = {c["id"]: tidy_label(str(c["name"])) for c in body["categories"] if {"id", "name"} <= set(c)}
        categories |= own
        boxes = _boxes(body.get("annotations") or [], own, name, findings)
        for image in body["images"]:
            _add(image, boxes, index, store, name, pictures, findings)
    return Read(pictures=list(pictures.values()), labels=[categories[key] for key in sorted(categories)])


def _boxes(annotations: list[Any], categories: dict[int, str], name: str, findings: Findings) -> dict[Any, list[Box]]:
    boxes: dict[Any, list[Box]] = {}
    for item in annotations:
        where = f"{name}, annotation {item.get('id', '?')}"
        label = categories.get(item.get("category_id"))
        if label is None:
            findings.error(where, f"has the unknown category {item.get('category_id')!r}; that box is left out")
            continue
        if item.get("iscrowd"):
            findings.note(where, "marks a crowd, not an object; it is left out")
            continue
        try:
            left, top, width, height = (float(v) for v in item["bbox"])
        except (KeyError, TypeError, ValueError):
            findings.error(where, f"has no bbox of four numbers ({item.get('bbox')!r}); that box is left out")
            continue
        box = Box(label=label, left=left, top=top, right=left + width, bottom=top + height)
        boxes.setdefault(item.get("image_id"), []).append(box)
    return boxes


def _add(
    image: dict[str, Any],
    boxes: dict[Any, list[Box]],
    index: PictureIndex,
    store: Store,
    name: str,
    pictures: dict[str, Picture],
    findings: Findings,
) -> None:
    wanted = str(image.get("file_name", ""))
    found = index.find(wanted, beside=name)
    if found is None:
        findings.error(name, f"lists {wanted or 'an unnamed picture'}, which is not there")
        return
    if found in pictures:
        findings.error(name, f"lists {wanted} a second time; the first one is used")
        return
    size = (float(image.get("width") or 0), float(image.get("height") or 0))
    pictures[found] = Picture(
        name=found,
        read=partial(store.read, found),
        boxes=tuple(boxes.get(image.get("id"), ())),
        frame=size if all(size) else None,
        part=part_of(found) or part_of(name),
    )
