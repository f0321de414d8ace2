"""Run a script in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Any

from k210kit import errors
from k210kit.emulator.ledger import Growth, LineMemory
from k210kit.emulator.request import RunRequest
from k210kit.emulator.result import HeapReport, RunResult
from k210kit.errors import KitError

__all__ = ["run"]

# Of the environment, which may hold secrets, the script's process gets what Python and its libraries need.
_KEPT = (
    "PATH", "HOME", "LANG", "LC_", "TMP", "TEMP", "TERM", "COLUMNS", "PYTHONHASHSEED", "NUMBA_", "XDG_CACHE",
    "SYSTEMROOT", "USERPROFILE", "LOCALAPPDATA", "COVERAGE_",
)  # fmt: skip
_TOLD_AGAIN_SECONDS = 0.5
# the child does not listen to Ctrl-C before a board is there that can be stopped
_CHILD = """
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
from k210kit.emulator.child import main
main(*sys.argv[1:])
"""


def run(request: RunRequest, *, output: IO[str] | None = None) -> RunResult:
    """Run a script as `k210kit run` does; what it prints goes to `output` (default: kept only in the result).

    Raises `InputError` for what the request names wrongly; what goes wrong on the board is in `RunResult.error`.
    """
    with tempfile.TemporaryDirectory(prefix="k210kit-") as folder:
        work = Path(folder)
        (work / "request.json").write_text(request.to_json(), encoding="utf-8")
        command = [sys.executable, "-I", "-c", _CHILD]
        process = subprocess.Popen(
            [*command, str(work / "request.json"), str(work / "result.json")],
            stdout=subprocess.DEVNULL if output is None else output,
            stdin=None if request.takes_input else subprocess.DEVNULL,
            env={name: value for name, value in os.environ.items() if name.upper().startswith(_KEPT)},
        )
        interrupted = _wait(process)
        answer = work / "result.json"
        if interrupted and not answer.exists():  # before there was a child that could answer
            raise KeyboardInterrupt
        return _answer(answer, process.returncode)


def _wait(process: subprocess.Popen[bytes]) -> bool:
    """Wait for the end and say whether Ctrl-C came; it reaches the child too, which then ends the script and reports.

    A child that is still starting does not listen yet: it is told again.
    """
    interrupted = False
    while True:
        try:
            process.wait(_TOLD_AGAIN_SECONDS if interrupted else None)
            return interrupted
        except KeyboardInterrupt:
            interrupted = True
        except subprocess.TimeoutExpired:
            if os.name == "posix":
                process.send_signal(signal.SIGINT)


def _answer(path: Path, code: int) -> RunResult:
    if not path.exists():
        raise KitError(f"The process of the emulated board ended with {code} and left no result.")
    answer: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))  # Any: JSON
    if "error" in answer:
        kind = getattr(errors, answer["error"]["kind"], errors.InputError)
        if kind in (errors.FormatError, errors.MissingExtraError):
            kind = errors.InputError
        raise kind(answer["error"]["message"])
    values = answer["result"]
    heap = values["heap"]
    heap["growth"] = [Growth(**entry) for entry in heap["growth"]]
    heap["lines"] = [LineMemory(**entry) for entry in heap["lines"]]
    values["heap"] = HeapReport(**heap)
    return RunResult(**values)
