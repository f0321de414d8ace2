"""What `k210kit run` reports."""

from __future__ import annotations

from dataclasses import dataclass, field

from k210kit.emulator.ledger import Growth, LineMemory

__all__ = ["HeapReport", "RunResult"]


@dataclass(kw_only=True)
class HeapReport:
    """Memory at the end of a run, in bytes."""

    gc_total: int
    gc_free: int
    gc_allocated_per_frame: float | None  # from the second half of the frames
    growth: list[Growth]  # what holds more with each frame: a leak
    lines: list[LineMemory]  # lines that took big pieces (pictures, byte arrays), most bytes first
    system_free: int
    system_lowest_free: int
    held: dict[str, int]


@dataclass(kw_only=True)
class RunResult:
    """What `k210kit run` reports."""

    board: str
    firmware: str
    frames: int
    fps_board_estimate: float | None
    printed: str
    error: str | None
    fault: str | None = None  # our own traceback, where the error is the kit's
    ended: str  # "script", "frames", "seconds", "error", or why it was stopped
    seconds_board: float
    seconds_desk: float
    screens: int
    heap: HeapReport
    warnings: list[str] = field(default_factory=list)
    not_emulated: dict[str, int] = field(default_factory=dict)
    endpoints: dict[str, str] = field(default_factory=dict)
