"""The contact sheet: what the camera saw and what the StickC's display showed."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from k210kit.files import write_whole

__all__ = ["write_sheet"]

_WIDTH, _GAP, _TITLE = 1000, 12, 30
_PAPER, _INK = (250, 250, 248), (30, 40, 50)


def write_sheet(path: Path, photos: Sequence[Path], displays: Sequence[Path]) -> None:
    """Write a PNG: a row of what the camera saw, and the pictures of the display below, as large as fit."""
    rows = [("What the camera saw (drawn)", photos[:5]), ("", photos[5:10])]
    rows += [("What the M5StickC-Plus showed", displays[:3]), ("", displays[3:6])]
    drawn = [(title, _row(row)) for title, row in rows if row]
    height = sum(image.height + _GAP + (_TITLE if title else 0) for title, image in drawn) + _GAP
    sheet = Image.new("RGB", (_WIDTH + 2 * _GAP, height), _PAPER)
    draw, font, top = ImageDraw.Draw(sheet), ImageFont.load_default(size=18), _GAP
    for title, image in drawn:
        if title:
            draw.text((_GAP, top), title, fill=_INK, font=font)
            top += _TITLE
        sheet.paste(image, (_GAP, top))
        top += image.height + _GAP
    stream = io.BytesIO()
    sheet.save(stream, "PNG")
    write_whole(path, stream.getvalue(), force=True)


def _row(paths: Sequence[Path]) -> Image.Image:
    """Pictures side by side, all of one width."""
    images = [Image.open(path).convert("RGB") for path in paths]
    width = (_WIDTH - _GAP * (len(images) - 1)) // max(len(images), 3)
    scaled = [image.resize((width, image.height * width // image.width), Image.Resampling.LANCZOS) for image in images]
    row = Image.new("RGB", (_WIDTH, max(image.height for image in scaled)), _PAPER)
    for i, image in enumerate(scaled):
        row.paste(image, (i * (width + _GAP), 0))
    return row
