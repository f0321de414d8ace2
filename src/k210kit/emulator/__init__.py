"""MaixPy on the desk: run a camera script without a camera, with the board's modules, memory, time and errors.

    from k210kit.emulator import RunRequest, run
    result = run(RunRequest(script="main.py", camera="photo.jpg", frames=10))

`run` isolates the script in a process of its own. `power_on` and `Interpreter` put boards into this process, for tests
and for several boards that talk to each other. Nothing is imported before it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from k210kit.emulator.board import Board
    from k210kit.emulator.boards import Setup, power_on
    from k210kit.emulator.interpreter import Interpreter
    from k210kit.emulator.isolated import run
    from k210kit.emulator.request import RunRequest
    from k210kit.emulator.result import HeapReport, RunResult
    from k210kit.emulator.running import Printed, run_on

__all__ = [
    "Board",
    "HeapReport",
    "Interpreter",
    "Printed",
    "RunRequest",
    "RunResult",
    "Setup",
    "power_on",
    "run",
    "run_on",
]

_HOMES = {
    "Board": "board",
    "HeapReport": "result",
    "Interpreter": "interpreter",
    "Printed": "running",
    "RunRequest": "request",
    "RunResult": "result",
    "Setup": "boards",
    "power_on": "boards",
    "run": "isolated",
    "run_on": "running",
}


def __getattr__(name: str) -> Any:  # Any: each name has its own type, given where it is defined
    if name not in _HOMES:
        raise AttributeError(f"module 'k210kit.emulator' has no attribute {name!r}")
    return getattr(importlib.import_module(f"k210kit.emulator.{_HOMES[name]}"), name)
