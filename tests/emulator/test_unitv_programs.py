"""The two UnitV programs of the notes run unchanged, once the commas that the notes lost are back.

The programs are others' text: they are taken out of the shared notes here, and not kept.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from k210kit.emulator.cameras import StillCamera, open_camera
from k210kit.emulator.card import FlashChip
from k210kit.emulator.modules.image.pixels import WORD, words_of_planes
from k210kit.emulator.ports import Ports
from k210kit.package.swap import swap_words
from tests.emulator.desk import Desk
from tests.timing.nets import mobilenet

COMMAS = {
    "((224224))": "((224, 224))",
    "load_flash(0x30000010x400060000000)": "load_flash(0x300000, 1, 0x4000, 60000000)",
    "115200800timeout=1000read_buf_len=4096": "115200, 8, 0, 0, timeout=1000, read_buf_len=4096",
    "1.8892.52452.94653.940563.99987": "1.889, 2.5245, 2.9465, 3.94056, 3.99987",
    "5.36585.1554376.922756.7183759.01025": "5.3658, 5.155437, 6.92275, 6.718375, 9.01025",
    "init_yolo2(model0.50.35anchor)": "init_yolo2(model, 0.5, 0.3, 5, anchor)",
    "'>BBH'00img.size()": "'>BBH', 0, 0, img.size()",
    "run_yolo2(modelimg)": "run_yolo2(model, img)",
    "resize(160120)": "resize(160, 120)",
}


def program(notes: str, first: str, last: str) -> str:
    """The lines from `first` to `last`, with commas."""
    text = notes[notes.index(first) :]
    text = text[: text.index(last) + len(last)] + "\n"
    for lost, whole in COMMAS.items():
        text = text.replace(lost, whole)
    return text


@pytest.fixture(scope="module")
def notes(shared: Path) -> str:
    return next((shared / "seed").glob("*.txt")).read_text(encoding="utf-8").replace("\xa0", " ")


class Wire:
    """The far end of the UART."""

    name = "wire"

    def __init__(self) -> None:
        self.sent: list[tuple[float, bytes]] = []

    def write(self, data: bytes, seconds: float) -> None:
        self.sent.append((seconds, data))

    def read(self, seconds: float) -> bytes:
        return b""

    def close(self) -> None:
        return None


def chip(data: bytes) -> FlashChip:
    made = FlashChip()
    made.write(0x300000, data)
    return made


def pictures(wire: Wire) -> list[bytes]:
    """What the receiver of the notes gets out of the stream: two zeros, a length of 16 bits, that many bytes."""
    stream, made = b"".join(data for _, data in wire.sent), []
    while stream:
        zeros, size = struct.unpack(">HH", stream[:4])
        assert zeros == 0
        made.append(stream[4 : 4 + size])
        stream = stream[4 + size :]
    return made


def test_the_face_detector_frames_faces_and_sends_pictures(desk: Desk, notes: str, shared: Path) -> None:
    script = program(notes, "import time\nimport KPU as kpu\nimport sensor\nimport struct", "print(clock.fps())")
    model = (shared / "golden" / "real" / "face_detect.kmodel").read_bytes()
    framed = []
    for path in sorted((shared / "images").glob("*.jpg")):
        wire = Wire()
        result = desk.run(
            script, flash=chip(model), camera=open_camera(str(path)), ports=Ports({0: wire}), frame_limit=2
        )
        assert result.error is None, result.printed
        assert result.frames == 2
        made = pictures(wire)
        assert len(made) == 2
        assert all(jpeg.startswith(b"\xff\xd8") and jpeg.endswith(b"\xff\xd9") for jpeg in made)
        framed.append(framed_pixels(desk) > 100)
    assert sum(framed) >= 2, "no face was framed in pictures that hold people"
    assert not all(framed), "a frame was drawn in every picture"


def framed_pixels(desk: Desk) -> int:
    """How many pixels of the last snapshot the script has painted over; all of them must be white."""
    sensor = desk.board.module("sensor")
    taken, drawn = words_of_planes(sensor._planes[0]), sensor._pixels[0].view(WORD)
    changed = taken != drawn
    assert (drawn[changed] == 0xFFFF).all()
    return int(changed.sum())


def test_face_detection_with_the_slow_camera_clock_comes_to_about_8_frames_per_second(
    desk: Desk, notes: str, shared: Path
) -> None:
    """The notes: 10 fps for the camera alone, about 8 with the KPU, about 5 when pictures go out at 115200 baud."""
    script = program(notes, "import time\nimport KPU as kpu\nimport sensor\nimport struct", "print(clock.fps())")
    model = (shared / "golden" / "real" / "face_detect.kmodel").read_bytes()
    without = script.replace("    transfer(img.resize", "    (img.resize")
    rates = {}
    for name, text in {"kpu": without.replace("(img.resize(160, 120).compress(10))", "pass"), "sent": script}.items():
        result = desk.run(text, flash=chip(model), firmware="m5stickv", frame_limit=20)
        assert result.error is None, result.printed
        rates[name] = float(result.printed.split()[-1])
    assert rates["kpu"] == pytest.approx(8, rel=0.15)
    assert 2.5 < rates["sent"] < 6.5


def test_mobilenet_runs_from_flash_and_prints_the_best_class(desk: Desk, notes: str) -> None:
    script = program(
        notes,
        "import sensor\nimport KPU as kpu\nimport gc",
        'print("%.2f : %d" % (pmax, max_index))',
    )
    result = desk.run(
        script, flash=chip(swap_words(mobilenet(1.0).to_bytes())), firmware="minimum_with_ide", frame_limit=2
    )
    assert result.error is None, result.printed
    assert result.printed.splitlines()[-1] == "0.00 : 0"


def test_the_camera_alone_has_10_and_20_frames_per_second(desk: Desk) -> None:
    script = """
    import sensor, time
    sensor.reset()
    sensor.set_pixformat(sensor.RGB565)
    sensor.set_framesize(sensor.QVGA)
    sensor.run(1)
    clock = time.clock()
    while True:
        clock.tick()
        img = sensor.snapshot()
        print(clock.fps())
    """
    black = StillCamera(np.zeros((240, 320, 3), np.uint8))
    for firmware, fps in (("m5stickv", 10), ("full", 20)):
        result = desk.run(script, firmware=firmware, camera=black, frame_limit=40)
        assert float(result.printed.split()[-1]) == pytest.approx(fps, rel=0.15)
        assert result.fps_board_estimate == pytest.approx(fps, rel=0.15)
