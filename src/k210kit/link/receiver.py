"""The receiving end of the link without its port: bytes in, pictures and news out; wishes in, bytes out."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from k210kit.errors import FormatError
from k210kit.link.frames import Counts, Decoder, Encoder, Frame, Kind
from k210kit.link.legacy import Legacy
from k210kit.link.messages import (
    Answer,
    CapabilityRecord,
    CommandKind,
    Detections,
    head_number,
    join_jpeg,
    read_answer,
    read_capability,
    read_detections,
    read_picture,
    write_command,
)
from k210kit.link.speed import ReceiverSpeed

__all__ = ["CameraSays", "Event", "Receiver", "Shown"]

_HEADS = 16  # picture heads that are kept: one per rung of the quality ladder, about 600 bytes each
_RATE_WINDOW = 20  # pictures over which the rate is measured
_HEAD_AGAIN = 0.3  # seconds between two requests for the same head


@dataclass(frozen=True, slots=True)
class Shown:
    """One picture, ready to be shown."""

    jpeg: bytes
    detections: Detections | None
    wire_bytes: int  # of the picture's payload, as it was sent
    receive_seconds: float  # from its first to its last byte
    age_ms: int  # exposure to sending, on the camera
    quality: int  # 0 if the camera did not say
    legacy: bool = False


@dataclass(frozen=True, slots=True)
class CameraSays:
    """News from the camera: a text, an answer, or what it can do; or of the line, from this end."""

    text: str = ""
    detections: Detections | None = None  # boxes that came without a picture
    answer: Answer | None = None
    capability: CapabilityRecord | None = None
    name: str = ""


Event = Shown | CameraSays


@dataclass
class Receiver:
    """State of one receiving end. `feed` it what comes, `tick` several times a second, send what `take` returns."""

    speed: ReceiverSpeed = field(default_factory=ReceiverSpeed)
    undecodable: int = 0  # frames that were whole and yet made no sense
    _decoder: Decoder = field(default_factory=Decoder)
    _legacy: Legacy = field(default_factory=Legacy)
    _encoder: Encoder = field(default_factory=Encoder)
    _heads: dict[int, bytes] = field(default_factory=dict)
    _head_asked: float = -1e9
    _started: float = 0.0
    _heard: float = 0.0
    _damaged: int = 0
    _output: bytearray = field(default_factory=bytearray)
    _times: deque[float] = field(default_factory=lambda: deque(maxlen=_RATE_WINDOW))

    @property
    def counts(self) -> Counts:
        return self._decoder.counts

    @property
    def legacy_pictures(self) -> int:
        return self._legacy.pictures

    @property
    def rate(self) -> float:
        """Pictures per second over the last twenty."""
        if len(self._times) < 2 or self._times[-1] <= self._times[0]:
            return 0.0
        return (len(self._times) - 1) / (self._times[-1] - self._times[0])

    def feed(self, data: bytes, now: float) -> list[Event]:
        """Bytes came, the last of them at `now` (seconds, any origin)."""
        if not self._decoder.pending:
            self._started = now
        self._heard = now
        return self._take_in(self._decoder.feed(data), now)

    def tick(self, now: float) -> list[Event]:
        """Let time pass: give up what will not be completed, ask again, fall back."""
        events: list[Event] = []
        if self._decoder.pending and now - self._heard > 0.5:
            events += self._take_in(self._decoder.give_up(), now)
        self.speed.tick(now)
        events += [CameraSays(text=fault) for fault in self.speed.faults]
        self.speed.faults.clear()
        return events

    def command(self, what: CommandKind, value: int, now: float) -> None:
        """Ask the camera for something; a speed is negotiated."""
        if what == CommandKind.BAUD:
            self.speed.ask(value, now)
        else:
            self._send(write_command(what, value))

    def take(self) -> bytes:
        """The bytes to write to the port now."""
        for payload in self.speed.output:
            self._send(payload)
        self.speed.output.clear()
        data = bytes(self._output)
        self._output.clear()
        return data

    def _send(self, payload: bytes) -> None:
        self._output += self._encoder.encode(Kind.COMMAND, payload)

    def _take_in(self, pieces: list[Frame | bytes], now: float) -> list[Event]:
        events: list[Event] = []
        for piece in pieces:
            if isinstance(piece, bytes):
                events += [self._old(jpeg, now) for jpeg in self._legacy.feed(piece)]
                continue
            self._legacy.forget()
            self.speed.frame(now, damaged=self.counts.damaged - self._damaged)
            self._damaged = self.counts.damaged
            try:
                event = self._understand(piece, now)
            except FormatError:
                self.undecodable += 1
                continue
            if event is not None:
                events.append(event)
        return events

    def _old(self, jpeg: bytes, now: float) -> Shown:
        self._times.append(now)
        return Shown(jpeg, None, len(jpeg), self._elapsed(now), 0, 0, legacy=True)

    def _elapsed(self, now: float) -> float:
        seconds, self._started = now - self._started, now
        return seconds

    def _understand(self, frame: Frame, now: float) -> Event | None:
        if frame.kind == Kind.PICTURE:
            return self._picture(frame.payload, now)
        if frame.kind == Kind.DETECTIONS:
            return CameraSays(detections=read_detections(frame.payload))
        if frame.kind == Kind.PICTURE_HEAD:
            self._keep_head(frame.payload)
        elif frame.kind == Kind.TEXT:
            return CameraSays(text=frame.payload.decode("utf-8", "replace"))
        elif frame.kind == Kind.ANSWER:
            return self._answered(read_answer(frame.payload), now)
        elif frame.kind == Kind.CAPABILITY:
            record, name = read_capability(frame.payload)
            return CameraSays(capability=record, name=name)
        return None

    def _answered(self, answer: Answer, now: float) -> CameraSays:
        if answer.what == CommandKind.BAUD:
            self.speed.answered(bool(answer.accepted), answer.value, now)
        return CameraSays(answer=answer)

    def _keep_head(self, head: bytes) -> None:
        self._heads.pop(head_number(head), None)
        self._heads[head_number(head)] = head
        while len(self._heads) > _HEADS:
            del self._heads[next(iter(self._heads))]

    def _picture(self, payload: bytes, now: float) -> Shown | None:
        record, boxes, data = read_picture(payload)
        if record.head and record.head not in self._heads:
            if now - self._head_asked > _HEAD_AGAIN:
                self._head_asked = now
                self._send(write_command(CommandKind.HEAD))
            return None
        jpeg = join_jpeg(self._heads[record.head], data) if record.head else data
        self._times.append(now)
        return Shown(jpeg, boxes, len(payload), self._elapsed(now), record.age_ms, record.quality)
