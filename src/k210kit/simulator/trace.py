"""What every layer of a run made, and how much of it sticks at an end of its range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from k210kit.kmodel import Kmodel

__all__ = ["LayerStatistics", "named", "statistics"]

Array = NDArray[Any]  # uint8 or float32: each layer has its own


@dataclass(frozen=True, kw_only=True)
class LayerStatistics:
    """One layer's output in numbers; shares are 0 to 1, range and mean of the finite values."""

    number: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    minimum: float
    maximum: float
    mean: float
    at_lowest: float  # share of bytes that are 0
    at_highest: float  # share of bytes that are 255
    not_finite: float  # share of floats that are NaN or infinite
    distinct: int  # different values


def statistics(model: Kmodel, kept: Sequence[Array]) -> list[LayerStatistics]:
    """A line per layer from what `Machine.trace` kept."""
    return [_of_layer(i, layer.name, made) for i, (layer, made) in enumerate(zip(model.layers, kept, strict=True))]


def _of_layer(number: int, name: str, made: Array) -> LayerStatistics:
    finite = made[np.isfinite(made)]
    is_bytes = made.dtype == np.uint8
    return LayerStatistics(
        number=number,
        name=name,
        shape=made.shape,
        dtype=str(made.dtype),
        minimum=float(finite.min()) if finite.size else np.nan,
        maximum=float(finite.max()) if finite.size else np.nan,
        mean=float(finite.mean(dtype=np.float64)) if finite.size else np.nan,
        at_lowest=float(np.mean(made == 0)) if is_bytes else 0.0,
        at_highest=float(np.mean(made == 255)) if is_bytes else 0.0,
        not_finite=1 - finite.size / max(made.size, 1),
        distinct=len(np.unique(made)),
    )


def named(model: Kmodel, kept: Sequence[Array]) -> Mapping[str, Array]:
    """What `Machine.trace` kept, by names that sort in the layers' order: `layer_007_K210_CONV`."""
    return {f"layer_{i:03}_{layer.name}": made for i, (layer, made) in enumerate(zip(model.layers, kept, strict=True))}
