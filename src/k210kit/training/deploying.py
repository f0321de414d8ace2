"""From a finished net to what runs on the board: files, kmodel, both figures, the threshold."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from k210kit.compiler.pipeline import Compiled, Normalisation, Options
from k210kit.compiler.pipeline import compile as compile_model

from .classification import stacked
from .datasets import Ready, Split
from .description import Description
from .export import finished, h5_bytes, tflite_bytes
from .measuring import Metrics, Outputs, at_threshold, float_outputs, kmodel_outputs, measure
from .options import Effort

__all__ = ["Deployed", "calibration_pictures", "deploy"]

_CALIBRATION = 64


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A net's files, and its figures on the test part before and after quantisation."""

    description: Description
    h5: bytes
    tflite: bytes
    compiled: Compiled
    kmodel: bytes
    metrics_float: Metrics
    metrics_kmodel: Metrics
    outputs_float: Outputs
    outputs_kmodel: Outputs
    warnings: tuple[str, ...] = ()


def calibration_pictures(items: Sequence[Ready], labels: int) -> list[Ready]:
    """Training pictures that show the compiler what to expect: in turn from every class, at most 64."""
    by_class: dict[int, list[Ready]] = {}
    for item in items:
        by_class.setdefault(
            item.label if item.label >= 0 else int(item.classes[0]) if len(item.classes) else -1, []
        ).append(item)
    chosen: list[Ready] = []
    while len(chosen) < min(_CALIBRATION, len(items)):
        for own in by_class.values():
            if own and len(chosen) < _CALIBRATION:
                chosen.append(own.pop(len(own) // 2))
    return chosen


def deploy(
    model: Any,
    description: Description,
    parts: Split,
    *,
    effort: Effort,
    progress: Callable[[float, str], None] = lambda fraction, what: None,
) -> Deployed:
    """Export, compile and measure; the threshold comes from the kmodel's curve on the validation part."""
    net = finished(model, description.task)
    progress(0.0, "writing the float model")
    h5, tflite = h5_bytes(net), tflite_bytes(net)
    progress(0.1, "compiling")
    compiled = _compiled(
        tflite, description, parts, effort, lambda fraction, what: progress(0.1 + 0.4 * fraction, what)
    )
    kmodel, told = compiled.kmodel, ""
    if description.task == "detect":
        held = kmodel_outputs(kmodel, parts.validation, description, lambda f: progress(0.5 + 0.15 * f, "simulating"))
        most = max(len(item.boxes) for item in (*parts.train, *parts.validation))
        description, told = at_threshold(held, parts.validation, description, most=most)
    outputs_float = float_outputs(net, parts.test)
    outputs_kmodel = kmodel_outputs(kmodel, parts.test, description, lambda f: progress(0.65 + 0.35 * f, "simulating"))
    return Deployed(
        description=description,
        h5=h5,
        tflite=tflite,
        compiled=compiled,
        kmodel=compiled.to_bytes(),
        metrics_float=measure(outputs_float, parts.test, description, "test"),
        metrics_kmodel=measure(outputs_kmodel, parts.test, description, "test"),
        outputs_float=outputs_float,
        outputs_kmodel=outputs_kmodel,
        warnings=(told,) if told else (),
    )


def _compiled(
    tflite: bytes, description: Description, parts: Split, effort: Effort, progress: Callable[[float, str], None]
) -> Compiled:
    pictures = stacked(calibration_pictures(parts.train, len(description.labels)))
    n = description.normalisation
    options = Options(
        normalisation=Normalisation(scale=n.scale, mean=(n.mean,), std=(n.std,)), effort=effort, limit=None
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(tflite)
        return compile_model(path, np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)), options, progress=progress)
