"""find_lines and find_circles: votes of the brightness gradient, peaks, and their merging.

Source: `omv/img/hough.c`. Gradients are Sobel's on gray levels. In colour and gray pictures the vertical
stride of lines is the horizontal one, as in the firmware.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .arguments import Region
from .fast_math import COSINES, SINES, arc_tangent2, arc_tangents2, whole
from .frame import Frame, gray_of
from .joining import joined_while_any
from .pixels import Format
from .regression import Segment, line_across

__all__ = ["Circle", "Circles", "Lines", "find_circles", "find_lines"]

Ints = NDArray[np.int64]
_F = np.float32
_DEGREES = _F(57.295780)
_OUT_OF_MEMORY = (
    "Out of Memory! Please reduce the resolution of the image you are running this algorithm on to bypass this issue!"
)


@dataclass(frozen=True, kw_only=True)
class Lines:
    """How to look for lines."""

    region: Region
    x_stride: int = 2
    y_stride: int = 1
    threshold: int = 1000
    theta_margin: int = 25
    rho_margin: int = 25


@dataclass(frozen=True, kw_only=True)
class Circles:
    """How to look for circles."""

    region: Region
    x_stride: int = 2
    y_stride: int = 1
    threshold: int = 2000
    x_margin: int = 10
    y_margin: int = 10
    r_margin: int = 10
    r_min: int = 2
    r_max: int = 0
    r_step: int = 2


@dataclass(frozen=True)
class Circle:
    """A circle and its votes."""

    x: int
    y: int
    r: int
    magnitude: int


@dataclass(frozen=True)
class _Gradient:
    """Sampled places in the picture, and the gradient there."""

    x: Ints
    y: Ints
    right: Ints  # left neighbours less right ones
    down: Ints  # upper neighbours less lower ones

    @property
    def size(self) -> Ints:
        return whole(np.sqrt((self.right * self.right + self.down * self.down).astype(_F)))

    def degrees(self, around: int) -> Ints:
        """The direction in whole degrees, modulo 180 or 360."""
        angle = arc_tangents2(self.down.astype(_F), np.where(self.right == 0, 1, self.right).astype(_F))
        angle = np.where(self.right == 0, _F(1.570796), angle)
        return whole(angle * _DEGREES) % around


def _gradient(levels: NDArray[np.uint8], rows: Ints, region: Region, x_stride: int) -> _Gradient:
    """Sobel's gradient on the grid of these rows, whose columns begin at y modulo the stride, plus one."""
    last = region.x + region.w - 1
    columns = [np.arange(region.x + int(y) % x_stride + 1, last, x_stride) for y in rows]
    y = np.repeat(rows, [len(part) for part in columns])
    x = np.concatenate(columns) if columns else np.zeros(0, np.int64)
    wide = np.pad(levels, ((0, 2), (0, 0))).astype(np.int64)  # circles' last row may look below the picture

    def at(dy: int, dx: int) -> Ints:
        return wide[y + dy, x + dx]

    right = at(-1, -1) + 2 * at(0, -1) + at(1, -1) - at(-1, 1) - 2 * at(0, 1) - at(1, 1)
    down = at(-1, -1) + 2 * at(-1, 0) + at(-1, 1) - at(1, -1) - 2 * at(1, 0) - at(1, 1)
    return _Gradient(x, y, right, down)


def _peaks(votes: Ints, threshold: int) -> tuple[Ints, Ints]:
    """Inner cells with enough votes that no neighbour exceeds, row by row."""
    inner = votes[1:-1, 1:-1]
    best = inner >= threshold
    for dy in (0, 1, 2):
        for dx in (0, 1, 2):
            best &= inner >= votes[dy : dy + inner.shape[0], dx : dx + inner.shape[1]]
    rows, columns = np.nonzero(best)
    return rows + 1, columns + 1


