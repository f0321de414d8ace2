"""A stream over TCP, named on the command line as tcp:HOST:PORT or tcp:PORT (of this computer)."""

from __future__ import annotations

import socket

from k210kit.errors import DeviceError, InputError

__all__ = ["connected"]

_HERE = "127.0.0.1"
_PATIENCE_SECONDS = 5


def connected(source: str, cure: str) -> socket.socket:
    """Connect to `source`; where nothing answers, the error ends with `cure`, in which {port} is the port.

    Raises `InputError` if it names no port, `DeviceError` if nothing answers. Later reads and writes wait as long too.
    """
    host, _, port = source.removeprefix("tcp:").rpartition(":")
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise InputError(f"{source} names no TCP port. Write tcp:HOST:PORT, for example tcp:127.0.0.1:5000.")
    try:
        return socket.create_connection((host or _HERE, int(port)), timeout=_PATIENCE_SECONDS)
    except OSError as failure:
        said = failure.strerror or failure
        raise DeviceError(f"tcp:{host or _HERE}:{port} does not answer: {said}. {cure.format(port=port)}") from None
