"""VoTT's TFRecord export: pictures and boxes in tf.train.Example messages.

The container (length, CRC, payload, CRC) and the few fields of the messages are read here, so that looking at a data
set does not need TensorFlow. Field numbers: tensorflow/core/example/{example,feature}.proto.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from functools import partial

from k210kit.errors import FormatError

from .forms import Read, form
from .records import Box, Findings, Picture, tidy_label
from .store import Store, text_of

__all__ = ["examples", "masked_crc32c", "read_tfrecords"]

Feature = list[bytes] | list[float] | list[int]


def _recognises(store: Store) -> bool:
    return any(name.lower().endswith((".tfrecord", ".tfrecords", ".record")) for name in store.names)


@form("tfrecord", "VoTT TFRecord", _recognises)
def read_tfrecords(store: Store, findings: Findings) -> Read:
    """Every example of every record file; the names come from the examples, the order from tf_label_map.pbtxt."""
    pictures: dict[str, Picture] = {}
    listed = _label_map(store)
    for name in store.names:
        if not name.lower().endswith((".tfrecord", ".tfrecords", ".record")):
            continue
        try:
            for number, example in enumerate(examples(store.read(name), name)):
                picture = _picture(example, f"{name}#{number}", listed, findings)
                if picture is not None and picture.name in pictures:
                    findings.error(name, f"holds {picture.name} a second time; the first one is used")
                elif picture is not None:
                    pictures[picture.name] = picture
        except FormatError as error:
            findings.error(name, f"the rest of the file is left out: {error}")
    return Read(pictures=list(pictures.values()), labels=[listed[number] for number in sorted(listed)] or None)


def _label_map(store: Store) -> dict[int, str]:
    """The names of the class numbers, from the first *.pbtxt; empty if there is none."""
    for name in store.names:
        if name.lower().endswith(".pbtxt"):
            items = re.findall(r"item\s*\{(.*?)\}", text_of(store, name), flags=re.DOTALL)
            rows = [(re.search(r"id:\s*(\d+)", i), re.search(r"name:\s*['\"](.*?)['\"]", i)) for i in items]
            return {int(n[1]): tidy_label(t[1]) for n, t in rows if n and t}
    return {}


def _picture(example: dict[str, Feature], where: str, listed: dict[int, str], findings: Findings) -> Picture | None:
    encoded = example.get("image/encoded") or [b""]
    data = encoded[0]
    if not isinstance(data, bytes) or not data:
        findings.error(where, "holds no picture")
        return None
    names = _names(example, "image/object/class", listed)
    sides = [
        [float(v) for v in example.get(f"image/object/bbox/{key}", [])] for key in ("xmin", "ymin", "xmax", "ymax")
    ]
    if any(len(side) != len(names) for side in sides):
        findings.error(where, f"has {len(names)} class names, but {len(sides[0])} boxes; it is left out")
        return None
    boxes = tuple(
        Box(label=tidy_label(label), left=left, top=top, right=right, bottom=bottom)
        for label, left, top, right, bottom in zip(names, *sides, strict=True)
    )
    title = example.get("image/filename") or [b""]
    name = title[0].decode(errors="replace") if isinstance(title[0], bytes) and title[0] else where
    whole = _names(example, "image/class", listed)
    label = tidy_label(whole[0]) if whole and not boxes else None
    return Picture(name=name, read=partial(bytes, data), label=label, boxes=boxes, frame=(1.0, 1.0))


def _names(example: dict[str, Feature], key: str, listed: dict[int, str]) -> list[str]:
    """Class names, from the texts or else from the numbers and the label map."""
    texts = [v.decode(errors="replace") for v in example.get(f"{key}/text", []) if isinstance(v, bytes)]
    return texts or [listed.get(v, str(v)) for v in example.get(f"{key}/label", []) if isinstance(v, int)]


def examples(data: bytes, name: str) -> Iterator[dict[str, Feature]]:
    """The features of each tf.train.Example of a TFRecord file; damage is a `FormatError`."""
    at = 0
    while at < len(data):
        if at + 12 > len(data):
            raise FormatError("the file ends within a record's head", field=name, offset=at)
        length, crc = struct.unpack_from("<QI", data, at)
        if masked_crc32c(data[at : at + 8]) != crc:
            raise FormatError("not a TFRecord: the checksum of the length is wrong", field=name, offset=at)
        if at + 16 + length > len(data):
            raise FormatError(f"the file ends within a record of {length:,} bytes", field=name, offset=at)
        try:
            yield _example(memoryview(data)[at + 12 : at + 12 + length])
        except (struct.error, UnicodeDecodeError) as error:
            raise FormatError(f"a tf.train.Example is damaged ({error})", field=name, offset=at) from error
        at += 16 + length


def _example(message: memoryview) -> dict[str, Feature]:
    features: dict[str, Feature] = {}
    for number, value in _fields(message):
        if number != 1 or not isinstance(value, memoryview):
            continue
        for _, entry in _fields(value):
            if isinstance(entry, memoryview):
                parts = dict(_fields(entry))
                key, content = parts.get(1), parts.get(2)
                if isinstance(key, memoryview) and isinstance(content, memoryview):
                    features[bytes(key).decode()] = _feature(content)
    return features


def _feature(message: memoryview) -> Feature:
    """Feature: field 1 is a list of bytes, 2 of floats, 3 of integers; numbers may be packed."""
    for kind, content in _fields(message):
        if not isinstance(content, memoryview):
            continue
        items = [value for _, value in _fields(content)]
        if kind == 1:
            return [bytes(v) for v in items if isinstance(v, memoryview)]
        if kind == 2:
            packed = b"".join(bytes(v) if isinstance(v, memoryview) else struct.pack("<I", v) for v in items)
            return [v for (v,) in struct.iter_unpack("<f", packed)]
        numbers: list[int] = []
        for value in items:
            numbers += _varints(value) if isinstance(value, memoryview) else [value]
        return numbers
    return []


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Number and content of each field of a protocol buffer message."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        length, at = _varint(message, at) if kind == 2 else ({1: 8, 5: 4}.get(kind, -1), at)
        if length < 0 or at + length > len(message):
            raise FormatError("a protocol buffer message is damaged", offset=at, found=f"wire type {kind}")
        content = message[at : at + length]
        yield key >> 3, content if kind == 2 else int.from_bytes(content, "little")
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message) and shift < 64:
        value |= (message[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if message[at - 1] < 128:
            return value, at
    raise FormatError("a protocol buffer number is cut off", offset=at)


def _varints(message: memoryview) -> list[int]:
    values, at = [], 0
    while at < len(message):
        value, at = _varint(message, at)
        values.append(value)
    return values


def masked_crc32c(data: bytes) -> int:
    """The CRC-32C of `data`, rotated and offset as TFRecord stores it (tensorflow/core/lib/hash/crc32c.h)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
