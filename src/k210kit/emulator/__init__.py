"""MaixPy on the desk: run a camera script without a camera, with the board's modules, memory, time and errors.

    from k210kit.emulator import RunRequest, run
    result = run(RunRequest(script="main.py", camera="photo.jpg", frames=10))

`run` isolates the script in a process of its own. `power_on` and `Interpreter` put boards into this process, for tests
and for several boards that talk to each other.
"""

from __future__ import annotations

from k210kit.emulator.board import Board
from k210kit.emulator.interpreter import Interpreter
from k210kit.emulator.isolated import run
from k210kit.emulator.power_on import Setup, power_on
from k210kit.emulator.request import RunRequest
from k210kit.emulator.run import HeapReport, Printed, RunResult, run_on

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
