"""Lines, circles, templates and edges."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arguments import Arguments, Region, as_array, as_float, as_int, require
from ..displacement import find_displacement as measure_displacement
from ..fast_math import COSINES, SINES, arc_tangent2
from ..frame import Frame, gray_of
from ..hough import Circles, Lines
from ..hough import find_circles as search_circles
from ..hough import find_lines as search_lines
from ..image import Image, cast
from ..merging import merged
from ..pixels import Format
from ..rects import edge_magnitude, find_quads
from ..regression import Segment, clip_segment
from ..results import Circle, Displacement, Line, Rect
from ..segments import FoundSegment, find_segments
from ..table import method
from ..template import best_match, canny, simple_edges
from .find import strides

__all__ = [
    "find_circles",
    "find_displacement",
    "find_edges",
    "find_line_segments",
    "find_lines",
    "find_rects",
    "find_template",
]

_HALF_PI, _DEGREES = np.float32(1.570796), np.float32(57.295780)

EDGE_CANNY, EDGE_SIMPLE = 0, 1
SEARCH_EX, SEARCH_DS = 0, 1


def _available(image: Image) -> int:
    """Bytes that the firmware's vote counters may take."""
    heap = image._workshop.board.heap
    return min(heap.scratch_bytes, heap.free_bytes)


@method("find_lines", full=True)
def find_lines(image: Image, arguments: Arguments) -> list[Any]:
    frame, workshop = image.mutable(), image._workshop
    region = arguments.region(0, frame.width, frame.height)
    x_stride, y_stride = strides(arguments, 1)
    search = Lines(
        region=region,
        x_stride=x_stride,
        y_stride=y_stride,
        threshold=arguments.integer(3, "threshold", 1000),
        theta_margin=arguments.integer(4, "theta_margin", 25),
        rho_margin=arguments.integer(5, "rho_margin", 25),
    )
    found = search_lines(frame, search, _available(image), workshop.fast_yuv)
    workshop.spend("hough", region.w * region.h // x_stride // y_stride)
    return [Line(line.values) for line in found]


@method("find_line_segments", full=True)
def find_line_segments(image: Image, arguments: Arguments) -> list[Any]:
    frame, workshop = image.mutable(), image._workshop
    region = arguments.region(0, frame.width, frame.height)
    distance = arguments.integer(1, "merge_distance", 0)
    most_turn = arguments.integer(2, "max_theta_diff", 15)
    levels = gray_of(frame, workshop.fast_yuv)[region.rows, region.columns]
    with workshop.scratch():
        found = [_as_line(segment, region) for segment in find_segments(levels)]
    workshop.spend("hough", 12 * region.w * region.h)
    lines = [line for line in found if line is not None]
    return [Line(line.values) for line in (merged(lines, distance, most_turn) if distance > 0 else lines)]


def _as_line(found: FoundSegment, region: Region) -> Segment | None:
    """Whole pixels of the picture, with angle and distance from its corner."""
    ends = tuple(int(np.floor(part + 0.5)) for part in (found.x1, found.y1, found.x2, found.y2))
    clipped = clip_segment((ends[0], ends[1], ends[2], ends[3]), region.w, region.h)
    if clipped is None:
        return None
    x1, y1, x2, y2 = (part + corner for part, corner in zip(clipped, (region.x, region.y) * 2, strict=True))
    dx, dy = x2 - x1, y2 - y1
    rotation = (arc_tangent2(dy, dx) if dx else _HALF_PI) + _HALF_PI
    theta = round(float(rotation * _DEGREES)) % 180
    rho = round(float((x1 + int(dx / 2)) * COSINES[theta] + (y1 + int(dy / 2)) * SINES[theta]))
    return Segment(x1, y1, x2, y2, round(found.sureness), theta, rho)


@method("find_rects", full=True)
def find_rects(image: Image, arguments: Arguments) -> list[Any]:
    frame, workshop = image.mutable(), image._workshop
    region = arguments.region(0, frame.width, frame.height)
    threshold = arguments.integer(1, "threshold", 1000)
    levels = gray_of(frame, workshop.fast_yuv)
    part = levels[region.rows, region.columns]
    with workshop.scratch():
        quads = find_quads(part)
    workshop.spend("hough", 6 * region.w * region.h)
    made = []
    for quad in quads:
        magnitude = edge_magnitude(part, quad)
        if magnitude >= threshold:
            corners = tuple((round(x) + region.x, round(y) + region.y) for x, y in quad.corners)
            xs, ys = [x for x, _ in corners], [y for _, y in corners]
            box = (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))
            made.append(Rect((*box, magnitude), corners=corners))
    return made


