"""Methods that look at the square around each pixel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .. import neighbourhood as around
from ..arguments import Arguments, as_array, as_int, require
from ..frame import Frame
from ..image import Image
from ..pixel_math import by_channel, difference
from ..table import method
from .pixelwise import mask_bits, put

__all__ = ["gaussian", "mean", "median"]


def _reach(arguments: Arguments) -> int:
    reach = as_int(arguments.values[0])
    require(reach >= 0, "KernelSize must be >= 0!")
    return reach


def _apply(image: Image, arguments: Arguments, filter: around.Filter, cut_at: int) -> Image:
    """Filter; `threshold`, `offset`, `invert` and `mask` stand from place `cut_at` on."""
    frame, reach, fast = image.mutable(), _reach(arguments), image._workshop.fast_yuv
    cut = None
    if arguments.flag(cut_at, "threshold"):
        cut = around.Cut(arguments.integer(cut_at + 1, "offset", 0), arguments.flag(cut_at + 2, "invert"))
    mask = mask_bits(image, arguments, cut_at + 3)
    made = around.filtered(frame, reach, filter, cut, fast)
    image._workshop.spend("neighbourhood", frame.data.size * ((2 * reach + 1) ** 2 - 1))
    return put(image, made, mask)


@method("mean", least=2, full=True)
def mean(image: Image, arguments: Arguments) -> Image:
    return _apply(image, arguments, around.mean, 1)


@method("median", least=2, full=True)
def median(image: Image, arguments: Arguments) -> Image:
    percentile = arguments.number(1, "percentile", 0.5)
    require(0 <= percentile <= 1, "Error: 0 <= percentile <= 1!")
    return _apply(image, arguments, around.median(percentile), 2)


@method("mode", least=2, full=True)
def mode(image: Image, arguments: Arguments) -> Image:
    return _apply(image, arguments, around.mode, 1)


@method("midpoint", least=2, full=True)
def midpoint(image: Image, arguments: Arguments) -> Image:
    bias = arguments.number(1, "bias", 0.5)
    require(0 <= bias <= 1, "Error: 0 <= bias <= 1!")
    return _apply(image, arguments, around.midpoint(bias), 2)


def _with_kernel(image: Image, arguments: Arguments, weights: list[int], total: int) -> Image:
    """Apply a kernel; `mul` and `add` stand in places 2 and 3."""
    multiplier = arguments.number(2, "mul", float(np.float32(1) / np.float32(total)))
    addend = int(arguments.number(3, "add", 0.0))
    return _apply(image, arguments, around.kernel(weights, multiplier, addend), 4)


@method("morph", least=3, full=True)
def morph(image: Image, arguments: Arguments) -> Image:
    """Apply the script's kernel."""
    cells = (2 * _reach(arguments) + 1) ** 2
    weights = [as_int(weight) for weight in as_array(arguments.values[1], cells)]
    return _with_kernel(image, arguments, weights, sum(weights) or 1)


@method("blur", "gaussian", "gaussian_blur", least=2, full=True)
def gaussian(image: Image, arguments: Arguments) -> Image:
    return _with_kernel(image, arguments, *around.gaussian_kernel(_reach(arguments), arguments.flag(1, "unsharp")))


@method("laplacian", least=2, full=True)
def laplacian(image: Image, arguments: Arguments) -> Image:
    weights, total = around.laplacian_kernel(_reach(arguments), arguments.flag(1, "sharpen"))
    return _with_kernel(image, arguments, weights, total or 1)


@method("bilateral", least=2, full=True)
def bilateral(image: Image, arguments: Arguments) -> Image:
    color, space = arguments.number(1, "color_sigma", 0.1), arguments.number(2, "space_sigma", 1.0)
    return _apply(image, arguments, around.bilateral(color, space), 3)


_Morphology = Callable[[Frame, int, int, bool], NDArray[np.generic]]


def _morphology(image: Image, arguments: Arguments, *steps: tuple[_Morphology, int]) -> tuple[Frame, Frame]:
    """Erosions and dilations one after the other; returns the frame and what it would become."""
    frame, reach, fast = image.mutable(), _reach(arguments), image._workshop.fast_yuv
    mask, now = mask_bits(image, arguments, 2), frame
    for apply, threshold in steps:
        made = apply(now, reach, threshold, fast)
        now = frame.with_data(made if mask is None else np.where(mask, made, now.data))
        image._workshop.spend("neighbourhood", frame.data.size * (2 * reach + 1) ** 2)
    return frame, now


def _rest(arguments: Arguments) -> int:
    """How many neighbours a pixel has."""
    return (2 * _reach(arguments) + 1) ** 2 - 1


@method("erode", least=2, full=True)
def erode(image: Image, arguments: Arguments) -> Image:
    threshold = arguments.integer(1, "threshold", _rest(arguments))
    frame, made = _morphology(image, arguments, (around.eroded, threshold))
    frame.data[...] = made.data
    return image


@method("dilate", least=2, full=True)
def dilate(image: Image, arguments: Arguments) -> Image:
    frame, made = _morphology(image, arguments, (around.dilated, arguments.integer(1, "threshold", 0)))
    frame.data[...] = made.data
    return image


def _opened(image: Image, arguments: Arguments) -> tuple[Frame, Frame]:
    threshold = arguments.integer(1, "threshold", 0)
    erosion = (around.eroded, _rest(arguments) - threshold)
    return _morphology(image, arguments, erosion, (around.dilated, threshold))


def _closed(image: Image, arguments: Arguments) -> tuple[Frame, Frame]:
    threshold = arguments.integer(1, "threshold", 0)
    erosion = (around.eroded, _rest(arguments) - threshold)
    return _morphology(image, arguments, (around.dilated, threshold), erosion)


@method("open", least=2, full=True)
def opening(image: Image, arguments: Arguments) -> Image:
    frame, made = _opened(image, arguments)
    frame.data[...] = made.data
    return image


@method("close", least=2, full=True)
def closing(image: Image, arguments: Arguments) -> Image:
    frame, made = _closed(image, arguments)
    frame.data[...] = made.data
    return image


@method("top_hat", least=2, full=True)
def top_hat(image: Image, arguments: Arguments) -> Image:
    frame, made = _opened(image, arguments)
    return put(image, by_channel(frame, made.data, difference), mask_bits(image, arguments, 2))


@method("black_hat", least=2, full=True)
def black_hat(image: Image, arguments: Arguments) -> Image:
    frame, made = _closed(image, arguments)
    return put(image, by_channel(frame, made.data, difference), mask_bits(image, arguments, 2))