def find_lines(frame: Frame, search: Lines, available: int, fast: bool) -> list[Segment]:
    """Straight edges across the region; MemoryError when the votes do not fit `available` bytes."""
    region = search.region
    diagonal = int(np.sqrt(_F(region.w * region.w + region.h * region.h)))
    divide = 1
    while True:
        far, thetas = -(-diagonal // divide), -(-180 // divide) + 2
        if 4 * thetas * (2 * far + 1) <= available:
            break
        divide *= 2
        if divide > 4:
            raise MemoryError(_OUT_OF_MEMORY)
    binary = frame.format is Format.BINARY
    stride = search.y_stride if binary else search.x_stride
    count = -(-(region.h - 2) // stride) if binary else (region.h - 2 + stride - 1) * 2 // stride // 2
    rows = region.y + 1 + np.arange(max(count, 0)) * stride
    edge = _gradient(gray_of(frame, fast), rows, region, search.x_stride)
    theta = edge.degrees(180)
    along = (edge.x - region.x).astype(_F) * COSINES[theta] + (edge.y - region.y).astype(_F) * SINES[theta]
    # C divides towards zero
    rho = whole(np.trunc(along) / divide) + far
    votes = np.zeros((2 * far + 1, thetas), np.int64)
    np.add.at(votes, (rho, theta // divide + 1), edge.size)
    found = [
        Segment(0, 0, 0, 0, int(votes[y, x]), int(x - 1) * divide, int(y - far) * divide)
        for y, x in zip(*_peaks(votes, search.threshold), strict=True)
    ]
    found = joined_while_any(found, lambda a, b: _joined_lines(a, b, search))
    lines = (line_across(line.theta, line.rho, line.magnitude, region) for line in found)
    return [line for line in lines if line is not None]


def _positive(line: Segment) -> tuple[int, int]:
    """Angle and distance with the distance not negative."""
    return (line.theta + 180, -line.rho) if line.rho < 0 else (line.theta, line.rho)


def _joined_lines(a: Segment, b: Segment, search: Lines) -> Segment | None:
    (theta_a, rho_a), (theta_b, rho_b) = _positive(a), _positive(b)
    apart = abs(theta_a - theta_b)
    apart = 360 - apart if apart >= 180 else apart
    if apart >= search.theta_margin or abs(rho_a - rho_b) >= search.rho_margin:
        return None
    total = a.magnitude + b.magnitude
    weights = _F(a.magnitude), _F(b.magnitude)
    sine, cosine = (
        (table[theta_a] * weights[0] + table[theta_b] * weights[1]) / _F(total) for table in (SINES, COSINES)
    )
    theta = int(arc_tangent2(float(sine), float(cosine)) * _DEGREES) % 360
    rho = (rho_a * a.magnitude + rho_b * b.magnitude) // total
    if theta >= 180:
        theta, rho = theta - 180, -rho
    return replace(a, theta=theta, rho=rho, magnitude=total // 2)


def find_circles(frame: Frame, search: Circles, available: int, fast: bool) -> list[Circle]:
    """Circles within the region, by radius; MemoryError when the votes do not fit `available` bytes."""
    region = search.region
    grid = -(-max(region.h - 2, 0) // search.y_stride) * search.y_stride
    half = grid // 2  # the second core begins here, on the stride's grid or not
    rows = region.y + 1 + np.concatenate([np.arange(0, half, search.y_stride), np.arange(half, grid, search.y_stride)])
    edge = _gradient(gray_of(frame, fast), rows, region, search.x_stride)
    size, theta = edge.size, edge.degrees(360)
    strong = size > 0
    x, y = edge.x[strong] - region.x, edge.y[strong] - region.y
    found: list[Circle] = []
    for r in range(search.r_min, search.r_max, search.r_step):
        votes, divide = _circle_votes(x, y, theta[strong], size[strong], r, region, available)
        for b, a in zip(*_peaks(votes, search.threshold), strict=True):
            place = (int(part - 1) * divide + r for part in (a, b))
            found.append(Circle(next(place) + region.x, next(place) + region.y, r, int(votes[b, a])))
    return joined_while_any(found, lambda a, b: _joined_circles(a, b, search))


def _circle_votes(
    x: Ints, y: Ints, theta: Ints, size: Ints, r: int, region: Region, available: int
) -> tuple[Ints, int]:
    """Votes for centres of circles of radius r: each edge point votes on both sides of its edge."""
    width, height, divide = region.w - 2 * r, region.h - 2 * r, 1
    while True:
        shape = (-(-height // divide) + 2, -(-width // divide) + 2)
        if 4 * shape[0] * shape[1] <= available:
            break
        divide *= 2
        if divide > 4:
            raise MemoryError(_OUT_OF_MEMORY)
    votes = np.zeros(shape, np.int64)
    for turn in (0, 180):
        angle = (theta + turn) % 360
        a = whole(x.astype(_F) + _F(r) * COSINES[angle]) - r
        b = whole(y.astype(_F) + _F(r) * SINES[angle]) - r
        inside = (a >= 0) & (a < width) & (b >= 0) & (b < height)
        np.add.at(votes, (b[inside] // divide + 1, a[inside] // divide + 1), size[inside])
    return votes, divide


def _joined_circles(a: Circle, b: Circle, search: Circles) -> Circle | None:
    near = abs(a.x - b.x) < search.x_margin and abs(a.y - b.y) < search.y_margin
    if not near or abs(a.r - b.r) >= search.r_margin:
        return None
    total = a.magnitude + b.magnitude
    x, y, r = ((mine * a.magnitude + its * b.magnitude) // total for mine, its in ((a.x, b.x), (a.y, b.y), (a.r, b.r)))
    return Circle(x, y, r, total // 2)
