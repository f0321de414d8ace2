"""Where the board's serial ports end: nowhere, a pty, a TCP port, a file, or another emulated board.

A `Line` carries bytes at the baud rate of board time; an `Endpoint` is the other side, on this computer.
"""

from __future__ import annotations

import os
import select
import socket
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from k210kit.errors import DeviceError, InputError, UnsupportedError

__all__ = [
    "CrossLink",
    "Endpoint",
    "FileEndpoint",
    "NoEndpoint",
    "Ports",
    "PtyEndpoint",
    "TcpEndpoint",
    "listening",
    "open_endpoint",
]


class Endpoint(Protocol):
    """The far end of a serial line."""

    name: str

    def write(self, data: bytes, seconds: float) -> None:
        """Bytes that the board sent; the last of them arrived at that moment of board time."""
        ...

    def read(self, seconds: float) -> bytes:
        """Bytes for the board that are there at that moment; never waits."""
        ...

    def close(self) -> None: ...


@dataclass
class NoEndpoint:
    """Nothing is connected."""

    name: str = "nothing"

    def write(self, data: bytes, seconds: float) -> None:
        return None

    def read(self, seconds: float) -> bytes:
        return b""

    def close(self) -> None:
        return None


class FileEndpoint:
    """What the board sends goes to a file; the board receives nothing."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        try:
            self._stream: BinaryIO = path.open("xb")
        except FileExistsError:
            raise InputError(f"{path} exists already. Give another name for what the board sends.") from None
        except OSError as failure:
            raise InputError(f"{path} cannot be written: {failure.strerror}.") from None

    def write(self, data: bytes, seconds: float) -> None:
        self._stream.write(data)

    def read(self, seconds: float) -> bytes:
        return b""

    def close(self) -> None:
        self._stream.close()


class PtyEndpoint:
    """A serial port of this computer that other programs can open; `name` is what they open."""

    def __init__(self) -> None:
        try:
            import pty
            import tty
        except ImportError:
            raise UnsupportedError("This system has no pseudo terminals. Use tcp:PORT instead of pty.") from None
        self._near, self._far = pty.openpty()
        tty.setraw(self._far)
        os.set_blocking(self._near, False)
        self.name = os.ttyname(self._far)

    def write(self, data: bytes, seconds: float) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._near, view) :]
            except BlockingIOError:  # nobody reads: a real line would lose the bytes too
                if not select.select([], [self._near], [], 0.05)[1]:
                    return

    def read(self, seconds: float) -> bytes:
        try:
            return os.read(self._near, 65536)
        except (BlockingIOError, OSError):
            return b""

    def close(self) -> None:
        os.close(self._near)
        os.close(self._far)


def listening(port: int) -> socket.socket:
    """A socket of this computer alone that waits for clients at a TCP port and never blocks; 0 takes a free one."""
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind(("127.0.0.1", port))
    except OSError as failure:
        server.close()
        raise DeviceError(f"TCP port {port} cannot be opened: {failure.strerror}. Choose another.") from None
    server.listen()
    server.setblocking(False)
    return server


class TcpEndpoint:
    """A TCP port on this computer; the newest client is the far end."""

    def __init__(self, port: int) -> None:
        self._server = listening(port)
        self._client: socket.socket | None = None
        self.name = f"127.0.0.1:{self._server.getsockname()[1]}"

    def _accept(self) -> socket.socket | None:
        try:
            client, _ = self._server.accept()
        except BlockingIOError:
            return self._client
        if self._client is not None:
            self._client.close()
        client.setblocking(False)
        self._client = client
        return client

    def write(self, data: bytes, seconds: float) -> None:
        client = self._accept()
        if client is None:
            return
        try:
            client.settimeout(1.0)
            client.sendall(data)
            client.setblocking(False)
        except OSError:
            self._drop()

    def read(self, seconds: float) -> bytes:
        client = self._accept()
        if client is None:
            return b""
        try:
            data = client.recv(65536)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._drop()
        return data

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def close(self) -> None:
        self._drop()
        self._server.close()


@dataclass
class CrossLink:
    """One end of a cable between two emulated boards of this process; `pair()` makes both ends."""

    name: str
    _to_me: deque[tuple[float, bytes]] = field(default_factory=deque)
    other: CrossLink | None = None

    @staticmethod
    def pair(first: str, second: str) -> tuple[CrossLink, CrossLink]:
        one, two = CrossLink(first), CrossLink(second)
        one.other, two.other = two, one
        return one, two

    def write(self, data: bytes, seconds: float) -> None:
        assert self.other is not None
        self.other._to_me.append((seconds, data))

    def read(self, seconds: float) -> bytes:
        """All that was sent; the boards' clocks run apart, so no byte waits for the sender's time."""
        made = b"".join(data for _, data in self._to_me)
        self._to_me.clear()
        return made

    def close(self) -> None:
        return None


@dataclass
class Ports:
    """Endpoint of each serial port by the number that `machine.UART` takes (UART1 is 0, UART2 1, UART3 2, UARTHS 4)."""

    ends: dict[int, Endpoint] = field(default_factory=dict)
    default: Endpoint | None = None

    def end(self, number: int) -> Endpoint:
        if number not in self.ends:
            self.ends[number] = self.default or NoEndpoint()
        return self.ends[number]

    def close(self) -> None:
        for end in {id(end): end for end in self.ends.values()}.values():
            end.close()


def open_endpoint(what: str) -> Endpoint:
    """`pty`, `tcp:PORT`, `file:NAME` or `none`."""
    kind, _, rest = what.partition(":")
    if kind == "pty" and not rest:
        return PtyEndpoint()
    if kind == "tcp" and rest.isdigit() and int(rest) < 65536:
        return TcpEndpoint(int(rest))
    if kind == "file" and rest:
        return FileEndpoint(Path(rest))
    if kind == "none" and not rest:
        return NoEndpoint()
    raise InputError(f"{what!r} is no end of a serial line. Give pty, tcp:PORT, file:NAME or none.")
