"""Text: how the firmware places glyphs, and fonts that a script loads.

Source: `omv/img/font.c`. Without mono_space a glyph starts at its first filled column and the next one two columns
after its last; an empty glyph moves on by three columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .draw import draw_rectangle
from .font import CELL_HEIGHT, CELL_WIDTH, ascii_font

__all__ = ["BUILT_IN", "Font", "Style", "draw_ascii", "draw_glyph", "draw_utf8"]

Canvas = NDArray[Any]
_F = np.float32


@dataclass(frozen=True)
class Font:
    """A cell size and where the glyph of a code point comes from; `glyph` is None for the built-in ASCII font."""

    width: int
    height: int
    glyph: Callable[[int], bytes] | None = None

    @property
    def glyph_bytes(self) -> int:
        return self.width // 8 * self.height


BUILT_IN = Font(CELL_WIDTH, CELL_HEIGHT)


@dataclass(frozen=True)
class Style:
    """How text looks: the pixel value, the size factor and the gaps."""

    value: int
    scale: np.float32
    x_spacing: int = 0
    y_spacing: int = 2
    mono_space: bool = False

    def scaled(self, length: int) -> int:
        return int(_F(length) * self.scale)


def draw_glyph(canvas: Canvas, x: int, y: int, style: Style, width: int, height: int, rows: bytes) -> None:
    """Draw one glyph of `width` x `height` pixels; its rows lie in byte columns, each `height` bytes."""
    steps_down = np.arange(style.scaled(height))
    steps_right = np.arange(style.scaled(width) & 0xFF)
    if not (len(steps_down) and len(steps_right)):
        return
    bits = _row_words(rows, height, (steps_down.astype(_F) / style.scale).astype(np.int64) & 0xFF)
    shift = width - 1 - (steps_right.astype(_F) / style.scale).astype(np.int64)
    filled = (bits[:, None] >> shift[None, :]) & 1 != 0
    top, left = max(0, -y), max(0, -x)
    target = canvas[max(0, y) : max(0, y + filled.shape[0]), max(0, x) : max(0, x + filled.shape[1])]
    target[filled[top : top + target.shape[0], left : left + target.shape[1]]] = style.value


def _row_words(rows: bytes, height: int, at: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows as integers. The firmware counts byte columns by the height, not the width; past the end reads 0."""
    columns = max(1, height // 8)
    padded = np.frombuffer(rows + bytes(max(0, 256 + columns * height - len(rows))), np.uint8).astype(np.int64)
    words = padded[at]
    for column in range(1, columns):
        words = (words << 8 | padded[at + column * height]) & 0xFFFFFFFF
    return words


def _filled_columns(rows: bytes, font: Font) -> tuple[int, int] | None:
    """First and last filled column, looking at the first byte column as the firmware does."""
    together = 0
    for row in rows[: font.height]:
        together |= row
    columns = [x for x in range(font.width) if together & (1 << (font.width - 1 - x))]
    return (columns[0], columns[-1]) if columns else None


def _draw_and_move(canvas: Canvas, x: int, y: int, style: Style, font: Font, rows: bytes) -> int:
    """Draw a glyph at x and return where the next one goes."""
    if style.mono_space:
        draw_glyph(canvas, x, y, style, font.width, font.height, rows)
        return x + style.scaled(font.width) + style.x_spacing
    filled = _filled_columns(rows, font)
    if filled is None:
        return x + style.scaled(3)
    x -= style.scaled(filled[0])
    draw_glyph(canvas, x, y, style, font.width, font.height, rows)
    return x + style.scaled(filled[1] + 2) + style.x_spacing


def draw_ascii(canvas: Canvas, x: int, y: int, text: bytes, style: Style) -> None:
    """Draw ASCII text; a byte that the font lacks is drawn as a box that takes no room."""
    glyphs, left = ascii_font(), x
    previous = 0
    for code in text.split(b"\0")[0]:
        if code == 10 and previous == 13:
            pass
        elif code in (10, 13):
            x, y = left, y + style.scaled(CELL_HEIGHT) + style.y_spacing
        elif code in glyphs:
            x = _draw_and_move(canvas, x, y, style, BUILT_IN, glyphs[code])
        else:
            inset = style.scaled(3) // 2
            sides = (style.scaled(CELL_HEIGHT) - 2 * inset, style.scaled(CELL_WIDTH) - 2 * inset)
            draw_rectangle(canvas, x + inset, y + inset, *sides, style.value, int(style.scale))
        previous = code


def draw_utf8(canvas: Canvas, x: int, y: int, text: bytes, style: Style, font: Font) -> None:
    """Draw text with a loaded font; it ends at the first byte that is not UTF-8. There are no line breaks."""
    assert font.glyph is not None
    for code in _code_points(text):
        x = _draw_and_move(canvas, x, y, style, font, font.glyph(code))


def _code_points(text: bytes) -> Iterator[int]:
    decoded = text.decode("utf-8", "replace")
    for character in decoded:
        if character in "\0\ufffd":
            return
        yield ord(character)
