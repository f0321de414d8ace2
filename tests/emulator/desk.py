"""A board in this process for tests: run a script's text, look at the board afterwards."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from k210kit.emulator import Board, Interpreter, Printed, RunResult, Setup, power_on, run_on
from k210kit.firmware import Firmware, find

__all__ = ["Desk"]


class Desk:
    """One board; every `run` starts it anew."""

    def __init__(self, folder: Path) -> None:
        self.flash, self.sd = folder / "flash", folder / "sd"
        self.flash.mkdir()
        self.firmware: Firmware | None = None  # instead of the name that `run` is given
        self.board: Board
        self.interpreter: Interpreter

    def run(self, script: str, *, firmware: str = "full", sd: bool = False, **setup: Any) -> RunResult:
        """Run a script's text; `setup` goes to `Setup`."""
        if sd:
            self.sd.mkdir(exist_ok=True)
        made = Setup(
            firmware=self.firmware or find(firmware),
            flash_folder=self.flash,
            sd_folder=self.sd if sd else None,
            **setup,
        )
        printed = Printed()
        self.board = power_on(made, printed.write)
        self.interpreter = Interpreter(self.board)
        return run_on(self.board, self.interpreter, [("main.py", textwrap.dedent(script).encode())], printed)

    def prints(self, script: str, **setup: Any) -> str:
        """What a script prints; it must not fail."""
        result = self.run(script, **setup)
        assert result.error is None, result.printed + (result.fault or "")
        return result.printed

    def fails(self, script: str, **setup: Any) -> str:
        """The last line of the traceback of a script that fails."""
        result = self.run(script, **setup)
        assert result.error is not None, result.printed
        assert result.fault is None, result.fault
        return result.error.splitlines()[-1]
