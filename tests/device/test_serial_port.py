from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from k210kit.device import serial_port
from k210kit.device.boards import BOARDS, SEQUENCES, board, guess
from k210kit.device.serial_port import FoundPort, choose_port, explain_open_failure, usb_without_driver
from k210kit.errors import DeviceError, InputError

pytest.importorskip("serial")
CH340 = FoundPort(name="/dev/ttyUSB0", title="USB Serial", vendor=0x1A86, product=0x7523)


def test_no_port_says_to_plug_in_a_data_cable() -> None:
    with pytest.raises(DeviceError, match=r"No serial port was found. Plug the board in with a cable that carries"):
        choose_port([], without_driver=lambda: ())


def test_a_chip_without_a_driver_is_told_with_the_driver() -> None:
    with pytest.raises(DeviceError, match=r"no driver made a serial port of it: WCH CH340/CH552 \(needs ch341"):
        choose_port([], without_driver=lambda: (0x1A86,))


def test_ports_without_a_usb_chip_are_not_chosen() -> None:
    assert choose_port([FoundPort(name="/dev/ttyS0", title="ttyS0"), CH340]) == (CH340,)


def test_usb_chips_without_a_tty_are_found(tmp_path: Path) -> None:
    for name, vendor, tty in (("1-1", "1a86", False), ("1-2", "0403", True), ("1-3", "046d", False)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "idVendor").write_text(vendor + "\n")
        if tty:
            (tmp_path / name / f"{name}:1.0" / "ttyUSB0").mkdir(parents=True)
    assert usb_without_driver(tmp_path) == (0x1A86,)


def test_a_missing_port_lists_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial_port, "find_ports", lambda: (CH340,))
    error = explain_open_failure("/dev/ttyUSB7", FileNotFoundError(errno.ENOENT, "no"))
    assert str(error) == "There is no port /dev/ttyUSB7. There are: /dev/ttyUSB0 (USB Serial)."


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="who holds a port is told on Linux")
def test_a_busy_port_names_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "port"
    with path.open("w"):
        error = explain_open_failure(str(path), OSError(errno.EBUSY, "busy"))
    assert f"(process {os.getpid()})" in str(error)
    assert "is in use by" in str(error)


@pytest.mark.skipif(os.name != "posix", reason="groups are of Unix")
@pytest.mark.parametrize(
    ("group", "members", "cure"),
    [
        ("dialout", [], "Join it with: sudo usermod -aG dialout anna, then log out and in again."),
        ("dialout", ["anna"], "You are in its group 'dialout' already, but since you logged in: log out and in again."),
        ("root", [], "It is for root alone. Let a group have the computer's serial ports, as dialout does"),
    ],
)
def test_no_permission_names_the_group_and_what_to_do(
    group: str, members: list[str], cure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import grp

    entry = grp.struct_group((group, "x", 20, members))
    monkeypatch.setattr(grp, "getgrgid", lambda _: entry)
    monkeypatch.setattr(grp, "getgrnam", lambda _: entry)
    monkeypatch.setenv("USER", "anna")
    path = tmp_path / "port"
    path.touch()
    error = str(explain_open_failure(str(path), PermissionError(errno.EACCES, "denied")))
    assert error.startswith(f"You may not open {path}.")
    assert cure in error


def test_the_board_that_only_locks_its_port_is_busy() -> None:
    text = "[Errno 11] Could not exclusively lock port /dev/ttyUSB0: [Errno 11] Resource temporarily unavailable"
    assert "is in use by" in str(explain_open_failure("/dev/null", OSError(errno.EAGAIN, text)))


def test_every_board_has_a_known_way_of_resetting_and_words_for_the_hand() -> None:
    assert len({one.name.lower() for one in BOARDS}) == len(BOARDS)
    for one in BOARDS:
        assert one.sequence in SEQUENCES
        assert one.by_hand


def test_boards_are_found_by_name_and_by_usb_chip() -> None:
    assert board("UNITV").title == "M5Stack UnitV"
    assert {one.name for one in guess(0x1A86, 0x7523)} >= {"dan", "bit"}
    assert guess(None, None) == BOARDS
    with pytest.raises(InputError, match=r"There is no board 'esp32'. Known: unitv, stickv"):
        board("esp32")
