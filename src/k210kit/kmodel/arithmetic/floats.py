"""float32 as the K210's core computes it: one fused multiply-add, newlib's expf, the one NaN of RISC-V; on arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["canonical", "exp_nearest", "expf", "fma", "fma_sum", "running_sum"]

Floats = NDArray[np.float32]

_f32 = np.float32
_SMALLEST_NORMAL = 2.0**-126
_TIE_MASK, _TIE = (1 << 29) - 1, 1 << 28  # of a float64 half way between two float32


def fma(a: ArrayLike, b: ArrayLike, c: ArrayLike) -> Floats:
    """`a * b + c`, rounded once to float32.

    The product of two float32 is a whole float64. Their sum with c is rounded to odd: a sum that is not exact takes
    the neighbour whose last bit is 1, so that rounding to float32 afterwards sees on which side of a tie it lies.
    """
    with np.errstate(all="ignore"):
        return _round_once(np.multiply(a, b, dtype=np.float64), c)


def _round_once(product: NDArray[np.float64], c: ArrayLike) -> Floats:
    """`product + c` as float32; `product` is whole, `c` a float32."""
    addend = np.asarray(c, np.float64)
    with np.errstate(all="ignore"):
        total = np.asarray(product + addend)
        error = _lost(total, product, addend)
        words = total.view(np.int64)
        adjust = (error != 0) & np.isfinite(total) & ((words & 1) == 0)
        away = (error > 0) == (total > 0)
        odd = words + np.where(adjust, np.where(away, 1, -1), 0)
        return odd.view(np.float64).astype(np.float32)


def fma_sum(terms: NDArray[np.float64]) -> Floats:
    """`s = s + term`, each rounded once to float32, along the first axis of [n, out], from 0: [out].

    A term is a whole product of two float32, so this is a chain of fused multiply-adds, or a float32, which is added.
    Rounding first to float64 and then to float32 goes wrong only where the float64 is not exact, and is a tie between
    two float32 or a denormal one; where that happens, the sum is done again with care.
    """
    sums = np.empty(terms.shape, np.float64)
    total = np.zeros(terms.shape[1:], np.float32)
    with np.errstate(all="ignore"):
        for term, wide in zip(terms, sums, strict=True):
            np.add(total, term, out=wide)
            total = wide.astype(np.float32)
        if not _rounded_twice(sums, terms):
            return total
        total = np.zeros(terms.shape[1:], np.float32)
        for term in terms:
            total = _round_once(term, total)
    return total


def _rounded_twice(sums: NDArray[np.float64], terms: NDArray[np.float64]) -> bool:
    """Whether some of `sums`, each of a term and the float32 of the sum before it, may have lost by being rounded."""
    suspect = ((sums.view(np.int64) & _TIE_MASK) == _TIE) | ((np.abs(sums) < _SMALLEST_NORMAL) & (sums != 0))
    if not suspect.any():
        return False
    before = np.zeros(sums.shape, np.float32)
    before[1:] = sums[:-1]
    total, product, addend = sums[suspect], terms[suspect], before[suspect].astype(np.float64)
    return bool((_lost(total, product, addend) != 0).any())


def _lost(total: NDArray[np.float64], a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """a + b - total exactly, where total is the rounded sum: Knuth's two-sum."""
    part = total - a
    return (a - (total - part)) + (b - part)


def running_sum(x: Floats, axis: int = -1) -> Floats:
    """The sum along `axis`, from +0, one element after the other, each addition rounded to float32."""
    if not x.shape[axis]:
        return np.zeros(np.delete(x.shape, axis), np.float32)
    sums: Floats = np.take(np.add.accumulate(x, axis=axis, dtype=np.float32), -1, axis=axis)
    return sums + _f32(0)  # a sum of nothing but -0 is +0


def canonical(x: Floats) -> Floats:
    """`x` with every NaN as 0x7FC00000, the only one that RISC-V instructions make."""
    return np.where(np.isnan(x), _word(0x7FC00000), x)


def exp_nearest(x: Floats) -> Floats:
    """exp of each element, rounded to the nearest float32."""
    with np.errstate(all="ignore"):
        power: Floats = np.exp(x.astype(np.float64)).astype(np.float32)
        return power


def _word(bits: int) -> np.float32:
    return np.uint32(bits).view(np.float32)


# newlib, libm/math/ef_exp.c: P1 to P5 of the rational approximation, ln 2 in two pieces, its inverse
_P1, _P2, _P3, _P4, _P5 = (_word(w) for w in (0x3E2AAAAB, 0xBB360B61, 0x388AB355, 0xB5DDEA0E, 0x3331BB4C))
_LN2_HIGH, _LN2_LOW, _INVERSE_LN2 = (_word(w) for w in (0x3F317180, 0x3717F7D1, 0x3FB8AA3B))
_INFINITE_ABOVE, _ZERO_BELOW = 0x42B17180, 0x42CFF1B5  # of MaixPy's wrapper: 88.72168, and -103.97208 down
_HALF_LN2, _THREE_HALVES_LN2, _TINY = 0x3EB17218, 0x3F851591, 0x31800000  # words of 0.35, 1.04, 2^-28


def expf(x: Floats) -> Floats:
    """exp of each element as MaixPy's C library computes it: fdlibm's algorithm, compiled with fused multiply-adds.

    Source: executed code of MaixPy v0.6.2-84, no difference in 90,118 values.
    """
    x = np.asarray(x, np.float32)
    words = x.view(np.uint32)
    size, negative = words & np.uint32(0x7FFFFFFF), words >> 31 == 1
    with np.errstate(all="ignore"):
        result = _reduced_exp(x, size, negative)
        result = np.where(size < _TINY, _f32(1) + x, result)
        result = np.where(negative & (size > _ZERO_BELOW), _f32(0), result)
        result = np.where(~negative & (size > _INFINITE_ABOVE), _f32(np.inf), result)
        return canonical(np.where(np.isnan(x), x, result))


def _reduced_exp(x: Floats, size: NDArray[np.uint32], negative: NDArray[np.bool_]) -> Floats:
    """2^k exp(r) with x = k ln 2 + r; right where the result is neither 0 nor infinite."""
    safe = np.where(size > _ZERO_BELOW, _f32(0), x)
    near = size <= _THREE_HALVES_LN2
    k = np.trunc(fma(safe, _INVERSE_LN2, np.where(negative, _f32(-0.5), _f32(0.5)))).astype(np.float32)
    k = np.where(near, np.where(negative, _f32(-1), _f32(1)), k)
    k = np.where(size > _HALF_LN2, k, _f32(0))
    high = np.where(near, safe - k * _LN2_HIGH, fma(-k, _LN2_HIGH, safe))
    low = k * _LN2_LOW
    r = high - low
    square = r * r
    polynomial: Any = fma(square, _P5, _P4)
    for coefficient in (_P3, _P2, _P1):
        polynomial = fma(polynomial, square, coefficient)
    c = fma(-polynomial, square, r)
    product = r * c
    whole = _f32(1) - (product / (c - _f32(2)) - r)  # k = 0
    scaled = _f32(1) - ((low - product / (_f32(2) - c)) - high)
    power = k.astype(np.int32)
    tiny = power < -125  # scaled in two steps, so that a denormal result is rounded once
    shifted = (scaled.view(np.int32) + ((power + np.where(tiny, 100, 0)) << 23).astype(np.int32)).view(np.float32)
    shifted = np.where(tiny, shifted * _f32(2.0**-100), shifted)
    result: Floats = np.where(power == 0, whole, shifted)
    return result
