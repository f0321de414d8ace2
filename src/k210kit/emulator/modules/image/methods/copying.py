"""Pictures made of pictures: copies, cuts, other sizes, other formats."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from k210kit.timing import resize_seconds

from .. import resize as sizes
from ..arguments import Arguments, as_int, require
from ..frame import Frame, binary_of, gray_of, memory_bytes, words_of
from ..image import Image, cast
from ..pixels import Format, rainbow_words
from ..table import method

__all__ = ["copy", "crop", "cut", "resize"]


def overwrite(image: Image, data: NDArray[Any], format: Format) -> Frame:
    """Put new pixels at the start of a picture's memory, as an in-place method does; returns their frame."""
    frame = image._frame
    memory = frame.data.reshape(-1).view(np.uint8)
    packed = _packed(data) if format is Format.BINARY else np.ascontiguousarray(data).reshape(-1).view(np.uint8)
    if packed.size <= memory.size:
        memory[: packed.size] = packed
    if format is Format.BINARY or packed.size > memory.size or not frame.data.flags.c_contiguous:
        return Frame(data.shape[1], data.shape[0], format, data, frame.ai)
    shared = memory[: packed.size].view(data.dtype).reshape(data.shape)
    return Frame(data.shape[1], data.shape[0], format, shared, frame.ai)


