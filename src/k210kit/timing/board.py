"""Camera, UART, LCD and JPEG: what a script's loop waits for beside the model."""

from __future__ import annotations

import math

__all__ = [
    "LOOP_SECONDS",
    "camera_frame_seconds",
    "camera_period",
    "cpu_hz_granted",
    "jpeg_seconds",
    "lcd_seconds",
    "resize_seconds",
    "sensor_hz_granted",
    "uart_seconds",
]

_CRYSTAL_STEP = 13e6  # 26 MHz crystal, PLL halved: 400 MHz becomes 403, 480 becomes 481
_FRAMES_AT_24_MHZ = 60  # OV7740 with register 0x11 = 0, as MaixPy sets it
_BLANKING = 0.08  # of a frame; an estimate
_CYCLES_PER_JPEG_PIXEL = 120  # an estimate: no figure has been found
_CYCLES_PER_JPEG_BYTE = 40
_CYCLES_PER_RESIZED_PIXEL = 30
LOOP_SECONDS = 0.013
"""What a loop takes beside the model: byte swap in snapshot, Python, a print. Fitted to three reports of the UnitV
(10 fps at 12 MHz, 20 at 24 MHz, about 8 with face detection at 12 MHz); any value from 10.3 to 17 ms gives them."""


def cpu_hz_granted(asked_hz: float) -> float:
    """The CPU clock that the PLL makes of the one asked for.

    >>> cpu_hz_granted(400e6), cpu_hz_granted(480e6)
    (403000000.0, 481000000.0)
    """
    return max(1, round(asked_hz / _CRYSTAL_STEP)) * _CRYSTAL_STEP


def sensor_hz_granted(asked_hz: float, cpu_hz: float = 403e6) -> float:
    """The clock that the camera gets: half the CPU's by an even number. 24 MHz become 25.2, 12 become 12.6."""
    bus = cpu_hz / 2
    return bus / (2 * max(1, round(bus / (2 * asked_hz))))


def camera_frame_seconds(sensor_hz: float, cpu_hz: float = 403e6) -> float:
    """Seconds from one frame of the camera to the next."""
    return 24e6 / (_FRAMES_AT_24_MHZ * sensor_hz_granted(sensor_hz, cpu_hz))


def camera_period(
    sensor_hz: float, work_seconds: float = 0.0, *, dual_buffer: bool = False, cpu_hz: float = 403e6
) -> float:
    """Seconds per turn of a loop that takes a picture and then works for `work_seconds` besides LOOP_SECONDS.

    With one buffer, whole frames: `snapshot` arms at the next frame's start, the frame after that is caught, and every
    start that passes while the loop works is a frame more. With two buffers the camera fills one while the loop works.
    """
    frame = camera_frame_seconds(sensor_hz, cpu_hz)
    busy = LOOP_SECONDS + work_seconds
    if dual_buffer:
        return max(frame, busy)
    return frame * (2 + max(0, math.ceil((busy - _BLANKING * frame) / frame)))


def uart_seconds(size: int, baud: int) -> float:
    """Seconds that `size` bytes take on a wire with one start and one stop bit."""
    return 10 * size / baud


def lcd_seconds(pixels: int, lcd_hz: float = 15e6) -> float:
    """Seconds of `lcd.display`: two bytes per pixel over eight wires."""
    return 2 * pixels / lcd_hz


def jpeg_seconds(pixels: int, size: int, cpu_hz: float = 403e6) -> float:
    """Seconds of `img.compress` for a picture that becomes `size` bytes. An estimate."""
    return (_CYCLES_PER_JPEG_PIXEL * pixels + _CYCLES_PER_JPEG_BYTE * size) / cpu_hz


def resize_seconds(pixels: int, cpu_hz: float = 403e6) -> float:
    """Seconds of `img.resize` to `pixels` pixels. An estimate."""
    return _CYCLES_PER_RESIZED_PIXEL * pixels / cpu_hz
