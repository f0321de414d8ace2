"""The option --outputs, which several commands take."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["Outputs", "names"]

Outputs = Annotated[
    str | None,
    typer.Option(metavar="NAME[,NAME]", help="End the model at these values or layers, not at its own outputs."),
]


def names(text: str | None) -> tuple[str, ...]:
    """Names with commas between them."""
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())
