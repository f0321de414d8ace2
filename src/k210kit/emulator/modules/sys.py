"""`sys`. Source: MicroPython 1.11 py/modsys.c with MaixPy's options."""

from __future__ import annotations

from typing import Any

from k210kit.emulator.board import Board
from k210kit.emulator.buffers import as_bytes
from k210kit.emulator.interpreter import Interpreter
from k210kit.emulator.modules.table import device_module
from k210kit.emulator.wording import exception_line, format_traceback

__all__ = ["SysModule"]


class _Output:
    """`sys.stdout` and `sys.stderr`."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self.buffer = self

    def write(self, data: Any) -> int:
        """Any: text or bytes."""
        sent = as_bytes(data)
        self._board.print(sent.decode("utf-8", "replace"))
        return len(sent)

    def flush(self) -> None:
        return None


class _Input:
    """`sys.stdin`: the prompt's keyboard, or nothing."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self.buffer = self

    def readline(self, size: int = -1) -> str:
        line: str = self._board.modules["interpreter"].read_line_or_end()
        return line

    read = readline


class _Implementation(tuple):  # type: ignore[type-arg]
    """`sys.implementation`."""

    name = "micropython"
    version = (1, 11, 0)


@device_module("sys")
class SysModule:
    """The module."""

    platform = "MaixPy"
    byteorder = "little"
    maxsize = (1 << 63) - 1
    version = "3.4.0"
    version_info = (3, 4, 0)
    implementation = _Implementation(("micropython", (1, 11, 0)))

    def __init__(self, board: Board) -> None:
        self._board = board
        interpreter: Interpreter = board.modules["interpreter"]
        self._interpreter = interpreter
        self.path = interpreter.path
        self.modules = interpreter.loaded
        self.argv: list[str] = []
        self.stdout = self.stderr = _Output(board)
        self.stdin = _Input(board)

    def exit(self, value: Any = None) -> None:
        """End the script (Any: its result)."""
        raise SystemExit(*(() if value is None else (value,)))

    def print_exception(self, exception: BaseException, file: Any = None) -> None:
        """Print an exception with its traceback (Any: a stream; default the prompt)."""
        if not isinstance(exception, BaseException):
            text = f"{exception}\n"
        elif exception.__traceback__ is None:
            text = exception_line(exception) + "\n"
        else:
            text = format_traceback(exception, self._interpreter.is_script)
        if file is None:
            self._board.print(text)
        elif hasattr(file, "write"):
            file.write(text)
        else:
            raise OSError("stream operation not supported")
