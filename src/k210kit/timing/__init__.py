"""What a board would take: cycles per layer, camera, flash, UART, LCD. See docs/design/timing.md for the evidence."""

from .board import (
    LOOP_SECONDS,
    camera_frame_seconds,
    camera_period,
    cpu_hz_granted,
    jpeg_seconds,
    lcd_seconds,
    resize_seconds,
    sensor_hz_granted,
    uart_seconds,
)
from .cpu import cpu_cycles, enlarging_cycles, input_cycles, yolo2_cycles
from .flash import BATCH_BYTES, Group, dual_groups, flash_read_seconds, load_seconds, spi_hz_granted
from .inference import CPU_HZ, KPU_HZ, SPI_HZ, InferenceTime, LayerTime, Load, inference
from .kpu import dense_cycles, depthwise_cycles, layer_cycles, register_cycles

__all__ = [
    "BATCH_BYTES",
    "CPU_HZ",
    "KPU_HZ",
    "LOOP_SECONDS",
    "SPI_HZ",
    "Group",
    "InferenceTime",
    "LayerTime",
    "Load",
    "camera_frame_seconds",
    "camera_period",
    "cpu_cycles",
    "cpu_hz_granted",
    "dense_cycles",
    "depthwise_cycles",
    "dual_groups",
    "enlarging_cycles",
    "flash_read_seconds",
    "inference",
    "input_cycles",
    "jpeg_seconds",
    "layer_cycles",
    "lcd_seconds",
    "load_seconds",
    "register_cycles",
    "resize_seconds",
    "sensor_hz_granted",
    "spi_hz_granted",
    "uart_seconds",
    "yolo2_cycles",
]
