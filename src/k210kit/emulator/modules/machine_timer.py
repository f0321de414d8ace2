"""`machine.Timer`, `PWM`, `WDT`, `SDCard`. Sources: machine_timer.c, machine_pwm.c, machine_wdt.c."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from k210kit.emulator.board import Board
from k210kit.emulator.clock import Event
from k210kit.emulator.modules.image.arguments import as_float, as_int

__all__ = ["PWM", "WDT", "SDCard", "Timer"]

_UNIT_SECONDS = (1e-9, 1e-6, 1e-3, 1.0)


class Timer:
    """A hardware timer; its callback is called with the timer, as an interrupt between two steps of the script."""

    TIMER0, TIMER1, TIMER2 = 0, 1, 2
    CHANNEL0, CHANNEL1, CHANNEL2, CHANNEL3 = 0, 1, 2, 3
    MODE_ONE_SHOT, MODE_PERIODIC, MODE_PWM = 0, 1, 2
    UNIT_NS, UNIT_US, UNIT_MS, UNIT_S = 0, 1, 2, 3
    _board: ClassVar[Board]

    def __init__(self, id: int, channel: int, **named: Any) -> None:
        """Number, channel, then what `init` takes (Any: the script's values)."""
        if not 0 <= as_int(id) <= 2 or not 0 <= as_int(channel) <= 3:
            raise ValueError("[MAIXPY]Timer:Invalid timer")
        self._id, self._channel = id, channel
        self._event: Event | None = None
        self.init(**named)

    def init(
        self,
        *,
        mode: int = MODE_ONE_SHOT,
        period: int = 1000,
        unit: int = UNIT_MS,
        callback: Callable[[Any], Any] | None = None,
        arg: Any = None,
        start: bool = True,
        priority: int = 1,
        div: int = 0,
    ) -> None:
        """Configure and, unless `start` is False, start (Any: the script's own)."""
        self.stop()
        if not 0 <= as_int(mode) <= 2:
            raise ValueError("[MAIXPY]Timer:Invalid mode")
        if mode != self.MODE_PWM:
            if callback is None:
                raise ValueError("[MAIXPY]Timer:Invalid callback")
            if not 1 <= as_int(priority) <= 7:
                raise ValueError("[MAIXPY]Timer:Invalid priority")
        if as_int(period) <= 0 or not 0 <= as_int(unit) <= 3 or not 0 <= as_int(div) <= 255:
            raise ValueError("[MAIXPY]Timer:Invalid period or div")
        self._mode, self._period, self._unit = mode, period, unit
        self._callback, self._argument = callback, arg
        if start and mode != self.MODE_PWM:
            self.start()

    def start(self) -> None:
        self.stop()
        self._event = self._board.clock.at(self._board.clock.now + self._seconds, self._fire)

    def stop(self) -> None:
        if self._event is not None:
            self._event.cancelled = True
        self._event = None

    def restart(self) -> None:
        self.start()

    def deinit(self) -> None:
        self.stop()

    def callback(self, *arguments: Callable[[Any], Any]) -> Callable[[Any], Any] | None:
        """Get or set the callback (Any: the script's)."""
        if arguments:
            self._callback = arguments[0]
        return self._callback

    def callback_arg(self, *arguments: Any) -> Any:
        """Get or set what the callback may ask for (Any: the script's)."""
        if arguments:
            self._argument = arguments[0]
        return self._argument

    def period(self, *arguments: int) -> int:
        if arguments:
            self._period = as_int(arguments[0])
        return self._period

    @property
    def _seconds(self) -> float:
        return max(1e-6, self._period * _UNIT_SECONDS[self._unit])

    def _fire(self) -> None:
        clock = self._board.clock
        if self._mode == self.MODE_PERIODIC:
            self._event = clock.at(
                max(clock.now, (self._event.due if self._event else clock.now) + self._seconds), self._fire
            )
        if self._callback is not None:
            self._callback(self)

    def __repr__(self) -> str:
        return f"[MAIXPY]TIMER:(timer={self._id}, channel={self._channel}, period={self._period}, mode={self._mode})"


class PWM:
    """Pulse width on a pin: kept, not simulated in time."""

    _board: ClassVar[Board]

    def __init__(self, tim: Timer, *arguments: Any, **named: Any) -> None:
        """The timer, then what `init` takes (Any: the script's values)."""
        self._timer = tim
        self.init(*arguments, **named)

    def init(self, freq: Any = None, duty: Any = None, pin: int = -1, enable: bool = True) -> None:
        """Frequency in Hz, duty in per cent, pin (Any: numbers)."""
        if as_int(pin) != -1 and not 0 <= pin <= 47:
            raise ValueError("[MAIXPY]PWM:Invalid pin number")
        hertz, percent = as_float(freq), as_float(duty)
        if hertz <= 0:
            raise ValueError("[MAIXPY]PWM:Invalid freq")
        if not 0 <= percent <= 100:
            raise ValueError("[MAIXPY]PWM:Invalid duty")
        self._freq, self._duty, self._enabled = hertz, percent, bool(enable)

    def freq(self, *arguments: float) -> int:
        if arguments:
            if as_float(arguments[0]) <= 0:
                raise ValueError("[MAIXPY]PWM:Invalid freq")
            self._freq = as_float(arguments[0])
        return int(self._freq)

    def duty(self, *arguments: float) -> float:
        if arguments:
            if not 0 <= as_float(arguments[0]) <= 100:
                raise ValueError("[MAIXPY]PWM:Invalid duty")
            self._duty = as_float(arguments[0])
        return self._duty

    def enable(self) -> None:
        self._enabled = True

    def disable(self) -> None:
        self._enabled = False

    def deinit(self) -> None:
        self._enabled = False


class WDT:
    """A watchdog: it resets the board, or calls back, when it is not fed."""

    WDT_DEVICE_0, WDT_DEVICE_1 = 0, 1
    _board: ClassVar[Board]

    def __init__(self, id: int = 0, timeout: int = 5000, callback: Any = None, context: Any = None) -> None:
        """Any: the script's own call and value."""
        if as_int(id) not in (0, 1):
            raise ValueError(f"WDT({id}) does not exist")
        if as_int(timeout) <= 0:
            raise ValueError("WDT timeout too short")
        self._timeout, self._callback, self._context = timeout / 1000, callback, context
        self._event: Event | None = None
        self.feed()

    def feed(self) -> None:
        self.stop()
        self._event = self._board.clock.at(self._board.clock.now + self._timeout, self._bite)

    def stop(self) -> None:
        if self._event is not None:
            self._event.cancelled = True
        self._event = None

    def context(self, *arguments: Any) -> Any:
        """Get or set what the callback may ask for (Any: the script's)."""
        if arguments:
            self._context = arguments[0]
        return self._context

    def _bite(self) -> None:
        if self._callback is not None:
            self._callback(self)
        else:
            self._board.clock.stop("the watchdog reset the board")


class SDCard:
    """The SD card's slot."""

    _board: ClassVar[Board]

    @classmethod
    def remount(cls) -> bool:
        return "/sd" in cls._board.files.mounts
