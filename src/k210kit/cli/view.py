"""`k210kit view`: a camera's stream on a page, in the terminal, as files, or as a camera for `run`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from k210kit.cli.numbers import real
from k210kit.cli.output import Json, console, note, show, table
from k210kit.errors import InputError, RefusedError
from k210kit.link import FIRST_BAUD, CapabilityRecord, CommandKind
from k210kit.studio.album import Album
from k210kit.studio.as_camera import CameraPort
from k210kit.studio.lines import open_line
from k210kit.studio.terminal import figures_line, picture_text
from k210kit.studio.viewer import Audience, Seen, Viewer, ViewResult
from k210kit.studio.web import Page

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_COLUMNS = 80


@dataclass(frozen=True, kw_only=True)
class Viewed(ViewResult):
    """What was seen in all, and how many pictures were stored."""

    saved: int


@app.command(epilog="Examples: `k210kit view /dev/ttyUSB0 --http 8000` · `k210kit view COM5 --save photos --label cat`")
def view(
    source: Annotated[str, typer.Argument(help="A serial port or pty, tcp:HOST:PORT, or file:NAME.")],
    baud: Annotated[int, typer.Option(min=300, max=8_000_000, help="The speed the camera starts with.")] = FIRST_BAUD,
    faster: Annotated[
        int | None, typer.Option(min=9600, max=8_000_000, help="Agree with the camera on this speed.")
    ] = None,
    http: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Show a live page at this port; 0 takes a free one.")
    ] = None,
    host: Annotated[str, typer.Option(help="Where the page can be reached from; 0.0.0.0: everywhere.")] = "127.0.0.1",
    save: Annotated[Path | None, typer.Option(help="Store pictures below this folder.")] = None,
    label: Annotated[str, typer.Option(help="Store them as pictures of this class: a folder for `train`.")] = "",
    as_camera: Annotated[
        int | None,
        typer.Option(
            "--as-camera", min=0, max=65_535, help="Offer the stream to `run --camera tcp:PORT` at this port."
        ),
    ] = None,
    quality: Annotated[
        int | None, typer.Option(min=0, max=100, help="Ask for this JPEG quality; 0: the camera steers it.")
    ] = None,
    frames: Annotated[int | None, typer.Option(min=1, max=10**9, help="End after so many pictures.")] = None,
    seconds: Annotated[
        float | None,
        typer.Option(parser=real(0, 1e9, above=True), metavar="SECONDS", help="End after so many seconds."),
    ] = None,
    json: Json = False,
) -> None:
    """Show a camera's stream: picture, size, receive, decode and draw times, rate, faults."""
    if label and save is None:
        raise InputError(f"--label {label} needs a folder to store into: add --save FOLDER.")
    with ExitStack() as stack:
        line = open_line(source, baud)
        stack.callback(line.close)
        album = Album(save, label, recording=http is None or bool(label)) if save else None
        audiences: list[Audience] = [album] if album else []
        viewer = Viewer(line, audiences)
        if as_camera is not None:
            camera = CameraPort(as_camera)
            stack.callback(camera.close)
            audiences.append(camera)
            note(f"As a camera: k210kit run SCRIPT --camera tcp:127.0.0.1:{camera.port}")
        if http is not None:
            page = Page(http, host=host, album=album)
            stack.callback(page.close)
            page.start(viewer)
            audiences.append(page)
            note(f"The page: {page.address}")
        audiences.append(stack.enter_context(_talker(live=http is None and not json)))
        _wishes(viewer, faster, quality)
        result = _run(viewer, frames, seconds)
    show(
        Viewed(**vars(result), saved=album.saved if album else 0),
        as_json=json,
        text=_report(result, album),
    )
    if not result.frames:
        note(_why_nothing(result))
        raise typer.Exit(RefusedError.exit_code)


def _wishes(viewer: Viewer, faster: int | None, quality: int | None) -> None:
    if faster is not None:
        viewer.command(CommandKind.BAUD, faster)
    if quality is not None:
        viewer.command(CommandKind.QUALITY, quality)


def _run(viewer: Viewer, frames: int | None, seconds: float | None) -> ViewResult:
    """Watch; Ctrl-C ends it as --seconds does, and the result is shown."""
    began = time.monotonic()
    try:
        return viewer.run(frames=frames, seconds=seconds)
    except KeyboardInterrupt:
        return viewer.result(time.monotonic() - began)


def _why_nothing(result: ViewResult) -> str:
    if not result.bytes:
        return f"Nothing came from {result.source}. Does the camera's script run, and is this its port?"
    return (
        f"{result.bytes:,} bytes came from {result.source}, and no picture in them. Is --baud the camera's speed, and "
        "does its script send pictures, as boot.py of `k210kit train --stream` does?"
    )


def _report(result: ViewResult, album: Album | None) -> list[object]:
    rows = [("frames", result.frames), ("fps", result.fps), ("lost", result.lost), ("damaged", result.damaged),
            ("resyncs", result.resyncs), ("undecodable", result.undecodable),
            ("of the older protocol", result.legacy), ("bytes", f"{result.bytes:,}")]  # fmt: skip
    if album is not None:
        rows.append(("saved", f"{album.saved} below {album.folder}"))
    return [table(result.source, ("", ">"), rows)]


class _Talker:
    """Says what happens: a picture on a terminal, otherwise a line each second."""

    def __init__(self, live: Any) -> None:  # Any: rich's Live, or None
        self._live = live
        self._said = 0.0

    def picture(self, seen: Seen) -> None:
        if self._live is not None:
            self._live.update(picture_text(seen, min(_COLUMNS, self._live.console.width - 1)))
        elif time.monotonic() - self._said >= 1:
            self._said = time.monotonic()
            note(f"{seen.figures.number}: {figures_line(seen.figures)}")

    def news(self, text: str) -> None:
        note(text)

    def camera(self, record: CapabilityRecord, name: str) -> None:
        return None


@contextmanager
def _talker(*, live: bool) -> Iterator[_Talker]:
    if not live or not sys.stdout.isatty():
        yield _Talker(None)
        return
    from rich.live import Live

    with Live(console=console(), refresh_per_second=20, transient=True) as shown:
        yield _Talker(shown)
