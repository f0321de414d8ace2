"""Small data sets in every form, drawn where the tests need them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

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
