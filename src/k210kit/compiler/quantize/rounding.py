"""Weights rounded so that their errors cancel on the calibration pictures, not one by one to the nearest.

Column by column, the error that rounding a weight makes is handed on to the weights of the same output that are not
rounded yet, in proportion to how their inputs go along with its own (GPTQ: Frantar et al. 2022, arXiv 2210.17323;
after Hassibi and Stork's optimal brain surgeon). What is left of the mean is for the bias.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["rounded_dense", "rounded_depthwise"]

Numbers = NDArray[np.float64]
_DAMPING = 0.01  # of the mean of the diagonal
_TRIES = 8  # tenfold more damping each time
_BLOCK = 64
_LOWEST, _HIGHEST = -128, 127


def rounded_dense(wanted: Numbers, covariance: Numbers) -> Numbers:
    """Whole numbers for `wanted` [out, in], in steps; covariance of the inputs [in, in]."""
    factor = _factor(covariance)
    left = wanted.astype(np.float32)
    codes = np.empty_like(left)
    upper = factor.astype(np.float32)
    count = left.shape[1]
    for first in range(0, count, _BLOCK):
        last = min(first + _BLOCK, count)
        errors = np.empty((left.shape[0], last - first), np.float32)
        for k in range(first, last):
            codes[:, k] = np.clip(np.round(left[:, k]), _LOWEST, _HIGHEST)
            error = (left[:, k] - codes[:, k]) / upper[k, k]
            left[:, k:last] -= error[:, None] * upper[k, k:last]
            errors[:, k - first] = error
        left[:, last:] -= errors @ upper[first:last, last:]
    return codes.astype(np.float64)


def rounded_depthwise(wanted: Numbers, covariance: Numbers) -> Numbers:
    """The same for each channel on its own: wanted [channel, taps], covariance [channel, taps, taps]."""
    taps = wanted.shape[1]
    upper = _factor(covariance)
    left, codes = wanted.copy(), np.empty_like(wanted)
    for k in range(taps):
        codes[:, k] = np.clip(np.round(left[:, k]), _LOWEST, _HIGHEST)
        error = (left[:, k] - codes[:, k]) / upper[:, k, k]
        left[:, k:] -= error[:, None] * upper[:, k, k:]
    return codes


def _factor(covariance: Numbers) -> Numbers:
    """The upper triangle U of the inverse, inverse = U' U, of the damped covariance; leading axes are kept."""
    size = covariance.shape[-1]
    mean = np.trace(covariance, axis1=-2, axis2=-1)[..., None, None] / size
    damping = np.maximum(_DAMPING * mean, 1e-6)
    for _ in range(_TRIES):
        damped = covariance + np.eye(size) * damping
        try:  # from the lower right to the upper left: damped = R R' with R upper triangular, so its inverse is U' U
            right = np.linalg.cholesky(damped[..., ::-1, ::-1])[..., ::-1, ::-1]
        except np.linalg.LinAlgError:  # rounding has made a vanishing direction negative
            damping = damping * 10
            continue
        return np.asarray(np.linalg.solve(right, np.broadcast_to(np.eye(size), right.shape)))
    return np.broadcast_to(np.eye(size), covariance.shape).copy()  # no order in it: each to the nearest
