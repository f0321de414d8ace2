"""Lens correction, rotation, polar pictures, and the K210's own: conv3, stretch, strech_char."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .. import warp
from ..arguments import Arguments, as_array, as_float, as_int, require
from ..illumination import without_brightness, without_light
from ..image import Image
from ..kpu_filter import convolved
from ..pixels import Format, join565
from ..table import method

__all__ = ["conv3", "lens_corr", "rotation_corr"]


@method("lens_corr")
def lens_corr(image: Image, arguments: Arguments) -> Image:
    frame, workshop = image.mutable(), image._workshop
    strength = arguments.number(0, "strength", 1.8)
    require(strength > 0, "Strength must be > 0!")
    zoom = arguments.number(1, "zoom", 1.0)
    require(zoom > 0, "Zoom must be > 0!")
    with workshop.scratch(frame.size):
        frame.data[...] = warp.lens_corrected(frame.data, strength, zoom)
    workshop.spend("warp", frame.data.size)
    return image


def _corners(arguments: Arguments) -> list[tuple[float, float]] | None:
    found = arguments.value(7, "corners")
    if found is None:
        return None
    points = [as_array(point, 2) for point in as_array(found, 4)]
    return [(as_float(x), as_float(y)) for x, y in points]


@method("rotation_corr", full=True)
def rotation_corr(image: Image, arguments: Arguments) -> Image:
    frame, workshop = image.mutable(), image._workshop
    names = ("x_rotation", "y_rotation", "z_rotation", "x_translation", "y_translation")
    values = {name: arguments.number(at, name, 0.0) for at, name in enumerate(names)}
    zoom = arguments.number(5, "zoom", 1.0)
    require(zoom > 0, "Zoom must be > 0!")
    fov = arguments.number(6, "fov", 60.0)
    # The firmware compares radians with 180.
    require(0 < np.radians(fov) < 180, "FOV must be > 0 and < 180!")
    turn = warp.Turn(**values, zoom=zoom, fov=fov, corners=_corners(arguments))
    with workshop.scratch(frame.size):
        frame.data[...] = warp.rotated(frame.data, turn)
    workshop.spend("warp", frame.data.size)
    return image


def _polar(image: Image, arguments: Arguments, linear: bool) -> Image:
    frame, workshop = image.mutable(), image._workshop
    reverse = arguments.flag(0, "reverse")
    with workshop.scratch(frame.size):
        frame.data[...] = warp.polar(frame.data, linear, reverse)
    workshop.spend("warp", frame.data.size)
    return image


@method("linpolar", full=True)
def linpolar(image: Image, arguments: Arguments) -> Image:
    return _polar(image, arguments, True)


@method("logpolar", full=True)
def logpolar(image: Image, arguments: Arguments) -> Image:
    return _polar(image, arguments, False)


@method("conv3", least=2)
def conv3(image: Image, arguments: Arguments) -> None:
    """Filter the KPU's planes with a 3 x 3 kernel on the KPU, and show the result in the pixels."""
    frame, workshop = image.mutable(), image._workshop
    kernel = [as_float(weight) for weight in as_array(arguments.value(0, "kern"), 9)]
    if frame.ai is None or len(frame.ai) != 3:
        workshop.board.print("pix_ai or pixels is NULL!\n")
        return
    frame.ai[...] = convolved(frame.ai, kernel)
    if frame.format is Format.RGB565:
        red, green, blue = frame.ai
        frame.data[...] = join565(red >> 3, green >> 2, blue >> 3)
    workshop.spend("planes", frame.data.size)


def _recoloured(image: Image, table: NDArray[np.uint16]) -> Image:
    frame = image.mutable()
    if frame.format is Format.RGB565:
        frame.data[...] = table[frame.data]
        image._workshop.spend("warp", frame.data.size)
    return image


@method("chrominvar", most=1, full=True)
def chrominvar(image: Image, _: Arguments) -> Image:
    """Take the brightness out of the colours; gray pictures stay."""
    return _recoloured(image, without_brightness())


@method("illuminvar", most=1, full=True)
def illuminvar(image: Image, _: Arguments) -> Image:
    """Take the colour of the light out of the colours; gray pictures stay."""
    return _recoloured(image, without_light())


@method("stretch", least=3, most=3)
def stretch(image: Image, arguments: Arguments) -> None:
    """Spread the gray levels of the inner pixels to a range; the factor is a whole number of at most 5."""
    frame, workshop = image._frame, image._workshop
    low, high = (as_int(value) for value in arguments.values)
    if frame.format is not Format.GRAYSCALE:
        workshop.board.print("only support grayscale now\r\n")
        return
    inner = frame.data[1:-1, 1:-1]
    if not inner.size or inner.min() == inner.max():
        return
    least, most = int(inner.min()), int(inner.max())
    factor = min(int((high - low) / (most - least)), 5)
    frame.data[...] = ((frame.data.astype(np.int64) - least) * factor + low) & 0xFF
    workshop.spend("convert", frame.data.size)


@method("strech_char", least=2, most=2)
def strech_char(image: Image, arguments: Arguments) -> None:
    """Spread what is brighter than the mean over the range; with `de_dark` fade towards the corners."""
    frame, workshop = image._frame, image._workshop
    fade = as_int(arguments.values[0])
    if frame.format is not Format.GRAYSCALE:
        workshop.board.print("only support grayscale now\r\n")
        return
    levels = frame.data.astype(np.int64)
    mean, most = int(levels.sum()) // frame.width // frame.height, int(levels.max())
    if most == mean:
        # The board divides by zero here, which gives -1 for every pixel: black.
        frame.data[...] = 0
        return
    raised = (levels - mean) * 255
    made = np.clip(np.sign(raised) * (np.abs(raised) // (most - mean)), 0, 255)
    if fade:
        x, y = np.arange(frame.width) - frame.width // 2, np.arange(frame.height)[:, None] - frame.height // 2
        square = (x * x + y * y).astype(np.float64)
        made = (made / (1 + 32 * square * square / frame.width**2 / frame.height**2)).astype(np.int64)
    frame.data[...] = made
    workshop.spend("convert", frame.data.size)
