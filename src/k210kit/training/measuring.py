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
from .metrics import ClassMetrics, Detections, DetectMetrics, average_precision, class_metrics
from .yolo import MOST_BOXES, cell_of, decode

__all__ = ["Metrics", "Outputs", "at_threshold", "detections", "float_outputs", "kmodel_outputs", "measure"]

Metrics = ClassMetrics | DetectMetrics
Outputs = NDArray[np.float32]  # classifier: probabilities [n, classes]; detector: maps [n, rows, columns, channels]
_LOW = 0.01


def float_outputs(model: Any, items: Sequence[Ready]) -> Outputs:
    """What a finished Keras model says to each picture."""
    tensorflow, _ = engine()

    @tensorflow.function(autograph=False, reduce_retracing=True)  # type: ignore[untyped-decorator, unused-ignore]
    def call(pixels: Any) -> Any:
        return model(normalised(pixels), training=False)

    return np.concatenate([np.asarray(call(stacked(items[at : at + 32]))) for at in range(0, len(items), 32)])


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
    columns, rows_of_cells = description.grid
    return outputs.reshape(len(items), -1, rows_of_cells, columns).transpose(0, 2, 3, 1)


def detections(outputs: Outputs, description: Description, *, threshold: float) -> list[Detections]:
    """What a detector's maps say of each picture, in pixels of the input."""
    anchors = np.array(description.anchors, np.float32).reshape(-1, 2)
    cell = cell_of(description.size, description.stride)
    return decode(outputs, anchors, cell, threshold=threshold, nms=description.nms)


def measure(outputs: Outputs, items: Sequence[Ready], description: Description, part: str) -> Metrics:
    """The figures of merit of outputs for pictures whose truth is known."""
    labels = description.labels
    if description.task == "classify":
        if outputs.shape[1] != len(labels):
            raise InputError(f"The model gives {outputs.shape[1]} scores; the data have {len(labels)} classes.")
        numbers = np.array([item.label for item in items], np.int64)
        return class_metrics(np.log(np.maximum(outputs, 1e-9)), numbers, labels, part)
    found = detections(outputs, description, threshold=_LOW)
    return average_precision(found, truths(items), labels, part)


def at_threshold(
    outputs: Outputs, items: Sequence[Ready], description: Description, *, most: int = 0
) -> tuple[Description, str]:
    """The description with the threshold for the camera, from these pictures, and what there is to say about it.

    The score with the best F1. `run_yolo2` has room for ten objects, does not check, and writes over other memory:
    where a picture holds more (most: as many as any picture of the set) or gives more, the script decodes the map.
    """
    figures = measure(outputs, items, description, "validation")
    assert isinstance(figures, DetectMetrics)
    threshold = round(figures.threshold, 3)
    found = max(len(one.scores) for one in detections(outputs, description, threshold=threshold))
    if max(found, most) <= MOST_BOXES:
        return replace(description, threshold=threshold), ""
    told = (
        f"pictures give up to {max(found, most)} objects, and run_yolo2 has room for {MOST_BOXES} and does not check: "
        "boot.py decodes the map itself, which takes longer"
    )
    return replace(description, threshold=threshold, decoder="script"), told
