"""Serial ports: found by their USB chip, opened with errors that say what to do."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from k210kit.errors import DeviceError, MissingExtraError

from .boards import BOARDS

__all__ = [
    "PORT_FAULTS",
    "FoundPort",
    "Port",
    "PortLost",
    "choose_port",
    "explain_open_failure",
    "find_ports",
    "has_no_lines",
    "line_speed",
    "open_port",
]

# USB chips on K210 boards and on the cables people use; (vendor, product or None for any)
_SERIAL_VENDORS = {0x1A86: "WCH CH340/CH552", 0x0403: "FTDI", 0x067B: "Prolific", 0x10C4: "Silicon Labs", 0xC251: "DAP"}
_DRIVERS = {
    0x1A86: "ch341 (Linux), the CH341SER driver of wch-ic.com (Windows, macOS before 10.14)",
    0x0403: "ftdi_sio (Linux), the VCP driver of ftdichip.com (Windows)",
    0x067B: "pl2303 (Linux), the PL2303 driver of prolific.com.tw (Windows)",
    0x10C4: "cp210x (Linux), the CP210x VCP driver of silabs.com (Windows)",
}


def _port_faults() -> tuple[type[Exception], ...]:
    try:
        import termios
    except ImportError:
        return (OSError,)
    return (OSError, termios.error)


PORT_FAULTS = _port_faults()  # what pyserial lets through when the cable is pulled; termios.error is no OSError


def line_speed(handle: int) -> int | None:
    """The speed that the program at the other end of a pseudo terminal has set; None if it is no standard one."""
    import termios

    speeds: dict[int, int] = {
        getattr(termios, name): int(name[1:]) for name in dir(termios) if name[0] == "B" and name[1:].isdigit()
    }
    return speeds.get(termios.tcgetattr(handle)[4])


def has_no_lines(error: Exception) -> bool:
    """Whether an error only says that this kind of port has no DTR and RTS (a pseudo-terminal, Bluetooth)."""
    return isinstance(error, OSError) and error.errno in (errno.ENOTTY, errno.EINVAL)


class Port(Protocol):
    """What the kit needs of a serial port: the part of pyserial's `Serial` that the pretend port has too."""

    baudrate: int
    timeout: float | None
    dtr: bool
    rts: bool

    @property
    def in_waiting(self) -> int: ...

    def write(self, data: bytes, /) -> int | None: ...

    def read(self, size: int = 1, /) -> bytes: ...

    def flush(self) -> None: ...

    def reset_input_buffer(self) -> None: ...

    def open(self) -> None: ...

    def close(self) -> None: ...


class PortLost(DeviceError):
    """The port went away while it was in use: the cable, the board's power, or the USB chip."""


@dataclass(frozen=True, kw_only=True)
class FoundPort:
    """A serial port of this computer; `vendor` and `product` are None where there is no USB chip behind it."""

    name: str
    title: str
    vendor: int | None = None
    product: int | None = None
    serial_number: str | None = None

    @property
    def is_usb(self) -> bool:
        return self.vendor is not None


def find_ports() -> tuple[FoundPort, ...]:
    """The serial ports of this computer that have a USB chip, those that K210 boards have first."""
    _need_pyserial()
    from serial.tools import list_ports

    found = [
        FoundPort(
            name=port.device,
            title=port.description or port.device,
            vendor=port.vid,
            product=port.pid,
            serial_number=port.serial_number,
        )
        for port in list_ports.comports()
        if port.vid is not None
    ]
    known = {pair for board in BOARDS for pair in board.usb}
    return tuple(sorted(found, key=lambda port: ((port.vendor, port.product) not in known, port.name)))


def choose_port(
    found: Iterable[FoundPort], *, without_driver: Callable[[], tuple[int, ...]] | None = None
) -> tuple[FoundPort, ...]:
    """The ports worth trying, best first; `DeviceError` that says why there is none."""
    ports = tuple(port for port in found if port.is_usb)
    if ports:
        return ports
    unbound = (without_driver or usb_without_driver)()
    if unbound:
        names = ", ".join(
            f"{_SERIAL_VENDORS[vendor]} (needs {_DRIVERS.get(vendor, 'its driver')})" for vendor in unbound
        )
        raise DeviceError(f"A board's USB chip is plugged in, but no driver made a serial port of it: {names}.")
    raise DeviceError(
        "No serial port was found. Plug the board in with a cable that carries data (many only charge), "
        "straight into the computer. If the port is known, name it with --port; "
        "to try things without a board, use --port virtual:FLASH.bin."
    )


