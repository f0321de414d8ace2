from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

if os.name != "posix":
    pytest.skip("pseudo-terminals are of Unix", allow_module_level=True)
pytest.importorskip("serial")

from k210kit.device import PtyBoard, open_port
from k210kit.device.clock import RealClock
from k210kit.device.keyboard import interact
from k210kit.device.terminal import CodeFailed, Repl
from k210kit.errors import DeviceError
from tests.device.pretend_repl import PretendRepl
from tests.json_schemas import held


@pytest.fixture
def board(tmp_path: Path) -> Iterator[PretendRepl]:
    with PretendRepl(tmp_path) as board:
        yield board


@pytest.fixture
def repl(board: PretendRepl) -> Iterator[Repl]:
    port = open_port(board.device)
    repl = Repl(port)
    repl.attach()
    yield repl
    port.close()


def test_code_runs_and_what_it_prints_comes_back(repl: Repl) -> None:
    assert repl.run("for i in range(3):\n print(i)\n") == "0\n1\n2\n"
    assert repl.run("x = 41\n") == ""
    assert repl.run("print(x + 1)") == "42\n"


def test_an_exception_on_the_board_is_told_with_its_last_line(repl: Repl) -> None:
    with pytest.raises(CodeFailed, match="The board says: ZeroDivisionError: division by zero") as caught:
        repl.run("1 / 0")
    assert "<stdin>" in caught.value.traceback
    assert repl.run("print('alive')") == "alive\n"


@pytest.mark.parametrize("size", [0, 1, 383, 384, 385, 5000])
def test_files_go_over_and_come_back_byte_for_byte(size: int, repl: Repl, tmp_path: Path) -> None:
    data = random.Random(size).randbytes(size)
    repl.push(data, "/flash/model.kmodel")
    assert (tmp_path / "model.kmodel").read_bytes() == data
    assert repl.pull("/flash/model.kmodel") == data
    assert [file.name for file in repl.list()] == ["model.kmodel"]
    assert repl.list()[0].size == size


def test_a_pushed_file_replaces_the_old_one_only_when_it_is_whole(repl: Repl, board: PretendRepl) -> None:
    repl.push(b"old", "/flash/main.py")
    repl.push(b"new", "/flash/main.py")
    assert (board.flash / "main.py").read_bytes() == b"new"
    assert [path.name for path in board.flash.iterdir()] == ["main.py"]


class WhileTheBoardReads(RealClock):
    """A pause is long enough for the board to read what came, however busy this computer is."""

    def __init__(self, board: PretendRepl) -> None:
        self.board = board

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        while self.board.has_unread():
            super().sleep(0.001)


def test_long_code_is_sent_in_slices_that_the_board_can_keep(board: PretendRepl) -> None:
    repl = Repl(open_port(board.device), WhileTheBoardReads(board))
    repl.attach()
    assert repl.run("x = '" + "a" * 20_000 + "'\nprint(len(x))\n") == "20000\n"
    assert board.lost == 0


def test_paste_mode_runs_indented_code(repl: Repl) -> None:
    assert "\r\n0\r\n1\r\n>>> " in repl.paste("for i in range(2):\n    print(i)\n\n")


def test_firmware_without_uhashlib_is_compared_by_size(tmp_path: Path) -> None:
    with PretendRepl(tmp_path, hashing=False) as board:
        repl = Repl(open_port(board.device))
        repl.attach()
        repl.push(b"abc", "/flash/a")
    assert (tmp_path / "a").read_bytes() == b"abc"


def test_rescue_stops_a_start_up_script_and_puts_it_aside(tmp_path: Path) -> None:
    (tmp_path / "boot.py").write_text("while True: pass")
    (tmp_path / "boot.py.broken1").write_text("older")
    with PretendRepl(tmp_path, stuck="boot.py") as board:
        moved = Repl(open_port(board.device)).rescue()
        assert moved == ("/flash/boot.py.broken2",)
        assert (board.flash / "boot.py.broken2").read_text() == "while True: pass"


def test_the_command_tells_what_it_put_aside(tmp_path: Path) -> None:
    (tmp_path / "boot.py").write_text("while True: pass")
    with PretendRepl(tmp_path, stuck="boot.py") as board:
        done = k210kit("terminal", "--port", board.device, "--rescue", "--json")
    assert held("terminal-rescue", done.stdout)["put_aside"] == ["/flash/boot.py.broken1"]


def test_a_script_that_cannot_be_stopped_names_the_last_resort(tmp_path: Path) -> None:
    with (
        PretendRepl(tmp_path, stuck="boot.py", deaf=True) as board,
        pytest.raises(DeviceError, match="k210kit terminal --wipe-files"),
    ):
        Repl(open_port(board.device)).rescue(seconds=0.3)


def test_a_port_without_a_prompt_is_told() -> None:
    from k210kit.device import FlashChip

    with (
        PtyBoard(FlashChip()) as board,
        pytest.raises(DeviceError, match=r"No MicroPython prompt answers on this port. It sent nothing."),
    ):
        Repl(open_port(board.device)).attach(timeout=0.3)


def test_keys_reach_the_board_and_ctrl_bracket_leaves(board: PretendRepl) -> None:
    port = open_port(board.device)
    typed = [b"print(6 * 7)\r"]
    screen = bytearray()
    until = time.monotonic() + 20

    def key(seconds: float) -> bytes:
        time.sleep(seconds)
        answered = screen.endswith(b"42\r\n>>> ") or time.monotonic() > until
        return typed.pop() if typed else b"x\x1dy" if answered else b""

    interact(port, key, screen.extend)
    assert screen.endswith(b"print(6 * 7)\r\n42\r\n>>> ")


def k210kit(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "k210kit", *map(str, arguments)], capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_the_command_pushes_pulls_runs_and_lists(board: PretendRepl, tmp_path: Path) -> None:
    script, back = tmp_path / "hello.py", tmp_path / "back.py"
    script.write_text("print('hello')\n")
    done = k210kit(
        "terminal", "--port", board.device, "--push", f"{script}:/flash/main.py", "--pull", f"/flash/main.py:{back}",
        "--run", script, "--list", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = held("terminal", done.stdout)
    assert back.read_text() == script.read_text()
    assert told["printed"] == "hello\n"
    assert "main.py" in [file["name"] for file in told["files"]]
    assert told["pushed"][0]["sha256"] == told["pulled"][0]["sha256"]


def test_the_command_does_not_wait_for_keys_without_a_terminal(board: PretendRepl) -> None:
    refused = k210kit("terminal", "--port", board.device)
    assert refused.returncode == 2
    assert "needs a terminal to type in" in refused.stderr
    assert k210kit("terminal", "--wipe-files").returncode == 2


def test_a_person_at_a_terminal_types_and_sees_the_answer(board: PretendRepl) -> None:
    import pty
    import termios

    keyboard, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "k210kit", "terminal", "--port", board.device],
        stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    until = time.monotonic() + 20
    while termios.tcgetattr(slave)[3] & termios.ICANON and time.monotonic() < until:
        time.sleep(0.02)  # keys pressed before the terminal is raw are thrown away
    os.write(keyboard, b"print(6 * 7)\r")
    assert process.stdout is not None
    shown = b""
    while not shown.endswith(b"42\r\n>>> ") and time.monotonic() < until:
        shown += os.read(process.stdout.fileno(), 1024)
    os.write(keyboard, b"\x1d")
    process.communicate(timeout=20)
    os.close(keyboard)
    os.close(slave)
    assert process.returncode == 0
    assert shown.endswith(b"print(6 * 7)\r\n42\r\n>>> ")
