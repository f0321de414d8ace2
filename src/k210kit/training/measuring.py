"""Figures of the float net and of the kmodel, on the same pictures, by the same rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from k210kit.errors import InputError
from k210kit.kmodel import Kmodel
from k210kit.simulator import Machine

from .classification import stacked
from .datasets import Ready
from .description import Description
from .detection import truths
from .engine import engine
from .fit import normalised
from .metrics import ClassMetrics, DetectMetrics, average_precision, class_metrics
from .models import stride_of
from .yolo import MOST_BOXES, cell_of, decode

__all__ = ["Metrics", "Outputs", "at_threshold", "float_outputs", "kmodel_outputs", "measure"]

Metrics = ClassMetrics | DetectMetrics
Outputs = NDArray[np.float32]  # classifier: probabilities [n, classes]; detector: maps [n, rows, columns, channels]
_LOW = 0.01


def float_outputs(model: Any, items: Sequence[Ready]) -> Outputs:
    """What a finished Keras model says to each picture."""
    tensorflow, _ = engine()

    @tensorflow.function(autograph=False, reduce_retracing=True)  # type: ignore[untyped-decorator, unused-ignore]
    def call(pixels: Any) -> Any:
        return model(normalised(pixels), training=False)

    pixels = stacked(items)
    return np.concatenate([np.asarray(call(pixels[at : at + 32])) for at in range(0, len(pixels), 32)])


def kmodel_outputs(
    kmodel: Kmodel,
    items: Sequence[Ready],
    description: Description,
    progress: Callable[[float], None] = lambda fraction: None,
) -> Outputs:
    """What the kmodel says to each picture, simulated bit for bit as MaixPy runs it."""
    size = description.size
    if tuple(kmodel.input_shape) != (size.channels, size.height, size.width):
        raise InputError(
            f"The kmodel takes {kmodel.input_shape} (channels, height, width); the data were prepared for "
            f"{(size.channels, size.height, size.width)}."
        )
    machine, rows = Machine(kmodel), []
    for number, item in enumerate(items):
        (output, *_) = machine.run(np.ascontiguousarray(item.pixels.transpose(2, 0, 1))).outputs
        rows.append(np.asarray(output, np.float32))
        progress((number + 1) / len(items))
    outputs = np.stack(rows)
    if description.task == "classify":
        return outputs.reshape(len(items), -1)
    cells = np.ceil(np.array([size.height, size.width]) / stride_of(description.net)).astype(int)
    return outputs.reshape(len(items), -1, *cells).transpose(0, 2, 3, 1)


def measure(outputs: Outputs, items: Sequence[Ready], description: Description, part: str) -> Metrics:
    """The figures of merit of outputs for pictures whose truth is known."""
    labels = description.labels
    if description.task == "classify":
        if outputs.shape[1] != len(labels):
            raise InputError(f"The model gives {outputs.shape[1]} scores; the data have {len(labels)} classes.")
        numbers = np.array([item.label for item in items], np.int64)
        return class_metrics(np.log(np.maximum(outputs, 1e-9)), numbers, labels, part)
    anchors = np.array(description.anchors, np.float32).reshape(-1, 2)
    cell = cell_of(description.size, stride_of(description.net))
    found = decode(outputs, anchors, cell, threshold=_LOW, nms=description.nms)
    return average_precision(found, truths(items), labels, part)


def at_threshold(outputs: Outputs, items: Sequence[Ready], description: Description) -> tuple[Description, str]:
    """The description with the threshold for the camera, from these pictures, and what there is to say about it.

    The score with the best F1; raised where a picture would give more than ten objects, since `run_yolo2` has room for
    ten, does not check, and writes over other memory.
    """
    figures = measure(outputs, items, description, "validation")
    assert isinstance(figures, DetectMetrics)
    anchors = np.array(description.anchors, np.float32).reshape(-1, 2)
    cell = cell_of(description.size, stride_of(description.net))
    found = decode(outputs, anchors, cell, threshold=_LOW, nms=description.nms)
    crowded = [np.sort(one.scores)[-MOST_BOXES - 1] for one in found if len(one.scores) > MOST_BOXES]
    least = float(max(crowded, default=0.0)) + 0.005
    if not crowded or least <= figures.threshold:
        return replace(description, threshold=round(figures.threshold, 3)), ""
    told = (
        f"the best threshold on the validation part is {figures.threshold:.2f}, but pictures then give more than "
        f"{MOST_BOXES} objects, and run_yolo2 has room for {MOST_BOXES}; it is raised to {least:.2f}"
    )
    return replace(description, threshold=round(min(least, 0.99), 3)), told
