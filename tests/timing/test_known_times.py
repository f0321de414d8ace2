"""Every time that boards have been reported to take, from one set of constants, each within 15 %.

Sources: nncase issue 77 (layers of the face detector), bbs.sipeed.com topics 691 (convolutions) and 1811 (MobileNet),
neucrack.com/p/313 (face detector, YOLO at 224), ossan-engineer.blogspot.com/2021/08 (camera of the UnitV).
"""

from __future__ import annotations

import pytest

from k210kit.hardware import GENERAL_MEMORY_BYTES
from k210kit.kmodel import Registers
from k210kit.timing import (
    Load,
    camera_period,
    cpu_hz_granted,
    inference,
    layer_cycles,
    register_cycles,
    spi_hz_granted,
    uart_seconds,
    yolo2_cycles,
)
from tests.timing.nets import face_detector, mobilenet, yolo_on_mobilenet

CLOSE = 0.15
FACE_LAYERS = (
    "0.206 0.039 0.514 0.029 0.680 0.053 1.328 0.020 0.704 0.034 1.385 0.016 "
    "0.781 0.025 1.522 0.026 1.521 0.026 1.521 0.026 1.521 0.025"
)
# width, height, milliseconds: 128 to 128 channels, 3x3, 16-bit weights, KPU at 300 MHz
CONVOLUTIONS = [(32, 32, 1.138), (64, 32, 2.125), (64, 64, 3.891), (128, 64, 7.709), (128, 128, 14.778)]


@pytest.mark.parametrize(("number", "milliseconds"), list(enumerate(map(float, FACE_LAYERS.split()))))
def test_each_layer_of_the_face_detector(number: int, milliseconds: float) -> None:
    cycles = layer_cycles(face_detector().layers[number])
    assert cycles / 400e3 == pytest.approx(milliseconds, rel=0.05)


@pytest.mark.parametrize(("width", "height", "milliseconds"), CONVOLUTIONS)
def test_large_convolutions_with_16_bit_weights(width: int, height: int, milliseconds: float) -> None:
    registers = Registers.for_conv(input_shape=(128, height, width), output_channels=128, kernel_size=3, weight_bytes=2)
    assert register_cycles(registers, weight_bytes=2) / 300e3 == pytest.approx(milliseconds, rel=CLOSE)


@pytest.mark.parametrize(("load", "milliseconds"), [("ram", 24), ("flash", 37), ("flash-dual", 34)])
def test_the_face_detector_with_run_yolo2(load: Load, milliseconds: float) -> None:
    seconds = inference(face_detector(), load=load, spi_hz=67.17e6).milliseconds
    assert seconds + 1e3 * yolo2_cycles(20 * 15 * 5, 1) / 403e6 == pytest.approx(milliseconds, rel=CLOSE)


@pytest.mark.parametrize(
    ("load", "batch", "milliseconds"),
    [("ram", 0xC000, 50), ("flash", 0xC000, 117), ("flash-dual", 0xC000, 97), ("flash-dual", 8 * 0xC000, 90)],
)
def test_yolo_with_41_classes_at_224_pixels(load: Load, batch: int, milliseconds: float) -> None:
    seconds = inference(yolo_on_mobilenet(41), load=load, spi_hz=67.17e6, batch_bytes=batch).milliseconds
    assert seconds + 1e3 * yolo2_cycles(7 * 7 * 5, 41) / 403e6 == pytest.approx(milliseconds, rel=CLOSE)


@pytest.mark.parametrize(("load", "milliseconds"), [("ram", 40), ("flash", 106), ("flash-dual", 83)])
def test_mobilenet_with_1000_classes(load: Load, milliseconds: float) -> None:
    seconds = inference(mobilenet(0.75), cpu_hz=481e6, load=load, spi_hz=80e6).milliseconds
    assert seconds == pytest.approx(milliseconds, rel=CLOSE)


def test_the_mobilenet_that_was_timed_cannot_have_had_alpha_1() -> None:
    """Four wires at 80.17 MHz carry at most 2.65 MB in the 66 ms that single mode took longer than RAM."""
    most = (106 - 40) / 1e3 * spi_hz_granted(80e6, 481e6) / 2
    assert sum(mobilenet(0.75).body_sizes) < 1.01 * most < sum(mobilenet(1.0).body_sizes) < GENERAL_MEMORY_BYTES


@pytest.mark.parametrize(("sensor_hz", "fps"), [(12e6, 10), (24e6, 20)])
def test_the_camera_alone(sensor_hz: float, fps: float) -> None:
    assert 1 / camera_period(sensor_hz) == pytest.approx(fps, rel=CLOSE)


def test_the_camera_with_face_detection() -> None:
    model = inference(face_detector()).milliseconds / 1e3 + yolo2_cycles(20 * 15 * 5, 1) / 403e6
    assert 1 / camera_period(12e6, model) == pytest.approx(8, rel=CLOSE)


def test_two_buffers_hide_the_work_or_the_camera() -> None:
    assert camera_period(24e6, dual_buffer=True) == pytest.approx(1 / 63, rel=0.01)
    assert camera_period(24e6, 0.1, dual_buffer=True) == pytest.approx(0.113)


def test_clocks_are_what_the_chip_makes_of_them() -> None:
    assert [cpu_hz_granted(hz) / 1e6 for hz in (400e6, 480e6)] == [403, 481]
    assert round(spi_hz_granted(80e6, 403e6)) == 67_166_667


def test_a_uart_byte_has_ten_bits() -> None:
    assert uart_seconds(11_520, 115_200) == 1.0
