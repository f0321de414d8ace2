"""Pins, ports, buses, timers, files and the small modules, as scripts use them."""

from __future__ import annotations

from pathlib import Path

import pytest

from k210kit.emulator import Interpreter, Printed, Setup, power_on
from k210kit.emulator.boards import board_kind
from k210kit.emulator.pins import PinChange
from k210kit.emulator.ports import CrossLink, FileEndpoint, Ports, open_endpoint
from k210kit.errors import InputError
from tests.emulator.desk import Desk

UART = (
    "from machine import UART\nfrom fpioa_manager import fm\nimport time\nfm.register(35, fm.fpioa.UART1_TX)\n"
    "fm.register(34, fm.fpioa.UART1_RX)\n"
)


def test_two_boards_talk_over_a_cable(tmp_path: Path) -> None:
    """The camera sends a length and a JPEG, as the notes' program does; the other board reads it back."""
    near, far = CrossLink.pair("camera", "receiver")
    texts, boards = [Printed(), Printed()], []
    for end, text in zip((near, far), texts, strict=True):
        boards.append(Interpreter(power_on(Setup(ports=Ports({0: end})), text.write)))
    camera = UART + (
        "import sensor, struct\nuart = UART(UART.UART1, 115200, 8, 0, 0, timeout=1000, read_buf_len=4096)\n"
        "sensor.reset(); sensor.set_pixformat(sensor.RGB565); sensor.set_framesize(sensor.QQVGA)\n"
        "img = sensor.snapshot().compress(30)\nuart.write(struct.pack('>BBH', 0, 0, img.size()))\n"
        "print(uart.write(img) == img.size())\n"
    )
    receiver = UART + (
        "import struct\nuart = UART(UART.UART1, 115200, read_buf_len=9000)\ntime.sleep(3)\ndata = uart.read()\n"
        "size = struct.unpack('>BBH', data)[2]\nprint(len(data) == size + 4, data[4:6])\n"
    )
    for board, script in zip(boards, (camera, receiver), strict=True):
        board.run(script, "main.py", board.namespace("__main__"))
    assert texts[0].text.endswith("True\n")
    assert texts[1].text == "True b'\\xff\\xd8'\n"


def test_a_ring_buffer_that_overflows_loses_bytes_silently(desk: Desk) -> None:
    near, far = CrossLink.pair("a", "b")
    far.write(b"x" * 500, 0.0)
    script = (
        UART + "u = UART(UART.UART1, 115200, read_buf_len=100)\ntime.sleep(1)\nprint(u.any(), len(u.read()), u.read())"
    )
    assert desk.prints(script, ports=Ports({0: near})) == "100 100 None\n"


def test_bytes_arrive_at_the_baud_rate(desk: Desk) -> None:
    near, far = CrossLink.pair("a", "b")
    script = UART + "u = UART(UART.UART1, 9600)\nu.any()\n" + "time.sleep_ms(50)\nprint(u.any())\n" * 2
    far.write(b"x" * 480, 0.0)
    first, second = map(int, desk.prints(script, ports=Ports({0: near})).split())
    assert second - first == pytest.approx(48, abs=3) or second == 480


def test_lines_and_characters_are_read(desk: Desk) -> None:
    near, far = CrossLink.pair("a", "b")
    far.write(b"one\ntwo", 0.0)
    script = UART + (
        "u = UART(UART.UART1, 115200)\ntime.sleep_ms(50)\nprint(u.readline(), u.readchar(), u.readchar(), u.read(1), "
        "u.readchar())\nb = bytearray(4)\nprint(u.readinto(b), u)\n"
    )
    assert desk.prints(script, ports=Ports({0: near})) == (
        "b'one\\n' 116 119 b'o' -1\nNone [MAIXPY]UART1:( baudrate=115200, bits=8, parity=None, stop=1)\n"
    )


def test_a_port_without_a_pin_sends_nothing_and_says_so(desk: Desk) -> None:
    near, far = CrossLink.pair("a", "b")
    result = desk.run("from machine import UART\nUART(UART.UART1, 115200).write('x')", ports=Ports({0: near}))
    assert far.read(1.0) == b""
    assert "reach no pin" in result.warnings[0]


