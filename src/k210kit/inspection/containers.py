"""Files that hold files: kfpkg, data sets, .keras."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import PurePosixPath

from k210kit.errors import FormatError
from k210kit.package import SafeZip, read_kfpkg

from .inspect import Inspection, describe

__all__ = ["describe_zip"]

_PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff"}
_NOTES = {".xml": "VOC", ".json": "COCO or LabelMe", ".tfrecord": "TFRecord", ".csv": "CSV", ".txt": "YOLO or labels"}
_MOST_PICTURES = 20_000
_MOST_CONFIG = 16 * 1024 * 1024


def describe_zip(data: bytes) -> Inspection | None:
    """A kfpkg, a .keras file or a data set."""
    if not data.startswith(b"PK"):
        return None
    archive = SafeZip(data, most_bytes=_MOST_CONFIG, most_entries=_MOST_PICTURES)
    if "flash-list.json" in archive.names:
        return _describe_kfpkg(data)
    if {"config.json", "metadata.json"} <= set(archive.names):
        from .networks import describe_keras_config

        metadata = json.loads(archive.read("metadata.json") or b"{}")
        return describe_keras_config(archive.read("config.json").decode(), str(metadata.get("keras_version", "")))
    return _describe_dataset(archive.names)


def _describe_kfpkg(data: bytes) -> Inspection:
    package = read_kfpkg(data)
    parts = []
    for file in package.files:
        try:
            part = describe(file.data)
        except FormatError:
            part = Inspection(kind="unknown", loads_on="")
        parts.append((f"{file.name} at {file.address:#x}", part))
    return Inspection(
        kind="kfpkg", loads_on="flash it: k210kit flash FILE", parts=tuple(parts), warnings=package.warnings()
    )


def _describe_dataset(names: tuple[str, ...]) -> Inspection:
    paths = [PurePosixPath(name) for name in names]
    pictures = [p for p in paths if p.suffix.lower() in _PICTURES]
    notes = Counter(_NOTES[p.suffix.lower()] for p in paths if p.suffix.lower() in _NOTES)
    if not pictures and not notes:
        raise FormatError(
            "the zip holds neither pictures nor a flash-list.json", field="zip", found=f"{len(names)} files",
            expected="a kfpkg, a .keras file or a data set",
        )  # fmt: skip
    folders = Counter(p.parent.name for p in pictures)
    return Inspection(
        kind="dataset",
        loads_on="train on it: k210kit train FILE -o RUN",
        facts={"pictures": len(pictures), "folders": dict(sorted(folders.items())), "annotations": dict(notes)},
    )
