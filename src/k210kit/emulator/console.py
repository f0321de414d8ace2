"""The board's prompt: `>>> `."""

from __future__ import annotations

import codeop
import sys
import warnings
from typing import Any

from k210kit.emulator.board import Board, Stop
from k210kit.emulator.interpreter import Interpreter
from k210kit.emulator.script import compile_script
from k210kit.emulator.wording import format_traceback, represent

__all__ = ["interact"]


def interact(board: Board, interpreter: Interpreter) -> None:
    """Read and run lines until the end of the input; what the script left is there."""
    namespace = interpreter.main_namespace
    shown = sys.displayhook
    sys.displayhook = lambda value: board.print(represent(value) + "\n") if value is not None else None
    waiting: list[str] = []
    board.clock.stopping = ""
    try:
        while True:
            board.print("... " if waiting else ">>> ")
            line = sys.stdin.readline()
            if not line:
                board.print("\n")
                return
            waiting.append(line.rstrip("\n"))
            if _run_if_whole("\n".join(waiting), board, interpreter, namespace):
                waiting = []
    finally:
        sys.displayhook = shown


def _run_if_whole(text: str, board: Board, interpreter: Interpreter, namespace: dict[str, Any]) -> bool:
    """Whether `text` was a whole statement; if so it has run (Any: the script's values)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if codeop.compile_command(text, "<stdin>") is None:
                return False
        exec(compile_script(text + "\n", "<stdin>", "single")[0], namespace)
    except (Stop, SystemExit):
        board.clock.stopping = ""
    except BaseException as failure:  # the prompt's edge: whatever a line raises, the board prints
        board.print(format_traceback(failure, interpreter.is_script))
    return True
