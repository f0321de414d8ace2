"""Products of matrices that are the same on every processor, whatever order its BLAS library adds in.

A library picks its kernels by the processor, and each adds in an order of its own, with or without fused products; sums
of floats then differ in the last bits. Sums of whole numbers do not, as long as each partial sum has a float of its
own. So factors are put on a grid, whole numbers times a power of two, as fine as leaves every partial sum exact.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from k210kit.kmodel.arithmetic.threads import pool, workers

__all__ = ["SINGLE", "exact_bits", "on_grid", "product", "shared_product", "weighted_sums"]

Numbers = NDArray[np.float64]
SINGLE = 2.0**24  # whole numbers up to this, float32 holds all
_WORTH_SHARING = 1 << 22  # multiply-adds of a product, from which on two threads are faster
_BLOCK = 1 << 18  # elements that are weighted at once


def exact_bits(count: int) -> int:
    """How many bits two factors may have each so that `count` of their products add up exactly in float64."""
    return (53 - (count - 1).bit_length()) // 2


def on_grid(rows: NDArray[np.floating], bits: int) -> tuple[Numbers, Numbers]:
    """Whole numbers of at most `bits` bits, and the step of each row, a power of two, that they count."""
    largest = np.maximum(rows.max(axis=1, keepdims=True, initial=0), -rows.min(axis=1, keepdims=True, initial=0))
    steps = np.ldexp(1.0, np.frexp(np.maximum(largest, np.finfo(np.float32).tiny))[1] - bits + 1)
    whole = np.multiply(rows, 1 / steps, dtype=np.float64)
    return np.rint(whole, out=whole), steps


def product(left: NDArray[np.floating], right: NDArray[np.floating]) -> Numbers:
    """The product of two matrices whose factors are rounded to `exact_bits` bits of the largest in their row or column.

    left: [rows, inner]; right: [inner, columns].
    """
    bits = exact_bits(left.shape[1])
    (a, rows), (b, columns) = on_grid(left, bits), on_grid(right.T, bits)
    made = shared_product(a, b.T)
    made *= rows
    made *= columns.T
    return made


def shared_product(left: Numbers, right: Numbers) -> Numbers:
    """left @ right of numbers of which no order of adding rounds any; the rows are shared by all threads."""
    count = workers()
    if count == 1 or left.size * right.shape[1] < _WORTH_SHARING:
        return left @ right
    made = np.empty((left.shape[0], right.shape[1]))
    cuts = [left.shape[0] * k // count for k in range(count + 1)]

    def part(k: int) -> None:
        np.matmul(left[cuts[k] : cuts[k + 1]], right, out=made[cuts[k] : cuts[k + 1]])

    list(pool().map(part, range(count)))
    return made


def weighted_sums(rows: NDArray[np.floating], factors: NDArray[np.floating]) -> Numbers:
    """The sum of each row, weighted: rows [..., n] by factors that broadcast against them; without BLAS."""
    flat = rows.reshape(-1, rows.shape[-1])
    across = np.broadcast_to(factors, rows.shape).reshape(flat.shape) if factors.ndim > 1 else factors
    at_once = max(1, _BLOCK // max(1, flat.shape[1]))
    made = np.empty(len(flat))
    for first in range(0, len(flat), at_once):
        part = slice(first, first + at_once)
        made[part] = (flat[part] * (across[part] if factors.ndim > 1 else across)).sum(1)
    return made.reshape(rows.shape[:-1])
