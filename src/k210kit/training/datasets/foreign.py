"""Files that people bring along and that cannot be read: pictures of other kinds, and tools' own project files."""

from __future__ import annotations

from pathlib import PurePosixPath

from .records import Findings
from .store import Store, text_of

__all__ = ["foreign_export", "tell_unread_pictures"]

_PICTURES = {
    ".heic": "a HEIC picture, as iPhones take them",
    ".heif": "a HEIF picture",
    ".avif": "an AVIF picture",
    ".jxl": "a JPEG XL picture",
    ".dng": "a raw photo",
    ".cr2": "a raw photo",
    ".nef": "a raw photo",
    ".arw": "a raw photo",
    ".svg": "a drawing",
    ".psd": "a Photoshop file",
    ".mp4": "a video",
    ".mov": "a video",
    ".avi": "a video",
    ".mkv": "a video",
}
# words that stand in a JSON export, by the tool whose own form it is
_EXPORTS = (
    (("annotations", "predictions", "original_width"), "Label Studio's own JSON"),
    (("_via_img_metadata",), "a project of the VGG Image Annotator"),
    (("shape_attributes", "region_attributes"), "the VGG Image Annotator's JSON"),
    (("assets", "visitedAssets"), "a VoTT project"),
    (("videoSettings", "assets"), "VoTT's own JSON"),
    (("classificationAnnotations",), "Google's JSON lines"),
    (("boundingBoxAnnotations",), "Google's JSON lines"),
    (("Labeled Data",), "Labelbox's JSON"),
    (("classTitle", "exterior"), "Supervisely's JSON"),
    (("annotations", "coordinates", "image"), "CreateML's JSON"),
)


def tell_unread_pictures(store: Store, findings: Findings) -> None:
    """One finding for each file that holds a picture in a form that is not read."""
    for name in store.names:
        if kind := _PICTURES.get(PurePosixPath(name).suffix.lower()):
            what = "take single pictures out of it" if kind == "a video" else "save it as JPEG or PNG"
            findings.error(name, f"is {kind}, which is not read; {what}")


def foreign_export(store: Store) -> str:
    """Which tool's own export this is, if it is one that is not read and that the tool can write differently."""
    for name in [n for n in store.names if n.lower().endswith((".json", ".jsonl"))][:5]:
        text = text_of(store, name)
        for words, title in _EXPORTS:
            if all(f'"{word}"' in text for word in words):
                return f"{name} is {title}, which is not read. Export as Pascal VOC, COCO or YOLO from that tool."
    return ""
