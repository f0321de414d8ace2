"""`k210kit flash`: programs, models and packages onto a board."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from k210kit.cli.numbers import real
from k210kit.cli.output import Json, note, progress, show, table
from k210kit.device import (
    BOARDS,
    DEFAULT_BAUD,
    VIRTUAL_PREFIX,
    Flashed,
    FlashOptions,
    FlashPlan,
    SystemPorts,
    Unfinished,
    board,
    flash,
    flash_image,
    flash_program,
    parse_faults,
    plan_flash,
    read_files,
)
from k210kit.errors import InputError
from k210kit.package import parse_address

__all__ = ["app"]

_BOARDS = ", ".join(one.name for one in BOARDS)

app = typer.Typer(add_completion=False)


@app.command(
    epilog="Examples: `k210kit flash maixpy.bin` · `k210kit flash camera.kfpkg --board unitv` · "
    "`k210kit flash model.kmodel@0x300000 --port virtual:flash.bin`",
)
def flash_files(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="A .bin, a .kfpkg, or FILE@ADDRESS.")],
    port: Annotated[str | None, typer.Option(help="Serial port, or virtual:FLASH.bin for a pretend board.")] = None,
    board_name: Annotated[str | None, typer.Option("--board", help=f"All are tried without it. {_BOARDS}.")] = None,
    baud: Annotated[
        int, typer.Option(help="The speed to begin with; it falls by itself.", min=9600, max=8_000_000)
    ] = DEFAULT_BAUD,
    resume_at: Annotated[str, typer.Option(help="Go on at this flash address after a flashing that stopped.")] = "0",
    wait: Annotated[
        float,
        typer.Option(parser=real(0, 86_400), metavar="SECONDS", help="How long to wait for a lost board to come back."),
    ] = 30.0,
    io_mode: Annotated[Literal["dio", "qio"], typer.Option(help="Lines by which the ROM reads the program.")] = "dio",
    file_system: Annotated[bool, typer.Option(help="Keep 0xD00000 and up free for MaixPy's files.")] = True,
    restart: Annotated[bool, typer.Option(help="Start the new program afterwards.")] = True,
    write_ahead: Annotated[
        bool, typer.Option("--write-ahead", help="Send while the chip writes: faster, not yet proven on hardware.")
    ] = False,
    fault: Annotated[
        list[str] | None, typer.Option(help="For virtual: flip=1e-5, drop=1e-5, unplug_after=100000, seed=1 ...")
    ] = None,
    json: Json = False,
) -> None:
    """Write files to a board's flash: checks the map first, finds port, board and speed, and gets over faults."""
    plan = plan_flash(read_files(files, io_mode=io_mode), file_system=file_system)
    for warning in plan.warnings:
        note(f"warning: {warning}")
    options = FlashOptions(
        board=board(board_name) if board_name else None,
        baud=baud,
        resume_at=parse_address(resume_at),
        wait_seconds=wait,
        restart=restart,
        write_ahead=write_ahead,
    )
    virtual = port is not None and port.startswith(VIRTUAL_PREFIX)
    if fault and not virtual:
        raise InputError("--fault is for a pretend board: --port virtual:FLASH.bin.")
    try:
        with progress("flashing") as told:
            if port is not None and virtual:
                image = Path(port.removeprefix(VIRTUAL_PREFIX))
                result = flash_image(plan, image, options, faults=parse_faults(fault or []), told=told, event=note)
            else:
                result = flash(plan, SystemPorts(wanted=port), flash_program, options, told, note)
    except Unfinished as stopped:
        note(f"to go on: {_command_from(stopped.resume_at, sys.argv[1:])}")
        raise
    show(result, as_json=json, text=_text(plan, result))


def _command_from(address: int, arguments: list[str]) -> str:
    """The command that was given, with another --resume-at; a pretend board's faults are not asked for again."""
    kept, skip = [], False
    for word in arguments:
        name, mark, _ = word.partition("=")
        if skip or name in ("--resume-at", "--fault"):
            skip = not skip and not mark
            continue
        kept.append(word)
    return shlex.join(["k210kit", *kept, "--resume-at", f"0x{address:X}"])


def _text(plan: FlashPlan, result: Flashed) -> list[Any]:  # Any: whatever rich can render
    retold = f", {result.reconnects} times lost and found again" if result.reconnects else ""
    return [
        table("", plan.flash_map.COLUMNS, plan.flash_map.rows()),
        f"{result.written:,} bytes onto {result.board} at {result.port} in {result.seconds:.1f} s, "
        f"{result.baud:,} baud, {result.bytes_per_second / 1024:.1f} KiB/s{retold}",
        f"verified: {result.verified_by}",
        *([f"started: {result.started}"] if result.started else []),
    ]
