"""find_domain: the largest area of one level in a gray picture. Source: `find_domain` of `omv/py/py_image.c`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .flood import reached
from .frame import Frame
from .pixels import Format

__all__ = ["largest_area"]

_MOST_AREAS = 254


def largest_area(levels: NDArray[np.uint8], gate: float) -> NDArray[np.uint8] | None:
    """0 and 1 [h, w] of the largest area, or of the second where only that one is a line; numbers the areas in place.

    An area is a line where its share of both picture edges that it touches is below `gate`.
    """
    areas: list[tuple[int, int, int]] = []  # pixels, x, y
    h, w = levels.shape
    frame = Frame(w, h, Format.GRAYSCALE, levels)
    for y in range(h):
        if len(areas) >= _MOST_AREAS:
            break
        for x in range(w):
            if levels[y, x] > len(areas):
                covered = reached(frame, x, y, 0.0, 0.0, None)
                areas.append((int(covered.sum()), x, y))
                levels[covered] = len(areas) & 0xFF
    if not areas:
        return None
    order = sorted(range(len(areas)), key=lambda at: -areas[at][0])
    first = _area(frame, areas[order[0]])
    if len(areas) < 2 or areas[order[1]][0] < w + h:
        return first
    second = _area(frame, areas[order[1]])
    return second if not _is_line(first, gate) and _is_line(second, gate) else first


def _area(frame: Frame, area: tuple[int, int, int]) -> NDArray[np.uint8]:
    return reached(frame, area[1], area[2], 0.0, 0.0, None).astype(np.uint8)


def _is_line(area: NDArray[np.uint8], gate: float) -> bool:
    """Whether the area touches but a small part of the picture's edges, measured by its own extent."""
    y, x = np.nonzero(area)
    wide, high = int(x.max() - x.min()) + 1, int(y.max() - y.min()) + 1
    across = max(int(area[0].sum()), int(area[-1].sum())) / wide
    down = max(int(area[:, 0].sum()), int(area[:, -1].sum())) / high
    return across < gate or down < gate
