"""Where a stream comes from: a serial port or pty, a TCP connection, or a file that was recorded."""

from __future__ import annotations

import select
import time
from pathlib import Path
from typing import Protocol

from k210kit.device.serial_port import PORT_FAULTS, Port, PortLost, open_port
from k210kit.files import read_whole
from k210kit.tcp import connected

__all__ = ["FileLine", "Line", "SerialLine", "TcpLine", "open_line"]

_BLOCK = 65536


class Line(Protocol):
    """Bytes both ways."""

    name: str
    baud: int  # 0 where there is no such thing

    def read(self, seconds: float) -> bytes | None:
        """What has come, waiting at most `seconds` for the first byte; None when the other side has ended."""
        ...

    def write(self, data: bytes) -> None: ...

    def set_baud(self, baud: int) -> None: ...

    def close(self) -> None: ...


class SerialLine:
    """A serial port, or a pty that stands for one."""

    def __init__(self, name: str, baud: int) -> None:
        self.name, self.baud = name, baud
        self._port: Port = open_port(name, baud)

    def read(self, seconds: float) -> bytes | None:
        try:
            self._port.timeout = seconds
            first = self._port.read(1)
            waiting = self._port.in_waiting if first else 0
            return first + self._port.read(min(waiting, _BLOCK)) if waiting else first
        except PORT_FAULTS as fault:
            raise PortLost(
                f"{self.name} went away while it was read. Check cable and power, then start again."
            ) from fault

    def write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except PORT_FAULTS as fault:
            raise PortLost(f"{self.name} went away while it was written. Check cable and power.") from fault

    def set_baud(self, baud: int) -> None:
        self._port.flush()
        self.baud = self._port.baudrate = baud

    def close(self) -> None:
        self._port.close()


class TcpLine:
    """A TCP connection to a program that offers a stream; speeds are agreed on and have no effect."""

    def __init__(self, source: str) -> None:
        self.name, self.baud = source, 0
        self._socket = connected(source, "Start the other side first.")

    def read(self, seconds: float) -> bytes | None:
        try:
            if not select.select([self._socket], [], [], seconds)[0]:
                return b""
            return self._socket.recv(_BLOCK) or None
        except ConnectionError:
            return None

    def write(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError:
            return  # the other side has left: the next read says so

    def set_baud(self, baud: int) -> None:
        return None

    def close(self) -> None:
        self._socket.close()


class FileLine:
    """A recorded stream, as fast as it can be read; or at the speed of a line, if `baud` says so."""

    def __init__(self, path: Path, baud: int = 0) -> None:
        self.name, self.baud = str(path), baud
        self._data, self._at = read_whole(path), 0

    def read(self, seconds: float) -> bytes | None:
        if self._at >= len(self._data):
            return None
        count = max(self.baud // 10 // 50, 1) if self.baud else _BLOCK
        if self.baud:
            time.sleep(count * 10 / self.baud)
        piece = self._data[self._at : self._at + count]
        self._at += count
        return piece

    def write(self, data: bytes) -> None:
        return None

    def set_baud(self, baud: int) -> None:
        return None

    def close(self) -> None:
        return None


def open_line(source: str, baud: int) -> Line:
    """`tcp:HOST:PORT` or `tcp:PORT`, `file:NAME`, or a serial port or pty. Raises `InputError`."""
    kind, _, rest = source.partition(":")
    if kind == "tcp":
        return TcpLine(source)
    if kind == "file":
        return FileLine(Path(rest))
    return SerialLine(source, baud)
