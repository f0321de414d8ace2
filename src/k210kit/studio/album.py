"""Pictures of a stream as files: one after another, or in a folder per class, ready for `k210kit train`."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path

from k210kit.errors import FileError, InputError
from k210kit.files import write_whole
from k210kit.link import CapabilityRecord
from k210kit.studio.viewer import Seen

__all__ = ["Album", "checked_label"]

_LABEL = re.compile(r"[\w][\w .-]{0,39}")


def checked_label(label: str) -> str:
    """A class name that can be a folder's name; raises `InputError`."""
    if not _LABEL.fullmatch(label) or label.endswith((".", " ")):
        raise InputError(f"{label!r} cannot be a class name. Use letters, digits, space, - and _, at most 40.")
    return label


@dataclass
class Album:
    """Stores pictures below `folder`; existing files stay, numbers go on behind them.

    With a label, files are LABEL/LABEL-000001.jpg and so on. Without one they are frame-000001.jpg, and the boxes go to
    detections.jsonl, a line per picture.
    """

    folder: Path
    label: str = ""
    recording: bool = True
    saved: int = 0
    _next: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.label:
            checked_label(self.label)
        if self.folder.exists() and not self.folder.is_dir():
            raise FileError(f"{self.folder} is a file; a folder for the pictures was expected.")

    def picture(self, seen: Seen) -> None:
        if self.recording:
            self.save(seen, self.label)

    def news(self, text: str) -> None:
        return None

    def camera(self, record: CapabilityRecord, name: str) -> None:
        return None

    def save(self, seen: Seen, label: str) -> Path:
        """Store one picture; returns its path."""
        folder = self.folder / checked_label(label) if label else self.folder
        stem = label or "frame"
        number = self._next.get(label) or _first_free(folder, stem)
        path = folder / f"{stem}-{number:06d}.jpg"
        write_whole(path, seen.jpeg)
        self._next[label] = number + 1
        self.saved += 1
        if not label and seen.detections is not None:
            self._note(path.name, seen)
        return path

    def _note(self, name: str, seen: Seen) -> None:
        found = seen.detections
        assert found is not None
        line = {"file": name, "width": found.width, "height": found.height, "boxes": [asdict(b) for b in found.boxes]}
        with (self.folder / "detections.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line, ensure_ascii=False) + "\n")


def _first_free(folder: Path, stem: str) -> int:
    taken = [0]
    if folder.is_dir():
        pattern = re.compile(re.escape(stem) + r"-(\d{6,})\.jpg")
        taken += [int(match[1]) for path in folder.iterdir() if (match := pattern.fullmatch(path.name))]
    return max(taken) + 1
