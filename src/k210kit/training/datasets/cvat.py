"""CVAT's own XML ("CVAT for images"): one file lists pictures, each with boxes and polygons."""

from __future__ import annotations

from functools import partial
from xml.etree import ElementTree

from k210kit.errors import InputError

from .forms import Read, form, part_of
from .records import Box, Findings, Picture, frame_of, tidy_label
from .store import PictureIndex, Store, text_of
from .voc import parsed_xml

__all__ = ["read_cvat"]


def _recognises(store: Store) -> bool:
    tried = [name for name in store.names if name.lower().endswith(".xml")][:5]
    return any("<annotations" in text_of(store, name)[:4000] for name in tried)


@form("cvat", "CVAT XML", _recognises)
def read_cvat(store: Store, findings: Findings) -> Read:
    """Every picture of every such file; one without shapes is a background picture, one with a tag has a label."""
    index = PictureIndex(store.names)
    pictures: dict[str, Picture] = {}
    labels: list[str] = []
    for name in (n for n in store.names if n.lower().endswith(".xml")):
        try:
            root = parsed_xml(text_of(store, name))
        except InputError as error:
            findings.error(name, str(error))
            continue
        labels += [tidy_label(item.findtext("name") or "") for item in root.iter("label")]
        for image in root.iter("image"):
            wanted = image.get("name") or ""
            found = index.find(wanted, beside=name) if wanted else None
            if found is None:
                findings.error(name, f"annotates {wanted or 'an unnamed picture'}, which is not there")
            elif found in pictures:
                findings.error(name, f"annotates {found} a second time; the first annotation is used")
            elif picture := _picture(image, found, store, findings):
                pictures[found] = picture
    return Read(pictures=list(pictures.values()), labels=[label for label in labels if label] or None)


def _picture(image: ElementTree.Element, found: str, store: Store, findings: Findings) -> Picture | None:
    shapes = [item for item in image if item.tag in ("box", "polygon", "polyline", "ellipse")]
    boxes = [box for item in shapes if (box := _box(item, found, findings))]
    if shapes and not boxes:
        findings.error(found, "has no usable shape, and is left out")
        return None
    tag = image.find("tag")
    return Picture(
        name=found,
        read=partial(store.read, found),
        label=tidy_label(tag.get("label") or "") or None if tag is not None and not boxes else None,
        boxes=tuple(boxes),
        frame=frame_of(image.get("width"), image.get("height")),
        part=part_of(found),
    )


def _box(item: ElementTree.Element, found: str, findings: Findings) -> Box | None:
    label = tidy_label(item.get("label") or "")
    try:
        if item.tag == "box":
            left, top, right, bottom = (float(item.get(key) or "") for key in ("xtl", "ytl", "xbr", "ybr"))
        elif item.tag == "ellipse":
            x, y, across, down = (float(item.get(key) or "") for key in ("cx", "cy", "rx", "ry"))
            left, top, right, bottom = x - across, y - down, x + across, y + down
        else:
            points = [[float(v) for v in point.split(",")] for point in (item.get("points") or "").split(";")]
            (left, right), (top, bottom) = ((min(p[k] for p in points), max(p[k] for p in points)) for k in (0, 1))
    except (ValueError, IndexError):
        findings.error(found, f"has a {item.tag} of {label!r} whose corners are not numbers; it is left out")
        return None
    if not label:
        findings.error(found, f"has a {item.tag} without a label; it is left out")
        return None
    return Box(label=label, left=left, top=top, right=right, bottom=bottom)
