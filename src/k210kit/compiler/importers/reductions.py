"""Means, sums and largest values over axes of a picture, as operators of the graph."""

from __future__ import annotations

from typing import Literal

import numpy as np

from k210kit.compiler.ops import AveragePool, Conv, GlobalAveragePool, GlobalMaxPool, MaxPool, Op

__all__ = ["Reduction", "reduction"]

Reduction = Literal["mean", "sum", "max"]


def reduction(kind: Reduction, shape: tuple[int, int, int], over: str) -> Op | None:
    """The operator that reduces (channels, height, width) over "c", "h", "w" or "hw"; None if there is none."""
    channels, height, width = shape
    if over == "c" and kind != "max":
        share = 1.0 if kind == "sum" else 1 / channels
        return Conv(weights=np.full((1, channels, 1, 1), share, np.float32), bias=np.zeros(1, np.float32))
    if kind == "sum":
        return None
    if over == "hw":
        return GlobalAveragePool() if kind == "mean" else GlobalMaxPool()
    kernel = {"h": (height, 1), "w": (1, width)}.get(over)
    return kernel and (AveragePool if kind == "mean" else MaxPool)(kernel=kernel, stride=kernel)
