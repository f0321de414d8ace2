"""YOLOv2 as stock MaixPy decodes it: anchors, the map's meaning, and the boxes in it.

The map has 5 * (5 + classes) channels, anchor by anchor: x, y, w, h, objectness, classes. A box's centre is the
sigmoid of x, y within its cell, its sides are anchor * exp(w, h) in cells, its score is sigmoid(objectness) times the
softmax of the classes; per class, boxes are dropped that overlap a better one. (kendryte's sipeed_yolo2.c, whose
number of classes is channels / 5 - 5, so there are always five anchors.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .datasets.pixels import InputSize
from .metrics import Detections, overlaps

__all__ = ["ANCHORS", "MOST_BOXES", "NMS", "Anchors", "cell_of", "decode", "find_anchors", "shape_iou", "stride_for"]

ANCHORS = 5
MOST_BOXES = 10  # run_yolo2 has room for ten results and does not check
NMS = 0.4
_SMALL = 40.0  # pixels


@dataclass(frozen=True, kw_only=True)
class Anchors:
    """Width and height of the typical boxes in cells, float [5, 2], smallest first.

    mean_iou: how well the best of them fits a training box, on average, 0 to 1.
    """

    sides: NDArray[np.float32]
    mean_iou: float

    def flat(self) -> tuple[float, ...]:
        """As `kpu.init_yolo2` takes them."""
        return tuple(round(float(v), 4) for v in self.sides.ravel())


def cell_of(size: InputSize, net_stride: int) -> NDArray[np.float32]:
    """Pixels of the input per cell, across and down: as the firmware reckons, the input's side by the map's."""
    sides = np.array([size.width, size.height], np.float32)
    return np.asarray(sides / np.ceil(sides / net_stride), np.float32)


def stride_for(boxes: Sequence[NDArray[np.float32]], classes: Sequence[NDArray[np.int32]]) -> int:
    """Pixels per cell of the map: 32, or 16 where the typical box of some class is hardly larger than 32 pixels.

    boxes and classes: per picture [n, 4] in input pixels and [n].
    """
    sides = np.concatenate(boxes)[:, 2:] - np.concatenate(boxes)[:, :2]
    size, kinds = np.sqrt(sides.prod(1)), np.concatenate(classes)
    typical = min(float(np.median(size[kinds == kind])) for kind in np.unique(kinds))
    return 16 if typical < _SMALL else 32


def find_anchors(
    boxes: Sequence[NDArray[np.float32]], cell: NDArray[np.float32], *, seed: int, spread: float = 1.0
) -> Anchors:
    """Five k-means clusters of box sides under 1 - IoU (Redmon and Farhadi 2017, section 2), best of ten starts.

    boxes: per picture [n, 4] in input pixels. spread: how far augmentation zooms; the boxes are clustered at sizes from
    1 / spread to spread.
    """
    sides = np.concatenate([b[:, 2:] - b[:, :2] for b in boxes if len(b)]).astype(np.float64) / cell
    zoomed = np.concatenate([sides / spread, sides, sides * spread]) if spread > 1 else sides
    rng = np.random.default_rng(seed)
    best, best_fit = zoomed[:ANCHORS], -1.0
    for _ in range(10):
        centres = _spread_out(zoomed, rng)
        for _ in range(100):
            nearest = shape_iou(zoomed, centres).argmax(1)
            moved = np.stack(
                [
                    np.median(zoomed[nearest == k], axis=0) if (nearest == k).any() else centres[k]
                    for k in range(ANCHORS)
                ]
            )
            if np.allclose(moved, centres):
                break
            centres = moved
        fit = float(shape_iou(zoomed, centres).max(1).mean())
        if fit > best_fit:
            best, best_fit = centres, fit
    best = best[np.argsort(best.prod(1), kind="stable")]
    return Anchors(sides=best.astype(np.float32), mean_iou=float(shape_iou(sides, best).max(1).mean()))


def _spread_out(sides: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Starting centres, each far from those before (k-means++); equal boxes get slightly different ones."""
    centres = [sides[rng.integers(len(sides))]]
    while len(centres) < ANCHORS:
        far = (1 - shape_iou(sides, np.stack(centres)).max(1)) ** 2
        chance = far / far.sum() if far.sum() > 1e-12 else None
        centres.append(sides[rng.choice(len(sides), p=chance)] * rng.uniform(0.98, 1.02, 2))
    return np.stack(centres)


def shape_iou(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    shared = np.minimum(a[:, None], b[None]).prod(2)
    return np.asarray(shared / (a.prod(1)[:, None] + b.prod(1)[None] - shared), np.float64)


def decode(
    maps: NDArray[np.float32],
    anchors: NDArray[np.float32],
    cell: NDArray[np.float32],
    *,
    threshold: float,
    nms: float = NMS,
) -> list[Detections]:
    """Detections in input pixels from maps [n, rows, columns, 5 * (5 + classes)].

    The same rules as the firmware's, not its bits: for those, run the script on the desk board.
    """
    count, rows, columns, channels = maps.shape
    values = maps.reshape(count, rows, columns, ANCHORS, channels // ANCHORS).astype(np.float64)
    grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1)[:, :, None]
    centre = (_sigmoid(values[..., 0:2]) + grid) * cell
    half = anchors * np.exp(np.clip(values[..., 2:4], -20, 20)) * cell / 2
    boxes = np.concatenate([centre - half, centre + half], axis=-1).reshape(count, -1, 4).astype(np.float32)
    power = np.exp(values[..., 5:] - values[..., 5:].max(-1, keepdims=True))
    chance = _sigmoid(values[..., 4:5]) * power / power.sum(-1, keepdims=True)
    chance = chance.reshape(count, -1, channels // ANCHORS - 5).astype(np.float32)
    return [_suppressed(b, c, threshold, nms) for b, c in zip(boxes, chance, strict=True)]


def _suppressed(boxes: NDArray[np.float32], chance: NDArray[np.float32], threshold: float, nms: float) -> Detections:
    best = chance.argmax(1)
    found: list[tuple[int, int]] = []
    for number in range(chance.shape[1]):
        own = np.flatnonzero(chance[:, number] > threshold)
        own = own[np.argsort(-chance[own, number], kind="stable")]
        close = overlaps(boxes[own], boxes[own]) > nms
        alive = np.ones(len(own), np.bool_)
        for i in range(len(own)):
            if alive[i]:
                alive[i + 1 :] &= ~close[i, i + 1 :]
        found += [(int(box), number) for box in own[alive] if best[box] == number]
    places = np.array([box for box, _ in found], np.int64)
    kinds = np.array([kind for _, kind in found], np.int32)
    return Detections(boxes=boxes[places].reshape(-1, 4), classes=kinds, scores=chance[places, kinds])


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -60, 60))), np.float64)
