"""Watch a stream: read the line, keep both ends agreed, decode each picture, and hand it to everyone who looks."""

from __future__ import annotations

import io
import queue
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from k210kit.link import CameraSays, CapabilityRecord, CommandKind, Detections, Receiver, Shown
from k210kit.link.speed import ReceiverSpeed
from k210kit.studio.lines import Line

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Audience", "Figures", "Seen", "ViewResult", "Viewer"]

_MOST_PIXELS = 4_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """The six figures of a picture, and the state of the line."""

    number: int
    size: int  # bytes on the wire
    receive_ms: float
    decode_ms: float
    draw_ms: float  # of the picture before
    total_ms: float  # since the picture before
    fps: float  # over the last twenty
    quality: int  # 0 if the camera did not say
    age_ms: int  # exposure to sending, on the camera
    baud: int
    lost: int
    damaged: int
    resyncs: int
    legacy: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """One decoded picture."""

    jpeg: bytes
    image: Image
    detections: Detections | None
    figures: Figures


class Audience(Protocol):
    """Someone who looks: the page, the terminal, a folder, another program."""

    def picture(self, seen: Seen) -> None: ...

    def news(self, text: str) -> None: ...

    def camera(self, record: CapabilityRecord, name: str) -> None: ...


@dataclass(frozen=True, kw_only=True)
class ViewResult:
    """What was seen in all."""

    source: str
    frames: int
    lost: int
    resyncs: int
    fps: float
    damaged: int
    undecodable: int
    legacy: int
    bytes: int
    skipped_bytes: int
    seconds: float


@dataclass
class Viewer:
    """Runs in one thread; `command` may be called from any."""

    line: Line
    audiences: Sequence[Audience] = ()
    on_bytes: Callable[[bytes], bytes] | None = None  # sees every byte that comes; what it returns goes to the camera
    clock: Callable[[], float] = time.monotonic
    _receiver: Receiver = field(default_factory=Receiver)
    _wishes: queue.SimpleQueue[tuple[CommandKind, int]] = field(default_factory=queue.SimpleQueue)
    _stop: bool = False
    _pictures: int = 0
    _bytes: int = 0
    _undecodable: int = 0
    _first_at: float = 0.0
    _last_at: float = 0.0
    _draw_ms: float = 0.0

    def __post_init__(self) -> None:
        if self.line.baud:
            self._receiver.speed = ReceiverSpeed(first=self.line.baud)

    def command(self, what: CommandKind, value: int = 0) -> None:
        """Ask the camera for something."""
        self._wishes.put((what, value))

    def stop(self) -> None:
        self._stop = True

    def run(self, *, frames: int | None = None, seconds: float | None = None) -> ViewResult:
        """Watch until so many pictures or seconds, the end of the stream, or `stop`."""
        began = self.clock()
        self.command(CommandKind.HELLO)
        while not self._stop and (frames is None or self._pictures < frames):
            now = self.clock()
            if seconds is not None and now - began >= seconds:
                break
            data = self.line.read(0.05)
            if data is None:
                break
            self._step(data, frames)
        return self.result(self.clock() - began)

    def result(self, seconds: float) -> ViewResult:
        counts = self._receiver.counts
        spent = self._last_at - self._first_at
        return ViewResult(
            source=self.line.name, frames=self._pictures, lost=counts.lost, resyncs=counts.resyncs,
            fps=round((self._pictures - 1) / spent, 2) if spent > 0 else 0.0, damaged=counts.damaged,
            undecodable=self._undecodable + self._receiver.undecodable, legacy=self._receiver.legacy_pictures,
            bytes=self._bytes, skipped_bytes=counts.skipped_bytes, seconds=round(seconds, 3),
        )  # fmt: skip

    def _step(self, data: bytes, frames: int | None) -> None:
        now = self.clock()
        self._bytes += len(data)
        if data and self.on_bytes is not None and (answer := self.on_bytes(data)):
            self.line.write(answer)
        events = self._receiver.feed(data, now) if data else []
        events += self._receiver.tick(now)
        for event in events:
            if isinstance(event, Shown):
                if frames is None or self._pictures < frames:
                    self._show(event)
            else:
                self._tell(event)
        while not self._wishes.empty():
            self._receiver.command(*self._wishes.get(), now)
        if out := self._receiver.take():
            self.line.write(out)
        if self.line.baud and self._receiver.speed.baud != self.line.baud:
            self.line.set_baud(self._receiver.speed.baud)

    def _tell(self, event: CameraSays) -> None:
        for one in self.audiences:
            if event.text:
                one.news(event.text)
            if event.capability is not None:
                one.camera(event.capability, event.name)
        if event.answer is not None and not event.answer.accepted and event.answer.what != CommandKind.BAUD:
            for one in self.audiences:
                one.news(f"The camera refused {CommandKind(event.answer.what).name.lower()}.")

    def _show(self, shown: Shown) -> None:
        began = self.clock()
        image = _decoded(shown.jpeg)
        decoded = self.clock()
        if image is None:
            self._undecodable += 1
            return
        self._pictures += 1
        total = (began - self._last_at) * 1000 if self._last_at else 0.0
        self._first_at, self._last_at = self._first_at or began, began
        counts = self._receiver.counts
        figures = Figures(
            number=self._pictures, size=shown.wire_bytes, receive_ms=round(shown.receive_seconds * 1000, 1),
            decode_ms=round((decoded - began) * 1000, 2), draw_ms=round(self._draw_ms, 2), total_ms=round(total, 1),
            fps=round(self._receiver.rate, 2), quality=shown.quality, age_ms=shown.age_ms,
            baud=self._receiver.speed.baud if self.line.baud else 0, lost=counts.lost, damaged=counts.damaged,
            resyncs=counts.resyncs, legacy=shown.legacy,
        )  # fmt: skip
        for one in self.audiences:
            one.picture(Seen(shown.jpeg, image, shown.detections, figures))
        self._draw_ms = (self.clock() - decoded) * 1000


def _decoded(jpeg: bytes) -> Image | None:
    """The picture, or None if it is none or has more than four million pixels."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as opened:
            if opened.width * opened.height > _MOST_PIXELS:
                return None
            return opened.convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):  # whatever Pillow says of a damaged file
        return None
