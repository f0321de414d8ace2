"""`evaluate`: the figures of a model on pictures, float and kmodel side by side."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from k210kit.errors import FileError, InputError, missing_file
from k210kit.kmodel import load

from .datasets import Health, Ready, examine, read_dataset
from .description import read_description
from .export import load_h5
from .measuring import Metrics, float_outputs, kmodel_outputs, measure
from .metrics import ClassMetrics

__all__ = ["Evaluation", "evaluate", "figure_rows"]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Figures on the usable pictures but those trained on; `metrics_float` is None without a model.h5."""

    task: str
    classes: tuple[str, ...]
    pictures: int
    left_out: int
    metrics_float: Metrics | None
    metrics_kmodel: Metrics
    health: Health


def evaluate(
    model: Path | str,
    dataset: Path | str,
    *,
    description: Path | str | None = None,
    all_pictures: bool = False,
    progress: Callable[[float, str], None] = lambda fraction, what: None,
) -> Evaluation:
    """Measure a run, a bundle, or a kmodel with a model.json, on labelled pictures.

    all_pictures: take in the pictures that the run was trained on. Raises `InputError` for what is missing or does not
    fit together.
    """
    kmodel_path = _kmodel_of(Path(model))
    described = Path(description) if description else kmodel_path.parent / "model.json"
    if not described.is_file():
        raise FileError(
            f"{described} does not exist; it says what the kmodel's outputs mean. Evaluate a run or a bundle, or give "
            "--description model.json."
        )
    known, _ = read_description(described)
    progress(0.0, "reading the data set")
    read = read_dataset(Path(dataset), task=known.task)
    examined = examine(
        read,
        known.size,
        fit=known.fit,
        labels=known.labels,
        progress=lambda f: progress(0.2 * f, "reading the data set"),
    )
    seen = set() if all_pictures else _trained_on(kmodel_path.parent)
    items: list[Ready] = [r for r in examined.ready if r.digest not in seen]
    if not items:
        raise InputError(
            f"{dataset}: none of {len(read.pictures)} pictures is left to measure on: {len(examined.ready)} were used "
            "in training (take them in with --all) and the rest cannot be used."
        )
    h5 = kmodel_path.parent / "model.h5"
    measured_float: Metrics | None = None
    if h5.is_file():
        progress(0.2, "running the float model")
        measured_float = measure(float_outputs(load_h5(h5), items), items, known, "given")
    outputs = kmodel_outputs(load(kmodel_path), items, known, lambda f: progress(0.4 + 0.6 * f, "simulating"))
    return Evaluation(
        task=known.task,
        classes=known.labels,
        pictures=len(items),
        left_out=len(examined.ready) - len(items),
        metrics_float=measured_float,
        metrics_kmodel=measure(outputs, items, known, "given"),
        health=examined.health,
    )


def _kmodel_of(path: Path) -> Path:
    if path.is_file():
        return path
    if not path.exists():
        raise missing_file(path)
    for place in (path / "model.kmodel", path / "bundle" / "model.kmodel"):
        if place.is_file():
            return place
    raise FileError(
        f"{path} holds no model.kmodel, nor does {path}/bundle. Give a run of `k210kit train`, or a kmodel."
    )


def _trained_on(bundle: Path) -> set[str]:
    """The SHA-256 of the pictures of the run's training and validation parts; none if the bundle stands alone."""
    path = bundle.parent / "split.json"
    if bundle.name != "bundle" or not path.is_file():
        return set()
    parts = json.loads(path.read_text(encoding="utf-8"))
    return {row["sha256"] for part in ("train", "validation") for row in parts[part]}


def figure_rows(floating: Metrics | None, compiled: Metrics) -> list[tuple[str, str, str]]:
    """The figures as rows: what, float, kmodel."""
    pairs: list[tuple[str, float | None, float]]
    if isinstance(compiled, ClassMetrics):
        other = floating if isinstance(floating, ClassMetrics) else None
        pairs = [("accuracy", other.accuracy if other else None, compiled.accuracy)]
        pairs += [(f"recall {n}", other.recall[n] if other else None, v) for n, v in compiled.recall.items()]
    else:
        found = None if floating is None or isinstance(floating, ClassMetrics) else floating
        pairs = [
            ("AP at 0.5", found.ap50 if found else None, compiled.ap50),
            ("AP at 0.5:0.95", found.ap if found else None, compiled.ap),
        ]
        pairs += [
            (f"AP {n}", found.ap50_per_class[n] if found else None, v) for n, v in compiled.ap50_per_class.items()
        ]
    return [(name, _told(a), _told(b)) for name, a, b in pairs]


def _told(value: float | None) -> str:
    return "–" if value is None or value != value else f"{value:.4f}"
