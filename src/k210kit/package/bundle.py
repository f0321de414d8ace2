"""The bundle: everything that a trained model needs on a board, as a folder, the same as a zip, and a kfpkg.

The kfpkg holds what goes into the flash: the model, in the byte order that the camera script's way of loading wants.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from k210kit.files import write_whole

from .flashmap import FIRST_MODEL_ADDRESS
from .kfpkg import Kfpkg, KfpkgFile, write_kfpkg
from .swap import swap_words

__all__ = ["BUNDLE_FILES", "Bundle", "BundleParts", "write_bundle"]

BUNDLE_FILES = (
    "model.kmodel",
    "model_be.kmodel",
    "model.json",
    "labels.txt",
    "boot.py",
    "report.html",
    "README.md",
    "model.tflite",
    "model.h5",
)
_FIRST_DATE = (1980, 1, 1, 0, 0, 0)  # the same bundle gives the same bytes


@dataclass(frozen=True, kw_only=True)
class BundleParts:
    """What a bundle is made of. flash_words: whether the script loads with `kpu.load_flash`, from swapped words."""

    kmodel: bytes
    description: dict[str, Any] = field(repr=False)
    labels: tuple[str, ...]
    boot: str
    report: str
    readme: str
    tflite: bytes
    h5: bytes
    flash_words: bool
    address: int = FIRST_MODEL_ADDRESS


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """Where a bundle was written."""

    folder: Path
    zip: Path
    kfpkg: Path
    files: tuple[str, ...] = BUNDLE_FILES


def write_bundle(parts: BundleParts, folder: Path, *, force: bool = False) -> Bundle:
    """Write `folder`, `folder`.zip and `folder`.kfpkg; files of the user's are replaced only with `force`."""
    contents = _contents(parts)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for name in BUNDLE_FILES:
            info = zipfile.ZipInfo(f"{folder.name}/{name}", _FIRST_DATE)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            target.writestr(info, contents[name])
    name = "model_be.kmodel" if parts.flash_words else "model.kmodel"
    package = Kfpkg(files=(KfpkgFile(address=parts.address, name=name, data=contents[name]),))
    package.flash_map().check()
    for name in BUNDLE_FILES:
        write_whole(folder / name, contents[name], force=force)
    made = Bundle(folder=folder, zip=folder.with_suffix(".zip"), kfpkg=folder.with_suffix(".kfpkg"))
    write_whole(made.zip, archive.getvalue(), force=force)
    write_kfpkg(package, made.kfpkg, force=force)
    return made


def _contents(parts: BundleParts) -> dict[str, bytes]:
    described = parts.description | {"kmodel_sha256": hashlib.sha256(parts.kmodel).hexdigest()}
    return {
        "model.kmodel": parts.kmodel,
        "model_be.kmodel": swap_words(parts.kmodel),
        "model.json": (json.dumps(described, ensure_ascii=False, indent=2) + "\n").encode(),
        "labels.txt": "".join(f"{label}\n" for label in parts.labels).encode(),
        "boot.py": parts.boot.encode(),
        "report.html": parts.report.encode(),
        "README.md": parts.readme.encode(),
        "model.tflite": parts.tflite,
        "model.h5": parts.h5,
    }
