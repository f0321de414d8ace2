"""Five outcomes that users of real boards reported, and what is consistent with them, come out of running scripts.

The models are made here: MobileNet v1 with weights of zero, and files of the reported sizes.
"""

from __future__ import annotations

import dataclasses

import pytest

from k210kit.emulator.card import FlashChip
from k210kit.kmodel import Kmodel
from k210kit.package.swap import swap_words
from tests.emulator.desk import Desk
from tests.timing.nets import mobilenet

CAMERA = """
import sensor, lcd
import KPU as kpu
sensor.reset()
sensor.set_pixformat(sensor.RGB565)
sensor.set_framesize(sensor.QVGA)
sensor.set_windowing((224, 224))
sensor.run(1)
"""
LCD = "lcd.init()\n"
NO_MEMORY = "error:2006, ERR_NO_MEM: memory not enough"
CLASSIFIER_BYTES = 1_882_056  # maix_train's classifier, as published


def flash_with(data: bytes) -> FlashChip:
    chip = FlashChip()
    chip.write(0x300000, data)
    return chip


@pytest.fixture(scope="module")
def mobilenet_1000() -> bytes:
    model = mobilenet(1.0)
    assert model.main_memory_bytes == 250_880
    assert max(model.body_sizes) == pytest.approx(1_057_280, abs=1024)
    return swap_words(model.to_bytes())


def classifier(main_memory_bytes: int) -> bytes:
    """A file of the published size."""
    model: Kmodel = dataclasses.replace(mobilenet(0.75, classes=2), main_memory_bytes=main_memory_bytes)
    data = model.to_bytes()
    assert len(data) <= CLASSIFIER_BYTES
    return data.ljust(CLASSIFIER_BYTES, b"\0")


def load_flash(dual: int) -> str:
    return f"model = kpu.load_flash(0x300000, {dual}, 0xC000, 60000000)\n"


def test_mobilenet_1000_with_two_buffers_does_not_fit_on_the_full_build(desk: Desk, mobilenet_1000: bytes) -> None:
    line = desk.fails(CAMERA + LCD + load_flash(1), flash=flash_with(mobilenet_1000))
    assert line == f"ValueError: [MAIXPY]kpu: load_flash {NO_MEMORY}"


def test_mobilenet_1000_with_one_buffer_fits_on_the_full_build_and_runs(desk: Desk, mobilenet_1000: bytes) -> None:
    run = "f = kpu.forward(model, sensor.snapshot())\nprint(len(f[:]), f.typecode())\n"
    printed = desk.prints(CAMERA + LCD + load_flash(0) + run, flash=flash_with(mobilenet_1000))
    assert printed.endswith("1000 f\n")


def test_mobilenet_1000_with_two_buffers_fits_on_the_minimum_build(desk: Desk, mobilenet_1000: bytes) -> None:
    desk.prints(CAMERA + LCD + load_flash(1), flash=flash_with(mobilenet_1000), firmware="minimum_with_ide")


def test_the_classifier_of_maix_train_does_not_load_on_the_full_build_even_without_a_camera(desk: Desk) -> None:
    (desk.flash / "m.kmodel").write_bytes(classifier(752_640))
    line = desk.fails("import KPU as kpu\nkpu.load('/flash/m.kmodel')")
    assert line == f"ValueError: [MAIXPY]kpu: load {NO_MEMORY}"


def test_the_classifier_of_maix_train_loads_on_the_minimum_build(desk: Desk) -> None:
    (desk.flash / "m.kmodel").write_bytes(classifier(752_640))
    desk.prints(CAMERA + LCD + "kpu.load('/flash/m.kmodel')", firmware="minimum_with_ide")


def test_the_smaller_classifier_loads_first_and_then_the_camera_or_the_screen_fails(desk: Desk) -> None:
    (desk.flash / "m.kmodel").write_bytes(classifier(188_160))
    load = "import KPU as kpu\nmodel = kpu.load('/flash/m.kmodel')\n"
    result = desk.run(load + CAMERA + LCD)
    assert any("LCD" in warning or "lcd.init" in warning for warning in result.warnings)
    vga = CAMERA.replace("QVGA", "VGA")
    assert desk.fails(load + vga) == "OSError: [Errno 12] ENOMEM"


def test_the_smaller_classifier_does_not_load_behind_camera_and_screen(desk: Desk) -> None:
    (desk.flash / "m.kmodel").write_bytes(classifier(188_160))
    line = desk.fails(CAMERA + LCD + "model = kpu.load('/flash/m.kmodel')\n")
    assert line == f"ValueError: [MAIXPY]kpu: load {NO_MEMORY}"


def test_deinit_gives_the_memory_back(desk: Desk) -> None:
    (desk.flash / "m.kmodel").write_bytes(classifier(188_160))
    desk.prints("import KPU as kpu\nfor i in range(5):\n    kpu.deinit(kpu.load('/flash/m.kmodel'))\n")


def test_jpeg_needs_its_scratch_memory(desk: Desk) -> None:
    """Pictures of 640x480 and a screen of 800x480 leave less than 700 KiB of the full build."""
    script = CAMERA.replace("QVGA", "VGA") + "lcd.init(width=800, height=480)\nsensor.snapshot().compress(50)"
    assert desk.fails(script).startswith("MemoryError: Out of Memory! Please reduce the resolution")


def test_pictures_come_out_of_the_gc_heap(desk: Desk) -> None:
    script = "import image\nkept = [image.Image(size=(320, 240)) for i in range(4)]\n"
    assert desk.fails(script).startswith("MemoryError: Out of normal MicroPython Heap Memory! Please reduce")
    dropped = "import image, gc\nfor i in range(20):\n    a = image.Image(size=(320, 240))\nprint('all')\n"
    assert desk.prints(dropped) == "all\n"


def test_byte_arrays_come_out_of_the_gc_heap(desk: Desk) -> None:
    assert desk.fails("a = bytearray(600000)") == "MemoryError: memory allocation failed, allocating 600000 bytes"
    script = "import gc\nf = gc.mem_free()\na = bytearray(100000)\nprint(f - gc.mem_free())\n"
    assert desk.prints(script) == "100000\n"


def test_a_gc_heap_that_is_too_large_falls_back(desk: Desk) -> None:
    printed = desk.prints("from Maix import utils\nprint(utils.gc_heap_size())", gc_heap_bytes=8_388_608)
    assert printed.endswith("131072\n")


def test_the_board_says_what_is_free(desk: Desk) -> None:
    printed = desk.prints("import KPU\nfrom Maix import utils\nprint(utils.heap_free())\nKPU.memtest()")
    free, gc_line, system_line = printed.splitlines()
    assert int(free) == pytest.approx(2_594_512, abs=8192)  # 2,622,064 less what drivers take
    assert gc_line == "###free gc heap memory : 497 KB"  # 506 KB less what MicroPython takes at its start
    assert system_line == f"###free sys heap memory: {int(free) // 1024} KB"
