"""What the frames carry: pictures, detections, texts, commands and their answers, and what the camera can do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeVar
from zlib import crc32

from k210kit.errors import FormatError
from k210kit.link.frames import packer
from k210kit.wire import read, size, u8, u16, u32, write

__all__ = [
    "Answer",
    "BoxRecord",
    "CapabilityRecord",
    "CommandKind",
    "CommandRecord",
    "Detection",
    "Detections",
    "DetectionsRecord",
    "PictureRecord",
    "head_number",
    "join_jpeg",
    "read_answer",
    "read_capability",
    "read_command",
    "read_detections",
    "read_picture",
    "split_jpeg",
    "write_answer",
    "write_capability",
    "write_command",
    "write_detections",
    "write_picture",
]

T = TypeVar("T")
SCORE_ONE = 10_000
_SOI, _SOS = b"\xff\xd8", 0xDA


class CommandKind(IntEnum):
    """What a receiver may ask of a camera."""

    HELLO = 0  # send a capability frame now
    QUALITY = 1  # JPEG quality 1 to 100; 0: the camera steers it
    SIZE = 2  # width << 16 | height in pixels
    PAUSE = 3  # 1: send no pictures, 0: go on
    BAUD = 4  # use this speed; see "Speed" below
    CONFIRM = 5  # frames arrive at the new speed
    KEEP = 6  # still here; a camera above its first speed falls back without it
    HEAD = 7  # send the picture head again
    RATE = 8  # wanted pictures per second, times 10


@dataclass(frozen=True, kw_only=True)
class PictureRecord:
    """PICTURE: this, boxes as in DETECTIONS, then the compressed part of a JPEG (a whole one if `head` is 0)."""

    head: int = u16("number of the PICTURE_HEAD this part needs; 0: a whole JPEG follows")
    age_ms: int = u16("from the end of the exposure to the start of sending, milliseconds")
    quality: int = u8("JPEG quality it was compressed with")
    boxes: int = u16("bytes of the boxes that come first; 0: the camera does not look for anything")


@dataclass(frozen=True, kw_only=True)
class DetectionsRecord:
    """DETECTIONS: this, then `count` boxes. As a frame of its own: boxes without a picture."""

    width: int = u16("of the picture the boxes are measured in")
    height: int = u16("of the picture the boxes are measured in")
    count: int = u8("boxes that follow")


@dataclass(frozen=True, kw_only=True)
class BoxRecord:
    """One box: this, then `label_bytes` bytes of UTF-8."""

    x: int = u16("left edge")
    y: int = u16("upper edge")
    width: int = u16("width")
    height: int = u16("height")
    score: int = u16(f"0 to {SCORE_ONE:,}")
    label_bytes: int = u8("bytes of the label")


@dataclass(frozen=True, kw_only=True)
class CommandRecord:
    """COMMAND: from the receiver to the camera."""

    what: int = u8("which command")
    value: int = u32("its value")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """ANSWER: from the camera, to every command but HELLO, HEAD, CONFIRM and KEEP."""

    what: int = u8("the command that is answered")
    accepted: int = u8("1: done, 0: cannot be done here")
    value: int = u32("the value in force now")


@dataclass(frozen=True, kw_only=True)
class CapabilityRecord:
    """CAPABILITY: sent at the start, on HELLO, and every two seconds; then the camera's name in UTF-8."""

    width: int = u16("of the pictures")
    height: int = u16("of the pictures")
    quality: int = u8("JPEG quality in force")
    rate: int = u8("pictures per second the camera steers to, times 10; 255: 25.5 or more")
    flags: int = u8("bit 0: paused, bit 1: sends from a thread, bit 2: steers the quality by itself")
    baud: int = u32("speed in force")
    most_baud: int = u32("highest speed it will take")


@dataclass(frozen=True, slots=True)
class Detection:
    """One box in pixels of the picture it was found in; score 0 to 1."""

    label: str
    score: float
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Detections:
    """The boxes of one picture, and the size of the picture they are measured in."""

    width: int
    height: int
    boxes: tuple[Detection, ...] = ()


