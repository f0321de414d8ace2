"""The memory of a plan as a PNG."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from k210kit.files import write_whole
from k210kit.planner.bars import COLOURS, Bar, bars
from k210kit.planner.plan import Fit

__all__ = ["draw", "write_png"]

_WIDTH, _MARGIN, _BAR, _ROW = 1200, 40, 56, 26
_INK, _PALE, _PAPER = "#0f172a", "#475569", "#ffffff"
_GOOD, _BAD = "#15803d", "#b91c1c"
_NARROWEST = 2  # pixels, so that a small item is still seen


def write_png(result: Fit, path: Path, *, force: bool = False) -> None:
    """Write the picture of `result`."""
    out = io.BytesIO()
    draw(result).save(out, format="PNG", optimize=True)
    write_whole(path, out.getvalue(), force=force)


def draw(result: Fit) -> Image.Image:
    """The picture: verdict, a bar for each memory, and what its pieces are."""
    rows = bars(result)
    height = 150 + sum(_height(bar) for bar in rows)
    image = Image.new("RGB", (_WIDTH, height), _PAPER)
    pen = ImageDraw.Draw(image)
    pen.text((_MARGIN, 24), f"{result.model.name} on {result.firmware}", fill=_INK, font=_font(28))
    colour = _GOOD if result.fits else _BAD
    pen.text((_MARGIN, 66), _short_verdict(result), fill=colour, font=_font(20))
    pen.text((_MARGIN, 98), result.next_step, fill=_INK, font=_font(15))
    top = 138
    for bar in rows:
        _draw_bar(pen, bar, top)
        top += _height(bar)
    return image


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _short_verdict(result: Fit) -> str:
    if result.fits:
        doubt = "" if result.certain else f", within the uncertainty of {result.uncertainty_bytes:,}"
        return f"fits, {result.spare_bytes:,} bytes to spare{doubt}"
    return result.verdict if len(result.verdict) < 100 else result.verdict.split(". ")[0] + "."


def _legend(bar: Bar) -> list[tuple[str, str, int]]:
    return [(segment.name, segment.group, segment.bytes) for segment in bar.segments if segment.bytes >= 1024]


def _height(bar: Bar) -> int:
    return 40 + _BAR + _ROW * -(-len(_legend(bar)) // 2) + 34


def _draw_bar(pen: ImageDraw.ImageDraw, bar: Bar, top: int) -> None:
    pen.text((_MARGIN, top), bar.title, fill=_INK, font=_font(18))
    pen.text((_WIDTH - _MARGIN, top), f"{bar.total:,} bytes", fill=_PALE, font=_font(16), anchor="ra")
    room, left, top = _WIDTH - 2 * _MARGIN, float(_MARGIN), top + 30
    widths = [max(_NARROWEST, room * segment.bytes / bar.drawn) for segment in bar.segments]
    end = left
    for segment, width in zip(bar.segments, widths, strict=True):
        right = left + width * room / sum(widths)
        pen.rectangle((left, top, right, top + _BAR), fill=COLOURS[segment.group], outline=_PAPER)
        left, end = right, right if segment.group != "too much" else end
    pen.line((end, top - 6, end, top + _BAR + 6), fill=_INK, width=2)
    for number, (name, group, size) in enumerate(_legend(bar)):
        x = _MARGIN + (number % 2) * room // 2
        y = top + _BAR + 12 + _ROW * (number // 2)
        pen.rectangle((x, y + 3, x + 14, y + 17), fill=COLOURS[group])
        pen.text((x + 22, y), name, fill=_INK, font=_font(15))
        pen.text((x + room // 2 - 24, y), f"{size:,}", fill=_PALE, font=_font(15), anchor="ra")
