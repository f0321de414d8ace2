"""Lines, rectangles, circles, ellipses and other pictures, drawn as the firmware's integer algorithms draw them.

A canvas is the pixel array [h, w] of a picture; a value is what a pixel becomes. Everything is cut at the edges.
Source of the algorithms' rules: `omv/img/draw.c`. The firmware steps pixel by pixel; here each step's place follows
from the invariant of its error term, so a line is one array operation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "as_pixel",
    "draw_arrow",
    "draw_circle",
    "draw_cross",
    "draw_ellipse",
    "draw_line",
    "draw_rectangle",
    "fill_box",
]

Canvas = NDArray[Any]
_F = np.float32


def as_pixel(canvas: Canvas, color: int, binary: bool = False) -> int:
    """A colour argument cut to what a pixel of this canvas holds."""
    return color & 1 if binary else color & int(np.iinfo(canvas.dtype).max)


def fill_box(canvas: Canvas, x0: int, y0: int, x1: int, y1: int, value: int) -> None:
    """Fill columns x0..x1 and rows y0..y1, bounds included."""
    if x1 >= 0 and y1 >= 0:
        canvas[max(y0, 0) : y1 + 1, max(x0, 0) : x1 + 1] = value


def _extent(thickness: int) -> tuple[int, int]:
    """Pixels before and after the middle of a stroke."""
    return thickness // 2, (thickness - 1) // 2


def _brush(before: int, after: int) -> list[tuple[int, int]]:
    """Offsets (x, y) of a stroke's round brush."""
    span = range(-before, after + 1)
    return [(x, y) for y in span for x in span if x * x + y * y <= before * before]


def _stamp(canvas: Canvas, xs: NDArray[np.int64], ys: NDArray[np.int64], brush: list[tuple[int, int]], v: int) -> None:
    height, width = canvas.shape
    for dx, dy in brush:
        x, y = xs + dx, ys + dy
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        canvas[y[inside], x[inside]] = v


