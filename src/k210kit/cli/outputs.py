"""The options --outputs and --input of the commands that read float models."""

from __future__ import annotations

from typing import Annotated

import typer

from k210kit.errors import InputError

__all__ = ["InputSize", "Outputs", "input_size", "names"]

Outputs = Annotated[
    str | None,
    typer.Option(metavar="NAME[,NAME]", help="End the model at these values or layers, not at its own outputs."),
]

InputSize = Annotated[
    str | None, typer.Option("--input", metavar="WxH", help="Size of the input, for a model that leaves it open.")
]


def names(text: str | None) -> tuple[str, ...]:
    """Names with commas between them."""
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def input_size(text: str | None) -> tuple[int, int] | None:
    """Width and height, of "224x224"."""
    if text is None:
        return None
    width, cross, height = text.lower().partition("x")
    if not (cross and width.isdecimal() and height.isdecimal() and 0 < int(width) <= 4096 and 0 < int(height) <= 4096):
        raise InputError(f"--input is '{text}'; width x height in pixels was expected, as 224x224.")
    return int(width), int(height)
