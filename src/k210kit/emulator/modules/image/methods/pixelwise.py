"""Methods that work pixel by pixel: binary, the b_* family, sums, products, gamma, equalisation, flood fills."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import flood, pixel_math
from ..arguments import Arguments, require
from ..blend import mask_of
from ..clahe import adaptively_equalized
from ..draw import as_pixel
from ..frame import Frame, memory_bytes
from ..image import Image
from ..pixels import Format
from ..selection import selected
from ..table import method
from .copying import overwrite
from .drawing import mask_argument
from .operands import operand

__all__ = ["binary", "mask_bits", "put"]


def mask_bits(image: Image, arguments: Arguments, at: int) -> NDArray[np.bool_] | None:
    """Which pixels the `mask` argument lets through, or None for all."""
    mask = mask_argument(arguments, at)
    if mask is None:
        return None
    frame = image._frame
    return mask_of(mask, np.arange(frame.height), np.arange(frame.width), image._workshop.fast_yuv)


def put(image: Image, pixels: NDArray[Any], mask: NDArray[np.bool_] | None, work: str = "compare") -> Image:
    """Write pixels where the mask lets them through."""
    frame = image._frame
    frame.data[...] = pixels if mask is None else np.where(mask, pixels, frame.data)
    image._workshop.spend(work, frame.data.size)
    return image


@method("binary", least=2, full=True)
def binary(image: Image, arguments: Arguments) -> Image:
    """White (or with `zero` black) where a pixel is within a threshold, black (or unchanged) elsewhere."""
    frame, workshop = image.mutable(), image._workshop
    thresholds = arguments.thresholds(0, "")
    invert, zero = arguments.flag(1, "invert"), arguments.flag(2, "zero")
    mask = mask_bits(image, arguments, 3)
    to_bitmap, copied = arguments.flag(4, "to_bitmap"), arguments.flag(5, "copy")
    if to_bitmap and not copied:
        least = {Format.GRAYSCALE: 4, Format.RGB565: 2}.get(frame.format, 0)
        require(frame.width >= least, "Can't convert to bitmap in place!")
    hits = np.zeros(frame.data.shape, bool)
    for box in thresholds:
        hits |= selected(frame, box, invert, workshop.fast_yuv)
    made = _binary_pixels(frame, hits, zero, mask, to_bitmap, workshop.fast_yuv)
    format = Format.BINARY if to_bitmap else frame.format
    workshop.spend("compare", frame.data.size * max(1, len(thresholds)))
    if not copied:
        return image.sharing(overwrite(image, made, format))
    result = workshop.made_of(made, format)
    result.keep(workshop.allocate(frame.width * frame.height * 3))
    return result


def _binary_pixels(
    frame: Frame, hits: NDArray[np.bool_], zero: bool, mask: NDArray[np.bool_] | None, to_bitmap: bool, fast: bool
) -> NDArray[Any]:
    from ..frame import binary_of

    white = {Format.RGB565: 0xFFFF, Format.GRAYSCALE: 255, Format.BINARY: 1}[frame.format]
    old, dtype = frame.data, frame.data.dtype
    if to_bitmap:
        white, old, dtype = 1, binary_of(frame, fast), np.dtype(np.uint8)
    through = np.ones(hits.shape, bool) if mask is None else mask
    made = np.where(hits & through, 0, old) if zero else np.where(through, np.where(hits, white, 0), old)
    return made.astype(dtype)


@method("invert", most=1, full=True)
def invert(image: Image, _: Arguments) -> Image:
    frame = image.mutable()
    flipped = frame.data ^ 1 if frame.format is Format.BINARY else ~frame.data
    return put(image, flipped, None, "copy")


@method("negate", most=1, full=True)
def negate(image: Image, _: Arguments) -> Image:
    return put(image, pixel_math.negated(image.mutable()), None)


@method(
    *(name for bits in ("and", "nand", "or", "nor", "xor", "xnor") for name in (bits, f"b_{bits}")), least=2, full=True
)
def bitwise(image: Image, arguments: Arguments) -> Image:
    """Check the arguments and change nothing: the firmware's bodies of these methods are commented out."""
    mask_bits(image, arguments, 1)
    operand(image, arguments)
    image._workshop.board.warn("img.b_and, b_or, b_xor and their kin change nothing in MaixPy 0.6.2 and later.")
    return image


def _combined(image: Image, arguments: Arguments, operation: pixel_math.Operation, mask_at: int) -> Image:
    frame = image.mutable()
    mask = mask_bits(image, arguments, mask_at)
    return put(image, pixel_math.by_channel(frame, operand(image, arguments), operation), mask)


@method("add", least=2, full=True)
def add(image: Image, arguments: Arguments) -> Image:
    return _combined(image, arguments, pixel_math.add, 1)


@method("sub", least=2, full=True)
def sub(image: Image, arguments: Arguments) -> Image:
    return _combined(image, arguments, pixel_math.subtract(arguments.flag(1, "reverse")), 2)


