"""Ctrl-C at any moment: one line, exit code 130, nothing half done."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Call
from tests.kmodel.samples import small_model

STOPPED = "\nStopped. Every file that is there is whole; the same command begins anew.\n"


class _Pressed(io.TextIOWrapper):
    def read(self, size: int | None = -1) -> str:
        raise KeyboardInterrupt


def test_a_stopped_command_says_so(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", _Pressed(io.BytesIO()))
    left = call("explain")
    assert (left.code, left.out, left.err) == (130, "", STOPPED)


def test_a_file_that_was_being_written_is_not_there(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m.kmodel").write_bytes(small_model().to_bytes())
    before = sorted(tmp_path.iterdir())

    def pressed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", pressed)
    left = call("swap", "m.kmodel", "be.kmodel")
    assert (left.code, left.err) == (130, STOPPED)
    assert sorted(tmp_path.iterdir()) == before


def test_while_the_command_is_loaded_it_ends_quietly() -> None:
    code = (
        "import sys\n"
        "class Pressed:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'typer': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Pressed())\n"
        "from k210kit.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the child in /proc")
@pytest.mark.parametrize("later", [0.0, 0.1, 0.4])
def test_a_board_that_is_still_starting_is_stopped_too(tmp_path: Path, later: float, call: Call) -> None:
    (tmp_path / "once.py").write_text("print(1)\n", encoding="utf-8")
    assert call("run", "once.py").code == 0  # the simulator's loops are compiled now, if they were not
    (tmp_path / "loop.py").write_text("while True: pass\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "k210kit", "run", "loop.py"], cwd=tmp_path, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
    )  # fmt: skip
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while not _ignores_interrupts(children.read_text(encoding="utf-8")):
        time.sleep(0.005)
    time.sleep(later)
    os.killpg(process.pid, signal.SIGINT)
    try:
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert (process.returncode, err) == (0, "")
    assert "keyboard" in out


def _ignores_interrupts(child: str) -> bool:
    """Whether there is a child that has begun with its own first line."""
    if not child:
        return False
    (mask,) = re.findall(
        r"^SigIgn:\s*(\w+)", Path(f"/proc/{int(child)}/status").read_text(encoding="utf-8"), re.MULTILINE
    )
    return bool(int(mask, 16) & 1 << signal.SIGINT - 1)
