"""Board time that things take, in one place. What `k210kit.timing` estimates comes from there; its page has sources."""

from __future__ import annotations

import math

from k210kit import timing
from k210kit.firmware import Firmware
from k210kit.hardware import FLASH_SECTOR_BYTES
from k210kit.kmodel import Kmodel

__all__ = [
    "CALL_SECONDS",
    "FMAP_SECONDS_PER_ITEM",
    "LCD_INIT_SECONDS",
    "SENSOR_RESET_SECONDS",
    "camera_frame_end",
    "card_read_seconds",
    "flash_copy_seconds",
    "inference_seconds",
    "lcd_seconds",
    "print_seconds",
    "snapshot_seconds",
    "transfer_seconds",
    "yolo2_seconds",
]

CALL_SECONDS = 10e-6  # a call into the firmware with its arguments; an estimate
FMAP_SECONDS_PER_ITEM = 0.4e-6  # boxing a float in the GC heap; an estimate
SENSOR_RESET_SECONDS = 0.5  # omv/sensor.c: power-down, probing, register tables with their delays
LCD_INIT_SECONDS = 0.2  # lcd_mcu.c: the waits of its start-up sequence
_SWAP_SECONDS_PER_PIXEL = 1.7e-3 / 76800  # both cores swap the bytes of a QVGA picture in 1.7 ms
_BLANKING = 0.08  # of a frame, as k210kit.timing has it
_REPL_BAUD = 115200
FLASH_SECTOR_WRITE_SECONDS = 0.045 + 16 * 0.0004  # W25Q128JV, typical: erase 4 KiB, program its 16 pages


def camera_frame_end(now: float, frame: float) -> float:
    """When a single-buffer snapshot called at `now` returns: it arms at the next frame's start, the one after is taken.

    Frames start at whole multiples of `frame` seconds.
    """
    armed = math.ceil(now / frame - 1e-9) * frame
    return armed + frame * (2 - _BLANKING)


def snapshot_seconds(pixels: int) -> float:
    """What a turn of a script's loop takes beside the camera and the model: byte swap, interpreter, preview."""
    return timing.LOOP_SECONDS + _SWAP_SECONDS_PER_PIXEL * (pixels - 76800)


def lcd_seconds(pixels: int, clock_hz: float) -> float:
    return timing.lcd_seconds(pixels, clock_hz)


def flash_copy_seconds(size: int) -> float:
    """`kpu.load` from an address."""
    return timing.load_seconds(size)


def card_read_seconds(size: int) -> float:
    """`kpu.load` from a file, or reading one."""
    return timing.load_seconds(size, "sd")


def transfer_seconds(mount: str, size: int, written: bool) -> float:
    """Bytes of a file: the card's rate, or what the flash chip takes to erase and program its sectors."""
    if not written or mount == "/sd":
        return card_read_seconds(size)
    return size / FLASH_SECTOR_BYTES * FLASH_SECTOR_WRITE_SECONDS


def inference_seconds(model: Kmodel, firmware: Firmware, load: timing.Load, spi_hz: int) -> float:
    """One forward on that firmware's clocks."""
    cpu = timing.cpu_hz_granted(firmware.cpu_hz)
    made = timing.inference(model, cpu_hz=cpu, kpu_hz=firmware.kpu_hz, load=load, spi_hz=spi_hz or timing.SPI_HZ)
    return made.milliseconds / 1000


def yolo2_seconds(boxes: int, classes: int, firmware: Firmware) -> float:
    """What `run_yolo2` does behind the model."""
    return timing.yolo2_cycles(boxes, classes) / timing.cpu_hz_granted(firmware.cpu_hz)


def print_seconds(text: str) -> float:
    """Text on the REPL's UART, which `print` waits for."""
    return timing.uart_seconds(len(text), _REPL_BAUD)
