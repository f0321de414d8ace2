"""`k210kit new-project`: a folder to start from."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Annotated, Literal

import typer

from k210kit.cli.output import Json, show
from k210kit.errors import FileError
from k210kit.files import write_whole

__all__ = ["app"]

_TEMPLATES = Path(__file__).resolve().parent.parent / "templates" / "project"
_PHOTOS = {  # what goes below photos/, by task
    "classify": "photos below photos/, a folder per class (some 30 each are a start)",
    "detect": "photos below photos/, with their boxes beside them (Pascal VOC, YOLO, COCO, LabelMe, VoTT or CSV)",
}

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, kw_only=True)
class Project:
    """The folder that was made, and the commands to go on with."""

    folder: Path
    files: list[Path]
    next: list[str]


@app.command(epilog="Example: `k210kit new-project my-camera`")
def new_project(
    folder: Annotated[Path, typer.Argument(help="The folder to make; it must be empty or not exist.")],
    task: Annotated[Literal["classify", "detect"], typer.Option(help="What the camera shall do.")] = "classify",
    json: Json = False,
) -> None:
    """Make a folder to start from: places for photos, VS Code tasks, a GitHub workflow, a README with the steps."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileError(f"{folder} exists and is not an empty folder. Give another name; nothing was changed.")
    written = []
    words = {"name": folder.resolve().name, "task": task, "photos": _PHOTOS[task]}
    for parts, source in _templates(_TEMPLATES, ()):
        if task == "detect" and parts[0] == "photos":
            continue  # a folder per class
        path = folder.joinpath(*parts)
        write_whole(path, Template(source.read_text(encoding="utf-8")).substitute(words))
        written.append(path)
    (folder / "photos").mkdir(exist_ok=True)
    steps = [f"cd {shlex.quote(str(folder))}", f"put {_PHOTOS[task]}", f"k210kit train photos -o run --task {task}"]
    show(
        Project(folder=folder, files=written, next=steps),
        as_json=json,
        text=[f"{folder}: {len(written)} files", "Next:", *(f"  {step}" for step in steps)],
    )


def _templates(folder: Path, parts: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Path]]:
    for child in sorted(folder.iterdir(), key=lambda c: c.name):
        name = "." + child.name[len("dot_") :] if child.name.startswith("dot_") else child.name
        if child.is_dir():
            yield from _templates(child, (*parts, name))
        else:
            yield (*parts, name), child
