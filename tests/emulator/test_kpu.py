"""`KPU` as scripts use it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from k210kit.emulator.cameras import StillCamera
from k210kit.emulator.card import FlashChip
from k210kit.emulator.face_features import face_compare, face_encode
from k210kit.emulator.modules.KPU import KpuModule
from k210kit.package.swap import swap_words
from tests.emulator.desk import Desk
from tests.timing.nets import mobilenet

CAMERA = "import sensor, time\nsensor.reset()\nsensor.set_pixformat(sensor.RGB565)\nsensor.set_framesize(sensor.QVGA)\n"


def chip(data: bytes) -> FlashChip:
    made = FlashChip()
    made.write(0x300000, data)
    return made


@pytest.mark.parametrize("name", ["mnist", "face_detect", "sipeed_custom", "iris", "yolo20_demo"])
def test_forward_gives_the_recorded_bytes_of_maixpy(desk: Desk, shared: Path, name: str) -> None:
    recorded = np.load(shared / "golden" / "maixpy" / f"{name}.npz")
    inputs = np.load(shared / "golden" / "real" / f"{name}.npz")
    data = (shared / "golden" / "real" / f"{name}.kmodel").read_bytes()
    desk.run("import KPU", flash=chip(data))
    kpu: KpuModule = desk.board.module("KPU")
    net = kpu.load(0x300000)
    compared = 0
    for number in (0, 3):
        values = inputs[f"input_{number}"]
        given = [float(v) for v in values.reshape(-1)] if name == "iris" else _Picture(values)
        kpu.forward(net, given)
        for output in range(len(net._model.kmodel.outputs)):
            wanted = recorded[f"maixpy_{number}_{output}"]
            assert kpu.get_output(net, output).to_bytes().tobytes() == wanted.tobytes()
            compared += 1
    assert compared


class _Picture:
    """Planes in the place of a snapshot."""

    def __init__(self, planes: np.ndarray) -> None:
        self.pix_ai = planes
        self.pixels = np.zeros(planes.shape[1:], np.uint16)
        self.pixel_format = 2 if planes.shape[0] == 3 else 4


def test_feature_maps_are_read_written_and_sliced_as_on_the_board(desk: Desk) -> None:
    script = """
    import KPU as kpu
    net = kpu.load(0x300000)
    f = kpu.forward(net, sensor.snapshot())
    print(f.w(), f.h(), f.ch(), f.size(), f.typecode(), type(f[0]), type(f[:]), len(f[2:5]))
    f[0] = 0.5
    f[1:3] = [1.5, 2.5]
    print(f[:3])
    try: f[::2]
    except OSError as e: print(e)
    try: f[10000]
    except IndexError as e: print(e)
    try: len(f)
    except TypeError as e: print('no len')
    """
    import textwrap

    camera = CAMERA + "sensor.set_windowing((224, 224))\n"
    printed = desk.prints(camera + textwrap.dedent(script), flash=chip(mobilenet(0.25).to_bytes()))
    assert printed.splitlines()[1:] == [
        "4000 1 1 4000 f <class 'float'> <class 'tuple'> 3",
        "(0.5, 1.5, 2.5)",
        "only slices with step=1 (aka None) are supported",
        "kpu_fmap index out of range",
        "no len",
    ]


def test_the_next_forward_overwrites_a_feature_map(desk: Desk, shared: Path) -> None:
    data = (shared / "golden" / "real" / "mnist.kmodel").read_bytes()
    desk.run("import KPU", flash=chip(data))
    kpu: KpuModule = desk.board.module("KPU")
    net = kpu.load(0x300000)
    shape = net._model.kmodel.input_shape
    first = kpu.forward(net, _Picture(np.zeros(shape, np.uint8)))
    assert first is not None
    before = first[:]
    kpu.forward(net, _Picture(np.full(shape, 200, np.uint8)))
    assert first[:] != before


@pytest.mark.parametrize(
    ("script", "line"),
    [
        ("kpu.load(0)", "ValueError: [MAIXPY]kpu: model_addr must > 0 "),
        ("kpu.load('/sd/m.bin')", "ValueError: [MAIXPY]kpu: model format don't match, only supply .kmodel "),
        ("kpu.load(1.5)", "TypeError: [MAIXPY]kpu: only accept int or string"),
        ("kpu.load('/sd/m.kmodel')", "ValueError: [MAIXPY]kpu: load error:2005, ERR_READ_FILE: read file failed"),
        ("kpu.load(0x700000)", "ValueError: [MAIXPY]kpu: load error:2002, ERR_KMODEL_VERSION: only support kmodel V3"),
        ("kpu.forward(net, 5)", "ValueError: input not support"),
        ("kpu.forward(net, [])", "ValueError: [MAIXPY]kpu: check input list format err!\r\n"),
        ("kpu.forward(net, img)", "ValueError: [MAIXPY]kpu: check img format err!\r\n"),
        ("kpu.forward(net, img.resize(224, 224))", "ValueError: [MAIXPY]kpu: check img format err!\r\n"),
        ("kpu.init_yolo2(5, 0.5, 0.3, 5, ())", "TypeError: [MAIXPY]kpu: kpu_net type error"),
        ("kpu.init_yolo2(net, 1.5, 0.3, 5, ())", "ValueError: [MAIXPY]kpu: threshold only support 0 to 1"),
        ("kpu.init_yolo2(net, 0.5, 3.0, 5, ())", "ValueError: [MAIXPY]kpu: nms_value only support 0 to 1"),
        ("kpu.init_yolo2(net, 0.5, 0.3, 0, ())", "ValueError: [MAIXPY]kpu: anchor_number should > 0"),
        ("kpu.init_yolo2(net, 0.5, 0.3, 5, (1, 2))", "ValueError: requested length 10 but object has length 2"),
        ("kpu.deinit(3)", "TypeError: [MAIXPY]kpu: kpu_net type error"),
        ("kpu.load_flash(1, 0, 0, 8.5)", "ValueError: [MAIXPY]kpu: load_flash arg format error: "
         "task=kpu.load_flash(flash_addr, is_dual_buf, batch_size, spi_speed)"),
    ],
)  # fmt: skip
def test_errors_have_the_words_of_the_firmware(desk: Desk, script: str, line: str) -> None:
    start = CAMERA + "import KPU as kpu\nnet = kpu.load(0x300000)\nimg = sensor.snapshot()\n"
    flash = chip(mobilenet(0.25).to_bytes())
    result = desk.run(start + script, flash=flash, firmware="minimum_with_ide")
    assert result.error is not None
    assert result.error.rstrip("\n").endswith(line.rstrip("\r\n")) or line in result.error


def test_only_builds_with_kmodel_v4_say_that_they_support_it(desk: Desk) -> None:
    line = desk.fails("import KPU\nKPU.load(0x700000)")
    assert line == "ValueError: [MAIXPY]kpu: load error:2002, ERR_KMODEL_VERSION: only support kmodel V3/V4 now"


def test_netinfo_tells_shapes(desk: Desk) -> None:
    script = (
        "import KPU\nnet = KPU.load(0x300000)\ninfo = KPU.netinfo(net)\n"
        "print(len(info), info[0].wi(), info[1].dw(), info[2].cho())"
    )
    printed = desk.prints(script, flash=chip(mobilenet(0.25).to_bytes()))
    assert printed.endswith("35 224 1 16\n")
    assert "layer[0]: KL_K210_CONV, " in printed


def test_faces_are_encoded_and_compared_as_the_library_does() -> None:
    assert list(face_encode([0.1, -0.3, 0.25, 1e9])) == [51, 128, 128, 128]
    same = bytes([10, 20, 246])
    assert face_compare(same, same) == 100.0
    assert face_compare(b"\x0a\x00", b"\x00\x0a") == 50.0


def speed(desk: Desk, script: str, data: bytes, **setup: object) -> float:
    """Seconds of board time that the script prints last."""
    return float(desk.prints(script, flash=chip(data), **setup).split()[-1])


@pytest.mark.parametrize(("load", "milliseconds"), [("kpu.load(0x300000)", 40), ("single", 106), ("dual", 83)])
def test_mobilenet_takes_the_reported_time(desk: Desk, load: str, milliseconds: float) -> None:
    """bbs.sipeed.com topic 1811: CPU 481 MHz, SPI 80 MHz. See k210kit.timing for why alpha is 0.75."""
    import dataclasses

    from k210kit.firmware import find

    data = mobilenet(0.75).to_bytes()
    if load != "kpu.load(0x300000)":
        data = swap_words(data)
        load = f"kpu.load_flash(0x300000, {int(load == 'dual')}, 0xC000, 80000000)"
    script = CAMERA + (
        "import KPU as kpu\nsensor.set_windowing((224, 224))\n"
        f"net = {load}\nimg = sensor.snapshot()\nt = time.ticks_us()\nkpu.forward(net, img)\n"
        "print((time.ticks_us() - t) / 1000)\n"
    )
    firmware = dataclasses.replace(find("minimum_with_ide"), cpu_hz=480_000_000)
    desk.firmware = firmware
    assert speed(desk, script, data) == pytest.approx(milliseconds, rel=0.15)


def test_detections_are_none_or_a_list(desk: Desk, shared: Path) -> None:
    data = (shared / "golden" / "real" / "face_detect.kmodel").read_bytes()
    script = CAMERA + (
        "import KPU as kpu\nnet = kpu.load(0x300000)\n"
        "kpu.init_yolo2(net, 0.5, 0.3, 5, (1.889, 2.5245, 2.9465, 3.94056, 3.99987, 5.3658, 5.155437, 6.92275,"
        " 6.718375, 9.01025))\nprint(kpu.run_yolo2(net, sensor.snapshot()))\n"
    )
    black = StillCamera(np.zeros((240, 320, 3), np.uint8))
    assert desk.prints(script, flash=chip(data), camera=black).endswith("None\n")
