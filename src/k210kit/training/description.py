"""What a model is, beside its numbers: the one place for labels, anchors, input and normalisation (model.json)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from k210kit.errors import FormatError, missing_file

from .datasets import Task
from .datasets.pixels import Fit, InputSize
from .models import NORMALISATION, Net, Normalisation

__all__ = ["Description", "read_description"]

_FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Description:
    """What whoever runs the model has to know.

    anchors: width and height of five boxes in cells, anchor by anchor, for a detector. threshold: the least score that
    counts, chosen on the validation part. fit: how training pictures were laid into the input.
    """

    task: Task
    labels: tuple[str, ...]
    size: InputSize
    fit: Fit
    net: Net
    alpha: float
    anchors: tuple[float, ...] = ()
    nms: float = 0.0
    threshold: float = 0.0
    normalisation: Normalisation = NORMALISATION

    def to_json(self) -> dict[str, Any]:
        n = self.normalisation
        return {
            "format": _FORMAT,
            "task": self.task,
            "labels": list(self.labels),
            "input": {"width": self.size.width, "height": self.size.height, "channels": self.size.channels},
            "normalisation": {
                "scale": n.scale,
                "mean": n.mean,
                "std": n.std,
                "formula": "(pixel / scale - mean) / std",
            },
            "fit": self.fit,
            "net": self.net,
            "alpha": self.alpha,
            "anchors": list(self.anchors),
            "nms": self.nms,
            "threshold": self.threshold,
        }


def read_description(path: Path) -> tuple[Description, dict[str, Any]]:
    """A model.json: the description, and all of its values."""
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        size, normal = body["input"], body["normalisation"]
        made = Description(
            task=body["task"],
            labels=tuple(map(str, body["labels"])),
            size=InputSize(width=int(size["width"]), height=int(size["height"]), channels=int(size["channels"])),
            fit=body["fit"],
            net=body["net"],
            alpha=float(body["alpha"]),
            anchors=tuple(map(float, body["anchors"])),
            nms=float(body["nms"]),
            threshold=float(body["threshold"]),
            normalisation=Normalisation(
                scale=float(normal["scale"]), mean=float(normal["mean"]), std=float(normal["std"])
            ),
        )
    except FileNotFoundError:
        raise missing_file(path) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{path} does not describe a model of the kit ({error!r})") from error
    return made, body
