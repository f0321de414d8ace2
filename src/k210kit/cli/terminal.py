"""`k210kit terminal`: the board's prompt, files to and from it, and a way past a broken boot.py."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from k210kit.cli.numbers import real
from k210kit.cli.output import Force, Json, note, progress, show, table
from k210kit.device import FlashFile, FlashOptions, Port, SystemPorts, flash, flash_program, open_port, plan_flash
from k210kit.device.keyboard import interact, keys_from_terminal
from k210kit.device.terminal import FLASH_FOLDER, RemoteFile, Repl
from k210kit.errors import DeviceError, InputError
from k210kit.files import read_whole, refuse_existing, write_whole
from k210kit.package import FILE_SYSTEM_ADDRESS, FILE_SYSTEM_BYTES, Entry

__all__ = ["app"]

_MOST_SCRIPT = 1 << 20

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, kw_only=True)
class Carried:
    """What was done at the prompt: files to and from the board, what a script printed, the files in /flash."""

    port: str
    pushed: list[Entry]
    pulled: list[Entry]
    printed: str
    files: tuple[RemoteFile, ...]


@dataclass(frozen=True, kw_only=True)
class Rescued:
    """The start-up files that were renamed, so that the prompt comes back."""

    port: str
    put_aside: list[str]


@app.command(
    epilog="Examples: `k210kit terminal` · `k210kit terminal --push main.py` · "
    "`k210kit terminal --pull /flash/boot.py:boot.py` · `k210kit terminal --rescue`",
)
def terminal(
    port: Annotated[str | None, typer.Option(help="Serial port; found by its USB chip if not given.")] = None,
    baud: Annotated[int, typer.Option(help="Speed of the prompt.", min=300, max=8_000_000)] = 115_200,
    push: Annotated[
        list[str] | None, typer.Option(metavar="FILE[:PATH]", help="Write a file onto the board, to /flash by default.")
    ] = None,
    pull: Annotated[list[str] | None, typer.Option(metavar="PATH[:FILE]", help="Read a file from the board.")] = None,
    run: Annotated[Path | None, typer.Option(help="Run a script on the board and show what it prints.")] = None,
    paste: Annotated[Path | None, typer.Option(help="The same in paste mode, as if it was typed.")] = None,
    list_files: Annotated[bool, typer.Option("--list", help="List the files in /flash.")] = False,
    rescue: Annotated[bool, typer.Option("--rescue", help="Get past a boot.py or main.py that never ends.")] = False,
    wipe_files: Annotated[bool, typer.Option("--wipe-files", help="Empty the board's file system.")] = False,
    timeout: Annotated[
        float, typer.Option(parser=real(0, 86_400, above=True), metavar="SECONDS", help="How long a script may run.")
    ] = 60.0,
    force: Force = False,
    json: Json = False,
) -> None:
    """Open the board's prompt (leave with Ctrl-]), or do one thing there: carry files, run a script, rescue it."""
    if wipe_files:
        _wipe(port, force=force, json=json)
        return
    work = bool(push or pull or run or paste or list_files)
    if not (work or rescue) and (json or not sys.stdin.isatty()):
        raise InputError("The prompt needs a terminal to type in. Use --run, --push, --pull or --list here.")
    if work:
        with _prompt(port, baud) as (name, repl):
            done = _work(name, repl, push or [], pull or [], run, paste, list_files, timeout, force)
            repl.leave_raw()
        show(done, as_json=json, text=_text(done))
        return
    with _opened(port, baud) as (name, opened):
        if rescue:
            moved = Repl(opened).rescue(note)
            text = [f"put aside: {path}" for path in moved] or ["the prompt is back; there was no start-up file"]
            show(Rescued(port=name, put_aside=list(moved)), as_json=json, text=text)
            return
        note(f"{name} at {baud} baud. Ctrl-C stops a script, Ctrl-E pastes, Ctrl-] leaves.")
        with keys_from_terminal() as key:
            interact(opened, key, _to_screen)


@contextmanager
def _opened(wanted: str | None, baud: int) -> Iterator[tuple[str, Port]]:
    """The port that was named, or the likeliest one; the others are told."""
    first, *others = SystemPorts(wanted=wanted).candidates()
    if others:
        note("Other ports, for --port: " + ", ".join(other.name for other in others))
    port = open_port(first.name, baud)
    try:
        yield first.name, port
    finally:
        port.close()


@contextmanager
def _prompt(wanted: str | None, baud: int) -> Iterator[tuple[str, Repl]]:
    """The first port on which a prompt answers: boards with two ports have it on one of them."""
    failure: DeviceError | None = None
    for found in SystemPorts(wanted=wanted).candidates():
        try:
            port = open_port(found.name, baud)
        except DeviceError as error:
            failure = failure or error
            continue
        try:
            repl = Repl(port)
            try:
                repl.attach()
            except DeviceError as error:
                failure = failure or error
                continue
            yield found.name, repl
            return
        finally:
            port.close()
    assert failure is not None
    raise failure


def _work(
    port: str, repl: Repl, push: list[str], pull: list[str], run: Path | None, paste: Path | None, listed: bool,
    timeout: float, force: bool,
) -> Carried:  # fmt: skip
    pushed, pulled = [], []
    for argument in push:
        name, path = _pushed_names(argument)
        data = read_whole(name)
        with progress(f"{name} to {path}") as told:
            repl.push(data, path, told)
        pushed.append(Entry.of(path, data))
    for argument in pull:
        path, name = _pulled_names(argument)
        refuse_existing(name, force=force)
        data = repl.pull(path)
        write_whole(name, data, force=force)
        pulled.append(Entry.of(str(name), data))
    printed = ""
    if run is not None:
        printed += repl.run(_script(run), timeout)
    if paste is not None:
        printed += repl.paste(_script(paste), timeout)
    files: tuple[RemoteFile, ...] = repl.list() if listed else ()
    return Carried(port=port, pushed=pushed, pulled=pulled, printed=printed, files=files)


def _script(path: Path) -> str:
    try:
        return read_whole(path, most_bytes=_MOST_SCRIPT).decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path} is no text file in UTF-8; a script was expected.") from None


def _text(done: Carried) -> list[Any]:  # Any: whatever rich can render
    lines: list[Any] = [f"{entry.size:,} bytes to {entry.name}" for entry in (*done.pushed, *done.pulled)]
    if done.printed:
        lines.append(done.printed.rstrip("\n"))
    if done.files:
        lines.append(table(FLASH_FOLDER, ("name", "bytes>"), [(f.name, f"{f.size:,}") for f in done.files]))
    return lines


def _pushed_names(argument: str) -> tuple[Path, str]:
    name, colon, path = argument.rpartition(":")
    if colon and path.startswith("/"):
        return Path(name), path + Path(name).name if path.endswith("/") else path
    return Path(argument), f"{FLASH_FOLDER}/{Path(argument).name}"


def _pulled_names(argument: str) -> tuple[str, Path]:
    path, colon, name = argument.partition(":")
    return path, Path(name) if colon else Path(path.rpartition("/")[2])


def _wipe(port: str | None, *, force: bool, json: bool) -> None:
    if not force:
        raise InputError("This deletes everything in the board's /flash. Say --force as well if that is wanted.")
    plan = plan_flash([FlashFile(name="empty", address=FILE_SYSTEM_ADDRESS, data=b"\xff" * FILE_SYSTEM_BYTES)])
    with progress("emptying the file system") as told:
        result = flash(plan, SystemPorts(wanted=port), flash_program, FlashOptions(), told)
    show(result, as_json=json, text="The file system is empty; MaixPy makes a new one when it starts.")


def _to_screen(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
