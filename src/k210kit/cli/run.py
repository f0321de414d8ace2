"""`k210kit run`: a MaixPy script on the desk."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from k210kit.cli.numbers import real
from k210kit.cli.output import Json, note, show, table
from k210kit.emulator import RunRequest, RunResult
from k210kit.emulator import run as run_script
from k210kit.errors import KitError

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: `k210kit run main.py --camera face.jpg --flash 0x300000=face.kmodel --frames 50`")
def run(
    script: Annotated[Path, typer.Argument(help="A script, or a folder with boot.py and main.py.")],
    board: Annotated[str, typer.Option(help="The product.")] = "unitv",
    firmware: Annotated[
        str | None, typer.Option(help="The MaixPy build: a name of `k210kit firmware list`, a .bin or a .mk.")
    ] = None,
    camera: Annotated[
        str, typer.Option(help="`pattern`, a picture, a folder, a video, a webcam's number, or tcp:PORT.")
    ] = "pattern",
    flash: Annotated[
        list[str] | None, typer.Option(help="ADDRESS=FILE into the flash chip, or a raw image of it. Repeatable.")
    ] = None,
    sd: Annotated[
        Path | None,
        typer.Option(
            help="A folder as SD card, which the script may write to, or a card's image (FAT), which stays as it is."
        ),
    ] = None,
    uart: Annotated[
        list[str] | None, typer.Option(help="UART1=pty, =tcp:PORT or =file:NAME; also UART2, UART3. Repeatable.")
    ] = None,
    lcd: Annotated[
        str | None, typer.Option(help="A folder for PNG files, `http:PORT` for a live page, or `terminal`.")
    ] = None,
    pins: Annotated[Path | None, typer.Option(help="A file of lines `SECONDS PIN LEVEL`: buttons and wires.")] = None,
    keys: Annotated[
        str | None, typer.Option(help="Buttons by the keyboard: a=18,b=19, or `auto` for the board's own.")
    ] = None,
    frames: Annotated[int | None, typer.Option(min=1, max=10**9, help="End after so many pictures.")] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            parser=real(0, 1e9, above=True), metavar="SECONDS", help="End after so many seconds of board time."
        ),
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Never wait for the clock on the wall.")] = False,
    realtime: Annotated[bool, typer.Option("--realtime", help="Keep in step with the clock on the wall.")] = False,
    gc_heap: Annotated[
        int | None, typer.Option(min=0, max=0xFFFF_FFFF, help="Bytes of MicroPython's heap, as in freq.conf.")
    ] = None,
    interactive: Annotated[bool, typer.Option("-i", help="Give the board's prompt when the script has ended.")] = False,
    json: Json = False,
) -> None:
    """Run a MaixPy script with the board's modules, memory, time and errors; exit code 3 if the script fails."""
    request = RunRequest(
        script=str(script), board=board, firmware=firmware, camera=camera, flash=tuple(flash or ()),
        sd=str(sd) if sd else None, uart=tuple(uart or ()), lcd=lcd, pins=str(pins) if pins else None,
        keys=keys, frames=frames, seconds=seconds, fast=fast, realtime=realtime, gc_heap=gc_heap,
        interactive=interactive,
    )  # fmt: skip
    result = run_script(request, output=sys.stderr if json else sys.stdout)
    show(result, as_json=json, text=_text(result))
    if result.fault is not None:
        raise KitError(f"The emulator failed, not the script:\n{result.fault}")
    if result.error is not None:
        raise typer.Exit(3)


def _text(result: RunResult) -> list[object]:
    """The report for a person."""
    fps = "-" if result.fps_board_estimate is None else f"{result.fps_board_estimate:.1f}"
    heap = result.heap
    per_frame = "-" if heap.gc_allocated_per_frame is None else f"{heap.gc_allocated_per_frame:,.0f}"
    rows = [
        ("ended", result.ended),
        ("frames", result.frames),
        ("fps on the board (estimate)", fps),
        ("seconds on the board", f"{result.seconds_board:.2f}"),
        ("seconds here", f"{result.seconds_desk:.2f}"),
        ("GC heap free / total", f"{heap.gc_free:,} / {heap.gc_total:,}"),
        ("GC heap allocated per frame", per_frame),
        ("system heap free / lowest", f"{heap.system_free:,} / {heap.system_lowest_free:,}"),
        *((f"  held by {what}", f"{size:,}") for what, size in sorted(heap.held.items())),
        *((f"  serial port {number}", name) for number, name in result.endpoints.items()),
    ]
    for warning in result.warnings:
        note(f"warning: {warning}")
    for what, count in result.not_emulated.items():
        note(f"not emulated: {what} ({count} times)")
    shown: list[object] = [table(f"{result.board}, firmware {result.firmware}", ("", ">"), rows)]
    if heap.lines:
        most = [(e.line, f"{e.count:,}", f"{e.bytes:,}", f"{e.held:,}") for e in heap.lines[:5]]
        shown.append(table("GC heap by line of the script", ("line", "times >", "bytes >", "held at the end >"), most))
    for entry in heap.growth:
        note(f"grows: {entry.what} holds {entry.bytes_per_frame:,.0f} bytes more with each frame")
    return shown
