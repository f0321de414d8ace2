"""find_features: objects by a Haar cascade, after Viola and Jones (2001). Source: `omv/img/haar.c`, `integral_mw.c`.

The firmware's two built-in cascades are those of OpenCV, in whole numbers. They are not in this package: they are read
out of an installed OpenCV (`pip install 'k210kit[video]'`) and turned into the same numbers.
"""

from __future__ import annotations

import importlib.util
import struct
import xml.etree.ElementTree as Xml
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from k210kit.errors import MissingExtraError

from .arguments import Region

__all__ = ["BUILT_IN", "Cascade", "built_in_cascade", "detect", "read_cascade"]

# The firmware's names and OpenCV's files
BUILT_IN = {"frontalface": "haarcascade_frontalface_default.xml", "eye": "haarcascade_eye.xml"}
_LEAST_VARIANCE = 50 * 50
_WORD = 0xFFFFFFFF
Box = tuple[int, int, int, int]
_Rectangle = tuple[int, int, int, int, int]  # x, y, w, h, weight


@dataclass(frozen=True)
class _Feature:
    """A weak classifier: rectangles, a threshold, and what it adds below and above."""

    rectangles: tuple[_Rectangle, ...]
    threshold: int
    below: int
    above: int


@dataclass(frozen=True)
class Cascade:
    """The window, and for each stage its features and the sum that they must reach (in 1/256)."""

    width: int
    height: int
    stages: tuple[tuple[_Feature, ...], ...]
    thresholds: tuple[int, ...]

    def first(self, count: int) -> Cascade:
        """The cascade cut to its first stages; all of them unless 0 < count < their number."""
        if not 0 < count < len(self.stages):
            return self
        return replace(self, stages=self.stages[:count], thresholds=self.thresholds[:count])

    @property
    def features(self) -> int:
        return sum(map(len, self.stages))

    @property
    def rectangles(self) -> int:
        return sum(len(feature.rectangles) for stage in self.stages for feature in stage)


def read_cascade(data: bytes) -> Cascade:
    """A cascade in the firmware's file form; ValueError where the data ends too early."""
    at = 0

    def take(form: str, count: int) -> tuple[int, ...]:
        nonlocal at
        size = struct.calcsize(f"<{count}{form}")
        if at + size > len(data):
            raise ValueError("the cascade ends too early")
        found = struct.unpack_from(f"<{count}{form}", data, at)
        at += size
        return found

    width, height, stages = take("i", 3)
    if not (0 < width < 256 and 0 < height < 256 and 0 < stages < 256):
        raise ValueError("this is no cascade")
    sizes = take("B", stages)
    thresholds, total = take("h", stages), sum(sizes)
    nodes, below, above = take("h", total), take("h", total), take("h", total)
    counts = take("b", total)
    if any(count < 0 for count in counts):
        raise ValueError("this is no cascade")
    weights, corners = take("b", sum(counts)), take("b", 4 * sum(counts))
    features, first = [], 0
    for number, count in enumerate(counts):
        boxes = tuple(_rectangle(corners[4 * i : 4 * i + 4], weights[i]) for i in range(first, first + count))
        features.append(_Feature(boxes, nodes[number], below[number], above[number]))
        first += count
    ends = np.cumsum(sizes).tolist()
    parts = tuple(tuple(features[end - size : end]) for end, size in zip(ends, sizes, strict=True))
    return Cascade(width, height, parts, thresholds)


def built_in_cascade(name: str) -> Cascade:
    """One of the firmware's own; `MissingExtraError` without OpenCV."""
    found = importlib.util.find_spec("cv2")
    folders = list(found.submodule_search_locations or ()) if found is not None else []
    path = Path(folders[0]) / "data" / BUILT_IN[name] if folders else None
    if path is None or not path.is_file():
        raise MissingExtraError(
            "opencv-python-headless", extra="video", purpose=f"the built-in cascade {name!r} of image.HaarCascade"
        )
    return _from_xml(Xml.parse(path).getroot())


def _from_xml(root: Any) -> Cascade:
    """OpenCV's tables in whole numbers: thresholds in 1/4096, sums in 1/256, cut towards zero (Any: an XML element)."""
    cascade = root.find("cascade")
    boxes = []
    for feature in cascade.find("features"):
        rows = [row.text.split() for row in feature.find("rects")]
        boxes.append(tuple(_rectangle([int(part) for part in row[:4]], int(float(row[4]))) for row in rows))
    stages, thresholds = [], []
    for stage in cascade.find("stages"):
        thresholds.append(int(float(stage.find("stageThreshold").text) * 256))
        made = []
        for weak in stage.find("weakClassifiers"):
            node = weak.find("internalNodes").text.split()
            below, above = (int(float(value) * 256) for value in weak.find("leafValues").text.split())
            made.append(_Feature(boxes[int(node[2])], int(float(node[3]) * 4096), below, above))
        stages.append(tuple(made))
    width, height = (int(cascade.find(part).text) for part in ("width", "height"))
    return Cascade(width, height, tuple(stages), tuple(thresholds))