@pytest.mark.parametrize(
    ("script", "line"),
    [
        ("UART(3)", "ValueError: [MAIXPY]UART3:does not exist"),
        ("UART(0, 9000000)", "ValueError: [MAIXPY]UART:invalid baudrate"),
        ("UART(0, 115200, 9)", "ValueError: [MAIXPY]UART:invalid data bits"),
        ("UART(0, 115200, 8, 5)", "ValueError: [MAIXPY]UART:invalid parity"),
        ("UART(0, 115200, 8, 0, 3)", "ValueError: [MAIXPY]UART:invalid stop bits"),
        ("UART(0, 115200, 8, 0, 1, 5)", "TypeError: function expected at most 5 arguments, got 6"),
        ("UART(0, 115200, speed=3)", "TypeError: extra keyword arguments given"),
        ("from Maix import GPIO\nGPIO(0, GPIO.OUT, GPIO.PULL_UP)",
         "ValueError: When this pin is in output mode, it is not allowed to pull up and down."),
        ("from Maix import GPIO\nGPIO(40)", "ValueError: invalid pin"),
        ("fm.register(35, fm.fpioa.GPIOHS0, force=False); fm.register(36, fm.fpioa.GPIOHS0, force=False)",
         "Exception: [Warning] function is used by fm.fpioa.GPIOHS0(pin:35)"),
        ("import machine\nmachine.I2C(machine.I2C.I2C0, scl=1, sda=2).writeto(0x40, b'1')", "OSError: [Errno 5] EIO"),
        ("import machine\nmachine.Timer(5, 0)", "ValueError: [MAIXPY]Timer:Invalid timer"),
        ("from Maix import freq\nfreq.set(cpu=5)", "OSError: Unsupported CPU frequency!"),
    ],
)  # fmt: skip
def test_errors_have_the_words_of_the_firmware(desk: Desk, script: str, line: str) -> None:
    assert desk.fails(UART + script) == line


def test_moving_a_function_to_another_pin_warns(desk: Desk) -> None:
    script = (
        "from fpioa_manager import fm\nfor pin in (18, 19): fm.register(pin, fm.fpioa.GPIOHS3)\n"
        "print(fm.get_pin_by_function(fm.fpioa.GPIOHS3))"
    )
    assert desk.prints(script) == "[Warning] function is used by fm.fpioa.GPIOHS3(pin:18)\n19\n"


def test_leds_are_driven_and_buttons_read(desk: Desk) -> None:
    script = """
    from Maix import GPIO
    from fpioa_manager import fm
    import time
    fm.register(8, fm.fpioa.GPIO0); fm.register(18, fm.fpioa.GPIOHS1)
    led, key = GPIO(GPIO.GPIO0, GPIO.OUT), GPIO(GPIO.GPIOHS1, GPIO.IN)
    for i in range(4):
        led.value(1 - key.value())
        time.sleep_ms(100)
    """
    desk.prints(script, pin_changes=[PinChange(0.15, 18, 0), PinChange(0.25, 18, None)])
    assert [(change.pin, change.level) for change in desk.board.pins.history] == [(8, 0), (8, 1), (8, 0)]


def test_a_watchdog_that_is_not_fed_ends_the_run(desk: Desk) -> None:
    assert (
        desk.run("from machine import WDT\nw = WDT(timeout=100)\nwhile True: pass").ended
        == "the watchdog reset the board"
    )


def test_files_of_the_card(desk: Desk) -> None:
    script = """
    import os
    os.mkdir('/sd/a')
    with open('/sd/a/b.txt', 'w') as f: print(f.write('hello'))
    os.rename('/sd/a/b.txt', '/sd/c.txt')
    print(os.listdir('/'), os.listdir('/sd'), os.stat('/sd/c.txt')[6], os.stat('/sd/a')[0] == 0x4000, os.getcwd())
    os.chdir('/sd/a'); print(open('../c.txt').read(), list(os.ilistdir('/sd')))
    os.remove('/sd/c.txt'); os.rmdir('/sd/a'); print(os.listdir('/sd'))
    try: open('/nowhere/x', 'w')
    except OSError as e: print(e)
    """
    assert desk.prints(script, sd=True) == (
        "5\n['flash', 'sd'] ['a', 'c.txt'] 5 True /sd\nhello [('a', 16384, 0, 0), ('c.txt', 32768, 0, 5)]\n[]\n"
        "[Errno 19] ENODEV\n"
    )


def test_small_modules_do_what_scripts_expect(desk: Desk) -> None:
    script = """
    import ustruct, ujson, ure, ubinascii, uhashlib, uheapq, ucollections, uio, math, array
    print(ustruct.pack('>2sH', 'ab', 3), ustruct.unpack('<H', b'\\x01\\x02\\x03'))
    print(ujson.loads('{"a": [1, 2.5]}'), ujson.dumps({'b': None}))
    print(ure.search('(\\\\d+)-(\\\\d+)', 'x 12-34').group(2), ure.compile(',').split('a,b'))
    print(ubinascii.hexlify(uhashlib.sha256(b'abc').digest())[:8])
    h = []; [uheapq.heappush(h, i) for i in (3, 1, 2)]; print(uheapq.heappop(h))
    P = ucollections.namedtuple('P', ('x', 'y')); print(P(1, 2).y, math.floor(2.7))
    s = uio.StringIO(); print('text', file=s); print(repr(s.getvalue()), array.array('H', [1, 2])[1])
    """
    assert desk.prints(script) == (
        "b'ab\\x00\\x03' (513,)\n{'a': [1, 2.5]} {\"b\": null}\n34 ['a', 'b']\nb'ba7816bf'\n1\n2 2\n'text\\n' 2\n"
    )


