"""The camera's end of the link without its port: pictures in, bytes out; commands in, settings out.

The real camera runs `examples/unitv_stream.py`, one plain MaixPy file with the same rules; this is what tests, the
benchmark and desk cameras use.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from k210kit.errors import FormatError
from k210kit.link.frames import Decoder, Encoder, Frame, Kind
from k210kit.link.messages import (
    CapabilityRecord,
    CommandKind,
    Detections,
    head_number,
    read_command,
    split_jpeg,
    write_answer,
    write_capability,
    write_picture,
)
from k210kit.link.speed import CameraSpeed
from k210kit.link.steering import Steering

__all__ = ["Sender", "legacy_frame"]

CAPABILITY_EVERY = 2.0  # seconds
HEAD_EVERY = 10.0  # seconds; for receivers that cannot ask


def legacy_frame(jpeg: bytes) -> bytes:
    """A picture as the older programs send it; at most 65,535 bytes."""
    if len(jpeg) > 0xFFFF:
        raise FormatError("the picture is too long for the older protocol", found=f"{len(jpeg):,} bytes",
                          expected="at most 65,535")  # fmt: skip
    return b"\0\0" + len(jpeg).to_bytes(2, "big") + jpeg


@dataclass
class Sender:
    """State of a camera: what it sends is what `take` returns, in order."""

    name: str = "desk camera"
    size: tuple[int, int] = (160, 120)
    steering: Steering = field(default_factory=lambda: Steering(rate=8.0, bytes_per_second=11_520))
    speed: CameraSpeed = field(default_factory=CameraSpeed)
    paused: bool = False
    _encoder: Encoder = field(default_factory=Encoder)
    _decoder: Decoder = field(default_factory=lambda: Decoder(most_payload=1024))
    _output: bytearray = field(default_factory=bytearray)
    _head: int = 0
    _head_at: float = 0.0
    _capability_at: float | None = None
    _next_baud: int = 0

    def picture(self, jpeg: bytes, found: Detections | None, now: float, *, age_ms: int = 0) -> int:
        """Queue one picture and its boxes; returns their bytes on the wire, without a new head's."""
        head, scan = split_jpeg(jpeg)
        number = head_number(head)
        if number != self._head or now - self._head_at > HEAD_EVERY:
            self._put(Kind.PICTURE_HEAD, head)
            self._head, self._head_at = number, now
        before = len(self._output)
        quality = self.steering.quality
        self._put(Kind.PICTURE, write_picture(scan, found, head=number, age_ms=age_ms, quality=quality))
        return len(self._output) - before

    def text(self, message: str) -> None:
        self._put(Kind.TEXT, message.encode())

    def take(self) -> bytes:
        """The bytes to write to the port now."""
        data = bytes(self._output)
        self._output.clear()
        return data

    def written(self, now: float) -> None:
        """All that was taken has left the port: a speed that was agreed on comes into force."""
        if self._next_baud and not self._output:
            self.speed.change(self._next_baud, now)
            self.steering.bytes_per_second = self.speed.baud / 10
            self._next_baud = 0

    def feed(self, data: bytes, now: float) -> None:
        """Bytes from the receiver."""
        for frame in self._decoder.feed(data):
            if isinstance(frame, Frame) and frame.kind == Kind.COMMAND:
                self.speed.heard(now)
                try:
                    self._obey(frame.payload, now)
                except FormatError as error:
                    self.text(f"not understood: {error}")

    def tick(self, now: float) -> None:
        """Call at least ten times a second."""
        self.speed.tick(now)
        self.steering.bytes_per_second = self.speed.baud / 10
        if self._capability_at is None or now - self._capability_at >= CAPABILITY_EVERY:
            self._hello(now)

    def _put(self, kind: Kind, payload: bytes) -> None:
        self._output += self._encoder.encode(kind, payload)

    def _hello(self, now: float) -> None:
        self._capability_at = now
        steers = 0 if self.steering.fixed else 4
        record = CapabilityRecord(
            width=self.size[0], height=self.size[1], quality=self.steering.quality,
            rate=min(round(self.steering.rate * 10), 255), flags=int(self.paused) | steers,
            baud=self.speed.baud, most_baud=self.speed.most,
        )  # fmt: skip
        self._put(Kind.CAPABILITY, write_capability(record, self.name))

    def _obey(self, payload: bytes, now: float) -> None:
        command = read_command(payload)
        if command.what == CommandKind.HELLO:
            self._hello(now)
        elif command.what == CommandKind.HEAD:
            self._head = 0
        elif command.what not in (CommandKind.CONFIRM, CommandKind.KEEP):
            accepted, value = self._set(command.what, command.value)
            self._put(Kind.ANSWER, write_answer(command.what, accepted, value))

    def _set(self, what: int, value: int) -> tuple[bool, int]:
        """Carry out one setting; returns whether it was, and the value in force."""
        if what == CommandKind.QUALITY and value <= 100:
            self.steering.fixed = value
            return True, value
        if what == CommandKind.SIZE and 0 < value >> 16 <= 320 and 0 < value & 0xFFFF <= 240:
            self.size = (value >> 16, value & 0xFFFF)
            return True, value
        if what == CommandKind.PAUSE:
            self.paused = bool(value)
            return True, value
        if what == CommandKind.BAUD and self.speed.accepts(value):
            self._next_baud = value
            return True, value
        if what == CommandKind.RATE and 1 <= value <= 1000:
            self.steering.rate = value / 10
            return True, value
        return False, self.speed.baud if what == CommandKind.BAUD else 0
