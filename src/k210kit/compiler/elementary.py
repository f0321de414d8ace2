"""Exponential, logarithm and what is made of them, the same on every processor.

NumPy's own take other code on other processors, and differ in the last bit. These are series of products and sums, each
rounded on its own as IEEE 754 demands, in the precision of their argument (float32 or float64) and within 5 units in
the last place of the result. The coefficients are those of the Taylor series.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["exp", "expm1", "log", "mish", "sigmoid", "softplus", "tanh"]

Values = NDArray[np.floating]
_BLOCK = 1 << 15  # elements that go through all steps before the next do, so that they stay in the cache
_LN2_HIGH = 45426 * 2.0**-16  # 16 bits of ln 2: its product with a whole number below 2^8 is exact in float32
_LN2_LOW = 1.4286068203094172e-06  # ln 2 less that
_LN2_HIGH_64 = 2977044471 * 2.0**-32  # 32 bits of ln 2
_LN2_LOW_64 = 1.9082149292705877e-10
_PER_LN2, _ROOT_HALF = 1.4426950408889634, 0.7071067811865476
# exponent bits, their middle and place, the integers of the same size, the smallest and the largest argument of exp
_FORMS: dict[type, tuple[int, int, type, float, float]] = {
    np.float32: (127, 23, np.int32, -87.0, 88.0),
    np.float64: (1023, 52, np.int64, -708.0, 709.0),
}


def _in_blocks(function: Callable[[Values], Values]) -> Callable[[Any], Values]:  # Any: numbers, or floats of any shape
    """A function of arrays that fit into the cache, for arrays of any size and shape."""

    def of_any(x: Any) -> Values:
        x = np.asarray(x)
        if x.dtype.type not in _FORMS:
            x = x.astype(np.float64)
        flat = np.ascontiguousarray(x).reshape(-1)
        if flat.size <= _BLOCK:
            return function(flat).reshape(x.shape)
        made = np.empty_like(flat)
        for first in range(0, flat.size, _BLOCK):
            made[first : first + _BLOCK] = function(flat[first : first + _BLOCK])
        return made.reshape(x.shape)

    of_any.__doc__ = function.__doc__
    return of_any


def _halved(x: Values) -> tuple[Values, Values]:
    """exp(r) - 1 and 2^k, for x = k ln 2 + r with |r| at most half of ln 2; x is cut off where exp would overflow."""
    kind = x.dtype.type
    middle, place, whole, least, most = _FORMS[kind]
    single = kind is np.float32
    x = np.clip(x, kind(least), kind(most))
    k = np.rint(x * kind(_PER_LN2))
    r = x
    r -= k * kind(_LN2_HIGH if single else _LN2_HIGH_64)
    r -= k * kind(_LN2_LOW if single else _LN2_LOW_64)
    terms = 7 if single else 13
    power = r * kind(1 / math.factorial(terms))
    for term in range(terms - 1, 0, -1):
        power += kind(1 / math.factorial(term))
        power *= r
    bits: NDArray[Any] = k.astype(whole)  # Any: integers as wide as the floats
    bits += middle
    bits <<= place
    return power, bits.view(kind)


def _exp(x: Values) -> Values:
    rest, scale = _halved(x)
    rest *= scale
    rest += scale
    return rest


def _expm1(x: Values) -> Values:
    rest, scale = _halved(x)
    rest *= scale
    scale -= x.dtype.type(1)
    rest += scale
    return rest


def _sigmoid(x: Values) -> Values:
    raised = _exp(-x)
    raised += x.dtype.type(1)
    return np.divide(x.dtype.type(1), raised, out=raised)


def _tanh(x: Values) -> Values:
    below = _expm1(np.abs(x) * x.dtype.type(-2))
    return np.copysign(below / (below + x.dtype.type(2)), x)


def _softplus(x: Values) -> Values:
    raised = _exp(-np.abs(x))
    raised /= raised + x.dtype.type(2)
    return np.maximum(x, 0) + _twice_atanh(raised, 8 if x.dtype == np.float32 else 17)


def _mish(x: Values) -> Values:
    """x tanh(softplus x) = x n / (n + 2), with n = e^x (e^x + 2)."""
    raised = _exp(np.minimum(x, x.dtype.type(40)))
    raised *= raised + x.dtype.type(2)
    raised /= raised + x.dtype.type(2)
    raised *= x
    return raised


def _log(x: Values) -> Values:
    kind = x.dtype.type
    share, exponent = np.frexp(x)
    low = share < _ROOT_HALF
    share = np.where(low, share + share, share)  # in sqrt(1/2) .. sqrt(2)
    k = (exponent - low).astype(kind)
    single = kind is np.float32
    part = _twice_atanh((share - kind(1)) / (share + kind(1)), 5 if single else 12)
    part += k * kind(_LN2_LOW if single else _LN2_LOW_64)
    part += k * kind(_LN2_HIGH if single else _LN2_HIGH_64)
    return part


def _twice_atanh(s: Values, terms: int) -> Values:
    """2 atanh(s) = log((1 + s) / (1 - s)) = 2 (s + s^3/3 + s^5/5 + ..)."""
    kind = s.dtype.type
    square = s * s
    total = np.full_like(s, kind(2 / (2 * terms - 1)))
    for term in range(terms - 2, -1, -1):
        total *= square
        total += kind(2 / (2 * term + 1))
    total *= s
    return total


exp = _in_blocks(_exp)
expm1 = _in_blocks(_expm1)
log = _in_blocks(_log)
mish = _in_blocks(_mish)
sigmoid = _in_blocks(_sigmoid)
softplus = _in_blocks(_softplus)
tanh = _in_blocks(_tanh)
