"""Offer a stream as a camera: a TCP port on this computer that `k210kit run --camera tcp:PORT` connects to."""

from __future__ import annotations

import socket

from k210kit.emulator.ports import listening
from k210kit.link import CapabilityRecord, Encoder, Kind
from k210kit.link.messages import write_picture
from k210kit.studio.viewer import Seen

__all__ = ["CameraPort"]


class CameraPort:
    """An audience that hands each picture on, whole, as a PICTURE frame, to everyone who has connected."""

    def __init__(self, port: int) -> None:
        self._server = listening(port)
        self._clients: list[socket.socket] = []
        self._encoder = Encoder()
        self.port: int = self._server.getsockname()[1]

    def picture(self, seen: Seen) -> None:
        self._accept()
        payload = write_picture(seen.jpeg, seen.detections, head=0, age_ms=seen.figures.age_ms,
                                quality=seen.figures.quality)  # fmt: skip
        frame = self._encoder.encode(Kind.PICTURE, payload)
        for client in list(self._clients):
            try:
                client.sendall(frame)
            except OSError:  # it has left, or has not read for a fifth of a second
                client.close()
                self._clients.remove(client)

    def news(self, text: str) -> None:
        return None

    def camera(self, record: CapabilityRecord, name: str) -> None:
        return None

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except BlockingIOError:
                return
            client.settimeout(0.2)
            self._clients.append(client)
