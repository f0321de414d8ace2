"""Connected areas of equal level, numbered."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["label"]


def label(values: NDArray[np.uint8], *, ignored: int) -> NDArray[np.int64]:
    """Number the areas [h, w] of equal neighbouring pixels from 1; 0 where the level is `ignored`.

    Light areas (levels above 127) join across corners, dark ones along sides only, so that a thin dark line parts what
    lies on its two sides.
    """
    h, w = values.shape
    breaks = np.ones((h, w), bool)
    breaks[:, 1:] = values[:, 1:] != values[:, :-1]
    run = np.cumsum(breaks.reshape(-1)).reshape(h, w) - 1
    parent = np.arange(int(run[-1, -1]) + 1)
    same = values[1:] == values[:-1]
    pairs = [np.stack([run[1:][same], run[:-1][same]], axis=1)]
    light = values[1:] > 127
    left, right = (slice(None), slice(None, -1)), (slice(None), slice(1, None))
    for low, high in ((left, right), (right, left)):
        joined = (values[1:][low] == values[:-1][high]) & light[low]
        pairs.append(np.stack([run[1:][low][joined], run[:-1][high][joined]], axis=1))
    _join(parent, np.unique(np.concatenate(pairs), axis=0))
    _, numbers = np.unique(parent, return_inverse=True)
    made: NDArray[np.int64] = numbers.reshape(-1)[run] + 1
    made[values == ignored] = 0
    return made


def _join(parent: NDArray[np.int64], pairs: NDArray[np.int64]) -> None:
    """Give all that hangs together the same parent, the least of their numbers."""
    while len(pairs):
        a, b = parent[pairs[:, 0]], parent[pairs[:, 1]]
        differs = a != b
        if not differs.any():
            return
        low, high = np.minimum(a, b)[differs], np.maximum(a, b)[differs]
        np.minimum.at(parent, high, low)
        while True:
            shorter = parent[parent]
            if np.array_equal(shorter, parent):
                break
            parent[:] = shorter
        pairs = pairs[parent[pairs[:, 0]] != parent[pairs[:, 1]]]