def _rectangle(corner_and_size: Sequence[int], weight: int) -> _Rectangle:
    x, y, w, h = corner_and_size
    return (x, y, w, h, weight)


def detect(levels: NDArray[np.uint8], cascade: Cascade, region: Region, *, threshold: float, scale: float) -> list[Box]:
    """Boxes of what the cascade takes for its object, overlapping ones averaged."""
    found: list[Box] = []
    step = min(region.w * 50 // 1000, cascade.height)
    factor = np.float32(1.0)
    while True:
        width, height = int(np.float32(region.w) / factor), int(np.float32(region.h) / factor)
        if width < cascade.width or height < cascade.height or scale <= 1:
            break
        step = max(int(np.float32(step) / factor), 1)
        window = [int(np.rint(np.float32(part) * factor)) for part in (cascade.width, cascade.height)]
        for x, y in _at_scale(levels, cascade, region, (width, height), step, threshold):
            place = [int(np.rint(np.float32(part) * factor)) for part in (x, y)]
            found.append((place[0] + region.x, place[1] + region.y, window[0], window[1]))
        factor = np.float32(factor * np.float32(scale))
    return _merged(found) if len(found) > 1 else found


def _at_scale(
    levels: NDArray[np.uint8],
    cascade: Cascade,
    region: Region,
    size: tuple[int, int],
    step: int,
    threshold: float,
) -> list[tuple[int, int]]:
    """Places (x, y) in the picture shrunk to `size` where all stages say yes, row by row."""
    rows, columns = (
        first + (np.arange(new) * ((old << 16) // new + 1) >> 16)
        for new, old, first in ((size[1], region.h, region.y), (size[0], region.w, region.x))
    )
    small = levels[rows][:, columns].astype(np.int64)
    sums, squares = (np.cumsum(np.cumsum(part, axis=0), axis=1) for part in (small, small * small))
    ys, xs = np.arange(0, size[1] - cascade.height, step), np.arange(0, size[0] - cascade.width, step)
    y, x = (part.reshape(-1) for part in np.meshgrid(ys, xs, indexing="ij"))
    area = cascade.width * cascade.height
    total, square = (_within(part, x, y, cascade.width, cascade.height) for part in (sums, squares))
    varied = (square // area - (total // area) ** 2 & _WORD) >= _LEAST_VARIANCE
    x, y, total, square = x[varied], y[varied], total[varied], square[varied]
    spread = np.sqrt((square * area - total * total & _WORD).astype(np.float32)).astype(np.int64)
    for features, least in zip(cascade.stages, cascade.thresholds, strict=True):
        if not len(x):
            break
        score = sum((_vote(feature, _sums_at(sums, x, y), spread) for feature in features), np.zeros(len(x), np.int64))
        stays = ~(score < threshold * least)
        x, y, spread = x[stays], y[stays], spread[stays]
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _within(sums: NDArray[np.int64], x: Any, y: Any, w: int, h: int) -> NDArray[np.int64]:
    """The sum over the pixels right of and below (x, y), as the firmware looks it up (Any: arrays of places)."""
    made: NDArray[np.int64] = sums[y + h, x + w] + sums[y, x] - sums[y, x + w] - sums[y + h, x]
    return made


def _sums_at(sums: NDArray[np.int64], x: Any, y: Any) -> Callable[[int, int, int, int], NDArray[np.int64]]:
    return lambda dx, dy, w, h: _within(sums, x + dx, y + dy, w, h)


def _vote(
    feature: _Feature, within: Callable[[int, int, int, int], NDArray[np.int64]], spread: NDArray[np.int64]
) -> NDArray[np.int64]:
    """What a feature adds at each place."""
    weighed = sum(within(x, y, w, h) * (weight << 12) for x, y, w, h, weight in feature.rectangles)
    return np.where(weighed >= feature.threshold * spread, feature.above, feature.below)


def _merged(boxes: list[Box]) -> list[Box]:
    """Each box averaged with those that it meets."""
    waiting, made = list(boxes), []
    while waiting:
        box, others, waiting = waiting[0], waiting[1:], []
        group = [box]
        for other in others:
            (group if _meet(box, other) else waiting).append(other)
        x, y, w, h = (sum(part) // len(group) for part in zip(*group, strict=True))
        made.append((x, y, w, h))
    return made


def _meet(one: Box, two: Box) -> bool:
    return (
        one[0] < two[0] + two[2] and one[1] < two[1] + two[3] and one[0] + one[2] > two[0] and one[1] + one[3] > two[1]
    )
