"""Weights rounded so that their errors cancel on the calibration pictures, not one by one to the nearest.

Column by column, the error that rounding a weight makes is handed on to the weights of the same output that are not
rounded yet, in proportion to how their inputs go along with its own (GPTQ: Frantar et al. 2022, arXiv 2210.17323;
after Hassibi and Stork's optimal brain surgeon). What is left of the mean is for the bias.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["inverse_factor", "rounded_dense", "rounded_depthwise"]

Numbers = NDArray[np.float64]
Floating = NDArray[np.floating]
_DAMPING = 0.01  # of the mean of the diagonal
_TRIES = 8  # tenfold more damping each time
_BLOCK = 64
_SMALL, _WIDE = 64, 200  # sides of a triangle that is inverted as it is, and of one in single precision
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


def inverse_factor(covariance: Floating, damping: Floating) -> Floating:
    """The upper triangle U with U' U the inverse of covariance + damping on the diagonal; leading axes are kept.

    damping: for each matrix, [..., 1, 1], positive. Where rounding has made a vanishing direction negative, it grows.
    """
    size = covariance.shape[-1]
    if size > _WIDE:  # the damping holds what single precision loses
        covariance, damping = covariance.astype(np.float32), damping.astype(np.float32)
    eye = np.eye(size, dtype=covariance.dtype)
    for _ in range(_TRIES):
        try:  # from the lower right to the upper left: R R' with R upper triangular, so the inverse is R^-1' R^-1
            right = np.linalg.cholesky((covariance + eye * damping)[..., ::-1, ::-1])[..., ::-1, ::-1]
        except np.linalg.LinAlgError:
            damping = damping * 10
            continue
        return _inverse_upper(right)
    return np.broadcast_to(eye, covariance.shape) / np.sqrt(damping)  # no order in it


def _inverse_upper(right: Floating) -> Floating:
    """The inverse of upper triangles, by halves: products of matrices in place of substitution, row by row."""
    size = right.shape[-1]
    if size <= _SMALL:
        return np.asarray(np.linalg.solve(right, np.broadcast_to(np.eye(size, dtype=right.dtype), right.shape)))
    half = size // 2
    made = np.zeros_like(right)
    first, last = _inverse_upper(right[..., :half, :half]), _inverse_upper(right[..., half:, half:])
    made[..., :half, :half], made[..., half:, half:] = first, last
    made[..., :half, half:] = -first @ (right[..., :half, half:] @ last)
    return made


def _factor(covariance: Numbers) -> Floating:
    size = covariance.shape[-1]
    mean = np.trace(covariance, axis1=-2, axis2=-1)[..., None, None] / size
    return inverse_factor(covariance, np.maximum(_DAMPING * mean, 1e-6))
