"""The tutorial's commands, one after the other as they stand there, with drawing and training cut short."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHORTER = {"draw-cards": ["--count", "30"], "train": ["--epochs", "1", "--kpu-epochs", "0"], "view": ["--frames", "3"]}
NOT_HERE = {"git", "cd", "python3", ".", "pip"}  # the installation: `make` and the packaging are tried elsewhere


def blocks() -> Iterator[list[list[str]]]:
    """Each block's command lines, as words."""
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield [shlex.split(line) for line in block.splitlines()]


def run(words: list[str], folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "k210kit", *words[1:], *SHORTER.get(words[1], [])]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "CI": "true"}, start_new_session=True,
    )  # fmt: skip


def done(words: list[str], process: subprocess.Popen[str]) -> None:
    said, _ = process.communicate(timeout=300)
    assert process.returncode in ((0, 3) if words[1] == "doctor" else (0,)), f"{' '.join(words)}\n{said[-2000:]}"


def with_free_ports(words: list[str], ports: dict[str, str]) -> list[str]:
    """The same words with ports that are free on this computer in place of the tutorial's."""
    for name in ports:
        if not ports[name]:
            with socket.create_server(("127.0.0.1", 0)) as taken:
                ports[name] = str(taken.getsockname()[1])
    return [re.sub("5003|8000", lambda found: ports[found.group()], word) for word in words]


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="ends the camera as Ctrl-C does")
@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="the extra 'train' is not installed")
def test_every_command_of_the_tutorial_runs(tmp_path: Path) -> None:
    count = 0
    ports = dict.fromkeys(("5003", "8000"), "")
    for block in blocks():
        lines = [with_free_ports(words, ports) for words in block if words[0] not in NOT_HERE]
        assert all(words[0] == "k210kit" for words in lines)
        count += len(lines)
        if len(lines) == 2:  # "in one terminal the camera, in another the viewer"
            camera = run(lines[0], tmp_path)
            until_it_listens(int(ports["5003"]), camera)
            done(lines[1], run(lines[1], tmp_path))
            os.killpg(camera.pid, signal.SIGINT)
            done(lines[0], camera)
            continue
        for words in lines:
            done(words, run(words, tmp_path))
    assert count == 8
    assert (tmp_path / "cards.pdf").exists()
    assert (tmp_path / "run" / "bundle" / "report.html").exists()
    assert (tmp_path / "flash.bin").exists()


def until_it_listens(port: int, process: subprocess.Popen[str]) -> None:
    """Wait for the camera's line; a connection of ours would be the viewer's, so the system's list is asked."""
    until = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < until:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return
        time.sleep(0.05)
    pytest.fail(f"no camera at port {port}")
