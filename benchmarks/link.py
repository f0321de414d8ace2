"""The picture link in figures: python benchmarks/link.py [--streams N] [--json]

Everything is made here: the pictures are drawn, the wire is a model (10 bits per byte), the clocks are models whose
parts are printed. Nothing is read from a device.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import re
import sys
import tempfile
import time
import tracemalloc
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from k210kit import timing
from k210kit.emulator import RunRequest
from k210kit.emulator import run as run_script
from k210kit.link import Decoder, Detection, Detections, Encoder, Frame, Receiver, Sender, Shown, Steering, legacy_frame
from k210kit.link.bad_line import damaged, flip_bits
from k210kit.link.frames import SYNC, Kind
from k210kit.link.messages import PictureRecord
from k210kit.link.speed import CameraSpeed
from k210kit.studio.stream_demo import drawn_detector, stream_script
from k210kit.wire import size

# The camera's clock, milliseconds per picture. Sources: docs/design/link.md and k210kit.timing.
SENSOR_PERIOD = 50.0  # 20 frames per second, the rate the notes report for 24 MHz; two buffers
DETECT = 24.0  # YOLOv2 face network from RAM, as reported for 320x240
PIXELS = 160 * 120
BUSY = DETECT + 1000 * (timing.LOOP_SECONDS + timing.resize_seconds(PIXELS) + timing.jpeg_seconds(PIXELS, 1500))
# The receiver's clock (M5StickC-Plus).
DECODE = 25.0  # estimate: stb_image, 160x120, ESP32 at 240 MHz
DRAW = 4.0  # estimate: conversion and copy into the canvas
PUSH = 240 * 135 * 16 / 27e6 * 1000  # the canvas over SPI at 27 MHz


def scene(number: int, rng: random.Random) -> Image.Image:
    """A drawn room with books, a face that moves, and the sensor's noise: about 1.5 kB at quality 10."""
    shelf = random.Random(7)
    image = Image.new("RGB", (160, 120))
    draw = ImageDraw.Draw(image)
    for x in range(160):
        draw.line((x, 0, x, 120), fill=(60 + x // 2, 90 + x // 4, 120 - x // 3))
    for x in range(0, 160, 7):
        top, colour = shelf.randrange(2, 30), tuple(shelf.randrange(30, 220) for _ in range(3))
        draw.rectangle((x, top, x + 5, 44), fill=colour)
        draw.rectangle((x, 60 + top, x + 6, 112), fill=colour[::-1])
    at = 20 + number % 80
    draw.ellipse((at, 25, at + 42, 80), fill=(214, 170, 140))
    for eye in (at + 10, at + 26):
        draw.ellipse((eye, 44, eye + 6, 49), fill=(40, 30, 30))
    draw.arc((at + 12, 52, at + 30, 68), 20, 160, fill=(150, 60, 60), width=2)
    noise = Image.frombytes("L", (160, 120), bytes(128 + int(rng.gauss(0, 8)) for _ in range(160 * 120)))
    return Image.blend(image, Image.merge("RGB", (noise,) * 3), 0.12)


def compressed(image: Image.Image, quality: int) -> bytes:
    """A JPEG with the standard tables and 2x2 subsampling, as MaixPy writes it up to quality 35."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling=2)
    return buffer.getvalue()


def boxes(number: int) -> Detections:
    return Detections(320, 240, (Detection("face", 0.83, 2 * (20 + number % 80), 50, 84, 110),))


@dataclass
class Run:
    """What one modelled run gave."""

    fps: float
    quality: int
    picture_bytes: float
    wire_ms: float


def run(baud: int, rate: float, seconds: float, *, quality: int = 0, legacy: bool = False) -> Run:
    """Send for `seconds` of modelled time; sending and working do not overlap, as on MaixPy (docs/design/link.md).

    With two buffers, snapshot hands out the newest finished frame at once, or waits for the next one.
    """
    rng = random.Random(3)
    scenes = [scene(number, rng) for number in range(40)]
    steering = Steering(rate=rate, bytes_per_second=baud / 10, fixed=quality)
    camera, receiver = Sender(steering=steering, speed=CameraSpeed(first=baud)), Receiver()
    now, taken, log, wire = 0.0, -1, [], []
    while now < seconds:
        taken = max(int(now * 1000 / SENSOR_PERIOD), taken + 1)
        now = max(now, taken * SENSOR_PERIOD / 1000) + BUSY / 1000
        jpeg = compressed(scenes[len(wire) % 40], camera.steering.quality)
        camera.tick(now)
        length = 0 if legacy else camera.picture(jpeg, boxes(len(wire)), now, age_ms=round(BUSY))
        out = legacy_frame(jpeg) if legacy else camera.take()
        camera.steering.sent(length or len(out), BUSY / 1000)
        now += len(out) * 10 / baud
        wire.append(len(out))
        log += [(now, event) for event in receiver.feed(out, now) if isinstance(event, Shown)]
    settled = log[len(log) // 2 :]
    mean = sum(event.wire_bytes for _, event in settled) / len(settled)
    return Run(
        (len(settled) - 1) / (settled[-1][0] - settled[0][0]), settled[-1][1].quality, mean, mean * 10_000 / baud
    )


def payload_share() -> float:
    """Share of the wire's bytes that are picture and boxes, with 1.5 kB pictures at 115,200 baud for one minute."""
    rng, camera = random.Random(4), Sender()
    image = scene(0, rng)
    quality = min(range(2, 60), key=lambda q: abs(len(compressed(image, q)) - 1500))
    jpegs = [compressed(scene(number, rng), quality) for number in range(30)]
    now, wire, useful = 0.0, 0, 0
    while now < 60:
        number = round(now * 1000)
        camera.tick(now)
        camera.picture(jpegs[number % 30], boxes(number), now)
        out = camera.take()
        for piece in Decoder().feed(out):
            if isinstance(piece, Frame) and piece.kind == Kind.PICTURE:
                useful += len(piece.payload) - size(PictureRecord)
            elif isinstance(piece, Frame) and piece.kind == Kind.PICTURE_HEAD:
                useful += len(piece.payload)
        wire += len(out)
        now += len(out) * 10 / 115_200
    return useful / wire


def parser_speed() -> float:
    """Megabytes per second through the whole receiving end, 1.5 kB pictures, in pieces of 4 kB; best of five."""
    rng, encoder = random.Random(1), Encoder()
    stream = b"".join(encoder.encode(1, bytes(7) + rng.randbytes(1500)) for _ in range(20_000))
    best = 0.0
    for _ in range(5):
        receiver, began = Receiver(), time.perf_counter()
        got = sum(len(receiver.feed(stream[at : at + 4096], 0.0)) for at in range(0, len(stream), 4096))
        best = max(best, len(stream) / (time.perf_counter() - began) / 1e6)
        assert got == 20_000
    return best


def bit_errors() -> dict[str, int]:
    """One flipped bit in 10^4: how many frames were hit, arrived, and arrived although they were hit."""
    rng, encoder = random.Random(2), Encoder()
    sent = [encoder.encode(1, rng.randbytes(1500)) for _ in range(5000)]
    stream, places = flip_bits(b"".join(sent), rng, 1e-4)
    spoiled = {place // len(sent[0]) for place in places}
    decoder = Decoder()
    arrived = [p.sequence for p in decoder.feed(stream) + decoder.give_up() if isinstance(p, Frame)]
    whole = [number for number in range(5000) if number not in spoiled]
    return {"frames": 5000, "undamaged": len(whole), "undamaged_arrived": len(set(whole) & set(arrived)),
            "damaged_delivered": len(set(arrived) & spoiled)}  # fmt: skip


def fuzz(streams: int) -> dict[str, int]:
    """Mutated streams through a receiver that also looks for older pictures; a failure stops with an AssertionError."""
    rng = random.Random(99)
    lost = wrong = kept = 0
    for number in range(streams):
        encoder = Encoder(rng.randrange(65536))
        sent = [encoder.encode(rng.randrange(16), rng.randbytes(rng.randrange(60)) + SYNC * (number & 1))
                for _ in range(rng.randrange(1, 7))]  # fmt: skip
        stream, whole = damaged(sent, rng, rng.randrange(1, 5))
        decoder, cut = Decoder(), rng.randrange(len(stream) + 1)
        pieces = decoder.feed(stream[:cut]) + decoder.feed(stream[cut:]) + decoder.give_up()
        arrived = {Encoder(p.sequence).encode(p.kind, p.payload) for p in pieces if isinstance(p, Frame)}
        lost += sum(sent[i] not in arrived for i in whole)
        wrong += len(arrived - set(sent))
        kept += decoder.pending
        Receiver().feed(stream, 0.0)
    return {"streams": streams, "undamaged_lost": lost, "damaged_delivered": wrong, "bytes_left_over": kept}


def most_memory() -> int:
    """Most bytes the receiver held while a million header-like bytes went through it."""
    encoder, receiver = Encoder(), Receiver()
    header = encoder.encode(1, bytes(60_000))[:11]
    tracemalloc.start()
    for _ in range(1000):
        receiver.feed(header * 91, 0.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def latency(result: Run) -> float:
    """Milliseconds from the end of the exposure to pixels on the StickC."""
    return BUSY + result.wire_ms + DECODE + DRAW + PUSH


def on_the_board(folder: Path, baud: int, rate: int, frames: int = 120) -> dict[str, float | int]:
    """The camera script itself on the desk board, its wire a file; the drawn detector runs on the simulated KPU."""
    detector = drawn_detector(folder)
    text = stream_script(detector.labels, detector.anchors)
    text = re.sub("^FIRST_BAUD, MOST_BAUD = .*$", f"FIRST_BAUD, MOST_BAUD = {baud}, 1500000", text, flags=re.MULTILINE)
    text = re.sub("^RATE, FAST_RATE = .*?#", f"RATE, FAST_RATE = {rate}, 20  #", text, flags=re.MULTILINE)
    script, wire = folder / f"main-{baud}.py", folder / f"wire-{baud}.bin"
    script.write_text(text, encoding="utf-8")
    request = RunRequest(
        script=str(script), firmware="unitv", camera=str(detector.pictures), fast=True, frames=frames,
        flash=(f"0x300000={detector.kmodel}",), uart=(f"UART1=file:{wire}",),
    )  # fmt: skip
    done = run_script(request)
    assert done.error is None, done.error
    receiver = Receiver()
    pictures = [event for event in receiver.feed(wire.read_bytes(), 0.0) if isinstance(event, Shown)]
    settled = pictures[len(pictures) // 2 :]
    return {"fps": done.fps_board_estimate or 0.0, "quality": settled[-1].quality, "pictures": len(pictures),
            "picture_bytes": round(sum(p.wire_bytes for p in settled) / len(settled)),
            "damaged": receiver.counts.damaged,
            "with_boxes": sum(bool(p.detections and p.detections.boxes) for p in pictures)}  # fmt: skip


def measure(streams: int, folder: str) -> dict[str, object]:
    slow, fast = run(115_200, 8.0, 60), run(1_500_000, 20.0, 20)
    same, old = run(115_200, 8.0, 60, quality=10), run(115_200, 8.0, 60, quality=10, legacy=True)
    return {
        "payload_share_115200_1500_bytes": payload_share(),
        "fps_115200": slow.fps, "quality_115200": slow.quality, "picture_bytes_115200": slow.picture_bytes,
        "fps_115200_quality_10": same.fps, "fps_115200_quality_10_older_protocol": old.fps,
        "fps_1500000": fast.fps, "quality_1500000": fast.quality,
        "desk_board_115200": on_the_board(Path(folder), 115_200, 8),
        "desk_board_1500000": on_the_board(Path(folder), 1_500_000, 20),
        "latency_ms_115200": latency(slow), "latency_ms_1500000": latency(fast),
        "latency_parts_ms": {"camera": BUSY, "wire_115200": slow.wire_ms, "wire_1500000": fast.wire_ms,
                             "decode": DECODE, "draw": DRAW, "push": PUSH},
        "parser_megabytes_per_second": parser_speed(),
        "bit_errors_1e-4": bit_errors(),
        "most_memory_bytes": most_memory(),
        "fuzz": fuzz(streams),
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=20_000, help="mutated streams to try")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(given.streams, folder)
    if given.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
