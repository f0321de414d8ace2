"""Numbers on the command line: every option says what it takes, and nothing else gets past it."""

from __future__ import annotations

import math
from collections.abc import Callable

import typer

from k210kit.errors import InputError

__all__ = ["numbers", "real"]


def real(low: float, high: float, *, above: bool = False) -> Callable[[str], float]:
    """A parser for an option: a number from `low` (itself left out if `above`) to `high`; never NaN or infinity."""
    wanted = (
        f"a number above {low:,.10g}, up to {high:,.10g}" if above else f"a number from {low:,.10g} to {high:,.10g}"
    )

    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (low < value <= high if above else low <= value <= high):
            raise typer.BadParameter(f"it is '{text}'; {wanted}, was expected.")
        return value

    return number


def numbers(text: str, option: str) -> tuple[float, ...]:
    """Numbers with commas between them."""
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if not values or not all(map(math.isfinite, values)):
        raise InputError(
            f"{option} is '{text}'; numbers with commas between them were expected, as 0.5 or 0.5,0.4,0.3."
        )
    return values
