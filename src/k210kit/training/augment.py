"""Changes to training pictures that leave their meaning alone: place, size, light, blur and the camera's noise.

Everything is a function of the random generator given, so that epoch 7 of a resumed run sees what epoch 7 of an
unbroken one would have seen. A picture takes one to three milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from .datasets.pixels import FILL

__all__ = ["Augmentation", "Sample", "augment", "flip_makes_sense", "mosaic"]

_SEEN_ENOUGH = 0.35  # a box of which less is left in the picture is no longer a fair example
_SMALLEST = 3.0  # pixels
# the camera's grain, drawn once: 16 strengths, from which every picture takes a piece at random
_GRAIN_PIXELS = 1 << 19
_GRAIN = np.random.default_rng(0).normal(0, 1, _GRAIN_PIXELS)
_GRAINS = [(_GRAIN * strength).astype(np.int16) for strength in np.linspace(1, 10, 16)]


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How far pictures are changed; 0 leaves a property alone.

    turn: degrees. zoom: greatest factor, up and down. shift: share of the side. light: share of brightness, contrast
    and colour. blur, noise, mosaic: how often, 0 to 1. ramp: the share of the epochs in which this grows to full
    strength, for nets that begin with random numbers. flip: whether a mirrored picture still means the same.
    """

    turn: float = 10.0
    zoom: float = 1.25
    shift: float = 0.1
    flip: bool = True
    light: float = 0.3
    blur: float = 0.15
    noise: float = 0.5
    mosaic: float = 0.0
    ramp: float = 0.0

    def at(self, done: float) -> Augmentation:
        """The changes when this share of the epochs is done: a third of the strength at first, all after `ramp`."""
        if done >= self.ramp:
            return self
        k = 1 / 3 + 2 / 3 * done / self.ramp
        return replace(
            self,
            turn=self.turn * k,
            zoom=1 + (self.zoom - 1) * k,
            shift=self.shift * k,
            light=self.light * k,
            blur=self.blur * k,
            noise=self.noise * k,
        )


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A picture and its boxes: pixels uint8 [h, w, c]; boxes float32 [n, 4] in pixels; classes int32 [n]."""

    pixels: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    classes: NDArray[np.int32]


def flip_makes_sense(labels: Sequence[str]) -> bool:
    """Not for digits, letters and sides: a mirrored 2 is no 2, and left becomes right."""
    sided = re.compile(r"(?i)(^|[^a-z])(left|right|arrow|turn|number|digit|letter|card|text|sign)([^a-z]|$)|\d")
    return not any(len(label) == 1 or sided.search(label) for label in labels)


def augment(sample: Sample, how: Augmentation, rng: np.random.Generator) -> Sample:
    """One changed copy of a picture, of the same size."""
    height, width = sample.pixels.shape[:2]
    forward = _centred_change(how, rng, width, height)
    image = _warp(_image(sample.pixels), forward, width, height)
    boxes, classes = _moved(sample, forward, width, height)
    return Sample(pixels=_seen_by_camera(image, how, rng), boxes=boxes, classes=classes)


def mosaic(samples: Sequence[Sample], how: Augmentation, rng: np.random.Generator) -> Sample:
    """Four pictures around a random crossing, each zoomed by itself: more objects, more sizes, more surroundings."""
    height, width = samples[0].pixels.shape[:2]
    cross_x, cross_y = rng.uniform(0.3, 0.7) * width, rng.uniform(0.3, 0.7) * height
    canvas = Image.new(_image(samples[0].pixels).mode, (width, height), _fill(samples[0].pixels.shape[2]))
    boxes, classes = [], []
    for quarter, sample in enumerate(samples):
        left, top = (0.0, cross_x)[quarter % 2], (0.0, cross_y)[quarter // 2]
        right, bottom = (cross_x, width)[quarter % 2], (cross_y, height)[quarter // 2]
        zoom = rng.uniform(0.6, 1.1)
        flip = how.flip and rng.random() < 0.5
        spare_x, spare_y = (right - left) - zoom * width, (bottom - top) - zoom * height
        x, y = left + spare_x * rng.random(), top + spare_y * rng.random()
        forward = np.array([[-zoom if flip else zoom, 0, x + zoom * width if flip else x], [0, zoom, y]])
        region = (round(left), round(top), round(right), round(bottom))
        canvas.paste(_warp(_image(sample.pixels), forward, width, height).crop(region), (region[0], region[1]))
        own, kinds = _moved(sample, forward, width, height, within=(left, top, right, bottom))
        boxes.append(own)
        classes.append(kinds)
    return Sample(
        pixels=_seen_by_camera(canvas, how, rng), boxes=np.concatenate(boxes), classes=np.concatenate(classes)
    )


def _centred_change(how: Augmentation, rng: np.random.Generator, width: int, height: int) -> NDArray[np.float64]:
    """The matrix [2, 3] that takes places in the picture to places in its changed copy."""
    zoom = how.zoom ** rng.uniform(-1, 1)
    stretch = 1 + (how.zoom - 1) * 0.3 * rng.uniform(-1, 1)
    angle = np.deg2rad(how.turn) * rng.uniform(-1, 1)
    mirror = -1.0 if how.flip and rng.random() < 0.5 else 1.0
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.diag([zoom * stretch * mirror, zoom / stretch])
    centre = np.array([width / 2, height / 2])
    shift = centre + rng.uniform(-1, 1, 2) * how.shift * (width, height) - matrix @ centre
    return np.concatenate([matrix, shift[:, None]], axis=1)


def _warp(image: Image.Image, forward: NDArray[np.float64], width: int, height: int) -> Image.Image:
    inverse = np.linalg.inv(np.concatenate([forward, [[0, 0, 1]]]))[:2]
    return image.transform(
        (width, height),
        Image.Transform.AFFINE,
        tuple(inverse.ravel().tolist()),
        resample=Image.Resampling.BILINEAR,
        fillcolor=_fill(len(image.getbands())),
    )


def _moved(
    sample: Sample,
    forward: NDArray[np.float64],
    width: int,
    height: int,
    within: tuple[float, float, float, float] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Where the boxes went; those of which too little is left are gone."""
    if not len(sample.boxes):
        return sample.boxes, sample.classes
    left, top, right, bottom = sample.boxes.T
    xs, ys = np.stack([left, right, right, left]), np.stack([top, top, bottom, bottom])
    moved_x = forward[0, 0] * xs + forward[0, 1] * ys + forward[0, 2]
    moved_y = forward[1, 0] * xs + forward[1, 1] * ys + forward[1, 2]
    grown = np.stack([moved_x.min(0), moved_y.min(0), moved_x.max(0), moved_y.max(0)], axis=1)
    bounds = within or (0.0, 0.0, float(width), float(height))
    cut = np.clip(grown, [*bounds[:2], *bounds[:2]], [*bounds[2:], *bounds[2:]])
    sides, before = cut[:, 2:] - cut[:, :2], grown[:, 2:] - grown[:, :2]
    left_over = sides.prod(1) / np.maximum(before.prod(1), 1e-9)
    kept = (left_over > _SEEN_ENOUGH) & (sides.min(1) > _SMALLEST)
    return cut[kept].astype(np.float32), sample.classes[kept]


