"""The draw_* methods: arguments in, `draw` and `text` do the work."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import draw
from ..arguments import Arguments, as_array, as_float, as_int, as_text, require
from ..blend import draw_over
from ..described import Corners
from ..fast_math import COSINES, SINES
from ..frame import Frame
from ..image import Image, cast
from ..pixels import Format
from ..table import method
from ..text import Style, draw_ascii, draw_glyph, draw_utf8

__all__ = ["draw_image", "draw_line", "draw_string"]


def _value(image: Image, arguments: Arguments, at: int) -> int:
    """The pixel value of the colour argument."""
    frame = image.mutable()
    color = arguments.color(at, frame.format, image._workshop.fast_yuv)
    return draw.as_pixel(frame.data, color, frame.format is Format.BINARY)


def _thickness(arguments: Arguments, at: int) -> int:
    return arguments.integer(at, "thickness", 1)


@method("draw_line", least=2)
def draw_line(image: Image, arguments: Arguments) -> Image:
    canvas = image.mutable().data
    (x0, y0, x1, y1), at = arguments.point(0, 4)
    thickness = _thickness(arguments, at + 1)
    draw.draw_line(canvas, x0, y0, x1, y1, _value(image, arguments, at), thickness)
    image._workshop.spend("draw", max(abs(x1 - x0), abs(y1 - y0)) * max(thickness, 0) ** 2)
    return image


@method("draw_rectangle", least=2)
def draw_rectangle(image: Image, arguments: Arguments) -> Image:
    canvas = image.mutable().data
    (x, y, w, h), at = arguments.point(0, 4)
    thickness, fill = _thickness(arguments, at + 1), arguments.flag(at + 2, "fill")
    draw.draw_rectangle(canvas, x, y, w, h, _value(image, arguments, at), thickness, fill)
    image._workshop.spend("draw", max(w, 0) * max(h, 0) if fill else 2 * (abs(w) + abs(h)) * max(thickness, 0))
    return image


@method("draw_circle", least=2)
def draw_circle(image: Image, arguments: Arguments) -> Image:
    canvas = image.mutable().data
    (x, y, r), at = arguments.point(0, 3)
    thickness, fill = _thickness(arguments, at + 1), arguments.flag(at + 2, "fill")
    draw.draw_circle(canvas, x, y, r, _value(image, arguments, at), thickness, fill)
    image._workshop.spend("draw", 4 * r * r if fill else 8 * abs(r) * max(thickness, 0))
    return image


@method("draw_ellipse", least=2)
def draw_ellipse(image: Image, arguments: Arguments) -> Image:
    canvas = image.mutable().data
    (x, y, rx, ry), at = arguments.point(0, 4)
    rotation = arguments.integer(at, "rotation", 0)
    thickness, fill = _thickness(arguments, at + 2), arguments.flag(at + 3, "fill")
    draw.draw_ellipse(canvas, x, y, rx, ry, rotation, _value(image, arguments, at + 1), thickness, fill)
    image._workshop.spend("draw", 4 * abs(rx * ry) if fill else 4 * (abs(rx) + abs(ry)) * max(thickness, 0) ** 2)
    return image


@method("draw_cross", least=2)
def draw_cross(image: Image, arguments: Arguments) -> Image:
    canvas = image.mutable().data
    (x, y), at = arguments.point(0, 2)
    size, thickness = arguments.integer(at + 1, "size", 5), _thickness(arguments, at + 2)
    draw.draw_cross(canvas, x, y, _value(image, arguments, at), size, thickness)
    image._workshop.spend("draw", 4 * abs(size) * max(thickness, 0) ** 2)
    return image


@method("draw_arrow", least=2)
def draw_arrow(image: Image, arguments: Arguments) -> Image:
    canvas = image.mutable().data
    (x0, y0, x1, y1), at = arguments.point(0, 4)
    size, thickness = arguments.integer(at + 1, "size", 10), _thickness(arguments, at + 2)
    draw.draw_arrow(canvas, x0, y0, x1, y1, _value(image, arguments, at), size, thickness)
    image._workshop.spend("draw", (max(abs(x1 - x0), abs(y1 - y0)) + 2 * abs(size)) * max(thickness, 0) ** 2)
    return image


def _scale(arguments: Arguments, at: int) -> np.float32:
    scale = np.float32(arguments.number(at, "scale", 1.0))
    require(bool(scale > 0), "Error: 0 < scale!")
    return scale


@method("draw_font", least=2)
def draw_font(image: Image, arguments: Arguments) -> Image:
    """Draw one glyph whose bits the script gives."""
    canvas = image.mutable().data
    (x, y, width, height, glyph), at = arguments.vector(0, 5)
    x, y, width, height = (as_int(part) for part in (x, y, width, height))
    rows = as_text(glyph)
    require(width % 8 == 0 and width <= 32, "Error: font arg_w_font %% 8 == 0 && arg_w_font <= 32!")
    whole = (width // 8) * (height // 8) * 8 == len(rows)
    require(whole, "Error: font (arg_w_font / 8) * (arg_h_font / 8) * 8 == font_len!")
    style = Style(_value(image, arguments, at), _scale(arguments, at + 1))
    draw_glyph(canvas, x, y, style, width, height, rows)
    image._workshop.spend("draw", style.scaled(width) * style.scaled(height))
    return image


@method("draw_string", least=2)
def draw_string(image: Image, arguments: Arguments) -> Image:
    workshop, canvas = image._workshop, image.mutable().data
    (x, y, text), at = arguments.vector(0, 3)
    x, y = as_int(x), as_int(y)
    style = Style(
        value=_value(image, arguments, at),
        scale=_scale(arguments, at + 1),
        x_spacing=arguments.integer(at + 2, "x_spacing", 0),
        y_spacing=arguments.integer(at + 3, "y_spacing", 2),
        mono_space=arguments.flag(at + 4, "mono_space"),
    )
    drawn = as_text(text)
    if workshop.font.glyph is None:
        draw_ascii(canvas, x, y, drawn, style)
    else:
        draw_utf8(canvas, x, y, drawn, style, workshop.font)
    cell = style.scaled(workshop.font.width) * style.scaled(workshop.font.height)
    workshop.spend("draw", len(drawn) * cell)
    return image


@method("draw_image", least=3)
def draw_image(image: Image, arguments: Arguments) -> Image:
    """Draw another picture, scaled, blended and masked."""
    frame = image.mutable()
    other = cast(arguments.values[0]).mutable()
    (x, y), at = arguments.point(1, 2)
    scales = [as_float(arguments.number(at + i, name, 1.0)) for i, name in enumerate(("x_scale", "y_scale"))]
    require(scales[0] >= 0, "Error: 0.0 <= x_scale!")
    require(scales[1] >= 0, "Error: 0.0 <= y_scale!")
    alpha = arguments.integer(at + 2, "alpha", 256) / 256
    require(0 <= alpha <= 1, "Error: 0 <= alpha <= 256!")
    mask = mask_argument(arguments, at + 3)
    pixels = draw_over(frame, other, (x, y), (scales[0], scales[1]), alpha, mask, fast=image._workshop.fast_yuv)
    image._workshop.spend("draw" if alpha == 1 else "blend", pixels)
    return image


def mask_argument(arguments: Arguments, at: int, name: str = "mask") -> Frame | None:
    """A picture that says which pixels count, if one was given."""
    found: Any = arguments.value(at, name)
    given = name in arguments.keywords or at < len(arguments)
    return cast(found).mutable() if given else None


@method("draw_keypoints", least=2, full=True)
def draw_keypoints(image: Image, arguments: Arguments) -> Image:
    """Draw a circle with a hand for each (x, y, angle)."""
    canvas, given = image.mutable().data, arguments.values[0]
    points = (
        [given[at][:2] + given[at][4:] for at in range(len(given))] if isinstance(given, Corners) else as_array(given)
    )
    size, thickness = arguments.integer(2, "size", 10), _thickness(arguments, 3)
    fill, value = arguments.flag(4, "fill"), _value(image, arguments, 1)
    for point in points:
        x, y, angle = (as_int(part) for part in as_array(point, 3))
        degrees = int(np.fmod(angle, 360))
        dx, dy = int(COSINES[degrees] * np.float32(size)), int(SINES[degrees] * np.float32(size))
        draw.draw_line(canvas, x, y, x + dx, y + dy, value, thickness)
        draw.draw_circle(canvas, x, y, int((size - 2) / 2), value, thickness, fill)
    image._workshop.spend("draw", len(points) * 4 * abs(size) * max(thickness, 0))
    return image
