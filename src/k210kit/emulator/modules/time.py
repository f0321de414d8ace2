"""`time` and `utime`: the board's clocks. Sources: port/src/standard_lib/utime/modutime.c, extmod/utime_mphal.c."""

from __future__ import annotations

import calendar
import math
import time as host
from collections.abc import Sequence

from k210kit.emulator.board import Board
from k210kit.emulator.modules.table import device_module

__all__ = ["FpsClock", "TimeModule"]

_EPOCH_2000 = calendar.timegm((2000, 1, 1, 0, 0, 0))
_POWER_ON = 0  # maixpy_main.c sets the RTC to 2000-01-01 at each start
_TICKS_PERIOD = 1 << 30  # MICROPY_PY_UTIME_TICKS_PERIOD of a 32-bit build; small ints are wider, ticks are not


class FpsClock:
    """`time.clock()`: frames and the milliseconds from `tick` to `fps`."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._start = self._ticks = self._frames = 0

    def _milliseconds(self) -> int:
        return int(self._board.clock.now * 1000)

    def _count(self) -> None:
        self._frames += 1
        self._ticks += self._milliseconds() - self._start

    def tick(self) -> None:
        self._start = self._milliseconds()

    def fps(self) -> float:
        self._count()
        rate = 1000.0 * self._frames / self._ticks if self._ticks else math.inf
        if self._ticks >= 2000:
            self._frames = self._ticks = 0
        return rate

    def avg(self) -> float:
        self._count()
        return self._ticks / self._frames

    def reset(self) -> None:
        self._start = self._ticks = self._frames = 0

    def __repr__(self) -> str:
        return f"t_start:{self._start} t_ticks:{self._ticks} t_frame:{self._frames}\n"


@device_module("time", "utime")
class TimeModule:
    """The module; `time()` counts seconds since 2000-01-01."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._offset = _POWER_ON

    def sleep(self, seconds: float) -> None:
        self._board.clock.sleep(float(seconds))

    def sleep_ms(self, milliseconds: int) -> None:
        self._board.clock.sleep(int(milliseconds) / 1000)

    def sleep_us(self, microseconds: int) -> None:
        self._board.clock.sleep(int(microseconds) / 1_000_000)

    def ticks_ms(self) -> int:
        return self._ticks(1000)

    def ticks_us(self) -> int:
        return self._ticks(1_000_000)

    def ticks_cpu(self) -> int:
        return self._ticks(self._board.firmware.cpu_hz)

    ticks = ticks_ms

    def _ticks(self, per_second: float) -> int:
        self._board.clock.advance(2e-6)
        return int(self._board.clock.now * per_second) % _TICKS_PERIOD

    def ticks_diff(self, end: int, start: int) -> int:
        half = _TICKS_PERIOD // 2
        return (int(end) - int(start) + half) % _TICKS_PERIOD - half

    def ticks_add(self, ticks: int, delta: int) -> int:
        return (int(ticks) + int(delta)) % _TICKS_PERIOD

    def time(self) -> int:
        return self._offset + int(self._board.clock.now)

    def set_time(self, when: Sequence[int]) -> bool:
        year, month, day, hour, minute, second = (int(part) for part in when[:6])
        self._offset = (
            calendar.timegm((year, month, day, hour, minute, second)) - _EPOCH_2000 - int(self._board.clock.now)
        )
        return True

    def localtime(self, seconds: int | None = None) -> tuple[int, ...]:
        made = host.gmtime(_EPOCH_2000 + (self.time() if seconds is None else int(seconds)))
        return (*made[:6], made.tm_wday, made.tm_yday)

    def mktime(self, when: Sequence[int]) -> int:
        if not 8 <= len(when) <= 9:
            raise TypeError(f"mktime needs a tuple of length 8 or 9 ({len(when)} given)")
        return calendar.timegm((*(int(part) for part in when[:6]), 0, 0, 0)) - _EPOCH_2000

    def clock(self) -> FpsClock:
        return FpsClock(self._board)
