"""Board time passes as asked, interrupts come in order, threads take turns."""

from __future__ import annotations

import pytest

from k210kit.emulator.board import Stop
from k210kit.emulator.clock import Clock
from tests.emulator.desk import Desk


def test_interrupts_come_at_their_time_and_in_order() -> None:
    clock, seen = Clock(), []
    for due in (0.3, 0.1, 0.2):
        clock.at(due, lambda due=due: seen.append((due, clock.now)))  # type: ignore[misc]
    clock.advance(0.25)
    assert seen == [(0.1, 0.1), (0.2, 0.2)]
    clock.advance(0.25)
    assert seen[-1] == (0.3, 0.3)
    assert clock.now == 0.5


def test_a_cancelled_interrupt_does_not_come() -> None:
    clock, seen = Clock(), []
    clock.at(0.1, lambda: seen.append(1)).cancelled = True
    clock.sleep(1)
    assert seen == []


def test_the_end_of_the_asked_time_stops() -> None:
    clock = Clock(stop_at=1.0)
    clock.advance(0.9)
    with pytest.raises(Stop, match="seconds"):
        clock.advance(0.2)


def test_threads_share_the_time_while_they_sleep(desk: Desk) -> None:
    script = """
    import _thread, time
    def worker(name):
        for i in range(3):
            time.sleep_ms(10)
            print(name, i, end=' ')
    _thread.start_new_thread(worker, ('a',))
    _thread.start_new_thread(worker, ('b',))
    time.sleep_ms(100)
    print(time.ticks_ms() < 150)
    """
    assert desk.prints(script) == "a 0 b 0 a 1 b 1 a 2 b 2 True\n"


def test_a_thread_that_computes_lets_the_others_run(desk: Desk) -> None:
    script = """
    import _thread, time
    done = []
    def worker():
        done.append(time.ticks_ms())
    _thread.start_new_thread(worker, ())
    began = time.ticks_ms()
    while not done:
        pass
    print(len(done), time.ticks_ms() - began < 20)
    """
    assert desk.prints(script) == "1 True\n"


def test_a_lock_is_held_by_one_thread(desk: Desk) -> None:
    script = """
    import _thread, time
    lock, inside, most = _thread.allocate_lock(), [0], [0]
    def worker():
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep_ms(5)
            inside[0] -= 1
    for i in range(4):
        _thread.start_new_thread(worker, ())
    time.sleep_ms(100)
    print(most[0], inside[0], lock.locked())
    """
    assert desk.prints(script) == "1 0 False\n"


def test_an_exception_in_a_thread_is_printed_and_the_others_go_on(desk: Desk) -> None:
    script = "import _thread, time\n_thread.start_new_thread(lambda: 1 / 0, ())\ntime.sleep_ms(5)\nprint('on')"
    printed = desk.prints(script)
    assert "ZeroDivisionError: divide by zero" in printed
    assert printed.endswith("on\n")


def test_threads_are_not_in_a_build_without_them(desk: Desk) -> None:
    assert desk.fails("import _thread", firmware="minimum_with_ide") == "ImportError: no module named '_thread'"


def test_a_timer_calls_back_while_the_script_works(desk: Desk) -> None:
    script = """
    from machine import Timer
    ticks = []
    t = Timer(Timer.TIMER0, Timer.CHANNEL0, mode=Timer.MODE_PERIODIC, period=20, callback=lambda t: ticks.append(t))
    begin = time.ticks_ms()
    while time.ticks_ms() - begin < 110:
        pass
    t.stop()
    time.sleep_ms(100)
    print(len(ticks), ticks[0] is t)
    """
    assert desk.prints(script) == "5 True\n"


def test_an_exception_in_a_callback_is_printed_and_the_script_goes_on(desk: Desk) -> None:
    script = (
        "from machine import Timer\nTimer(0, 0, period=5, callback=lambda t: 1 / 0)\ntime.sleep_ms(20)\nprint('on')"
    )
    printed = desk.prints(script)
    assert "ZeroDivisionError: divide by zero" in printed
    assert printed.endswith("on\n")
