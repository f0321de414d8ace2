"""A camera on a pty or a TCP port, for tests: draws a moving face and sends it until it is stopped."""

from __future__ import annotations

import io
import os
import pty
import select
import socket
import threading
import time
import tty
from types import TracebackType

from PIL import Image, ImageDraw

from k210kit.link import Detection, Detections, Sender, legacy_frame


def face(number: int) -> tuple[bytes, Detections]:
    """A JPEG of 160x120 and its box in pixels of 320x240."""
    image = Image.new("RGB", (160, 120), (60, 110, 70))
    pen, left = ImageDraw.Draw(image), 10 + 3 * number % 100
    pen.ellipse((left, 30, left + 40, 80), fill=(220, 170, 140))
    pen.ellipse((left + 10, 45, left + 15, 50), fill=(20, 20, 20))
    pen.ellipse((left + 25, 45, left + 30, 50), fill=(20, 20, 20))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=40)
    return buffer.getvalue(), Detections(320, 240, (Detection("face", 0.9, 2 * left, 60, 80, 100),))


class DeskCamera:
    """Runs in a thread; `source` is what `open_line` takes. `sender` is its state."""

    def __init__(self, *, tcp: bool = False, legacy: bool = False, rate: float = 40) -> None:
        self.sender, self.legacy, self.rate = Sender(), legacy, rate
        self.sent = 0
        self._stop = threading.Event()
        self._server: socket.socket | None = None
        if tcp:
            self._server = socket.socket()
            self._server.bind(("127.0.0.1", 0))
            self._server.listen()
            self.source = f"tcp:127.0.0.1:{self._server.getsockname()[1]}"
        else:
            self._near, self._far = pty.openpty()
            tty.setraw(self._far)
            self.source = os.ttyname(self._far)
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> DeskCamera:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        if self._server is not None:
            self._server.settimeout(5)
            client, _ = self._server.accept()
            self._near = os.dup(client.fileno())
            client.close()
        while not self._stop.wait(1 / self.rate):
            now = time.monotonic()
            jpeg, found = face(self.sent)
            if self.legacy:
                data = legacy_frame(jpeg)
            else:
                self.sender.tick(now)
                if not self.sender.paused:
                    self.sender.picture(jpeg, found, now, age_ms=20)
                data = self.sender.take()
            if not select.select([], [self._near], [], 0.2)[1]:
                continue
            try:
                os.write(self._near, data)
            except OSError:
                return
            self.sender.written(now)
            self.sent += 1
            if select.select([self._near], [], [], 0)[0]:
                try:
                    self.sender.feed(os.read(self._near, 4096), now)
                except OSError:
                    return
