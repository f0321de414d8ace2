"""Face features as MaixPy's library encodes and compares them; constants and order read from its machine code."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

__all__ = ["face_compare", "face_encode"]

_LIMIT, _SCALE = np.float32(0.25), np.float32(512)


def face_encode(features: Sequence[float]) -> bytearray:
    """Each feature cut to -0.25 … 0.25 and times 512, towards zero, as a signed byte; 0.25 itself wraps to -128."""
    values = np.asarray(features, np.float32)
    cut = np.fmin(np.fmax(values, -_LIMIT), _LIMIT) * _SCALE
    return bytearray(np.trunc(cut).astype(np.int32).astype(np.int8).tobytes())


def face_compare(first: bytes, second: bytes) -> float:
    """50 plus 50 times the cosine between two encoded faces; NaN if one is all zeros."""
    one, two = (np.frombuffer(data, np.int8).astype(np.int64) for data in (first, second))
    alike = float(np.float32(int(one @ two)) * np.float32(0.5))
    sizes = math.sqrt(float(int(one @ one) * int(two @ two)))
    if not sizes:
        return math.nan
    return float(np.float32((alike / sizes + 0.5) * 100.0))
