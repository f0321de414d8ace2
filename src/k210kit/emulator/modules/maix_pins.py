"""`Maix.GPIO` and `Maix.FPIOA`. Sources: Maix_gpio.c, Maix_fpioa.c of MaixPy 0.6.2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from k210kit.emulator.board import Board
from k210kit.emulator.modules.fpioa_functions import FUNCTIONS, GPIO0, GPIOHS0
from k210kit.emulator.modules.image.arguments import as_int
from k210kit.emulator.pins import PIN_COUNT

__all__ = ["FPIOA", "GPIO"]

_IN, _PULL_DOWN, _PULL_UP, _OUT, _PULL_NONE = 0, 1, 2, 3, -1
_FIRST_SLOW = 32  # numbers from here are GPIO0 to GPIO7, which have no interrupts


class FPIOA:
    """The multiplexer that gives each of the 48 pins its function."""

    _board: ClassVar[Board]

    def set_function(
        self, pin: int = 0, func: int = 0, set_sl: int = -1, set_st: int = -1, set_io_driving: int = -1
    ) -> bool:
        if not 0 <= as_int(pin) <= PIN_COUNT:
            raise ValueError("Don't have this Pin")
        if not 0 <= as_int(func) <= len(FUNCTIONS):
            raise ValueError("This function is invalid")
        if as_int(set_io_driving) > 15:
            raise ValueError("set_io_driving > FPIOA_DRIVING_MAX")
        functions = self._board.pins.functions
        for other in [other for other, taken in functions.items() if taken == func and other != pin]:
            del functions[other]
        functions[pin] = func
        return True

    def get_Pin_num(self, func: int = 0) -> int | None:
        if not 0 <= as_int(func) <= len(FUNCTIONS):
            raise ValueError("This function is invalid")
        return self._board.pins.pin_of(func)

    def help(self, func: int = len(FUNCTIONS)) -> bool | None:
        """Print the functions' names."""
        if as_int(func) > len(FUNCTIONS):
            self._board.print("No this funciton Description\n")
            return False
        shown = FUNCTIONS if func == len(FUNCTIONS) else FUNCTIONS[func : func + 1]
        self._board.print("".join(f"|  {name}\n" for name in shown))
        return None


for _number, _name in enumerate(FUNCTIONS):
    setattr(FPIOA, _name, _number)


class GPIO:
    """One of 40 general pins: GPIOHS0 to GPIOHS31 with interrupts, GPIO0 to GPIO7 without. One object per number."""

    IN, OUT, PULL_NONE, PULL_UP, PULL_DOWN = _IN, _OUT, _PULL_NONE, _PULL_UP, _PULL_DOWN
    IRQ_NONE, IRQ_FALLING, IRQ_RISING, IRQ_BOTH = 0, 1, 2, 3
    WAKEUP_NOT_SUPPORT = 0
    _board: ClassVar[Board]
    _made: ClassVar[dict[int, GPIO]]

    def __new__(cls, id: int, *arguments: Any, **named: Any) -> GPIO:
        number = as_int(id)
        if not 0 <= number < 40:
            raise ValueError("invalid pin")
        if number not in cls._made:
            cls._made[number] = made = super().__new__(cls)
            made._number, made._mode = number, _IN
        return cls._made[number]

    def __init__(self, id: int, *arguments: Any, **named: Any) -> None:
        """`id`, then what `init` takes, if anything (Any: the script's values)."""
        if arguments or named:
            self.init(*arguments, **named)

    _number: int
    _mode: int

    def init(self, mode: int | None = None, pull: int | None = None, *, value: Any = None) -> None:
        """Direction, pull, first value (Any: taken for true or false)."""
        if mode is None:
            return
        made = as_int(mode)
        pulled = _PULL_NONE if pull is None else as_int(pull)
        if made == _OUT and pulled != _PULL_NONE:
            raise ValueError("When this pin is in output mode, it is not allowed to pull up and down.")
        if pulled not in (_PULL_NONE, _PULL_UP, _PULL_DOWN):
            raise ValueError("this mode not support.")
        self._mode = made if pulled == _PULL_NONE else pulled
        if value is not None:
            self.value(value)

    def value(self, *arguments: Any) -> int | None:
        """Read, or set (Any: taken for true or false)."""
        pins, pin = self._board.pins, self._pin
        self._board.clock.advance(1e-6)
        if not arguments:
            return 0 if pin is None else pins.level(pin, pulled_up=self._mode == _PULL_UP)
        if pin is not None:
            pins.drive(pin, int(bool(arguments[0])))
        return None

    __call__ = value

    def mode(self, mode: int = -1) -> int | None:
        if as_int(mode) == -1:
            return self._mode
        if mode not in (_IN, _OUT, _PULL_UP, _PULL_DOWN):
            raise ValueError("arg error")
        self._mode = mode
        return None

    def irq(
        self, handler: Callable[[Any], Any] | None = None, trigger: int = IRQ_BOTH, wake: Any = None, priority: int = 7
    ) -> _Irq:
        """Call `handler` with this object at the edges of `trigger` (Any: the script's own)."""
        if wake not in (None, 0):
            raise ValueError("This platform does not support interrupt wakeup")
        if self._number < _FIRST_SLOW:
            pin = self._pin
            if handler is None and pin is not None:
                self._board.pins.watchers.pop(pin, None)
            elif handler is not None and pin is not None:
                self._board.pins.watch(pin, self._at_edge(handler, as_int(trigger)))
        return _Irq()

    def _at_edge(self, handler: Callable[[Any], Any], trigger: int) -> Callable[[int], None]:
        def changed(level: int) -> None:
            if trigger & (self.IRQ_RISING if level else self.IRQ_FALLING):
                handler(self)

        return changed

    def disirq(self) -> None:
        if self._pin is not None:
            self._board.pins.watchers.pop(self._pin, None)

    @property
    def _pin(self) -> int | None:
        slow = self._number >= _FIRST_SLOW
        return self._board.pins.pin_of(GPIO0 + self._number - _FIRST_SLOW if slow else GPIOHS0 + self._number)

    def __repr__(self) -> str:
        return f"Pin({self._number % _FIRST_SLOW})"


for _number in range(32):
    setattr(GPIO, f"GPIOHS{_number}", _number)
for _number in range(8):
    setattr(GPIO, f"GPIO{_number}", _FIRST_SLOW + _number)


class _Irq:
    """What `irq` returns."""

    def trigger(self, *arguments: int) -> None:
        if not arguments:
            raise ValueError("Reading this property is not supported")