def _line_points(
    x0: int, y0: int, x1: int, y1: int, shape: tuple[int, ...], margin: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Points of the firmware's Bresenham line that may lie within `margin` of the canvas.

    With the longer axis dx, after k steps its error is dx//2 - k dy + m dx with the smallest m >= 0 that keeps it
    >= 0; with dy the longer (or equal), -(dy//2) + k dx - n dy with the smallest n that keeps it <= 0.
    """
    dx, dy = abs(x1 - x0), abs(y1 - y0)
    sx, sy = (1 if x0 < x1 else -1), (1 if y0 < y1 else -1)
    steps = max(dx, dy)
    start, sign, size = (x0, sx, shape[1]) if dx > dy else (y0, sy, shape[0])
    near, far = sorted((sign * (-margin - start), sign * (size + margin - start)))
    k = np.arange(max(near, 0), min(far, steps) + 1, dtype=np.int64)
    if dx > dy:
        return x0 + sx * k, y0 + sy * -((dx // 2 - k * dy) // dx)
    if not dy:
        return np.array([x0]), np.array([y0])
    return x0 + sx * -((dy // 2 - k * dx) // dy), y0 + sy * k


def draw_line(canvas: Canvas, x0: int, y0: int, x1: int, y1: int, value: int, thickness: int = 1) -> None:
    """Draw a line with a round brush."""
    if thickness <= 0:
        return
    before, after = _extent(thickness)
    xs, ys = _line_points(x0, y0, x1, y1, canvas.shape, thickness)
    _stamp(canvas, xs, ys, _brush(before, after), value)


def draw_rectangle(
    canvas: Canvas, x: int, y: int, w: int, h: int, value: int, thickness: int = 1, fill: bool = False
) -> None:
    """Draw the outline of a rectangle, the stroke around its border pixels, or fill it."""
    if fill:
        if w > 0 and h > 0:
            fill_box(canvas, x, y, x + w - 1, y + h - 1, value)
        return
    if thickness <= 0:
        return
    before, after = _extent(thickness)
    left, top, right, bottom = x - before, y - before, x + w + after - 1, y + h + after - 1
    for row in (y, y + h - 1):
        if left <= right:
            fill_box(canvas, left, row - before, right, row + after, value)
    for column in (x, x + w - 1):
        if top <= bottom:
            fill_box(canvas, column - before, top, column + after, bottom, value)


def draw_circle(canvas: Canvas, cx: int, cy: int, r: int, value: int, thickness: int = 1, fill: bool = False) -> None:
    """Draw a circle: the stroke between two midpoint circles, or the disk."""
    if fill:
        _disk(canvas, cx, cy, r, value)
    elif thickness > 0:
        before, after = _extent(thickness)
        _ring(canvas, cx, cy, r + before, max(r - after, 0), value)


def _disk(canvas: Canvas, cx: int, cy: int, r: int, value: int) -> None:
    height, width = canvas.shape
    x0, x1, y0, y1 = max(cx - r, 0), min(cx + r, width - 1), max(cy - r, 0), min(cy + r, height - 1)
    if r < 0 or x0 > x1 or y0 > y1:
        return
    xs, ys = np.arange(x0, x1 + 1) - cx, np.arange(y0, y1 + 1) - cy
    canvas[y0 : y1 + 1, x0 : x1 + 1][xs[None, :] ** 2 + ys[:, None] ** 2 <= r * r] = value


def _ring(canvas: Canvas, cx: int, cy: int, outer: int, inner: int, value: int) -> None:
    """Two midpoint circles at once, the spans between them drawn in all eight octants."""
    start, y = inner, 0
    outer_error, inner_error = 1 - outer, 1 - inner
    farthest = sum(canvas.shape) + abs(cx) + abs(cy)  # no span can reach the canvas from beyond
    while outer >= y and y <= farthest:
        for side in (-y, y):
            fill_box(canvas, cx + inner, cy + side, cx + outer, cy + side, value)
            fill_box(canvas, cx - outer, cy + side, cx - inner, cy + side, value)
            fill_box(canvas, cx + side, cy + inner, cx + side, cy + outer, value)
            fill_box(canvas, cx + side, cy - outer, cx + side, cy - inner, value)
        y += 1
        if outer_error < 0:
            outer_error += 2 * y + 1
        else:
            outer -= 1
            outer_error += 2 * (y - outer + 1)
        if y > start:
            inner = y
        elif inner_error < 0:
            inner_error += 2 * y + 1
        else:
            inner -= 1
            inner_error += 2 * (y - inner + 1)


def draw_ellipse(
    canvas: Canvas, cx: int, cy: int, rx: int, ry: int, rotation: int, value: int, thickness: int, fill: bool
) -> None:
    """Draw an ellipse turned by whole degrees, as a sheared upright one."""
    x_axis, y_axis = rx * 2, ry * 2
    if x_axis <= 0 or y_axis <= 0 or not (thickness > 0 or fill):
        return
    turn = int(np.fmod(rotation, 180))
    if x_axis == y_axis or turn == 0:
        _sheared_ellipse(canvas, (cx, cy), (rx, ry), (_F(1), _F(0)), value, thickness, fill)
        return
    if turn == 90:
        _sheared_ellipse(canvas, (cx, cy), (ry, rx), (_F(1), _F(0)), value, thickness, fill)
        return
    angle = _F(rotation) * _F(np.pi) / _F(180)
    theta = np.arctan(_F(y_axis // x_axis) * -np.tan(angle))  # the firmware divides the two integers
    shear_x = _F(x_axis) * np.cos(theta) * np.cos(angle) - _F(y_axis) * np.sin(theta) * np.sin(angle)
    shear_y = _F(x_axis) * np.cos(theta) * np.sin(angle) + _F(y_axis) * np.sin(theta) * np.cos(angle)
    if shear_x == 0:
        return
    width = np.abs(shear_x)
    radii = (int(width / _F(2)), int(_F(x_axis * y_axis) / width / _F(2)))
    _sheared_ellipse(canvas, (cx, cy), radii, (shear_x, shear_y), value, thickness, fill)


def _sheared_ellipse(
    canvas: Canvas,
    center: tuple[int, int],
    radii: tuple[int, int],
    shear: tuple[np.float32, np.float32],
    value: int,
    thickness: int,
    fill: bool,
) -> None:
    columns, halves = _ellipse_outline(*radii)
    for sign in (1, -1):
        xs = sign * columns
        middle = center[1] + np.trunc(xs.astype(_F) * shear[1] / shear[0]).astype(np.int64)
        if fill:
            for x, y, half in zip(xs + center[0], middle, halves, strict=True):
                fill_box(canvas, int(x), int(y - half), int(x), int(y + half), value)
        else:
            brush = _brush(*_extent(thickness))
            _stamp(canvas, xs + center[0], middle + halves, brush, value)
            _stamp(canvas, xs + center[0], middle - halves, brush, value)


def _ellipse_outline(width: int, height: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Columns and half heights of an upright ellipse's first quadrant: two midpoint walks that meet."""
    steep = _quarter(width, height)
    flat = _quarter(height, width)
    columns = [x for x, _ in steep] + [y for _, y in flat]
    halves = [y for _, y in steep] + [x for x, _ in flat]
    return np.array(columns, np.int64), np.array(halves, np.int64)


def _quarter(width: int, height: int) -> list[tuple[int, int]]:
    """From the top (0, height) outwards until the slope reaches one; (x, y) of each step."""
    points = []
    a, b = width * width, height * height
    x, y, sigma = 0, height, 2 * b + a * (1 - 2 * height)
    while b * x <= a * y:
        points.append((x, y))
        if sigma >= 0:
            sigma += 4 * a * (1 - y)
            y -= 1
        sigma += b * (4 * x + 6)
        x += 1
        if not (a or b):
            break
    return points


def draw_cross(canvas: Canvas, x: int, y: int, value: int, size: int = 5, thickness: int = 1) -> None:
    """Draw a horizontal and a vertical line through a point."""
    draw_line(canvas, x - size, y, x + size, y, value, thickness)
    draw_line(canvas, x, y - size, x, y + size, value, thickness)


def draw_arrow(
    canvas: Canvas, x0: int, y0: int, x1: int, y1: int, value: int, size: int = 10, thickness: int = 1
) -> None:
    """Draw a line with two strokes at its end."""
    dx, dy = x1 - x0, y1 - y0
    length = np.sqrt(_F(dx * dx + dy * dy))
    ux, uy = (_F(dx) / length, _F(dy) / length) if length else (_F(0), _F(0))
    draw_line(canvas, x0, y0, x1, y1, value, thickness)
    for side in (_F(0.5), _F(-0.5)):
        x = _F(x1) - _F(size) * ux - _F(size) * uy * side
        y = _F(y1) - _F(size) * uy + _F(size) * ux * side
        draw_line(canvas, x1, y1, int(x), int(y), value, thickness)
