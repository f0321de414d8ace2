"""The Arduino sketch, compiled for this computer: what it shows, and that it reads the line as the kit does."""

from __future__ import annotations

import io
import random
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from k210kit.errors import DeviceError
from k210kit.link import Decoder, Detection, Detections, Encoder, Frame, Sender, Steering, legacy_frame
from k210kit.link.bad_line import damaged
from k210kit.link.frames import Kind
from k210kit.studio.stick import DISPLAY, DeskStick, build_stick, sketch_folder, stb_folder

GREEN = (0, 255, 0)


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return build_stick(tmp_path_factory.mktemp("stick"))
    except DeviceError as missing:
        pytest.skip(str(missing))


def picture(red: int = 40) -> Image.Image:
    """Large flat areas, so that a pixel's colour is known."""
    image = Image.new("RGB", (160, 120), (red, 90, 200))
    image.paste((220, 60, 40), (0, 0, 80, 60))
    image.paste((30, 160, 60), (80, 60, 160, 120))
    return image


def jpeg(image: Image.Image, quality: int = 90) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def shown(program: Path, display: Path, stream: bytes, pushes: int) -> NDArray[np.uint8]:
    """The display's pixels [135, 240, 3] after it was drawn `pushes` times."""
    stick = DeskStick.start(program, display, pushes=pushes, seconds=10)
    try:
        stick.write(stream)
        assert stick.wait(12) == pushes
    finally:
        stick.close()
    with Image.open(display) as image:
        assert image.size == DISPLAY
        return np.asarray(image.convert("RGB"))


def as_565(rgb: tuple[int, ...]) -> tuple[int, int, int]:
    red, green, blue = (rgb[0] >> 3, rgb[1] >> 2, rgb[2] >> 3)
    return (red << 3 | red >> 2, green << 2 | green >> 4, blue << 3 | blue >> 2)


def near(pixel: NDArray[np.uint8], rgb: tuple[int, ...]) -> bool:
    return bool(np.abs(pixel.astype(int) - as_565(rgb)).max() <= 9)


def test_the_picture_is_where_and_as_the_camera_sent_it(program: Path, tmp_path: Path) -> None:
    camera = Sender()
    camera.picture(jpeg(picture()), None, 0.0)
    pixels = shown(program, tmp_path / "display.png", camera.take(), 1)
    left, top = 240 - 160, (135 - 120) // 2
    for x, y in ((20, 30), (120, 30), (20, 90), (120, 90)):
        assert near(pixels[top + y, left + x], picture().getpixel((x, y)))
    assert (pixels[:top, left:] == 0).all()
    assert (pixels[:8, :12] == 255).any()  # the figures


