"""Rearrangements as runs of elements to copy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler.graph import Node, Shape, elements
from k210kit.compiler.refusals import LayerRefused

__all__ = ["Runs", "fewest_runs", "pieces_of"]

_MOST_PIECES = 8192  # of one concatenation: 64 KiB of the kmodel


@dataclass(frozen=True, kw_only=True, eq=False)
class Runs:
    """Positions in sources of which some are flattened height-width-channel first."""

    positions: NDArray[np.int64]
    turned: tuple[bool, ...]


def pieces_of(node: Node, index: NDArray[np.int64], sizes: list[int]) -> NDArray[np.int64]:
    """Rows of (source, first, elements); what lies before 0 is the extra source of zeros."""
    starts = np.cumsum([0, *sizes])
    breaks = np.flatnonzero((np.diff(index) != 1) & ((index[1:] >= 0) | (index[:-1] >= 0)))
    source = np.where(index < 0, len(sizes), np.searchsorted(starts, index, side="right") - 1)
    changes = np.flatnonzero(np.diff(source))
    cuts = np.unique(np.concatenate([[-1], breaks, changes, [index.size - 1]])).astype(np.int64)
    first = cuts[:-1] + 1
    inside = np.where(index[first] < 0, 0, index[first] - np.append(starts, 0)[source[first]])
    pieces = np.stack([source[first], inside, np.diff(cuts)], 1)
    if len(pieces) > _MOST_PIECES:
        raise LayerRefused(node, "pieces", f"it moves {index.size:,} elements in {len(pieces):,} pieces")
    return pieces


def fewest_runs(index: NDArray[np.int64], shapes: list[Shape]) -> Runs:
    """Each source as it is, or flattened height-width-channel first, whichever leaves fewer runs to copy."""
    positions, turned, start = index.copy(), [], 0
    for shape in shapes:
        size = elements(shape)
        inside = (index >= start) & (index < start + size)
        flat = index[inside] - start
        better = False
        if len(shape) == 3 and shape[0] > 1 and shape[1:] != (1, 1):
            place = np.empty(size, np.int64)
            place[np.arange(size).reshape(shape).transpose(1, 2, 0).reshape(-1)] = np.arange(size)
            better = int((np.diff(place[flat]) != 1).sum()) < int((np.diff(flat) != 1).sum())
            if better:
                positions[inside] = start + place[flat]
        turned.append(better)
        start += size
    return Runs(positions=positions, turned=tuple(turned))
