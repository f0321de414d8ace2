"""MaixPy's YOLOv2 post-processing, bit for bit: its float32 roundings, its unstable sort, its ten slots.

Source: components/kendryte_sdk/src/sipeed_yolo2.c; the order of roundings is that of the compiled code, which was
executed. `found` holds every detection; the board has room for ten and writes the others over its memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from k210kit.emulator.newlib_sort import sort_by_falling_score
from k210kit.kmodel.arithmetic.floats import expf, fma

__all__ = ["SLOTS", "Detection", "Grid", "decode"]

Floats = NDArray[np.float32]
SLOTS = 10
_one, _half = np.float32(1), np.float32(0.5)


@dataclass(frozen=True, kw_only=True)
class Grid:
    """What the region layer knows: the network's input in pixels, its output in cells, the anchors in cells."""

    net_width: int
    net_height: int
    width: int
    height: int
    anchors: tuple[float, ...]  # width, height of each anchor
    classes: int
    threshold: float
    nms: float

    @property
    def boxes(self) -> int:
        return len(self.anchors) // 2 * self.width * self.height


@dataclass(frozen=True, kw_only=True)
class Detection:
    """Corners in pixels (unsigned, not cut at the right and bottom), class and score."""

    x1: int
    y1: int
    x2: int
    y2: int
    class_number: int
    score: float


def decode(values: Floats, grid: Grid) -> list[Detection]:
    """Find the boxes in `values`, [anchor][5 + classes][row][column] flat; `values` is activated in place."""
    count = len(grid.anchors) // 2
    cells = grid.width * grid.height
    planes = values.reshape(count, 5 + grid.classes, cells)
    with np.errstate(all="ignore"):
        _activate(planes, grid.classes)
        boxes = _boxes(planes, grid)
        scores = (planes[:, 4, None] * planes[:, 5:]).transpose(0, 2, 1).reshape(count * cells, grid.classes)
        scores = np.where(np.float32(grid.threshold) < scores, scores, np.float32(0)).astype(np.float32)
    _suppress(boxes, scores, np.float32(grid.nms))
    return _read_out(boxes, scores, grid)


def _activate(planes: Floats, classes: int) -> None:
    """Sigmoid of x, y and objectness; softmax of the classes, summed one after the other."""
    for channel in (0, 1, 4):
        planes[:, channel] = _one / (expf(-planes[:, channel]) + _one)
    if not classes:
        return
    top = planes[:, 5:].max(axis=1, keepdims=True)
    powers = expf(planes[:, 5:] - top)
    total = np.zeros_like(powers[:, 0])
    for k in range(classes):
        total = total + powers[:, k]
    planes[:, 5:] = powers * (_one / total)[:, None]


def _boxes(planes: Floats, grid: Grid) -> Floats:
    """Centre and size of each box as parts of the picture: float32 [box, 4]."""
    f32 = np.float32
    reciprocal_w, reciprocal_h = _one / f32(grid.width), _one / f32(grid.height)
    row, column = np.divmod(np.arange(grid.width * grid.height), grid.width)
    anchors = np.array(grid.anchors, f32).reshape(-1, 2, 1)
    fix_x = (_one / f32(grid.net_width)) * f32(grid.net_width)
    fix_y = (_one / f32(grid.net_height)) * f32(grid.net_height)
    made = np.empty((planes.shape[0], planes.shape[2], 4), f32)
    made[..., 0] = fix_x * (reciprocal_w * (column.astype(f32) + planes[:, 0]))
    made[..., 1] = fix_y * (reciprocal_h * (row.astype(f32) + planes[:, 1]))
    made[..., 2] = (reciprocal_w * anchors[:, 0]) * expf(planes[:, 2])
    made[..., 3] = (reciprocal_h * anchors[:, 1]) * expf(planes[:, 3])
    return made.reshape(-1, 4)


def _suppress(boxes: Floats, scores: Floats, nms: np.float32) -> None:
    """Set to 0 the scores of boxes that overlap a better one of their class; `scores` is [box, class].

    The order of the boxes is carried on from class to class, as on the board.
    """
    edges, order = _edges(boxes), list(range(len(boxes)))
    for k in range(scores.shape[1]):
        column = scores[:, k]
        sort_by_falling_score(order, column.tolist())
        ranked = np.array([i for i in order if column[i] != 0], np.intp)
        for place, i in enumerate(ranked):
            rest = ranked[place + 1 :]
            if column[i] != 0 and rest.size:
                column[rest[nms < _overlaps(boxes, edges, i, rest)]] = 0


def _overlaps(boxes: Floats, edges: Floats, i: int, others: NDArray[np.intp]) -> Floats:
    """Intersection over union of box `i` with others, its products and sums rounded as the compiled code does."""
    with np.errstate(all="ignore"):
        low = np.maximum(edges[i, :2], edges[others, :2])
        high = np.minimum(edges[i, 2:], edges[others, 2:])
        sides = high - low
        inter = np.where((sides < 0).any(axis=1), np.float32(0), sides[:, 1] * sides[:, 0])
        own = boxes[i, 2] * boxes[i, 3]
        union = fma(boxes[others, 3], boxes[others, 2], own) - inter
        return (inter / union).astype(np.float32)


def _edges(boxes: Floats) -> Floats:
    """Left, top, right, bottom of each box, each one fused multiply-add."""
    center, size = boxes[:, :2], boxes[:, 2:]
    return np.concatenate([fma(-size, _half, center), fma(size, _half, center)], axis=1).astype(np.float32)


def _read_out(boxes: Floats, scores: Floats, grid: Grid) -> list[Detection]:
    """The boxes that are left, in the order of their numbers."""
    if not grid.classes:
        return []
    best = scores.argmax(axis=1)
    kept = np.flatnonzero(np.float32(grid.threshold) < scores[np.arange(len(scores)), best])
    found = []
    for i in kept:
        x, y, w, h = boxes[i]
        half_w = w * (np.float32(grid.net_width) * _half)
        half_h = h * (np.float32(grid.net_height) * _half)
        found.append(
            Detection(
                x1=_unsigned(fma(x, np.float32(grid.net_width), -half_w)),
                y1=_unsigned(fma(y, np.float32(grid.net_height), -half_h)),
                x2=_unsigned(fma(x, np.float32(grid.net_width), half_w)),
                y2=_unsigned(fma(y, np.float32(grid.net_height), half_h)),
                class_number=int(best[i]),
                score=float(scores[i, best[i]]),
            )
        )
    return found


def _unsigned(value: Any) -> int:
    """fcvt.wu, towards zero; negative gives 0, NaN and too much give the largest (Any: a float32 or array of one)."""
    number = float(value)
    if number != number or number >= 4294967295.0:
        return 0xFFFFFFFF
    return int(number) if number > 0 else 0