def _seen_by_camera(image: Image.Image, how: Augmentation, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Light, blur and noise, on the finished picture."""
    channels = len(image.getbands())
    if how.light:
        ramp = np.arange(256) / 255.0
        gain = 1 + how.light * rng.uniform(-1, 1) + 0.3 * how.light * rng.uniform(-1, 1, (channels, 1))
        curve = ramp[None] ** np.exp(0.8 * how.light * rng.uniform(-1, 1))
        table = (curve - 0.5) * (1 + how.light * rng.uniform(-1, 1)) + 0.5 + how.light * 0.3 * rng.uniform(-1, 1)
        image = image.point((np.clip(table * gain, 0, 1) * 255).astype(np.uint8).ravel().tolist())
    if rng.random() < how.blur:
        image = image.filter(ImageFilter.BoxBlur(rng.uniform(0.3, 1.2)))
    pixels = np.asarray(image).reshape(image.height, image.width, channels)
    if rng.random() < how.noise:
        grain = _GRAINS[int(rng.integers(len(_GRAINS)))]
        start = int(rng.integers(0, max(_GRAIN_PIXELS - pixels.size, 1)))
        noisy = np.add(pixels, np.resize(grain[start : start + pixels.size], pixels.shape), dtype=np.int16)
        pixels = np.clip(noisy, 0, 255, out=noisy).astype(np.uint8)
    return np.ascontiguousarray(pixels)


def _image(pixels: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def _fill(channels: int) -> Any:  # Any: Pillow wants a number or a tuple of exactly so many
    return FILL if channels == 1 else (FILL,) * channels
