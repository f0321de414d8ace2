"""`k210kit stream-demo`: the desk camera, the desk StickC and the live page, talking to each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from k210kit.cli.output import Json, note, show, table
from k210kit.errors import FileError
from k210kit.studio.stream_demo import stream_demo as run_demo

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: `k210kit stream-demo -o stream-demo --http 8000`")
def stream_demo(
    folder: Annotated[Path, typer.Option("-o", "--output", help="Where everything is left.")] = Path("stream-demo"),
    http: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Show the live page at this port too; 0 takes a free one.")
    ] = None,
    frames: Annotated[int, typer.Option(min=8, max=100_000, help="How many pictures.")] = 80,
    json: Json = False,
) -> None:
    """Send a moving face from the desk camera to the M5StickC-Plus on the desk, and to a page. Needs g++ and stb."""
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / "finder.kmodel").exists())):
        raise FileError(f"{folder} exists and is not of an earlier stream-demo. Give another name with -o.")
    result = run_demo(folder, frames=frames, http=http, tell=note)
    rows = [
        ("pictures", result.view.frames),
        ("with a box", result.with_boxes),
        ("the box's left edge", f"{result.box_left[0]} to {result.box_left[1]}"),
        ("drawn on the StickC", result.drawn),
        ("fps on the board, estimated", f"{result.fps_board_estimate or 0:.1f}"),
        ("damaged or lost", result.view.damaged + result.view.lost),
        ("the StickC's display", ", ".join(path.name for path in result.displays)),
    ]
    show(result, as_json=json, text=[table(str(folder), ("", ""), rows)])
