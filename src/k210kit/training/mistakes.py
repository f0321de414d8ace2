"""The pictures that the kmodel gets most wrong, and some that it gets right, drawn for the report."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from .datasets import Ready
from .description import Description
from .detection import truths
from .measuring import Outputs, detections
from .metrics import Detections, overlaps

__all__ = ["Shown", "hits", "worst_and_good"]

_MOST = 12


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One picture of the report: a data URI, a caption, and whether it is a mistake."""

    picture: str
    caption: str
    wrong: bool


def worst_and_good(items: Sequence[Ready], outputs: Outputs, description: Description) -> tuple[Shown, ...]:
    """Up to twelve of the worst mistakes, worst first, then up to four pictures that are right."""
    if description.task == "classify":
        return _classified(items, outputs, description)
    return _detected(items, outputs, description)


def _classified(items: Sequence[Ready], outputs: Outputs, description: Description) -> tuple[Shown, ...]:
    truth = np.array([item.label for item in items])
    said, sure = outputs.argmax(1), outputs.max(1)
    order = [
        *np.flatnonzero(said != truth)[np.argsort(-sure[said != truth])][:_MOST],
        *np.flatnonzero(said == truth)[:4],
    ]
    made = []
    for n in order:
        wrong = bool(said[n] != truth[n])
        name = description.labels[said[n]]
        told = f"says {name} ({sure[n]:.0%}), is {description.labels[truth[n]]}" if wrong else f"{name} ({sure[n]:.0%})"
        made.append(Shown(picture=_uri(_image(items[n])), caption=f"{items[n].name}: {told}", wrong=wrong))
    return tuple(made)


def _detected(items: Sequence[Ready], outputs: Outputs, description: Description) -> tuple[Shown, ...]:
    found = detections(outputs, description, threshold=description.threshold)
    faults = [_faults(one, truth.boxes, truth.classes) for one, truth in zip(found, truths(items), strict=True)]
    order = sorted(range(len(items)), key=lambda n: -sum(faults[n]))
    bad = [n for n in order if sum(faults[n])][:_MOST]
    good = [n for n in order if not sum(faults[n]) and len(items[n].boxes)][:4]
    made = []
    for n in [*bad, *good]:
        missed, false = faults[n]
        told = f"{missed} missed, {false} false" if n in bad else "all found"
        picture = _drawn(items[n], found[n], description)
        made.append(Shown(picture=_uri(picture), caption=f"{items[n].name}: {told}", wrong=n in bad))
    return tuple(made)


def hits(items: Sequence[Ready], outputs: Outputs, description: Description) -> tuple[float, float]:
    """Precision and recall at the camera's threshold, at an overlap of 0.5; NaN where nothing was found or there."""
    found = detections(outputs, description, threshold=description.threshold)
    faults = [_faults(one, truth.boxes, truth.classes) for one, truth in zip(found, truths(items), strict=True)]
    there, said = sum(len(item.boxes) for item in items), sum(len(one.scores) for one in found)
    right = there - sum(missed for missed, _ in faults)
    return right / said if said else float("nan"), right / there if there else float("nan")


def _faults(found: Detections, boxes: NDArray[np.float32], classes: NDArray[np.int32]) -> tuple[int, int]:
    """How many boxes were missed, and how many detections are no box, at an overlap of 0.5."""
    free = np.ones(len(boxes), np.bool_)
    false = 0
    for n in np.argsort(-found.scores):
        shared = overlaps(found.boxes[n : n + 1], boxes)[0] if len(boxes) else np.zeros(0)
        fitting = np.flatnonzero((shared >= 0.5) & free & (classes == found.classes[n]))
        if len(fitting):
            free[fitting[shared[fitting].argmax()]] = False
        else:
            false += 1
    return int(free.sum()), false


def _drawn(item: Ready, found: Detections, description: Description) -> Image.Image:
    """Truth in green, what the kmodel found in red with its score."""
    image = _image(item).convert("RGB")
    draw = ImageDraw.Draw(image)
    for box in item.boxes.tolist():
        draw.rectangle(tuple(box), outline=(0, 200, 80), width=2)
    for box, kind, score in zip(found.boxes.tolist(), found.classes.tolist(), found.scores.tolist(), strict=True):
        draw.rectangle(tuple(box), outline=(240, 40, 40), width=1)
        label = description.labels[kind]
        draw.text(
            (box[0] + 2, max(box[1], 0) + 1), f"{label if label.isascii() else kind} {score:.2f}", fill=(240, 40, 40)
        )
    return image


def _image(item: Ready) -> Image.Image:
    return Image.fromarray(item.pixels[..., 0] if item.pixels.shape[2] == 1 else item.pixels)


def _uri(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
