"""Small data sets in every form, drawn where the tests need them."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from k210kit.training.datasets import Dataset, Picture, examine
from k210kit.training.datasets.pixels import InputSize
from k210kit.training.datasets.tfrecord import masked_crc32c

CAT = (10.0, 20.0, 50.0, 60.0)  # left, top, right, bottom of the one object in `picture`


def picture(seed: int = 0, size: tuple[int, int] = (80, 100), form: str = "PNG", **options: object) -> bytes:
    """A picture file of noise, so that no two look alike."""
    noise = np.random.default_rng(seed).integers(0, 256, (size[1] // 4, size[0] // 4, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).resize(size, Image.Resampling.NEAREST).save(buffer, form, **options)
    return buffer.getvalue()


def written(folder: Path, files: Mapping[str, bytes | str]) -> Path:
    """`files` below `folder`."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def voc(name: str, *objects: str, size: tuple[int, int] = (80, 100)) -> str:
    return (
        f"<annotation><filename>{name}</filename><size><width>{size[0]}</width><height>{size[1]}</height></size>"
        f"{''.join(objects)}</annotation>"
    )


def voc_object(label: str = "cat", box: tuple[float, ...] = CAT) -> str:
    sides = zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    return f"<object><name>{label}</name><bndbox>{''.join(f'<{k}>{v}</{k}>' for k, v in sides)}</bndbox></object>"


def only_cat(dataset: Dataset) -> Picture:
    """The one picture with a box; checks that the box is CAT in upright pixels."""
    (found,) = (r for r in examine(dataset, InputSize(width=96, height=96), fit="stretch").ready if len(r.boxes))
    scale = 96 / 80, 96 / 100
    wanted = [CAT[0] * scale[0], CAT[1] * scale[1], CAT[2] * scale[0], CAT[3] * scale[1]]
    assert found.boxes[0].tolist() == pytest.approx(wanted, abs=0.01)
    assert dataset.labels == ("cat",)
    return found.source


def example(data: bytes, name: str, labels: Sequence[str | int], boxes: list[tuple[float, ...]]) -> bytes:
    """A tf.train.Example, written field by field."""

    def field(number: int, body: bytes) -> bytes:
        length, head = len(body), bytearray()
        while length > 127:
            head.append(length & 127 | 128)
            length >>= 7
        return bytes([number << 3 | 2, *head, length]) + body

    features = {
        "image/encoded": field(1, field(1, data)),
        "image/filename": field(1, field(1, name.encode())),
        "image/object/class/text": field(1, b"".join(field(1, v.encode()) for v in labels if isinstance(v, str))),
        "image/object/class/label": field(3, field(1, bytes(v for v in labels if isinstance(v, int)))),
    }
    for place, side in enumerate(("xmin", "ymin", "xmax", "ymax")):
        packed = b"".join(struct.pack("<f", box[place]) for box in boxes)
        features[f"image/object/bbox/{side}"] = field(2, field(1, packed))
    entries = [field(1, field(1, key.encode()) + field(2, value)) for key, value in features.items()]
    return field(1, b"".join(entries))


def record(payload: bytes) -> bytes:
    """One record of a TFRecord file."""
    head = len(payload).to_bytes(8, "little")
    return head + masked_crc32c(head).to_bytes(4, "little") + payload + bytes(4)