def split_jpeg(jpeg: bytes) -> tuple[bytes, bytes]:
    """Cut a baseline JPEG behind its start-of-scan segment: what repeats from picture to picture, and what does not.

    MaixPy writes 607 bytes of tables before 1 kB of picture (jpeg.c, jpeg_write_headers). Raises `FormatError`.
    """
    if jpeg[:2] != _SOI:
        raise FormatError("not a JPEG", found=jpeg[:2].hex(), expected="ffd8")
    at = 2
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF:
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if jpeg[at + 1] == _SOS:
            return jpeg[:end], jpeg[end:]
        at = end
    raise FormatError("the JPEG has no start of scan", offset=at)


def join_jpeg(head: bytes, scan: bytes | memoryview) -> bytes:
    """The inverse of `split_jpeg`."""
    return head + bytes(scan)


def head_number(head: bytes) -> int:
    """How a PICTURE names its head: the low half of its CRC-32, 1 instead of 0."""
    return crc32(head) & 0xFFFF or 1


_PICTURE = packer(PictureRecord)  # `wire.read` would take longer than everything else that is done with a frame


def write_picture(data: bytes, found: Detections | None, *, head: int, age_ms: int, quality: int) -> bytes:
    boxes = b"" if found is None else write_detections(found)
    return _PICTURE.pack(head, _u16(age_ms), quality, len(boxes)) + boxes + data


def read_picture(payload: bytes) -> tuple[PictureRecord, Detections | None, bytes]:
    """The record, the boxes, and the JPEG or its compressed part. Raises `FormatError`."""
    if len(payload) < _PICTURE.size:
        raise FormatError("too short", field="PICTURE", found=f"{len(payload)} bytes",
                          expected=f"{_PICTURE.size} or more")  # fmt: skip
    head, age_ms, quality, boxes = _PICTURE.unpack_from(payload)
    start = _PICTURE.size + boxes
    found = read_detections(payload[_PICTURE.size : start]) if boxes else None
    return PictureRecord(head=head, age_ms=age_ms, quality=quality, boxes=boxes), found, payload[start:]


def write_detections(found: Detections) -> bytes:
    """Coordinates are cut to 0 ... 65535, labels to 255 bytes, boxes to 255."""
    boxes = found.boxes[:255]
    parts = [write(DetectionsRecord(width=_u16(found.width), height=_u16(found.height), count=len(boxes)))]
    for box in boxes:
        label = box.label.encode()[:255]
        score = round(min(max(box.score, 0.0), 1.0) * SCORE_ONE)
        place = {"x": _u16(box.x), "y": _u16(box.y), "width": _u16(box.width), "height": _u16(box.height)}
        parts += [write(BoxRecord(**place, score=score, label_bytes=len(label))), label]
    return b"".join(parts)


def read_detections(payload: bytes) -> Detections:
    """Raises `FormatError` if the boxes are not exactly what the record announces."""
    head = read(DetectionsRecord, payload)
    at, boxes = size(DetectionsRecord), []
    for _ in range(head.count):
        box = read(BoxRecord, payload, at)
        at += size(BoxRecord) + box.label_bytes
        label = payload[at - box.label_bytes : at].decode("utf-8", "replace")
        score = min(box.score / SCORE_ONE, 1.0)
        boxes.append(Detection(label, score, box.x, box.y, box.width, box.height))
    if at != len(payload):
        raise FormatError("the boxes do not fill the payload", offset=len(payload), expected=f"{at} bytes")
    return Detections(head.width, head.height, tuple(boxes))


def write_command(what: CommandKind, value: int = 0) -> bytes:
    return write(CommandRecord(what=what, value=value))


def read_command(payload: bytes) -> CommandRecord:
    return _exactly(CommandRecord, payload)


def write_answer(what: int, accepted: bool, value: int) -> bytes:
    return write(Answer(what=what, accepted=accepted, value=value))


def read_answer(payload: bytes) -> Answer:
    return _exactly(Answer, payload)


def write_capability(record: CapabilityRecord, name: str) -> bytes:
    return write(record) + name.encode()


def read_capability(payload: bytes) -> tuple[CapabilityRecord, str]:
    return read(CapabilityRecord, payload), payload[size(CapabilityRecord) :].decode("utf-8", "replace")


def _u16(value: int) -> int:
    return min(max(int(value), 0), 0xFFFF)


def _exactly(record: type[T], payload: bytes) -> T:
    if len(payload) != size(record):
        raise FormatError("wrong length", field=record.__name__, found=f"{len(payload)} bytes",
                          expected=f"{size(record)}")  # fmt: skip
    return read(record, payload)
