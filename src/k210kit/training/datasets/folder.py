"""A folder per class, of pictures; also wrapped in further folders, also below train/, val/ and test/."""

from __future__ import annotations

from functools import partial
from pathlib import PurePosixPath

from .forms import PARTS, Read, form
from .records import Findings, Picture, tidy_label
from .store import Store, is_picture

__all__ = ["read_folders"]


def _recognises(store: Store) -> bool:
    return any(is_picture(name) and "/" in name for name in store.names)


@form("folders", "a folder per class", _recognises)
def read_folders(store: Store, findings: Findings) -> Read:
    """The class is the first folder below the one in which the pictures' ways part."""
    names = [PurePosixPath(name) for name in store.names if is_picture(name)]
    depth = _depth(names)
    pictures = []
    for name in names:
        folders = [part for part in name.parts[depth:-1] if part.lower() not in PARTS]
        if len(name.parts) <= depth + 1 or not folders:
            findings.error(str(name), "lies beside the class folders, so its class is unknown")
            continue
        pictures.append(Picture(name=str(name), read=partial(store.read, str(name)), label=tidy_label(folders[0])))
    return Read(pictures=pictures)


def _depth(names: list[PurePosixPath]) -> int:
    """How many outer folders hold everything, or everything but a stray picture or two."""
    depth = 0
    while True:
        below = {name.parts[depth] for name in names if len(name.parts) > depth + 1}
        strays = sum(len(name.parts) == depth + 1 for name in names)
        deeper = any(len(name.parts) > depth + 2 for name in names)
        if len(below) != 1 or not deeper or strays > 2:
            return depth
        names = [name for name in names if len(name.parts) > depth + 1]
        depth += 1
