"""`k210kit run`: a process of its own, with the reports, the exit codes and the limits that users rely on."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from k210kit.emulator import RunRequest, run
from k210kit.errors import FileError, InputError
from tests.inspection.cards import card
from tests.inspection.test_spiffs import chip_area

CAMERA = (
    "import sensor, lcd, time\nlcd.init()\nsensor.reset()\nsensor.set_pixformat(sensor.RGB565)\n"
    "sensor.set_framesize(sensor.QVGA)\n"
)
LOOP = "while True:\n    lcd.display(sensor.snapshot())\n"


def command(*arguments: str | Path, **kwargs: Any) -> subprocess.CompletedProcess[str]:
    """Run the command line (Any: of subprocess)."""
    return subprocess.run(
        [sys.executable, "-m", "k210kit", "run", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        **kwargs,
    )


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "main.py"
    path.write_text(CAMERA + "print('ready')\n" + LOOP)
    return path


def test_json_has_what_the_contract_promises_and_nothing_else_is_on_stdout(script: Path) -> None:
    done = command(script, "--frames", "5", "--json")
    made = json.loads(done.stdout)
    assert done.returncode == 0
    assert {"frames", "fps_board_estimate", "printed", "error", "heap"} <= made.keys()
    assert (made["frames"], made["error"], made["ended"]) == (5, None, "frames")
    assert made["printed"].endswith("ready\n")
    assert made["heap"]["held"]["camera buffers"] == 384_000
    assert "ready" in done.stderr


def test_a_script_that_fails_gives_exit_code_3_and_the_boards_traceback(script: Path) -> None:
    script.write_text("import sensor\nsensor.snapshot()\n", encoding="utf-8")
    done = command(script, "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"] == (
        'Traceback (most recent call last):\n  File "main.py", line 2, in <module>\nTypeError: not found sensor\n'
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--camera", "nothing.jpg"], "nothing.jpg does not exist"),
        (["--flash", "300000h=x"], "is no flash address"),
        (["--sd", "nowhere"], "nowhere does not exist"),
        (["--uart", "UART9=pty"], "is no serial port of the board"),
        (["--firmware", "newest"], "newest"),
        (["--board", "esp32"], "There is no board 'esp32'. Known: "),
        (["--frames", "0"], "is not in the range 1<=x"),
        (["--lcd", "http:x"], "is no TCP port"),
    ],
)
def test_wrong_input_is_one_message_and_exit_code_2(script: Path, arguments: list[str], message: str) -> None:
    done = command(script, *arguments)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_missing_script_is_a_file_error(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="does not exist"):
        run(RunRequest(script=str(tmp_path / "none.py")))


def test_a_folder_boots_as_a_board_does(tmp_path: Path) -> None:
    (tmp_path / "card").mkdir()
    (tmp_path / "card" / "boot.py").write_text("print('boot')\nx = 1\n")
    (tmp_path / "card" / "main.py").write_text("import helper\nprint('main', helper.y, open('labels.txt').read())\n")
    (tmp_path / "card" / "helper.py").write_text("y = 2\n")
    (tmp_path / "card" / "labels.txt").write_text("cat")
    made = run(RunRequest(script=str(tmp_path / "card")))
    assert made.printed.splitlines()[-2:] == ["boot", "main 2 cat"]
    assert "[MaixPy] init end" in made.printed


def test_a_single_script_sees_modules_and_models_beside_it_but_no_other_files(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("y = 2\n")
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "main.py").write_text("import helper, os\nprint(os.listdir())\nopen('secret.txt')\n")
    made = run(RunRequest(script=str(tmp_path / "main.py")))
    assert "['helper.py', 'main.py']" in made.printed
    assert made.error is not None
    assert made.error.endswith("OSError: [Errno 2] ENOENT\n")


def test_flash_has_the_files_of_an_image_of_the_chip(tmp_path: Path) -> None:
    chip = b"\xff" * 0xD00000 + chip_area({"/labels.txt": b"cat", "/lib/far.py": b"y = 2\n", "/../out.py": b"bad"})
    (tmp_path / "chip.bin").write_bytes(chip)
    (tmp_path / "main.py").write_text("from lib import far\nprint(far.y, open('/flash/labels.txt').read())\n")
    made = run(RunRequest(script=str(tmp_path / "main.py"), flash=(str(tmp_path / "chip.bin"),)))
    assert made.error is None
    assert "2 cat" in made.printed
    assert (tmp_path / "chip.bin").read_bytes() == chip


def test_what_a_script_writes_to_flash_is_gone_and_what_it_writes_to_sd_stays(tmp_path: Path) -> None:
    (tmp_path / "sd").mkdir()
    (tmp_path / "main.py").write_text("open('/flash/a', 'w').write('1')\nopen('/sd/b', 'w').write('2')\n")
    assert run(RunRequest(script=str(tmp_path / "main.py"), sd=str(tmp_path / "sd"))).error is None
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["b", "main.py"]


ESCAPES = {
    "a host path": "open('/etc/hostname')",
    "a path upwards": "open('/flash/../../../etc/hostname')",
    "a link": "open('/sd/link')",
    "the kit's own objects": "import image\nimage.Image()._workshop.board.files.mounts",
}


@pytest.mark.parametrize("name", ESCAPES)
def test_files_of_this_computer_are_out_of_reach(tmp_path: Path, name: str) -> None:
    (tmp_path / "sd").mkdir()
    (tmp_path / "sd" / "link").symlink_to("/etc/hostname")
    (tmp_path / "main.py").write_text(ESCAPES[name])
    made = run(RunRequest(script=str(tmp_path / "main.py"), sd=str(tmp_path / "sd")))
    assert made.error is not None


@pytest.mark.parametrize(
    "text",
    ["l = []\nwhile True: l.append(bytearray(1000))", "l = []\nwhile True: l.append([1, 2, 3])", "b'x' * (1 << 31)"],
)
@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited and watched through Linux")
def test_a_script_that_allocates_without_end_dies_as_on_the_board_within_1_gb(tmp_path: Path, text: str) -> None:
    (tmp_path / "main.py").write_text(text)
    measured = (  # in a process of its own: the figure is of all children that a process ever had
        "import resource, subprocess, sys\n"
        "command = [sys.executable, '-m', 'k210kit', 'run', sys.argv[1], '--json']\n"
        "done = subprocess.run(command, stdout=subprocess.PIPE)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
        "print(done.stdout.decode())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", measured, tmp_path / "main.py"], capture_output=True, text=True, check=True, timeout=60
    )
    kilobytes, _, made = done.stdout.partition("\n")
    assert "MemoryError: memory allocation failed" in json.loads(made)["error"]
    assert int(kilobytes) < 1_000_000


def test_a_script_that_works_for_long_is_not_taken_for_one_that_allocates(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        "from Maix import GPIO\nfrom fpioa_manager import fm\nfm.register(8, fm.fpioa.GPIO0)\n"
        "led = GPIO(GPIO.GPIO0, GPIO.OUT)\nfor i in range(300000):\n    led.value(i & 1)\n"
        "for i in range(20000): print(i)\n"
    )
    assert run(RunRequest(script=str(tmp_path / "main.py"))).error is None


def test_the_lcd_goes_into_a_folder(script: Path, tmp_path: Path) -> None:
    made = run(RunRequest(script=str(script), frames=3, lcd=str(tmp_path / "lcd")))
    files = sorted((tmp_path / "lcd").iterdir())
    assert len(files) == made.screens
    shown = np.asarray(Image.open(files[-1]))
    assert shown.shape == (240, 320, 3)
    assert tuple(shown[20, 300]) == (0, 0, 0)  # the pattern's black bar
    assert tuple(shown[20, 10]) == (255, 255, 255)


def test_a_serial_port_goes_to_a_tcp_port_and_back(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "main.py").write_text(
        "from machine import UART\nfrom fpioa_manager import fm\nfm.register(35, fm.fpioa.UART1_TX)\n"
        "fm.register(34, fm.fpioa.UART1_RX)\nuart = UART(UART.UART1, 115200)\n"
        "while True:\n    got = uart.read()\n    if got:\n        uart.write(b'<' + got + b'>')\n"
    )
    answers: list[bytes] = []

    def talk() -> None:
        for _ in range(100):
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=5) as far:
                    far.sendall(b"hello")
                    answers.append(far.recv(100))
                    return
            except OSError:
                time.sleep(0.05)

    talker = threading.Thread(target=talk)
    talker.start()
    run(RunRequest(script=str(tmp_path / "main.py"), uart=(f"UART1=tcp:{port}",), seconds=3.0))
    talker.join()
    assert answers
    assert answers[0].startswith(b"<")
    assert b"h" in answers[0]


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no pseudo terminals")
def test_a_serial_port_goes_to_a_pty_at_the_pace_of_the_baud_rate(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        "from machine import UART\nfrom fpioa_manager import fm\nfm.register(35, fm.fpioa.UART1_TX)\n"
        "uart = UART(UART.UART1, 9600)\nt = time.ticks_ms()\nuart.write(b'x' * 480)\nprint(time.ticks_ms() - t)\n"
    )
    made = run(RunRequest(script=str(tmp_path / "main.py"), uart=("UART1=pty",), fast=True))
    assert made.printed == "500\n"
    assert made.endpoints["0"].startswith("/dev/")


def test_buttons_are_driven_from_a_timeline(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        "from Maix import GPIO\nfrom fpioa_manager import fm\nfm.register(18, fm.fpioa.GPIOHS0)\n"
        "key = GPIO(GPIO.GPIOHS0, GPIO.IN, GPIO.PULL_UP)\n"
        "key.irq(lambda pin: print('edge', pin.value(), time.ticks_ms()), GPIO.IRQ_BOTH)\n"
        "print(key.value())\ntime.sleep(3)\n"
    )
    (tmp_path / "pins.txt").write_text("1.5 18 0  # pressed\n2.0 18 -  # let go\n")
    made = run(RunRequest(script=str(tmp_path / "main.py"), pins=str(tmp_path / "pins.txt")))
    assert made.printed == "1\nedge 0 1500\nedge 1 2000\n"
    (tmp_path / "pins.txt").write_text("soon 18 0\n")
    with pytest.raises(InputError, match="line 1"):
        run(RunRequest(script=str(tmp_path / "main.py"), pins=str(tmp_path / "pins.txt")))


def test_the_prompt_reads_lines(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("x = 20\n")
    done = command(tmp_path / "main.py", "-i", "--fast", input="x + 1\nfor i in range(2):\n  print(i)\n\n1/0\n")
    assert ">>> 21\n" in done.stdout
    assert "0\n1\n" in done.stdout
    assert "ZeroDivisionError: divide by zero" in done.stdout


def test_real_time_is_kept(script: Path) -> None:
    began = time.monotonic()
    made = run(RunRequest(script=str(script), seconds=2.0, realtime=True))
    assert time.monotonic() - began > 1.9
    assert made.seconds_board == pytest.approx(2.0, abs=0.2)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of a terminal")
def test_ctrl_c_ends_the_script_and_the_report_comes(script: Path) -> None:
    script.write_text(
        CAMERA + "print('ready')\ntry:\n    while True: time.sleep(60)\nexcept: pass\nprint('never')\n",
        encoding="utf-8",
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "k210kit", "run", str(script), "--realtime", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stderr is not None
    while "ready" not in process.stderr.readline():
        pass
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    made = json.loads(out)
    assert (made["ended"], made["error"]) == ("keyboard", None)
    assert "never" not in made["printed"]


def test_an_image_of_a_card_is_the_card_and_stays_as_it_is(tmp_path: Path) -> None:
    image = card(tmp_path / "card.img", 16, {"MAIN.PY": b"value = 7\n", "LIB/DATA.TXT": b"hello"})
    before = image.read_bytes()
    (tmp_path / "main.py").write_text(
        "import os\nprint(os.getcwd(), sorted(os.listdir('/sd')), open('/sd/LIB/DATA.TXT').read())\n"
        "open('/sd/new.txt', 'w').write('x')\nprint('new.txt' in os.listdir('/sd'))\n"
    )
    result = run(RunRequest(script=str(tmp_path / "main.py"), sd=str(image)))
    assert result.printed == "/sd ['LIB', 'MAIN.PY', 'main.py'] hello\nTrue\n"
    assert image.read_bytes() == before
    (tmp_path / "text.img").write_text("no card")
    with pytest.raises(InputError, match=r"text\.img: This is no image of an SD card"):
        run(RunRequest(script=str(tmp_path / "main.py"), sd=str(tmp_path / "text.img")))
