"""Bytes out of whatever a script hands to a port or a file."""

from __future__ import annotations

from typing import Any

__all__ = ["as_bytes"]


def as_bytes(value: Any) -> bytes:
    """The bytes of a string, a buffer, a picture or a feature map (Any: the script's), or MicroPython's TypeError."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if hasattr(value, "to_bytes") and not isinstance(value, int):
        return bytes(value.to_bytes())
    if hasattr(value, "tobytes"):
        return bytes(value.tobytes())
    raise TypeError("object with buffer protocol required")
