"""Pascal VOC: one XML file per picture."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath
from xml.etree import ElementTree

from k210kit.errors import InputError

from .forms import Read, form
from .records import Box, Findings, Picture, frame_of, tidy_label
from .store import PictureIndex, Store, text_of

__all__ = ["label_list", "parsed_xml", "read_voc", "unannotated"]

_BACKGROUND = {"background", "backgrounds", "negative", "negatives", "none", "empty"}
_LABEL_FILES = {"labels.txt", "classes.txt", "label.txt", "class.txt", "_classes.txt"}
_SUGGESTIONS = {"predefined_classes.txt"}
_LABEL_SUFFIXES = {".names", ".labels"}  # as darknet calls them


def _recognises(store: Store) -> bool:
    tried = [name for name in store.names if name.lower().endswith(".xml")][:5]
    return any(re.search(r"<annotation\b", text_of(store, name)[:4000]) for name in tried)


@form("voc", "Pascal VOC", _recognises)
def read_voc(store: Store, findings: Findings) -> Read:
    """Boxes of every XML annotation; labels.txt, if there is one, gives the classes and their order."""
    index = PictureIndex(store.names)
    listed = label_list(store, suggestions=False)
    own = Findings()
    pictures = _annotated(store, index, listed, own)
    if listed and not any(p.boxes for p in pictures.values()):
        own = Findings()
        pictures = _annotated(store, index, None, own)
        if any(p.boxes for p in pictures.values()):
            own.warning(store.title, f"has a label file that lists no label in use ({', '.join(listed[:5])}); not used")
        listed = None
    findings.found += own.found
    return Read(pictures=[*pictures.values(), *unannotated(store, index, set(pictures), findings)], labels=listed)


def _annotated(store: Store, index: PictureIndex, listed: list[str] | None, findings: Findings) -> dict[str, Picture]:
    """Name -> picture with its boxes, for every usable XML file."""
    pictures: dict[str, Picture] = {}
    for name in (n for n in store.names if n.lower().endswith(".xml")):
        picture = _one(store, name, index, listed, findings)
        if picture is None:
            continue
        if picture.name in pictures:
            findings.error(name, f"annotates {picture.name} a second time; the first annotation is used")
            continue
        pictures[picture.name] = picture
    return pictures


def label_list(store: Store, *, suggestions: bool = True) -> list[str] | None:
    """The classes in the order of a label file (one a line), or None if there is no such file.

    suggestions: whether predefined_classes.txt counts, which LabelImg offers to choose from and does not keep up.
    """
    paths = [PurePosixPath(name.lower()) for name in store.names]
    found = [
        name
        for name, path in zip(store.names, paths, strict=True)
        if path.name in _LABEL_FILES | (_SUGGESTIONS if suggestions else set()) or path.suffix in _LABEL_SUFFIXES
    ]
    if not found:
        return None
    text = text_of(store, min(found, key=lambda name: (name.count("/"), name)))
    return [tidy_label(line) for line in text.splitlines() if line.strip()] or None


def unannotated(store: Store, index: PictureIndex, used: set[str], findings: Findings) -> Iterator[Picture]:
    """Pictures without an annotation: backgrounds if their folder says so, else left out, and told."""
    for name in index.names:
        if name in used:
            continue
        if any(part.lower() in _BACKGROUND for part in PurePosixPath(name).parts[:-1]):
            yield Picture(name=name, read=partial(store.read, name))
        else:
            findings.error(name, "has no annotation and is left out; give it an empty one, or put it below background/")


def _one(store: Store, name: str, index: PictureIndex, listed: list[str] | None, findings: Findings) -> Picture | None:
    try:
        root = parsed_xml(text_of(store, name))
    except InputError as error:
        findings.error(name, str(error))
        return None
    wanted = (root.findtext("filename") or "").strip()
    found = (index.find(wanted, beside=name) if wanted else None) or index.beside(name)
    if found is None:
        findings.error(name, f"annotates {wanted or 'an unnamed picture'}, which is not there")
        return None
    boxes = [box for item in root.iter("object") if (box := _box(item, name, listed, findings))]
    if root.find("object") is not None and not boxes:
        findings.error(name, "has no usable box left, so its picture is left out")
        return None
    return Picture(
        name=found,
        read=partial(store.read, found),
        boxes=tuple(boxes),
        frame=frame_of(root.findtext("size/width"), root.findtext("size/height")),
    )


def parsed_xml(text: str) -> ElementTree.Element:
    """The root of an XML file without entities, which could be made to grow without end; else an `InputError`."""
    text = re.sub(r"^\s*<\?xml[^>]*\?>", "", text)
    if "<!ENTITY" in text or "<!DOCTYPE" in text:
        raise InputError("declares XML entities, which no annotation needs; it is left out")
    try:
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise InputError(f"is not readable XML: {error}") from error


def _box(item: ElementTree.Element, name: str, listed: list[str] | None, findings: Findings) -> Box | None:
    label = tidy_label(item.findtext("name") or "")
    if not label:
        findings.error(name, "has an object without a name; that box is left out")
        return None
    if listed is not None and label not in listed:
        findings.error(name, f"has a box of {label!r}, which the label file does not list; that box is left out")
        return None
    corners = [_number(item.findtext(f"bndbox/{key}")) for key in ("xmin", "ymin", "xmax", "ymax")]
    if any(value is None for value in corners):
        findings.error(name, f"has a {label!r} whose corners are not four numbers; that box is left out")
        return None
    left, top, right, bottom = (value or 0.0 for value in corners)
    return Box(label=label, left=left, top=top, right=right, bottom=bottom)


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
