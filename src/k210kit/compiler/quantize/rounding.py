"""Weights rounded so that their errors cancel on the calibration pictures, not one by one to the nearest.

Column by column, the error that rounding a weight makes is handed on to the weights of the same output that are not
rounded yet, in proportion to how their inputs go along with its own (GPTQ: Frantar et al. 2022, arXiv 2210.17323;
after Hassibi and Stork's optimal brain surgeon). What is left of the mean is for the bias.

With L L' the inputs' covariance, L lower triangular, that is Babai's nearest plane: from the last column to the first,

    rounded_k = round(wanted_k + sum over j > k of (wanted_j - rounded_j) L_jk / L_kk)

so that no inverse is needed. Nothing here asks LAPACK, nor BLAS for sums that could round: see `exact.py`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler.exact import product, shared_product

__all__ = ["rounded_dense", "rounded_depthwise", "triangle"]

Numbers = NDArray[np.float64]
_DAMPING = 0.01  # of the mean of the diagonal
_BLOCK = 64
_LOWEST, _HIGHEST = -128, 127
_GRID = 2.0**26  # in steps of 1/_GRID, no sum of products of rows of norm 1 has more than 53 bits (Cauchy-Schwarz)
_LEAST = 2.0**-20  # of an input's variance, that is left of it beside what the others tell


def rounded_dense(wanted: Numbers, covariance: Numbers) -> Numbers:
    """Whole numbers for `wanted` [out, in], in steps; covariance of the inputs [in, in]."""
    lower, scale = triangle(covariance)
    left = np.ascontiguousarray(wanted.T)
    handed = np.zeros_like(left)
    codes = np.empty_like(left)
    last = len(left)
    while last:
        first = max(last - _BLOCK, 0)
        errors = np.empty((last - first, left.shape[1]))
        for k in range(last - 1, first - 1, -1):
            codes[k] = np.clip(np.rint(left[k] + handed[k] / (scale[k] * lower[k, k])), _LOWEST, _HIGHEST)
            error = (left[k] - codes[k]) * scale[k]
            handed[first:k] += lower[k, first:k, None] * error
            errors[k - first] = error
        if first:
            handed[:first] += product(lower[first:last, :first].T, errors)
        last = first
    return np.ascontiguousarray(codes.T)


def rounded_depthwise(wanted: Numbers, covariance: Numbers) -> Numbers:
    """The same for each channel on its own: wanted [channel, taps], covariance [channel, taps, taps]."""
    lower, scale = triangle(covariance)
    handed, codes = np.zeros_like(wanted), np.empty_like(wanted)
    for k in range(wanted.shape[1] - 1, -1, -1):
        exact = wanted[:, k] + handed[:, k] / (scale[:, k] * lower[:, k, k])
        codes[:, k] = np.clip(np.rint(exact), _LOWEST, _HIGHEST)
        error = (wanted[:, k] - codes[:, k]) * scale[:, k]
        handed[:, :k] += lower[:, k, :k] * error[:, None]
    return codes


def triangle(covariance: Numbers) -> tuple[Numbers, Numbers]:
    """L and s such that s_i L_ij is the lower Cholesky triangle of the covariance, a little added to its diagonal.

    Leading axes are kept: [..., n, n] gives [..., n, n] and [..., n]. s are powers of two that leave the rows of L a
    norm of at most 1; L is in steps of 1 / _GRID, so that products of its rows are exact in any order.
    """
    size = covariance.shape[-1]
    mean = np.trace(covariance, axis1=-2, axis2=-1)[..., None] / size
    diagonal = np.maximum(covariance.diagonal(axis1=-2, axis2=-1), 0) + np.maximum(_DAMPING * mean, 1e-6)
    scale = np.ldexp(1.0, np.frexp(np.sqrt(diagonal))[1])
    lower = covariance / scale[..., :, None]
    lower /= scale[..., None, :]
    lower[..., range(size), range(size)] = diagonal / scale**2
    if lower.ndim > 2 or size <= _BLOCK:
        _factor_small(lower)
        return lower, scale
    for first in range(0, size, _BLOCK):
        last = min(first + _BLOCK, size)
        panel = lower[first:, first:last]
        if first:
            panel -= shared_product(lower[first:, :first], lower[first:last, :first].T)
        _factor_small(panel[: last - first])
        if last < size:
            panel[last - first :] = _divided(panel[last - first :], panel[: last - first])
        lower[:first, first:last] = 0
    return lower, scale


def _divided(rows: Numbers, lower: Numbers) -> Numbers:
    """rows times the inverse of lower', on the grid; what the inverse's own rounding leaves over is divided again."""
    inverse = _inverse_small(lower)
    made = _on_grid(product(rows, inverse.T))
    made += product(rows - shared_product(made, lower.T), inverse.T)
    return _on_grid(made)


def _factor_small(matrix: Numbers) -> None:
    """Replace symmetric matrices [..., n, n] by their lower Cholesky triangles, in steps of 1 / _GRID."""
    for k in range(matrix.shape[-1]):
        pivot = np.sqrt(np.maximum(matrix[..., k, k], _LEAST))
        column = matrix[..., k:, k] / pivot[..., None]
        column[..., 0] = pivot
        column = _on_grid(column)
        matrix[..., k:, k] = column
        matrix[..., k, k + 1 :] = 0
        matrix[..., k + 1 :, k + 1 :] -= column[..., 1:, None] * column[..., None, 1:]


def _inverse_small(lower: Numbers) -> Numbers:
    """The inverse of a lower triangle [n, n], row by row."""
    made = np.eye(len(lower))
    for k in range(len(lower)):
        made[k, : k + 1] /= lower[k, k]
        made[k + 1 :, : k + 1] -= lower[k + 1 :, k, None] * made[k, : k + 1]
    return made


def _on_grid(numbers: Numbers) -> Numbers:
    made = np.multiply(numbers, _GRID)
    np.rint(made, out=made)
    made /= _GRID
    return made
