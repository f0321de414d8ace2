"""Which pixels lie within thresholds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .arguments import Threshold
from .frame import Frame
from .pixels import Format, lab_table

__all__ = ["selected"]


def selected(frame: Frame, threshold: Threshold, invert: bool, fast: bool) -> NDArray[np.bool_]:
    """The pixels [h, w] whose L, a and b (or gray level) lie within the bounds; the others with `invert`.

    A gray or binary pixel is compared with the L bounds alone.
    """
    if frame.format is Format.RGB565:
        made: NDArray[np.bool_] = _words_within(threshold, fast)[frame.data]
    else:
        made = (frame.data >= threshold.l_min) & (frame.data <= threshold.l_max)
    return made ^ invert


def _words_within(box: Threshold, fast: bool) -> NDArray[np.bool_]:
    """For each of the 65536 words, whether its colour is in the box."""
    lightness, a, b = lab_table(fast).T
    low, high = box.l_min, box.l_max
    # Rough tables may wrap L below zero; the firmware reads it as unsigned.
    unsigned = lightness.astype(np.uint8)
    within: NDArray[np.bool_] = (
        (unsigned >= low)
        & (unsigned <= high)
        & (a >= box.a_min)
        & (a <= box.a_max)
        & (b >= box.b_min)
        & (b <= box.b_max)
    )
    return within