@method("find_displacement", least=2, full=True)
def find_displacement(image: Image, arguments: Arguments) -> Any:
    """How far the template lies from this picture (Any: an object of the module)."""
    frame, workshop = image.mutable(), image._workshop
    template = cast(arguments.values[0]).mutable()
    region = arguments.region(1, frame.width, frame.height)
    other = arguments.region(2, template.width, template.height, "template_roi")
    require((region.w, region.h) == (other.w, other.h), "ROI(w,h) != TEMPLATE_ROI(w,h)")
    one, two = (
        gray_of(whole, workshop.fast_yuv)[part.rows, part.columns]
        for whole, part in ((frame, region), (template, other))
    )
    with workshop.scratch():
        found = measure_displacement(
            one,
            two,
            logpolar=arguments.flag(3, "logpolar"),
            fix_rotation_scale=arguments.flag(4, "fix_rotation_scale"),
        )
    workshop.spend("hough", 8 * region.w * region.h)
    return Displacement((found.x, found.y, found.rotation, found.scale, found.response))


@method("find_circles", full=True)
def find_circles(image: Image, arguments: Arguments) -> list[Any]:
    frame, workshop = image.mutable(), image._workshop
    region = arguments.region(0, frame.width, frame.height)
    x_stride, y_stride = strides(arguments, 1)
    largest = min(region.w // 2, region.h // 2)
    search = Circles(
        region=region,
        x_stride=x_stride,
        y_stride=y_stride,
        threshold=arguments.integer(3, "threshold", 2000),
        x_margin=arguments.integer(4, "x_margin", 10),
        y_margin=arguments.integer(5, "y_margin", 10),
        r_margin=arguments.integer(6, "r_margin", 10),
        r_min=max(arguments.integer(7, "r_min", 2), 2),
        r_max=min(arguments.integer(8, "r_max", largest), largest),
        r_step=max(arguments.integer(9, "r_step", 2), 1),
    )
    found = search_circles(frame, search, _available(image), workshop.fast_yuv)
    radii = len(range(search.r_min, search.r_max, search.r_step))
    workshop.spend("hough", region.w * region.h // x_stride // y_stride * max(radii // 4, 1))
    return [Circle((circle.x, circle.y, circle.r, circle.magnitude)) for circle in found]


def _gray(image: Image) -> Frame:
    require(image._frame.format is Format.GRAYSCALE, "Image format is not supported!")
    return image._frame


@method("find_template", least=3, full=True)
def find_template(image: Image, arguments: Arguments) -> tuple[int, int, int, int] | None:
    """(x, y, w, h) of the best match, or None if it is not better than the threshold."""
    frame, workshop = _gray(image), image._workshop
    template = _gray(cast(arguments.values[0]))
    threshold = as_float(arguments.values[1])
    region = arguments.region(2, frame.width, frame.height)
    fits = region.w >= template.width and region.h >= template.height
    require(fits, "Region of interest is smaller than template!")
    step, search = arguments.integer(3, "step", 2), arguments.integer(4, "search", SEARCH_EX)
    if search == SEARCH_DS:
        from .absent import refuse

        refuse(workshop.board, "find_template(search=SEARCH_DS)")
    match, x, y = best_match(frame.data, template.data, region, max(step, 1))
    places = (region.w - template.width + 1) * (region.h - template.height + 1) // max(step, 1) ** 2
    workshop.spend("copy", places * template.data.size)
    return (x, y, template.width, template.height) if match > np.float32(threshold) else None


@method("find_edges", least=2, full=True)
def find_edges(image: Image, arguments: Arguments) -> Image:
    frame, workshop = _gray(image), image._workshop
    kind = as_int(arguments.values[0])
    region = arguments.region(1, frame.width, frame.height)
    given = arguments.value(2, "threshold")
    low, high = (as_int(part) for part in as_array(given, 2)) if given is not None else (100, 200)
    if kind == EDGE_SIMPLE:
        frame.data[...] = simple_edges(frame, low, high, workshop.fast_yuv)
    elif kind == EDGE_CANNY:
        frame.data[...] = canny(frame.data, region, low, high)
    workshop.spend("neighbourhood", 9 * frame.data.size)
    return image
