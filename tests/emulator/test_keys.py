"""Keys press buttons."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

from k210kit.emulator import Interpreter, Printed, Setup, power_on, run_on
from k210kit.emulator.boards import board_kind
from k210kit.emulator.keys import attach_keys, read_key_map
from k210kit.errors import InputError

WATCH = b"""
import time
from Maix import GPIO
from fpioa_manager import fm
fm.register(18, fm.fpioa.GPIO1)
button = GPIO(GPIO.GPIO1, GPIO.IN, GPIO.PULL_UP)
before = 1
for i in range(%d):
    time.sleep_ms(10)
    if button.value() != before:
        before = button.value()
        print(before, end=" ")
"""


class Typed:
    """A pretend keyboard: what is typed at each look, by its number."""

    def __init__(self, strokes: dict[int, str]) -> None:
        self.strokes, self.looks = strokes, 0

    def read(self) -> str:
        self.looks += 1
        return self.strokes.get(self.looks, "")

    def close(self) -> None:
        return None


def printed(strokes: dict[int, str]) -> str:
    made = Printed()
    board = power_on(Setup(), made.write)
    attach_keys(board, {"a": 18}, Typed(strokes))
    run_on(board, Interpreter(board), [("main.py", WATCH % 100)], made)
    return made.text


def test_a_key_presses_its_button_for_a_moment() -> None:
    assert printed({5: "a"}) == "0 1 "
    assert printed({5: "a", 25: "xa"}) == "0 1 0 1 "
    assert printed({5: "b"}) == ""


def test_a_capital_letter_holds_the_button() -> None:
    assert printed({5: "A"}) == "0 "
    assert printed({5: "A", 20: "a", 30: "A"}) == "0 1 "


def test_the_map_of_keys() -> None:
    unitv = board_kind("unitv")
    assert read_key_map("auto", unitv) == {"a": 18, "b": 19}
    assert read_key_map("x=16, y=17", unitv) == {"x": 16, "y": 17}


@pytest.mark.parametrize("text", ["", "a", "a=", "A=18", "ab=18", "a=48", "a=-1"])
def test_a_map_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"is not LETTER=PIN .* Write --keys a=18,b=19"):
        read_key_map(text, board_kind("unitv"))


def test_the_command_takes_keys_from_a_terminal(tmp_path: Path) -> None:
    """In step with the clock on the wall, as soon as keys are asked for."""
    script = tmp_path / "main.py"
    script.write_bytes(
        b'print("ready")\n'
        + WATCH.replace(b"range(%d)", b"range(300)")
        + b"    if i > 20 and before == 0:\n        break\n"
    )
    near, far = pty.openpty()
    command = [sys.executable, "-m", "k210kit", "run", str(script), "--keys", "a=18"]
    with subprocess.Popen(command, stdin=far, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.3)
        os.write(near, b"a")
        assert process.stdout.readline().startswith("0 ")
        process.communicate(timeout=30)
    os.close(near)
    os.close(far)
