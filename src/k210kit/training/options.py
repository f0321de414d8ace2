"""What a user can ask of a training run; kept in RUN/config.json, so that a resumed run asks for the same."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from k210kit.errors import FileError, FormatError, InputError

from .datasets import Fractions, Task
from .datasets.pixels import Fit, InputSize
from .models import ALPHAS, Net, check_size

__all__ = ["Effort", "TrainOptions", "changed", "parse_size", "read_config"]

Effort = Literal["fast", "normal", "best"]
_SIDE = 224  # pixels, where nothing was asked


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """The settings of a run; None leaves a choice to the kit, which says what it chose.

    width, height: of the input; one gives a square, none gives 224x224, or 320x240 for a detector of small things.
    backbone: a Keras .h5 with ImageNet weights, "none" to start from random numbers, or None to look for one.
    kpu_epochs: epochs with the KPU's rounding in the loop; 0 leaves them out.
    """

    task: Task | None = None
    form: str | None = None
    width: int | None = None
    height: int | None = None
    grey: bool = False
    fit: Fit | None = None
    net: Net | None = None
    alpha: float | None = None
    backbone: str | None = None
    download: bool = False
    epochs: int | None = None
    rate: float | None = None
    batch: int | None = None
    kpu_epochs: int | None = None
    validation: float = 0.1
    test: float = 0.2
    seed: int = 0
    board: str = "unitv"
    firmware: str | None = None
    stream: bool = False
    effort: Effort = "normal"
    threads: int | None = None

    def __post_init__(self) -> None:
        check_size(self.size)
        Fractions(validation=self.validation, test=self.test)
        for name, low, high in (
            ("epochs", 1, 100_000),
            ("batch", 1, 1024),
            ("kpu_epochs", 0, 1000),
            ("seed", 0, 2**31),
        ):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise InputError(f"--{name.replace('_', '-')} is {value}; {low} to {high} were expected.")
        if self.rate is not None and not 0 < self.rate <= 1:
            raise InputError(f"--rate is {self.rate}; more than 0 and at most 1 was expected.")
        if self.alpha is not None and self.alpha not in ALPHAS:
            raise InputError(f"--alpha is {self.alpha}; one of {', '.join(map(str, ALPHAS))} was expected.")

    @property
    def size(self) -> InputSize:
        width, height = self.width or self.height or _SIDE, self.height or self.width or _SIDE
        return InputSize(width=width, height=height, channels=1 if self.grey else 3)

    @property
    def fractions(self) -> Fractions:
        return Fractions(validation=self.validation, test=self.test)


def parse_size(text: str) -> tuple[int, int]:
    """Width and height of `224x224`, or of `224` for a square."""
    parts = text.lower().replace("×", "x").split("x")
    if not 1 <= len(parts) <= 2 or not all(part.strip().isdecimal() for part in parts):
        raise InputError(f"{text!r} is no size; WIDTHxHEIGHT was expected, for example 224x224.")
    return int(parts[0]), int(parts[-1])


def read_config(path: Path) -> tuple[TrainOptions, dict[str, Any]]:
    """The options of an earlier run, and what it noted about its data."""
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        known = {field.name for field in fields(TrainOptions)}
        return TrainOptions(**{k: v for k, v in body["options"].items() if k in known}), body
    except FileNotFoundError:
        raise FileError(f"{path} does not exist, so there is no run to resume. Leave --resume out.") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{path} is not the configuration of a training run ({error})") from error


def changed(before: TrainOptions, after: TrainOptions) -> list[str]:
    """What differs between two runs' options, said as `name: before, now after`."""
    old, new = asdict(before), asdict(after)
    return [f"{name}: {old[name]}, now {new[name]}" for name in old if old[name] != new[name]]
