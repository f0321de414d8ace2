"""The log of a run: a line of JSON per epoch, and the same as TensorBoard events."""

from __future__ import annotations

import json
import struct
import time
from dataclasses import asdict
from pathlib import Path

from .datasets.tfrecord import masked_crc32c
from .fit import EpochReport

__all__ = ["Log"]


class Log:
    """Appends to RUN/log.jsonl and RUN/events/; a resumed run goes on in the same log, in a further events file."""

    def __init__(self, run: Path) -> None:
        self._lines = run / "log.jsonl"
        folder = run / "events"
        folder.mkdir(parents=True, exist_ok=True)
        self._events = folder / f"events.out.tfevents.{time.time_ns() // 1000}.k210kit"
        self._append(_event(0, None))

    def keep(self, count: int) -> None:
        """Cut the log to its first `count` lines, the epochs that the checkpoint knows."""
        if self._lines.is_file():
            lines = self._lines.read_text(encoding="utf-8").splitlines(keepends=True)[:count]
            self._lines.write_text("".join(lines), encoding="utf-8")

    def write(self, report: EpochReport, step: int) -> None:
        with self._lines.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(report), ensure_ascii=False) + "\n")
        values = {"train/loss": report.loss, "train/rate": report.rate, "time/epoch_seconds": report.seconds}
        values |= {f"validation/{name}": value for name, value in report.figures.items()}
        for tag, value in values.items():
            self._append(_event(step, (tag, value)))

    def _append(self, payload: bytes) -> None:
        head = struct.pack("<Q", len(payload))
        record = head + struct.pack("<I", masked_crc32c(head)) + payload + struct.pack("<I", masked_crc32c(payload))
        with self._events.open("ab") as stream:
            stream.write(record)


def _event(step: int, scalar: tuple[str, float] | None) -> bytes:
    """A tensorflow.Event: wall_time 1, step 2, file_version 3, summary 5 {value 1 {tag 1, simple_value 2}}."""
    body = b"\x09" + struct.pack("<d", time.time()) + b"\x10" + _varint(step)
    if scalar is None:
        return body + _text(3, b"brain.Event:2")
    tag, value = scalar
    inner = _text(1, tag.encode()) + b"\x15" + struct.pack("<f", value)
    return body + _text(5, _text(1, inner))


def _text(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
