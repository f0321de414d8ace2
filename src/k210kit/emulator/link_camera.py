"""A stream as the camera: `tcp:HOST:PORT`, what `k210kit view --as-camera PORT` offers."""

from __future__ import annotations

import io
import socket
import threading
import time

import numpy as np
from numpy.typing import NDArray

from k210kit.errors import DeviceError, InputError
from k210kit.link import Receiver, Shown
from k210kit.tcp import connected

__all__ = ["LinkCamera"]

_PATIENCE = 10.0  # seconds for the first picture
_MOST_PIXELS = 4_000_000


class LinkCamera:
    """Shows the newest picture of a stream of our frames; ends when the stream ends."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._socket = connected(source, "Start `k210kit view PORT --as-camera {port}` first.")
        self._socket.settimeout(None)
        self._changed = threading.Condition()
        self._jpeg: bytes | None = None
        self._decoded: tuple[bytes, NDArray[np.uint8]] | None = None
        self._ended = False
        threading.Thread(target=self._receive, daemon=True).start()

    def frame(self, seconds: float) -> NDArray[np.uint8] | None:
        """The newest picture, whatever the board's time; waits for the very first one."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._jpeg is not None or self._ended, timeout=_PATIENCE):
                raise DeviceError(f"{self._source} has sent no picture in {_PATIENCE:g} s. Is the camera running?")
            if self._ended or self._jpeg is None:
                return None
            jpeg = self._jpeg
        if self._decoded is None or self._decoded[0] is not jpeg:
            self._decoded = (jpeg, _pixels(jpeg))
        return self._decoded[1]

    def close(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # the other side has left already
        finally:
            self._socket.close()

    def _receive(self) -> None:
        receiver = Receiver()
        try:
            while data := self._socket.recv(65536):
                shown = [event for event in receiver.feed(data, time.monotonic()) if isinstance(event, Shown)]
                if shown:
                    with self._changed:
                        self._jpeg = shown[-1].jpeg
                        self._changed.notify_all()
        except OSError:
            pass
        with self._changed:
            self._ended = True
            self._changed.notify_all()


def _pixels(jpeg: bytes) -> NDArray[np.uint8]:
    """RGB [height, width, 3] of a JPEG."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as opened:
            if opened.width * opened.height > _MOST_PIXELS:
                raise InputError(f"The stream's pictures have {opened.width}x{opened.height} pixels; that is too many.")
            return np.asarray(opened.convert("RGB"))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as failure:
        raise InputError(f"The stream sent a picture that cannot be decoded ({failure}).") from None