@method("mul", least=2, full=True)
def mul(image: Image, arguments: Arguments) -> Image:
    return _combined(image, arguments, pixel_math.multiply(arguments.flag(1, "invert")), 2)


@method("div", least=2, full=True)
def div(image: Image, arguments: Arguments) -> Image:
    operation = pixel_math.divide(arguments.flag(1, "invert"), arguments.flag(2, "mod"))
    return _combined(image, arguments, operation, 3)


@method("min", least=2, full=True)
def minimum(image: Image, arguments: Arguments) -> Image:
    return _combined(image, arguments, pixel_math.smallest, 1)


@method("max", least=2, full=True)
def maximum(image: Image, arguments: Arguments) -> Image:
    return _combined(image, arguments, pixel_math.largest, 1)


@method("difference", least=2, full=True)
def difference(image: Image, arguments: Arguments) -> Image:
    return _combined(image, arguments, pixel_math.difference, 1)


@method("blend", least=2, full=True)
def blend(image: Image, arguments: Arguments) -> Image:
    """Mix `alpha` of 256 parts of this picture with the rest of another."""
    alpha = arguments.integer(1, "alpha", 128) / 256
    require(0 <= alpha <= 1, "Error: 0 <= alpha <= 256!")
    return _combined(image, arguments, pixel_math.blend(alpha), 2)


@method("assign", "replace", "set", full=True)
def replace(image: Image, arguments: Arguments) -> Image:
    """Take another picture's pixels (or this one's), mirrored, flipped or with rows and columns exchanged."""
    frame = image.mutable()
    mirror, flip = arguments.flag(1, "hmirror"), arguments.flag(2, "vflip")
    transpose = arguments.flag(3, "transpose")
    mask = mask_bits(image, arguments, 4)
    if transpose:
        turned = memory_bytes(frame.height, frame.width, frame.format)
        require(turned <= frame.size, "Unable to transpose the image because it would grow in size!")
    source = operand(image, arguments) if len(arguments) else frame.data
    made, through = source.copy(), mask
    if mirror:
        made, through = made[:, ::-1], None if through is None else through[:, ::-1]
    if flip:
        made = made[::-1]
        through = None if through is None else through[::-1]
    if not transpose:
        return put(image, made, through, "copy")
    target = frame.data.reshape(frame.width, frame.height).copy()
    target = made.T.copy() if through is None else np.where(through.T, made.T, target)
    frame.become(overwrite(image, np.ascontiguousarray(target), frame.format))
    image._workshop.spend("copy", frame.data.size)
    return image


@method("gamma_corr", full=True)
def gamma_corr(image: Image, arguments: Arguments) -> Image:
    frame = image.mutable()
    settings = [
        arguments.number(at, name, default)
        for at, (name, default) in enumerate((("gamma", 1.0), ("contrast", 1.0), ("brightness", 0.0)))
    ]
    return put(image, pixel_math.gamma_corrected(frame, *settings), None)


@method("histeq", full=True)
def histeq(image: Image, arguments: Arguments) -> Image:
    """Spread the brightness; `adaptive` does so tile by tile with a limit."""
    frame, fast = image.mutable(), image._workshop.fast_yuv
    adaptive, limit = arguments.flag(0, "adaptive"), arguments.number(1, "clip_limit", -1.0)
    mask = mask_bits(image, arguments, 2)
    made = adaptively_equalized(frame, limit, fast) if adaptive else pixel_math.equalized(frame, fast)
    return put(image, made, mask)


def _share(arguments: Arguments, at: int, name: str) -> float:
    share = arguments.number(at, name, 0.05)
    require(0.0 <= share <= 1.0, f"Error: 0.0 <= {name} <= 1.0!")
    return share


@method("flood_fill", least=2, full=True)
def flood_fill(image: Image, arguments: Arguments) -> Image:
    frame = image.mutable()
    (x, y), at = arguments.point(0, 2)
    seed, floating = _share(arguments, at, "seed_threshold"), _share(arguments, at + 1, "floating_threshold")
    color = arguments.color(at + 2, frame.format, image._workshop.fast_yuv)
    inverted = bool(arguments.number(at + 3, "invert", 0.0))
    clear = bool(arguments.number(at + 4, "clear_background", 0.0))
    mask = mask_bits(image, arguments, at + 5)
    if not (0 <= x < frame.width and 0 <= y < frame.height):
        return image
    covered = flood.reached(frame, x, y, seed, floating, mask) ^ inverted
    value = as_pixel(frame.data, color, frame.format is Format.BINARY)
    return put(image, np.where(covered, value, 0 if clear else frame.data), None)


@method("cartoon", full=True)
def cartoon(image: Image, arguments: Arguments) -> Image:
    frame = image.mutable()
    seed, floating = _share(arguments, 0, "seed_threshold"), _share(arguments, 1, "floating_threshold")
    mask = mask_bits(image, arguments, 2)
    return put(image, flood.cartoon(frame, seed, floating, mask), None)