def _packed(bits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Binary pixels as the board packs them: 32 to a word, the first in the lowest bit."""
    padded = np.pad(bits, ((0, 0), (0, -bits.shape[1] % 32)))
    return np.packbits(padded, axis=1, bitorder="little").reshape(-1)


@method("copy")
def copy(image: Image, arguments: Arguments) -> Image:
    return _copy(image, arguments, "copy_to_fb", in_place=False)


@method("crop")
def crop(image: Image, arguments: Arguments) -> Image:
    return _copy(image, arguments, "copy", in_place=True)


def _copy(image: Image, arguments: Arguments, target_name: str, *, in_place: bool) -> Image:
    """A scaled region, in new memory, in this picture's, or in another's."""
    frame, workshop = image.mutable(), image._workshop
    region = arguments.region(0, frame.width, frame.height)
    x_scale = arguments.number(1, "x_scale", 1.0)
    require(x_scale >= 0, "Error: 0.0 <= x_scale!")
    y_scale = arguments.number(2, "y_scale", 1.0)
    require(y_scale >= 0, "Error: 0.0 <= y_scale!")
    width, height = int(np.float32(region.w) * np.float32(x_scale)), int(np.float32(region.h) * np.float32(y_scale))
    target, to_buffer = _target(image, arguments.value(3, target_name), in_place)
    require(width >= 1, "Output image width is 0!")
    require(height >= 1, "Output image height is 0!")
    workshop.spend("copy", width * height)
    if target is None and not to_buffer:
        block = workshop.new(width, height, frame.format)
        block._frame.data[...] = sizes.scaled_region(frame.data, region, x_scale, y_scale)
        return block
    if to_buffer:
        return _into_frame_buffer(image, sizes.scaled_region(frame.data, region, x_scale, y_scale))
    assert target is not None
    fits = memory_bytes(width, height, frame.format) <= target._frame.size
    require(fits, "The new image won't fit in the target frame buffer!")
    with workshop.scratch(frame.size):
        pixels = sizes.scaled_region(frame.data, region, x_scale, y_scale)
    made = overwrite(target, pixels.copy(), frame.format)
    made.ai = None
    target._frame.become(made)
    return target.sharing(made)


def _target(image: Image, given: object, in_place: bool) -> tuple[Image | None, bool]:
    """Which picture's memory to use (None: new memory), and whether it is the sensor's frame buffer."""
    if isinstance(given, int):
        return (None if given or not in_place else image), bool(given) and not in_place
    if given is not None:
        other = cast(given)
        other.mutable()
        return other, False
    return (image if in_place else None), False


def _into_frame_buffer(image: Image, pixels: NDArray[Any]) -> Image:
    """copy_to_fb: write to the sensor's memory."""
    buffer, format = image._workshop.frame_buffer, image._frame.format
    size = memory_bytes(pixels.shape[1], pixels.shape[0], format)
    require(buffer is not None and size <= buffer.size, "The new image won't fit in the main frame buffer!")
    assert buffer is not None
    return image.sharing(overwrite(Image(image._workshop, buffer), pixels.copy(), format))


@method("resize", least=3, most=3)
def resize(image: Image, arguments: Arguments) -> Image | None:
    frame, workshop = image._frame, image._workshop
    width, height = (as_int(value) for value in arguments.values)
    if frame.format not in (Format.RGB565, Format.GRAYSCALE):
        workshop.board.print("only support grayscale, 565 zoom out now\r\n")
        return None
    made = workshop.new(max(width, 0), max(height, 0), frame.format)
    if made._frame.data.size:
        made._frame.data[...] = sizes.resize(frame.data, frame.format, width, height)
    enlarged = width > frame.width and height >= frame.height
    if enlarged or frame.format is Format.GRAYSCALE:
        workshop.spend("bilinear", width * height)
    else:
        workshop.board.clock.advance(resize_seconds(max(width * height, 0)))
    return made


@method("cut", least=4, most=5)
def cut(image: Image, arguments: Arguments) -> Image | None:
    if len(arguments) < 4:
        raise TypeError("function missing 1 required positional arguments")
    frame, workshop = image._frame, image._workshop
    x, y, width, height = (as_int(value) for value in arguments.values)
    if frame.format not in (Format.RGB565, Format.GRAYSCALE):
        workshop.board.print("pixel format not support!\r\n")
        return None
    made = workshop.new(max(width, 0), max(height, 0), frame.format)
    if made._frame.data.size:
        made._frame.data[...] = sizes.cut(frame.data, x, y, width, height)
    workshop.spend("copy", width * height)
    return made


def _divisors(image: Image, arguments: Arguments) -> tuple[Frame, int, int]:
    frame = image.mutable()
    x_div = as_int(arguments.values[0])
    require(x_div >= 1, "Width divisor must be greater than >= 1")
    require(x_div <= frame.width, "Width divisor must be less than <= img width")
    y_div = as_int(arguments.values[1])
    require(y_div >= 1, "Height divisor must be greater than >= 1")
    require(y_div <= frame.height, "Height divisor must be less than <= img height")
    return frame, x_div, y_div


def _shrunk(image: Image, pixels: NDArray[Any]) -> Image:
    """Keep the smaller picture in the same memory."""
    made = overwrite(image, pixels, image._frame.format)
    image._workshop.spend("convert", image._frame.data.size)
    image._frame.become(made)
    return image


@method("mean_pool", least=3, most=3)
def mean_pool(image: Image, arguments: Arguments) -> Image:
    frame, x_div, y_div = _divisors(image, arguments)
    return _shrunk(image, sizes.mean_pool(frame.data, frame.format, x_div, y_div))


@method("mean_pooled", least=3, most=3)
def mean_pooled(image: Image, arguments: Arguments) -> Image:
    frame, x_div, y_div = _divisors(image, arguments)
    image._workshop.spend("convert", frame.data.size)
    return image._workshop.made_of(sizes.mean_pool(frame.data, frame.format, x_div, y_div), frame.format)


def _bias(arguments: Arguments) -> int:
    bias = np.float32(arguments.number(2, "bias", 0.5)) * np.float32(256)
    return int(np.clip(bias, 0, 256))


@method("midpoint_pool", least=3)
def midpoint_pool(image: Image, arguments: Arguments) -> Image:
    frame, x_div, y_div = _divisors(image, arguments)
    return _shrunk(image, sizes.midpoint_pool(frame.data, frame.format, x_div, y_div, _bias(arguments)))


@method("midpoint_pooled", least=3)
def midpoint_pooled(image: Image, arguments: Arguments) -> Image:
    frame, x_div, y_div = _divisors(image, arguments)
    image._workshop.spend("convert", frame.data.size)
    pixels = sizes.midpoint_pool(frame.data, frame.format, x_div, y_div, _bias(arguments))
    return image._workshop.made_of(pixels, frame.format)


def _converted(image: Image, arguments: Arguments, format: Format, pixels: NDArray[Any]) -> Image:
    """The picture in another format: in its own memory, or with `copy` in new memory that has room for KPU planes."""
    frame, workshop = image._frame, image._workshop
    workshop.spend("convert", frame.data.size)
    if not arguments.flag(0, "copy"):
        return image.sharing(overwrite(image, pixels, format))
    made = workshop.made_of(pixels, format)
    made.keep(workshop.allocate(frame.width * frame.height * 3))
    made._frame.ai = np.zeros((1 if format is Format.GRAYSCALE else 3, frame.height, frame.width), np.uint8)
    return made


@method("to_bitmap")
def to_bitmap(image: Image, arguments: Arguments) -> Image:
    frame = image.mutable()
    least = {Format.GRAYSCALE: 4, Format.RGB565: 2}.get(frame.format, 0)
    require(frame.width >= least or arguments.flag(0, "copy"), "Can't convert to bitmap in place!")
    return _converted(image, arguments, Format.BINARY, binary_of(frame, image._workshop.fast_yuv).copy())


@method("to_grayscale")
def to_grayscale(image: Image, arguments: Arguments) -> Image:
    frame, copied = image.mutable(), arguments.flag(0, "copy")
    possible = frame.format is not Format.BINARY or frame.width == 1 or copied
    require(possible, "Can't convert to grayscale in place!")
    made = _converted(image, arguments, Format.GRAYSCALE, gray_of(frame, image._workshop.fast_yuv).copy())
    if not copied:
        frame.become(made._frame)
    return made


@method("to_rgb565")
def to_rgb565(image: Image, arguments: Arguments) -> Image:
    frame, copied = image.mutable(), arguments.flag(0, "copy")
    if frame.format is Format.BINARY:
        require(frame.width == 1 or copied, "Can't convert to grayscale in place!")
    if frame.format is Format.GRAYSCALE:
        require(copied, "Can't convert to rgb565 in place!")
    return _converted(image, arguments, Format.RGB565, words_of(frame).copy())


@method("to_rainbow")
def to_rainbow(image: Image, arguments: Arguments) -> Image:
    frame = image.mutable()
    possible = frame.format is Format.RGB565 or arguments.flag(0, "copy")
    require(possible or (frame.format is Format.BINARY and frame.width == 1), "Can't convert to rainbow in place!")
    levels = gray_of(frame, image._workshop.fast_yuv)
    return _converted(image, arguments, Format.RGB565, rainbow_words()[levels])
