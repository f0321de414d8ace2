"""The table of ONNX operators, and what its functions have in common."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler.importers.onnx import Call
from k210kit.compiler.refusals import Inexpressible

__all__ = ["OPERATORS", "Indices", "demand_picture", "pair", "reads", "rearranged"]

Indices = NDArray[np.int64]
Reads = Callable[[Call], object]
OPERATORS: dict[str, Reads] = {}


def reads(*kinds: str) -> Callable[[Reads], Reads]:
    """Enter a function into the table."""

    def join(function: Reads) -> Reads:
        OPERATORS.update(dict.fromkeys(kinds, function))
        return function

    return join


def demand_picture(call: Call) -> tuple[int, int, int]:
    """Channels, height and width of the first input."""
    shape = call.shape()
    if len(shape) != 4:
        raise Inexpressible("rank", f"its input has {len(shape)} axes, {list(shape)}")
    return shape[1], shape[2], shape[3]


def pair(values: list[int], what: str) -> tuple[int, int]:
    """Two numbers, down and across."""
    if len(values) != 2 or min(values) < 1:
        raise Inexpressible("window", f"its {what} is {values}")
    return values[0], values[1]


def rearranged(call: Call, index: Indices, out: int = 0) -> None:
    """Set result `out`: it is the one computed input with its elements in another order."""
    if index.shape == call.shape() and np.array_equal(index, call.build.natural(call.shape())):
        call.same(0, out)
    else:
        call.emit_gather(index, call.value(0), out=out)
