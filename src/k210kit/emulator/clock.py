"""Board time: a virtual clock, the interrupts that wait on it, and the script's threads that share it.

Nothing here looks at the computer's clock except to wait for it when a run shall keep in step.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from k210kit.emulator.board import Stop

__all__ = ["Clock", "Event"]

# MicroPython gives the interpreter to another thread every 32 bytecodes at the latest; coarser here, to be fast.
_SLICE_SECONDS = 0.002
_LONGEST_NAP = 0.1  # so that Ctrl-C is heard


@dataclass(order=True)
class Event:
    """A call due at a moment of board time."""

    due: float
    order: int
    call: Callable[[], None] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)


@dataclass(eq=False)
class _Task:
    """A thread of the script; it runs only while it holds the turn."""

    turn: threading.Event = field(default_factory=threading.Event)
    wake: float = 0.0
    order: int = 0


class Clock:
    """Seconds since power-on.

    `advance` is time in which the CPU works, `sleep` is time in which other threads of the script may run. Interrupts
    run in whichever thread lets the time pass, as on the board they run between two bytecodes.
    """

    def __init__(self, *, in_step: bool = False, stop_at: float | None = None) -> None:
        self.now = 0.0
        self.in_step = in_step
        self.stop_at = stop_at
        self.stopping: str = ""  # why the script shall end; "" while it may run
        self.lag_seconds = 0.0
        self._started = time.monotonic()
        self._events: list[Event] = []
        self._order = itertools.count()
        self._in_interrupt = False
        self._main = _Task()
        self._tasks: list[_Task] = [self._main]
        self._running = self._main
        self._slice_end = 0.0
        self.report_failure: Callable[[str, BaseException], None] = lambda first_line, failure: None

    # time -------------------------------------------------------------------------------------------------------
    def advance(self, seconds: float) -> None:
        """Let time pass while the CPU works."""
        self._pass_until(self.now + seconds)

    def sleep(self, seconds: float) -> None:
        """Let time pass while this thread waits; others run meanwhile."""
        self.sleep_until(self.now + max(0.0, seconds))

    def sleep_until(self, moment: float) -> None:
        if len(self._tasks) > 1:
            self._running.wake = max(moment, self.now)
            self._running.order = next(self._order)
            self._switch()
        self._pass_until(moment)

    def tick(self, seconds: float) -> None:
        """A step of a loop of the script: some time, an interrupt if due, another thread if it is its turn."""
        self._pass_until(self.now + seconds)
        if len(self._tasks) > 1 and self.now >= self._slice_end and not self._in_interrupt:
            self.sleep_until(self.now)
            self._slice_end = self.now + _SLICE_SECONDS

    def stop(self, why: str) -> None:
        """Ask the script to end; it does at its next step."""
        self.stopping = self.stopping or why

    def check(self) -> None:
        if self.stopping:
            raise Stop(self.stopping)

    def _fire_until(self, moment: float) -> None:
        while self._events and self._events[0].due <= moment and not self._in_interrupt:
            event = heapq.heappop(self._events)
            if not event.cancelled:
                self.now = max(self.now, event.due)
                self._interrupt(event)
        self.now = max(self.now, moment)

    def _pass_until(self, moment: float) -> None:
        self._fire_until(moment)
        if self.stop_at is not None and self.now >= self.stop_at:
            self.stop("seconds")
        if self.in_step:
            self._keep_step()
        self.check()

    def _keep_step(self) -> None:
        ahead = self._started + self.lag_seconds + self.now - time.monotonic()
        while ahead > 0.002 and not self.stopping:
            time.sleep(min(ahead, _LONGEST_NAP))
            ahead = self._started + self.lag_seconds + self.now - time.monotonic()
        if ahead < -0.2:  # the computer is slower than the board: don't race to catch up later
            self.lag_seconds -= ahead

    # interrupts -------------------------------------------------------------------------------------------------
    def at(self, due: float, call: Callable[[], None]) -> Event:
        """Call at a moment of board time, once."""
        event = Event(due, next(self._order), call)
        heapq.heappush(self._events, event)
        return event

    def _interrupt(self, event: Event) -> None:
        self._in_interrupt = True
        try:
            event.call()
        except Stop:
            raise
        except Exception as failure:  # the script's edge: what a callback raises is printed, and the script goes on
            self.report_failure("", failure)
        finally:
            self._in_interrupt = False

    # threads ----------------------------------------------------------------------------------------------------
    @property
    def others(self) -> int:
        """How many threads the script has beside this one."""
        return len(self._tasks) - 1

    @property
    def thread_number(self) -> int:
        """Names the running thread; 0 is the main one."""
        return 0 if self._running is self._main else id(self._running)

    def start_thread(self, call: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> int:
        """Start a thread of the script (Any: the script's own function); it runs when this one waits."""
        task = _Task(wake=self.now, order=next(self._order))
        thread = threading.Thread(target=self._run, args=(task, call, arguments, named), daemon=True)
        self._tasks.append(task)
        thread.start()
        return task.order

    def _run(self, task: _Task, call: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        task.turn.wait()
        try:
            self.check()
            call(*arguments, **named)
        except (Stop, SystemExit):
            pass
        except BaseException as failure:  # the script's edge: the board prints it and goes on
            self.report_failure("Unhandled exception in thread started by a function\n", failure)
        finally:
            self._tasks.remove(task)
            self._give_turn(min(self._tasks, key=_by_wake))

    def _switch(self) -> None:
        """Give the turn to whoever wakes first, and come back when it is this thread's."""
        me, next_task = self._running, min(self._tasks, key=_by_wake)
        if next_task is me:
            return
        me.turn.clear()
        self._give_turn(next_task)
        me.turn.wait()
        self._running = me
        self.check()

    def _give_turn(self, task: _Task) -> None:
        self._fire_until(task.wake)
        self._running = task
        task.turn.set()


def _by_wake(task: _Task) -> tuple[float, int]:
    return task.wake, task.order