def test_the_decoded_pixels_are_those_of_another_decoder(program: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    smooth = Image.fromarray(rng.integers(0, 256, (15, 20, 3), np.uint8)).resize((160, 120), Image.Resampling.BICUBIC)
    camera = Sender()
    camera.picture(jpeg(smooth, 60), None, 0.0)
    pixels = shown(program, tmp_path / "display.png", camera.take(), 1)[7:127, 80:].astype(int)
    with Image.open(io.BytesIO(jpeg(smooth, 60))) as other:
        expected = np.asarray(other.convert("RGB")).astype(int)
    expected = np.stack([as_565_plane(expected[..., i], 6 if i == 1 else 5) for i in range(3)], axis=-1)
    assert np.abs(pixels - expected).max() <= 9  # one step of five bits, from the decoders' own rounding
    assert np.abs(pixels - expected).mean() < 1


def as_565_plane(plane: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    value = plane >> (8 - bits)
    return value << (8 - bits) | value >> (2 * bits - 8)


def test_boxes_are_drawn_sharp_and_scaled_to_the_picture(program: Path, tmp_path: Path) -> None:
    camera = Sender()
    found = Detections(320, 240, (Detection("face", 0.83, 40, 60, 80, 100),))
    camera.picture(jpeg(picture()), found, 0.0)
    pixels = shown(program, tmp_path / "display.png", camera.take(), 1)
    left, top, right, bottom = 80 + 20, 7 + 30, 80 + 20 + 40, 7 + 30 + 50
    for edge in (
        pixels[top, left:right],
        pixels[bottom - 1, left:right],
        pixels[top:bottom, left],
        pixels[top:bottom, right - 1],
    ):
        assert (edge == GREEN).all()
    assert not (pixels[top + 3 : bottom - 3, left + 3 : right - 3] == GREEN).all(axis=-1).any()
    label = pixels[top - 8 : top, left : left + 8 * 6]
    assert {tuple(p) for p in label.reshape(-1, 3)} == {GREEN, (0, 0, 0)}


def test_the_older_program_is_shown_too(program: Path, tmp_path: Path) -> None:
    stream = b"noise\0\0\xff" + legacy_frame(jpeg(picture(200))) + b"\0" + legacy_frame(jpeg(picture(40)))
    pixels = shown(program, tmp_path / "display.png", stream, 2)
    assert near(pixels[7 + 30, 80 + 120], picture(40).getpixel((120, 30)))


def test_a_broken_or_too_large_picture_is_said_and_the_next_is_shown(program: Path, tmp_path: Path) -> None:
    encoder, record = Encoder(), bytes(7)
    broken = encoder.encode(Kind.PICTURE, record + b"no jpeg at all")
    large = encoder.encode(Kind.PICTURE, record + jpeg(Image.new("RGB", (320, 240))))
    pixels = shown(program, tmp_path / "display.png", broken + large + encoder.encode(
        Kind.PICTURE, record + jpeg(picture())), 3)  # fmt: skip
    assert near(pixels[7 + 30, 80 + 20], (220, 60, 40))


def test_buttons_change_quality_and_speed(program: Path, tmp_path: Path) -> None:
    camera, began = Sender(steering=Steering(rate=20, bytes_per_second=11_520)), time.monotonic()
    stick = DeskStick.start(program, tmp_path / "display.png", seconds=8, press="A@300,B@900")
    try:
        while stick.process.poll() is None and camera.speed.baud != 460_800 and time.monotonic() - began < 7:
            now = time.monotonic()
            camera.tick(now)
            camera.picture(jpeg(picture()), None, now)
            stick.write(camera.take())
            camera.written(now)
            time.sleep(0.05)
            camera.feed(stick.read(), now)
        assert camera.steering.fixed == 10
        assert camera.speed.baud == stick.baud == 460_800
        for _ in range(80):  # the sketch confirms and stays: four seconds, more than the camera's patience
            now = time.monotonic()
            camera.tick(now)
            camera.picture(jpeg(picture()), None, now)
            stick.write(camera.take())
            camera.feed(stick.read(), now)
            time.sleep(0.05)
        assert camera.speed.baud == stick.baud == 460_800
    finally:
        stick.close()


@pytest.fixture(scope="session")
def frames_filter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no g++")
    out = tmp_path_factory.mktemp("filter") / "frames"
    sketch = sketch_folder()
    subprocess.run([compiler, "-std=c++11", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{sketch}",
                    str(sketch / "desk" / "frames.cpp"), "-o", str(out)], check=True)  # fmt: skip
    return out


@pytest.mark.parametrize("seed", range(40))
def test_it_finds_the_same_frames_as_the_kit(frames_filter: Path, seed: int) -> None:
    rng = random.Random(seed)
    encoder = Encoder(rng.randrange(65536))
    sent = [encoder.encode(rng.randrange(16), rng.randbytes(rng.randrange(400)) + b"\0\0\0\xff\x4b") for _ in range(60)]
    stream, whole = damaged(sent, rng, rng.randrange(12))
    done = subprocess.run(
        [str(frames_filter), str(rng.randrange(1, 900))], input=stream, capture_output=True, check=True
    )
    found = [tuple(map(int, line.split()[:3])) for line in done.stdout.decode().splitlines()]
    decoder = Decoder()
    pieces = decoder.feed(stream) + decoder.give_up()
    assert found == [(p.kind, p.sequence, len(p.payload)) for p in pieces if isinstance(p, Frame)]
    assert len(found) >= len(whole)
    counts = decoder.counts
    assert done.stderr.decode().split() == [
        "frames",
        str(counts.frames),
        "lost",
        str(counts.lost),
        "damaged",
        str(counts.damaged),
    ]


def test_the_sketch_knows_nothing_of_the_desk() -> None:
    for name in ("stickc_plus.ino", "link.h", "speed.h", "picture.h", "layout.h"):
        assert "desk" not in (sketch_folder() / name).read_text(encoding="utf-8").lower().replace("#include", "")
    assert stb_folder().is_dir()