def test_random_numbers_are_the_same_in_every_run(desk: Desk) -> None:
    script = "import urandom, os\nprint(urandom.getrandbits(16), urandom.randint(1, 6), os.urandom(2))"
    assert desk.prints(script) == desk.prints(script)


def test_ends_of_serial_lines(tmp_path: Path) -> None:
    end = open_endpoint(f"file:{tmp_path / 'sent.bin'}")
    assert isinstance(end, FileEndpoint)
    end.write(b"abc", 0.0)
    end.close()
    assert (tmp_path / "sent.bin").read_bytes() == b"abc"
    with pytest.raises(InputError, match="exists already"):
        open_endpoint(f"file:{tmp_path / 'sent.bin'}")
    with pytest.raises(InputError, match="Give pty, tcp:PORT"):
        open_endpoint("usb")


def test_a_video_is_recorded_played_and_captured(desk: Desk) -> None:
    script = """
    import sensor, lcd, video, image
    lcd.init()
    sensor.reset(); sensor.set_pixformat(sensor.RGB565); sensor.set_framesize(sensor.QVGA)
    v = video.open('/sd/a.avi', record=1, interval=200000, quality=90)
    t = time.ticks_ms()
    for i in range(5): assert v.record(sensor.snapshot()) > 1000
    print(round((time.ticks_ms() - t) / 1000, 1))
    v.record_finish()
    v = video.open('/sd/a.avi')
    shown = 0
    while v.play(): shown += 1
    img = image.Image()
    print(shown, video.open('/sd/a.avi').capture(img), img.get_pixel(10, 10)[0] > 240)
    """
    assert desk.prints(script, sd=True).splitlines()[-2:] == ["0.9", "5 3 True"]


def test_a_recorded_video_opens_elsewhere(desk: Desk) -> None:
    cv2 = pytest.importorskip("cv2")
    script = """
    import sensor, video
    sensor.reset(); sensor.set_pixformat(sensor.RGB565); sensor.set_framesize(sensor.QVGA)
    v = video.open('/sd/a.avi', record=1)
    for i in range(3): v.record(sensor.snapshot())
    v.record_finish()
    """
    desk.prints(script, sd=True)
    capture = cv2.VideoCapture(str(desk.sd / "a.avi"))
    assert (int(capture.get(7)), int(capture.get(3)), int(capture.get(4))) == (3, 320, 240)
    assert capture.read()[0]


def test_an_m5stickv_lies_flat_and_still(desk: Desk) -> None:
    printed = desk.prints(
        """
        from machine import I2C
        bus = I2C(I2C.I2C0, freq=100000, scl=28, sda=29)
        print(bus.readfrom_mem(0x68, 0x75, 1)[0], bus.readfrom_mem(0x68, 0x3B, 6))
        """,
        kind=board_kind("m5stickv"),
        firmware="m5stickv",
    )
    assert printed == "25 b'\\x00\\x00\\x00\\x00@\\x00'\n"


def test_board_info_is_a_class_whose_functions_take_no_self(desk: Desk) -> None:
    script = """
    import board
    board.board_info.set("MY_PIN", 7)
    pins = board.board_info()
    print(pins.BOOT_KEY, pins.MY_PIN, "MY_PIN" in board.board_info.all())
    """
    assert desk.prints(script).splitlines()[-1] == "16 7 True"
    assert desk.fails("from board import board_info\nboard_info.NO") == (
        "AttributeError: type object 'board_info' has no attribute 'NO'"
    )


def test_an_m5stickv_shows_its_power_chip_and_one_motion_sensor(desk: Desk) -> None:
    script = """
    from machine import I2C
    i2c = I2C(I2C.I2C0, freq=100000, scl=28, sda=29)
    print(i2c.scan(), i2c.readfrom_mem(0x68, 0x75, 1), i2c.readfrom_mem(0x6C, 0x30, 1))
    """
    assert desk.prints(script, kind=board_kind("m5stickv")) == "[52, 104] b'\\x19' b'\\x18'\n"


def test_flash_is_full_after_three_megabytes_and_writing_takes_its_time(desk: Desk) -> None:
    script = """
    import time
    f = open("/flash/log.txt", "w")
    began = time.ticks_ms()
    f.write("x" * 40960)
    print(time.ticks_ms() - began)
    while True: f.write(bytes(100000))
    """
    result = desk.run(script)
    assert 500 <= int(result.printed.split()[0]) <= 530
    assert result.error is not None
    assert result.error.splitlines()[-1] == "OSError: 28"
    assert 2_600_000 < (desk.flash / "log.txt").stat().st_size < 2_800_000
