"""How fast a loop runs: picture, model, and if asked for a stream of pictures on the UART."""

from __future__ import annotations

from dataclasses import dataclass

from k210kit.kmodel import Kmodel
from k210kit.planner.memory import Setup
from k210kit.planner.sizes import ModelSizes
from k210kit.timing import (
    BATCH_BYTES,
    Load,
    camera_frame_seconds,
    camera_period,
    cpu_hz_granted,
    inference,
    jpeg_seconds,
    lcd_seconds,
    load_seconds,
    resize_seconds,
    uart_seconds,
    yolo2_cycles,
)

__all__ = ["Speed", "Stream", "model_seconds", "speeds"]

LOADS: tuple[Load, ...] = ("ram", "flash", "flash-dual")
SENSOR_CLOCKS = (12e6, 24e6)


@dataclass(frozen=True, kw_only=True)
class Stream:
    """Pictures sent on a UART: size in pixels, bytes of the JPEG, bits per second."""

    width: int = 160
    height: int = 120
    jpeg_bytes: int = 1_500
    baud: int = 115_200

    def seconds(self, cpu_hz: float) -> float:
        pixels = self.width * self.height
        return (
            resize_seconds(pixels, cpu_hz)
            + jpeg_seconds(pixels, self.jpeg_bytes, cpu_hz)
            + uart_seconds(self.jpeg_bytes, self.baud)
        )


@dataclass(frozen=True, kw_only=True)
class Speed:
    """One way to run: `model_milliseconds` for the model with run_yolo2 if it is one, `fps` of the whole loop."""

    load: Load
    sensor_hz: int
    stream: bool
    model_milliseconds: float
    loop_milliseconds: float
    fps: float
    start_seconds: float


def model_seconds(model: Kmodel, sizes: ModelSizes, load: Load, cpu_hz: float, kpu_hz: float, batch: int) -> float:
    """Seconds of one forward, and of `run_yolo2` behind it where the model is one."""
    time = inference(model, cpu_hz=cpu_hz, kpu_hz=kpu_hz, load=load, batch_bytes=batch).milliseconds / 1e3
    return time + yolo2_cycles(sizes.yolo_boxes, sizes.yolo_classes) / cpu_hz


def speeds(
    setup: Setup, sizes: ModelSizes, model: Kmodel, stream: Stream | None = None, batch: int = BATCH_BYTES
) -> tuple[Speed, ...]:
    """Every way of loading, both camera clocks, without and with the stream."""
    cpu = cpu_hz_granted(setup.firmware.cpu_hz)
    sent = stream or Stream()
    rows = []
    for load in LOADS:
        seconds = model_seconds(model, sizes, load, cpu, setup.firmware.kpu_hz, batch)
        for sensor_hz in SENSOR_CLOCKS:
            for streaming in (False, True):
                work = seconds + (sent.seconds(cpu) if streaming else 0.0) + _screen(setup)
                period = _period(setup, sensor_hz, work, cpu)
                rows.append(
                    Speed(
                        load=load,
                        sensor_hz=round(sensor_hz),
                        stream=streaming,
                        model_milliseconds=1e3 * seconds,
                        loop_milliseconds=1e3 * period,
                        fps=1 / period,
                        start_seconds=load_seconds(sizes.file_bytes) if load == "ram" else 0.002,
                    )
                )
    return tuple(rows)


def _screen(setup: Setup) -> float:
    return 0.0 if setup.lcd is None else lcd_seconds(setup.lcd[0] * setup.lcd[1], setup.firmware.lcd_hz)


def _period(setup: Setup, sensor_hz: float, work: float, cpu_hz: float) -> float:
    if setup.camera is None:
        return work + 1e-3
    period = camera_period(sensor_hz, work, dual_buffer=setup.dual_buffer, cpu_hz=cpu_hz)
    return max(period, camera_frame_seconds(sensor_hz, cpu_hz))