def usb_without_driver(devices: Path = Path("/sys/bus/usb/devices")) -> tuple[int, ...]:
    """USB vendors of serial chips that are plugged in and have no tty (Linux; elsewhere nothing is known)."""
    found = []
    for path in sorted(devices.glob("*/idVendor")) if devices.is_dir() else ():
        try:
            vendor = int(path.read_text(), 16)
        except (OSError, ValueError):
            continue
        has_tty = any(path.parent.glob("*/tty*")) or any(path.parent.glob("*/*/tty*"))
        if vendor in _SERIAL_VENDORS and not has_tty:
            found.append(vendor)
    return tuple(found)


def open_port(name: str, baud: int = 115_200, *, lines: bool = False) -> Port:
    """Open a port for this program alone; `lines` is the state of DTR and RTS on opening (False leaves a board run)."""
    _need_pyserial()
    import serial

    port: Any = serial.Serial()  # Any: pyserial's stubs know `exclusive` on some systems only
    port.port, port.baudrate, port.timeout = name, baud, 0.1
    port.dtr = port.rts = lines
    if os.name == "posix":
        port.exclusive = True
    try:
        port.open()
    except (serial.SerialException, OSError) as error:
        raise explain_open_failure(name, error) from error
    opened: Port = port
    return opened


def explain_open_failure(name: str, error: OSError) -> DeviceError:
    """Say why a port cannot be opened, and what to do."""
    number = _error_number(error)
    if number in (errno.ENOENT, errno.ENAMETOOLONG) or "FileNotFoundError" in str(error):
        return DeviceError(f"There is no port {name}. {_others()}")
    if number in (errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK) or (sys.platform == "win32" and number == errno.EACCES):
        return DeviceError(f"{name} is in use by {_holder(name)}. Close it (MaixPy IDE: Disconnect), then try again.")
    if number in (errno.EACCES, errno.EPERM) or "PermissionError" in str(error):
        return DeviceError(f"You may not open {name}. {_how_to_get_permission(name)}")
    if Path(name).exists() and not Path(name).is_char_device() and os.name == "posix":
        return DeviceError(f"{name} is no serial port. {_others()}")
    return DeviceError(f"{name} cannot be opened: {error}. Unplug the board, plug it in again, and try once more.")


def _error_number(error: OSError) -> int | None:
    text = str(error)
    if "could not exclusively lock" in text or ("PermissionError(13" in text and sys.platform == "win32"):
        return errno.EBUSY
    return error.errno


def _others() -> str:
    names = ", ".join(f"{port.name} ({port.title})" for port in find_ports())
    return f"There are: {names}." if names else "No other serial port with a USB chip is there either."


def _holder(name: str) -> str:
    """The program that has the port open, where the system tells (Linux)."""
    target = os.path.realpath(name)
    for process in Path("/proc").glob("[0-9]*") if Path("/proc").is_dir() else ():
        try:
            if any(os.path.realpath(handle) == target for handle in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
        except OSError:
            continue
    return "another program"


def _how_to_get_permission(name: str) -> str:
    if os.name != "posix":
        return "Another program may have it open: close it, and try again."
    import grp

    try:
        group = grp.getgrgid(Path(name).stat().st_gid).gr_name
        members = grp.getgrnam(group).gr_mem
    except (OSError, KeyError):
        return "Ask who runs this computer for access to serial ports."
    user = os.environ.get("USER", "")
    if group == "root":  # to join it would open the whole computer
        return "It is for root alone. Let a group have the computer's serial ports, as dialout does, and join that one."
    if user and user in members:
        return f"You are in its group {group!r} already, but since you logged in: log out and in again."
    join = f"sudo usermod -aG {group} {user or '$USER'}"
    return f"It belongs to the group {group!r}. Join it with: {join}, then log out and in again."


def _need_pyserial() -> None:
    import importlib.util

    if importlib.util.find_spec("serial") is None:
        raise MissingExtraError("pyserial", extra="device", purpose="talking to a board")
