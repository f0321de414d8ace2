"""The process in which a script runs: `main(REQUEST, RESULT)`, started by `isolated`."""

from __future__ import annotations

import dataclasses
import gc
import json
import signal
import sys
from pathlib import Path

from k210kit.emulator.board import Board
from k210kit.emulator.boards import board_kind, power_on
from k210kit.emulator.console import interact
from k210kit.emulator.guard import Fence, limit_memory, memory_watch
from k210kit.emulator.interpreter import Interpreter
from k210kit.emulator.keys import TerminalKeys, attach_keys, read_key_map
from k210kit.emulator.request import RunRequest
from k210kit.emulator.result import RunResult
from k210kit.emulator.running import Printed, run_on
from k210kit.emulator.surroundings import setup_of, with_card_unpacked
from k210kit.errors import KitError, missing_file
from k210kit.files import of_the_computer
from k210kit.streams import ready_streams

__all__ = ["main"]

# What of a script's own folder shows on the card when a single script is run, and what else if the script names it.
_SIBLINGS = (".py", ".kmodel", ".smodel")
_NAMED_SIBLINGS = (
    ".jpg",
    ".jpeg",
    ".bmp",
    ".wav",
    ".avi",
    ".dzk",
    ".cascade",
    "labels.txt",
    "label.txt",
    "anchors.txt",
)


def main(request_file: str, result_file: str) -> None:
    """Run what the request asks and leave the result, or the error, as JSON."""
    ready_streams()
    work = Path(result_file).parent
    try:
        result = _run(RunRequest.from_json(Path(request_file).read_text(encoding="utf-8")), work)
        answer = {"result": dataclasses.asdict(result)}
    except (KitError, OSError) as error:
        told = of_the_computer(error) if isinstance(error, OSError) else error
        if told is None:
            raise
        answer = {"error": {"kind": type(told).__name__, "message": str(told)}}
    Path(result_file).write_text(json.dumps(answer), encoding="utf-8")


def _run(request: RunRequest, work: Path) -> RunResult:
    card = work / "flash"
    card.mkdir()
    request = with_card_unpacked(request, work / "sd")
    files, beneath = _programs(Path(request.script))
    printed = Printed(_to_stdout)
    board = power_on(setup_of(request, card), printed.write)
    board.files.beneath.update(beneath)
    interpreter = Interpreter(board, _keyboard if request.interactive else None)
    for number, end in board.ports.ends.items():
        if end.name != "nothing":
            sys.stderr.write(f"serial port {number} is {end.name}\n")
    keys = _keys(request, board)
    address = getattr(board.lcd, "address", None)
    if address:
        sys.stderr.write(f"the LCD is at {address}\n")
    fence = Fence(readable=_readable(request, beneath), writable=_writable(request, card))
    board.trusted = fence.trusted
    signal.signal(signal.SIGINT, lambda *_: board.clock.stop("keyboard"))
    _warm_up(board)
    gc.freeze()  # what is loaded now stays, and need not be searched by each collection of the script's
    limit_memory()
    interpreter.memory_watch = memory_watch(fence)
    fence.close()
    try:
        if len(files) > 1 or Path(request.script).is_dir():
            board.print(_boot_words(board))
        result = run_on(board, interpreter, files, printed, from_ide=not Path(request.script).is_dir())
        if request.interactive:
            interact(board, interpreter)
    finally:
        fence.open()
        if keys is not None:
            keys.close()
        board.lcd.close()
        board.camera.close()
        board.ports.close()
    return result


def _keys(request: RunRequest, board: Board) -> TerminalKeys | None:
    """The keyboard as buttons, if that is asked for."""
    if request.keys is None:
        return None
    pins = read_key_map(request.keys, board_kind(request.board))
    shown = ", ".join(f"{letter} presses pin {pin}" for letter, pin in pins.items())
    sys.stderr.write(f"keys: {shown}; a capital letter holds\n")
    keys = TerminalKeys()
    attach_keys(board, pins, keys)
    return keys


def _programs(script: Path) -> tuple[list[tuple[str, bytes]], dict[str, Path]]:
    """Names and texts of what runs, and the files that show on the card."""
    if script.is_dir():
        shown = {f"/flash/{p.relative_to(script).as_posix()}": p for p in sorted(script.rglob("*")) if p.is_file()}
        found = [(n, script / n) for n in ("boot.py", "main.py") if (script / n).is_file()]
        if not found:
            raise missing_file(script / "main.py")
        return [(name, path.read_bytes()) for name, path in found], shown
    if not script.exists():
        raise missing_file(script)
    text = script.read_bytes()
    beside = {
        f"/flash/{p.name}": p
        for p in sorted(script.parent.iterdir())
        if p.is_file()
        and (p.suffix in _SIBLINGS or (p.name.lower().endswith(_NAMED_SIBLINGS) and p.name.encode() in text))
    }
    beside |= {f"{mount}/main.py": script for mount in ("/flash", "/sd")}
    return [(script.name, text)], beside


def _readable(request: RunRequest, beneath: dict[str, Path]) -> list[Path]:
    is_file = request.camera != "pattern" and not request.camera.isdigit() and not request.camera.startswith("tcp:")
    camera = [Path(request.camera)] if is_file else []
    return [*camera, *beneath.values()]


def _writable(request: RunRequest, card: Path) -> list[Path]:
    folders = [card]
    if request.sd:
        folders.append(Path(request.sd))
    if request.lcd and not request.lcd.startswith(("http:", "terminal")):
        folders.append(Path(request.lcd))
    return folders


def _warm_up(board: Board) -> None:
    """Import what the modules import at their first use, before memory is counted."""
    import PIL.BmpImagePlugin
    import PIL.JpegImagePlugin
    import PIL.PngImagePlugin  # noqa: F401

    for name in ("image", "sensor", "lcd", "KPU"):
        board.module(name)


def _boot_words(board: Board) -> str:
    size = board.gc.size
    return f"[MaixPy] gc heap=0x80300000-0x{0x80300000 + size:x}({size})\n[MaixPy] init end\n"


def _keyboard(prompt: str) -> str:
    return sys.stdin.readline().rstrip("\n")


def _to_stdout(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
