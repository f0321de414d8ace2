"""Standard input, output and error of a process, made ready for whatever a system has tied them to."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

__all__ = ["leave_output", "ready_streams"]


def ready_streams() -> None:
    """Open streams that are closed onto nothing, and let no character that their encoding lacks end the program.

    Redirected output has the locale's encoding, as cp932 or cp1252 on Windows; what it lacks becomes `?`. In UTF-8 the
    bytes of file names that are no UTF-8 go out as they came in.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller, as in `k210kit doctor >&-`
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - as long as the process
        elif isinstance(stream, io.TextIOWrapper) and name != "stderr":  # stderr writes such letters as \uXXXX
            utf8 = stream.encoding.lower().replace("-", "") == "utf8"
            stream.reconfigure(errors="surrogateescape" if utf8 and name == "stdout" else "replace")


def leave_output() -> None:
    """Let standard output lead nowhere: its reader has gone, as `| head` does, or its disk is full."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
