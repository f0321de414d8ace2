"""The example scripts as they are, on the emulated board; their wire is a file, read by the kit's receiver."""

from __future__ import annotations

from pathlib import Path

import pytest
from maixpy import EXAMPLES

from k210kit.emulator import RunRequest, RunResult, run
from k210kit.link import CameraSays, Receiver, Shown

OLDER = """
import sensor, ustruct
from fpioa_manager import fm
from machine import UART
fm.register(35, fm.fpioa.UART1_TX, force=True)
uart = UART(UART.UART1, 115200, 8, 0, 0, timeout=1000, read_buf_len=4096)
sensor.reset()
sensor.set_pixformat(sensor.RGB565)
sensor.set_framesize(sensor.QVGA)
sensor.run(1)
while True:
    small = sensor.snapshot().resize(160, 120).compress(10)
    uart.write(ustruct.pack(">BBH", 0, 0, small.size()))
    uart.write(small)
"""


def seen(
    folder: Path, script: Path, port: str, frames: int = 12
) -> tuple[RunResult, Receiver, list[Shown | CameraSays]]:
    wire = folder / "wire.bin"
    result = run(RunRequest(script=str(script), uart=(f"{port}=file:{wire}",), frames=frames, fast=True))
    assert result.error is None
    receiver = Receiver()
    return result, receiver, receiver.feed(wire.read_bytes(), 0.0)


@pytest.mark.parametrize("thread", [True, False])
def test_the_stream_arrives_whole_with_and_without_a_thread(tmp_path: Path, thread: bool) -> None:
    script = tmp_path / "main.py"
    text = (EXAMPLES / "unitv_stream.py").read_text(encoding="utf-8")
    script.write_text(text.replace("USE_THREAD = True", f"USE_THREAD = {thread}"), encoding="utf-8")
    result, receiver, events = seen(tmp_path, script, "UART1", 30)
    pictures = [one for one in events if isinstance(one, Shown)]
    assert len(pictures) >= 28
    assert receiver.counts.damaged == receiver.counts.skipped_bytes == 0
    assert (result.fps_board_estimate or 0) > 7.4
    (first, *_) = [one.text for one in events if isinstance(one, CameraSays) and one.text]
    assert first.startswith("no model at 0x300000: [MAIXPY]kpu: load error:2002")


def test_the_capture_script_sends_its_pictures(tmp_path: Path) -> None:
    _, receiver, events = seen(tmp_path, EXAMPLES / "unitv_capture.py", "UARTHS", 4)
    assert len([one for one in events if isinstance(one, Shown)]) == 4
    assert receiver.counts.damaged == 0


def test_an_older_program_is_understood(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(OLDER, encoding="utf-8")
    _, receiver, events = seen(tmp_path, tmp_path / "main.py", "UART1")
    assert len(events) == receiver.legacy_pictures >= 11
