"""The person's end of a terminal: keys to the board, the board's bytes to the screen."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .serial_port import PORT_FAULTS, Port, PortLost

__all__ = ["LEAVE", "interact", "keys_from_terminal"]

LEAVE = b"\x1d"  # Ctrl-]
POLL_SECONDS = 0.02


def interact(port: Port, key: Callable[[float], bytes], screen: Callable[[bytes], object]) -> None:
    """Carry bytes both ways until Ctrl-] is pressed; `key(seconds)` waits that long for keys and may return none.

    Ctrl-C, Ctrl-D and Ctrl-E (paste mode) go to the board as they are.
    """
    try:
        port.timeout = 0.0
        while True:
            screen(port.read(max(1, port.in_waiting)))
            pressed = key(POLL_SECONDS)
            if LEAVE in pressed:
                port.write(pressed.partition(LEAVE)[0])
                return
            if pressed:
                port.write(pressed)
    except PORT_FAULTS as error:
        raise PortLost(f"The port went away ({error}). Plug the board in again.") from error


@contextmanager
def keys_from_terminal() -> Iterator[Callable[[float], bytes]]:
    """Keys of this computer's terminal, each as it is pressed; the terminal is as before afterwards."""
    if sys.platform == "win32":
        yield _windows_keys
        return
    import select
    import termios
    import tty

    handle = sys.stdin.fileno()
    before = termios.tcgetattr(handle)

    def pressed(seconds: float) -> bytes:
        ready, _, _ = select.select([handle], [], [], seconds)
        return os.read(handle, 1024) if ready else b""

    try:
        tty.setraw(handle)
        yield pressed
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, before)


def _windows_keys(seconds: float) -> bytes:
    import time
    from importlib import import_module

    console = import_module("msvcrt")  # has no stubs elsewhere than on Windows
    if not console.kbhit():
        time.sleep(seconds)
        return b""
    keys = bytearray()
    while console.kbhit():
        keys += console.getwch().encode()
    return bytes(keys)
