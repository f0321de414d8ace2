"""What a model is, beside its numbers: the one place for labels, anchors, input and normalisation (model.json)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from k210kit.errors import FormatError, missing_file

from .datasets import Task
from .datasets.pixels import Fit, InputSize
from .models import NORMALISATION, Net, Normalisation

__all__ = ["Decoder", "Description", "read_description"]

Decoder = Literal["run_yolo2", "script"]
_FORMAT = 1
_MOST_TOLD = 200  # characters of a parser's own words


@dataclass(frozen=True, kw_only=True)
class Description:
    """What whoever runs the model has to know.

    anchors: width and height of five boxes in cells, anchor by anchor, for a detector. stride: pixels of the input per
    cell. threshold: the least score that counts, chosen on the validation part. decoder: what turns the map into boxes
    on the camera: the firmware's run_yolo2, or the script, where pictures hold more objects than that has room for.
    fit: how training pictures were laid into the input.
    """

    task: Task
    labels: tuple[str, ...]
    size: InputSize
    fit: Fit
    net: Net
    alpha: float
    anchors: tuple[float, ...] = ()
    stride: int = 32
    decoder: Decoder = "run_yolo2"
    nms: float = 0.0
    threshold: float = 0.0
    normalisation: Normalisation = NORMALISATION

    @property
    def grid(self) -> tuple[int, int]:
        """Cells across and down of a detector's map."""
        return -(-self.size.width // self.stride), -(-self.size.height // self.stride)

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
            "stride": self.stride,
            "decoder": self.decoder,
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
            stride=int(body.get("stride", 32)),
            decoder=body.get("decoder", "run_yolo2"),
            nms=float(body["nms"]),
            threshold=float(body["threshold"]),
            normalisation=Normalisation(
                scale=float(normal["scale"]), mean=float(normal["mean"]), std=float(normal["std"])
            ),
        )
    except FileNotFoundError:
        raise missing_file(path) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = f"{type(error).__name__} {error}"[:_MOST_TOLD]
        raise FormatError(f"{path} does not describe a model of the kit ({what})") from error
    return made, body
