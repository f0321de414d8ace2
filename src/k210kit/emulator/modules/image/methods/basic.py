"""Size, format, single pixels, and the KPU's planes."""

from __future__ import annotations

import numpy as np

from ..arguments import Arguments
from ..draw import as_pixel
from ..frame import words_of
from ..image import PIXEL_FORMATS, Image
from ..pixels import Format, ai_planes, rgb_of_words, words_of_planes
from ..table import method

__all__ = ["ai_to_pix", "clear", "dump_roi", "format", "get_pixel", "height", "pix_to_ai", "set_pixel", "size", "width"]


@method("width", most=1)
def width(image: Image, _: Arguments) -> int:
    return image._frame.width


@method("height", most=1)
def height(image: Image, _: Arguments) -> int:
    return image._frame.height


@method("format", most=1)
def format(image: Image, _: Arguments) -> int | None:
    """The sensor's number of the format; None for a binary picture."""
    return PIXEL_FORMATS.get(image._frame.format)


@method("size", most=1)
def size(image: Image, _: Arguments) -> int:
    return image._frame.size


@method("get_pixel", least=2)
def get_pixel(image: Image, arguments: Arguments) -> int | tuple[int, ...] | None:
    """(r, g, b) of 0..255 for RGB565, a number for others; `rgbtuple` chooses. None outside."""
    frame = image.mutable()
    (x, y), following = arguments.point(0, 2)
    as_tuple = arguments.flag(following, "rgbtuple", frame.format is Format.RGB565)
    if not (0 <= x < frame.width and 0 <= y < frame.height):
        return None
    if as_tuple:
        return tuple(rgb_of_words(words_of(frame.with_data(frame.data[y : y + 1, x : x + 1])))[0, 0].tolist())
    return int(frame.data[y, x])


@method("set_pixel", least=2)
def set_pixel(image: Image, arguments: Arguments) -> Image:
    frame = image.mutable()
    (x, y), following = arguments.point(0, 2)
    color = arguments.color(following, frame.format, image._workshop.fast_yuv)
    if 0 <= x < frame.width and 0 <= y < frame.height:
        frame.data[y, x] = as_pixel(frame.data, color, frame.format is Format.BINARY)
    return image


@method("clear", most=1)
def clear(image: Image, _: Arguments) -> Image:
    frame = image.mutable()
    frame.data[...] = 0
    image._workshop.spend("copy", frame.data.size)
    return image


@method("pix_to_ai", most=1)
def pix_to_ai(image: Image, _: Arguments) -> None:
    """Write the KPU's planes, taking memory for them if the picture has none."""
    frame, workshop = image._frame, image._workshop
    if frame.format not in (Format.RGB565, Format.GRAYSCALE):
        workshop.board.print("only support grayscale now\r\n")
        return
    colored = frame.format is Format.RGB565
    if frame.ai is None or frame.ai.shape[1:] != frame.data.shape:
        row = (frame.width + 63) // 64 * 64 if colored else frame.width
        if frame.ai is None:
            image.keep(workshop.allocate(row * frame.height * (3 if colored else 1)))
        frame.ai = np.empty((3 if colored else 1, *frame.data.shape), np.uint8)
    frame.ai[...] = ai_planes(frame.data) if colored else frame.data
    workshop.spend("planes", frame.data.size)


@method("ai_to_pix", most=1)
def ai_to_pix(image: Image, _: Arguments) -> None:
    """Write the pixels from the KPU's planes."""
    frame, workshop = image._frame, image._workshop
    if frame.ai is None:
        return
    if frame.format not in (Format.RGB565, Format.GRAYSCALE):
        workshop.board.print("only support grayscale now\r\n")
        return
    frame.data[...] = words_of_planes(frame.ai) if frame.format is Format.RGB565 else frame.ai[0]
    workshop.spend("planes", frame.data.size)


@method("dump_roi", least=2)
def dump_roi(image: Image, arguments: Arguments) -> None:
    """Print the bytes of some pixels, two for each, whatever the format."""
    frame = image.mutable()
    (x0, y0, w, h), _ = arguments.point(0, 4)
    memory = frame.data.reshape(-1).view(np.uint8)
    lines = []
    for y in range(y0, y0 + h):
        line = ""
        for x in range(x0, x0 + w):
            at = 2 * frame.width * y + 2 * x
            pair = [int(memory[i]) if 0 <= i < memory.size else 0 for i in (at, at + 1)]
            line += f"0x{pair[0]:02x} 0x{pair[1]:02x}; " + ("\n" if (x - x0) % 8 == 7 else "")
        lines.append(line + "\n")
    image._workshop.board.print("".join(lines) + "\n")
