"""The published kflash program, unmodified, against the pretend board: what shows that the board is faithful."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import types
from pathlib import Path

import pytest
from benchmarks.flashing import BOARDS, kit, wire_limit
from benchmarks.flashing import kflash as published

from k210kit.device import FlashFile, plan_flash
from k210kit.device.boards import SEQUENCES
from k210kit.device.flash_chip import INSTANT, FlashChip, FlashTiming
from k210kit.device.virtual import PtyBoard, VirtualPort
from k210kit.package import Kfpkg, KfpkgFile, wrap, write_kfpkg

kflash = pytest.importorskip("kflash")

PROGRAM = bytes(range(256)) * 300 + b"\xc0\xdb" * 20_000
MODEL = b"\x03\x00\x00\x00" + bytes(200_001)

# A pseudo-terminal has no reset lines and refuses to set them. This gives them one: what pyserial would ask of the
# kernel goes through a pipe to the board. kflash itself runs as it is.
RUN_KFLASH = """
import os, sys, serial
def lines(self):
    os.write(int(os.environ["LINES_FD"]), b"%d %d\\n" % (self._dtr_state, self._rts_state))
serial.Serial._update_dtr_state = serial.Serial._update_rts_state = lines
import kflash
kflash.main()
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    path = tmp_path / "camera.kfpkg"
    made = Kfpkg(
        files=(
            KfpkgFile(address=0, name="maixpy.bin", data=PROGRAM, sha256_prefix=True),
            KfpkgFile(address=0x300000, name="model.kmodel", data=MODEL),
        )
    )
    write_kfpkg(made, path)
    return path


def expect_image(chip: FlashChip) -> None:
    wrapped = wrap(PROGRAM)
    assert chip.read(0, len(wrapped)) == wrapped
    assert chip.read(0x300000, len(MODEL)) == MODEL
    rest = bytes(chip.data[len(wrapped) : 0x300000] + chip.data[0x300000 + len(MODEL) :])
    assert rest == b"\xff" * len(rest)


@pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are of Unix")
@pytest.mark.parametrize("baud", [115200, 1500000])
def test_the_real_program_flashes_a_package_over_a_pseudo_terminal(package: Path, baud: int) -> None:
    chip = FlashChip(timing=INSTANT)
    with PtyBoard(chip) as board:
        done = subprocess.run(
            [sys.executable, "-c", RUN_KFLASH, "-p", board.device, "-b", str(baud), "-B", "dan", "-S", "-n", package],
            capture_output=True, text=True, timeout=60, check=False, pass_fds=[board.lines_fd],
            env={**os.environ, "LINES_FD": str(board.lines_fd)},
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "Rebooting" in done.stdout
    expect_image(chip)


@pytest.mark.parametrize("kind", ["dan", "kd233", "goD"])
def test_kflash_finds_each_kind_of_reset_by_itself(kind: str, package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chip = FlashChip()
    port = VirtualPort(chip, wiring=SEQUENCES[kind].wiring)
    monkeypatch.setattr("serial.Serial", lambda **_: port)
    clock = types.SimpleNamespace(time=port.clock.now, sleep=port.clock.sleep)
    monkeypatch.setattr(kflash, "time", clock)
    flasher = kflash.KFlash()
    flasher.process(terminal=False, dev="virtual", baudrate=1_500_000, file=str(package), noansi=True)
    expect_image(chip)


@pytest.mark.parametrize(("timing", "crc"), [row[1:] for row in BOARDS], ids=[row[0] for row in BOARDS])
def test_the_kit_is_not_slower_than_kflash_on_the_same_board(timing: FlashTiming, crc: float) -> None:
    plan = plan_flash([FlashFile(name="p", address=0, data=wrap(random.Random(3).randbytes(1_000_000)))])
    seconds, _ = kit(plan, timing, crc)
    theirs, _ = published(plan, timing, crc)
    assert seconds <= theirs


def test_where_only_the_wire_takes_time_98_percent_of_it_are_used() -> None:
    plan = plan_flash([FlashFile(name="p", address=0, data=wrap(random.Random(3).randbytes(1_000_000)))])
    _, timing, crc = next(row for row in BOARDS if row[0] == "board that needs no time")
    assert kit(plan, timing, crc)[1] > 0.98 * wire_limit(plan)
