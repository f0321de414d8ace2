"""Keras-YOLO's list: a line per picture, `path left,top,right,bottom,class left,top,right,bottom,class …`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from .forms import Read, form
from .records import Box, Findings, Picture
from .store import PictureIndex, Store, is_picture, text_of
from .voc import label_list

__all__ = ["read_lines"]

_BOX = re.compile(r"-?\d+(?:\.\d+)?(?:,-?\d+(?:\.\d+)?){3},\d+")
_PICTURES_TRIED = 20


def _recognises(store: Store) -> bool:
    tried = [line for name in _texts(store) for line in text_of(store, name).splitlines()[:_PICTURES_TRIED]]
    return any(is_picture(path) and boxes for path, boxes in map(_parts, tried))


def _parts(line: str) -> tuple[str, list[str]]:
    """The path, which may hold spaces, and the boxes behind it."""
    words = line.split(" ")
    count = len(words)
    while count and (not words[count - 1].strip() or _BOX.fullmatch(words[count - 1].strip())):
        count -= 1
    return " ".join(words[:count]).strip(), [word.strip() for word in words[count:] if word.strip()]


def _texts(store: Store) -> Iterator[str]:
    """The text files that may be such a list: not those that belong to one picture."""
    index = PictureIndex(store.names)
    return (name for name in store.names if name.lower().endswith(".txt") and not index.beside(name))


@form("lines", "Keras-YOLO list", _recognises)
def read_lines(store: Store, findings: Findings) -> Read:
    """Every line with a picture's path; one without boxes is a background picture."""
    index = PictureIndex(store.names)
    names = label_list(store)
    pictures: dict[str, Picture] = {}
    for name in _texts(store):
        for number, line in enumerate(text_of(store, name).splitlines(), 1):
            path, told = _parts(line)
            if not is_picture(path):
                continue
            where = f"{name}:{number}"
            found = index.find(path, beside=name)
            if found is None:
                findings.error(where, f"names {path}, which is not there")
                continue
            boxes = [box for text in told if (box := _box(text, names, where, findings))]
            if told and not boxes:
                findings.error(where, "has no usable box left, so its picture is left out")
            elif found not in pictures or boxes:
                pictures[found] = Picture(name=found, read=partial(store.read, found), boxes=tuple(boxes))
    if names is None:
        findings.warning(store.title, "has no classes.txt, so the classes are called by number")
    return Read(pictures=list(pictures.values()), labels=names)


def _box(text: str, names: list[str] | None, where: str, findings: Findings) -> Box | None:
    left, top, right, bottom, kind = (float(v) for v in text.split(","))
    if names is not None and kind >= len(names):
        findings.error(where, f"has class {kind:.0f}, but {len(names)} classes are listed; that box is left out")
        return None
    label = names[int(kind)] if names is not None else f"{kind:.0f}"
    return Box(label=label, left=left, top=top, right=right, bottom=bottom)
