"""Run a script on a board of this process and report what happened."""

from __future__ import annotations

import builtins
import dataclasses
import io
import linecache
import time
from collections.abc import Callable
from types import FrameType

from k210kit.emulator.board import Board, Stop
from k210kit.emulator.interpreter import Interpreter
from k210kit.emulator.result import HeapReport, RunResult
from k210kit.emulator.script import decode_source
from k210kit.emulator.wording import format_traceback, our_traceback

__all__ = ["Printed", "run_on"]

_MOST_PRINTED = 1_000_000  # characters kept of what a script prints


class Printed:
    """Keeps what a board prints, up to a limit, and passes it on."""

    def __init__(self, pass_on: Callable[[str], None] | None = None) -> None:
        self._kept = io.StringIO()
        self._size = 0
        self._pass_on = pass_on

    def write(self, text: str) -> None:
        if self._size < _MOST_PRINTED:
            self._kept.write(text[: _MOST_PRINTED - self._size])
        self._size += len(text)
        if self._pass_on is not None:
            self._pass_on(text)

    @property
    def text(self) -> str:
        left = self._size - _MOST_PRINTED
        return self._kept.getvalue() + (f"\n[… {left:,} characters more]" if left > 0 else "")


def run_on(
    board: Board, interpreter: Interpreter, files: list[tuple[str, bytes]], printed: Printed, *, from_ide: bool = True
) -> RunResult:
    """Run files one after the other, each as the main program, then report.

    `from_ide`: as the IDE runs a script; otherwise as `boot.py` and `main.py` are run after power-on.
    """
    began = time.monotonic()
    board.clock.report_failure = lambda first, failure: board.print(
        first + format_traceback(failure, interpreter.is_script)
    )
    ended, error, fault = "script", None, None
    for name, source in files:
        try:
            interpreter.main_namespace = interpreter.main_names(name, from_ide=from_ide)
            interpreter.run(decode_source(source), name, interpreter.main_namespace)
            while board.clock.others:
                board.clock.sleep(0.01)
        except Stop as stop:
            ended = str(stop)
            break
        except SystemExit:
            ended = "script"
            break
        except KeyboardInterrupt:
            ended = "keyboard"
            break
        except BaseException as failure:  # the script's edge: whatever it raises, the board prints
            error = format_traceback(failure, interpreter.is_script)
            board.print(error)
            ended = "error"
            if is_ours(failure):
                fault = our_traceback(failure)
            break
    return dataclasses.replace(_report(board, printed, ended, error, time.monotonic() - began), fault=fault)


# What our code never raises on purpose while a script runs: such an error out of our files is a fault of ours.
_FAULTS = (AssertionError, NameError, KeyError, IndexError, ZeroDivisionError, AttributeError)


def is_ours(failure: BaseException) -> bool:
    """Whether an error came out of the kit's own files without being meant for the script."""
    trace = failure.__traceback__
    if trace is None:
        return False
    while trace.tb_next is not None:
        trace = trace.tb_next
    name = trace.tb_frame.f_globals.get("__name__", "")
    inside = name.startswith("k210kit.") or trace.tb_frame.f_globals.get("__builtins__") is builtins.__dict__
    meant = getattr(failure, "meant_for_script", False) or _raised_explicitly(trace.tb_frame, trace.tb_lineno)
    return inside and isinstance(failure, _FAULTS) and not meant


def _raised_explicitly(frame: FrameType, line: int) -> bool:
    text = linecache.getline(frame.f_code.co_filename, line).strip()
    return text.startswith("raise ") or "(of, name" in text  # getattr for the script


_MOST_LINES = 20


def _report(board: Board, printed: Printed, ended: str, error: str | None, seconds: float) -> RunResult:
    counters, ledger = board.counters, board.gc.ledger
    if counters.frames:
        board.gc.note(counters.frames)
    lines = sorted((entry for entry in ledger.lines.values() if entry.line), key=lambda entry: -entry.bytes)
    return RunResult(
        board=board.name,
        firmware=board.firmware.name,
        frames=counters.frames if counters.frames >= counters.screens_since_frame else counters.screens,
        fps_board_estimate=_rate(counters.frame_times),
        printed=printed.text,
        error=error,
        ended=ended,
        seconds_board=round(board.clock.now, 6),
        seconds_desk=round(seconds, 3),
        screens=counters.screens,
        heap=HeapReport(
            gc_total=board.gc.total_bytes,
            gc_free=board.gc.free_bytes,
            gc_allocated_per_frame=_per_frame(counters.allocated_bytes_per_frame),
            growth=ledger.growth(),
            lines=lines[:_MOST_LINES],
            system_free=board.heap.free_bytes,
            system_lowest_free=board.heap.lowest_free_bytes,
            held=board.heap.holders(),
        ),
        warnings=counters.warnings,
        not_emulated=counters.not_emulated,
        endpoints={str(number): end.name for number, end in board.ports.ends.items()},
    )


def _rate(times: list[float]) -> float | None:
    """Frames per second over the later half, where set-up and first loads are past."""
    later = times[len(times) // 2 - 1 :] if len(times) > 3 else times
    if len(later) < 2 or later[-1] <= later[0]:
        return None
    return round((len(later) - 1) / (later[-1] - later[0]), 3)


def _per_frame(totals: list[int]) -> float | None:
    later = totals[len(totals) // 2 :]
    return round((later[-1] - later[0]) / (len(later) - 1), 1) if len(later) > 1 else None
