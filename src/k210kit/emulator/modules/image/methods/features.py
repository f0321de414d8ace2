"""Cascades, corners, local patterns, pupils, gradients, areas: what is found by its looks."""

from __future__ import annotations

from typing import Any

from .. import cascade as haar
from .. import keypoints, patterns
from ..arguments import Arguments, as_float, require
from ..described import CascadeObject, Corners, Patterns
from ..domain import largest_area
from ..frame import Frame, gray_of
from ..image import Image
from ..pixels import Format
from ..table import method

__all__ = ["find_domain", "find_eye", "find_features", "find_hog", "find_keypoints", "find_lbp"]


def _gray(image: Image) -> Frame:
    require(image._frame.format is Format.GRAYSCALE, "Image format is not supported!")
    return image._frame


@method("find_features", least=2, full=True)
def find_features(image: Image, arguments: Arguments) -> list[tuple[int, int, int, int]]:
    """Boxes (x, y, w, h) of what a cascade finds."""
    frame, workshop = image.mutable(), image._workshop
    given = arguments.values[0]
    if not isinstance(given, CascadeObject):
        raise TypeError(f"Can't convert {type(given).__name__} to Cascade")
    region = arguments.region(3, frame.width, frame.height)
    wanted = given._cascade
    require(region.w > wanted.width and region.h > wanted.height, "Region of interest is smaller than detector window!")
    threshold, scale = arguments.number(1, "threshold", 0.5), arguments.number(2, "scale_factor", 1.5)
    levels = gray_of(frame, workshop.fast_yuv)
    found = haar.detect(levels, wanted, region, threshold=threshold, scale=scale)
    workshop.spend("neighbourhood", 40 * region.w * region.h)
    return found


@method("find_eye", least=2, full=True)
def find_eye(image: Image, arguments: Arguments) -> tuple[int, int]:
    """The place of a pupil in a region that holds an eye."""
    frame, workshop = _gray(image), image._workshop
    region = arguments.region(0, frame.width, frame.height)
    workshop.spend("neighbourhood", region.w * region.h * 20)
    return patterns.find_pupil(frame.data, region)


@method("find_lbp", least=2, full=True)
def find_lbp(image: Image, arguments: Arguments) -> Patterns:
    frame, workshop = _gray(image), image._workshop
    region = arguments.region(0, frame.width, frame.height)
    block = workshop.allocate(patterns.DESCRIPTOR_BYTES)
    workshop.spend("neighbourhood", 8 * frame.data.size)
    return Patterns(patterns.local_patterns(frame.data, region), block)


@method("find_hog", full=True)
def find_hog(image: Image, arguments: Arguments) -> Image:
    """Draw the directions of the gradients in place of the picture."""
    frame, workshop = _gray(image), image._workshop
    region = arguments.region(0, frame.width, frame.height)
    size = arguments.integer(1, "size", 8)
    require(size > 0, "size must not be zero.")
    with workshop.scratch():
        patterns.draw_gradients(frame.data, region, size)
    workshop.spend("neighbourhood", 9 * frame.data.size)
    return image


@method("find_keypoints", full=True)
def find_keypoints(image: Image, arguments: Arguments) -> Any:
    """Corners with descriptions, or None where there are none (Any: an object of the module)."""
    frame, workshop = image.mutable(), image._workshop
    region = arguments.region(0, frame.width, frame.height)
    threshold, normalized = arguments.integer(1, "threshold", 20), arguments.flag(2, "normalized")
    found = keypoints.find_keypoints(
        gray_of(frame, workshop.fast_yuv),
        region,
        threshold=threshold,
        normalized=normalized,
        scale_factor=as_float(arguments.value(3, "scale_factor", 1.5)),
        most=arguments.integer(4, "max_keypoints", 100),
    )
    workshop.spend("neighbourhood", 30 * region.w * region.h)
    if not found:
        return None
    return Corners(found, threshold, normalized, workshop.allocate(48 * len(found)))


@method("find_domain", least=2, full=True)
def find_domain(image: Image, arguments: Arguments) -> Any:
    """A binary picture of the largest area of equal level, or of the second where the first fills the edges (Any)."""
    frame, workshop = image.mutable(), image._workshop
    if frame.format is not Format.GRAYSCALE:
        raise ValueError("only support grayscale pic")
    gate = as_float(arguments.values[0])
    with workshop.scratch():
        found = largest_area(frame.data, gate)
    workshop.spend("compare", 4 * frame.data.size)
    return None if found is None else workshop.made_of(found, Format.BINARY)
