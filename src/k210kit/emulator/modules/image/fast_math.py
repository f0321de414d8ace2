"""The firmware's own approximations of elementary functions, in single precision.

Source: `omv/img/fmath.c`. The arc tangent is a polynomial of degree 9; powers and cube roots work on the bits of a
float.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "COSINES",
    "SINES",
    "arc_tangent",
    "arc_tangent2",
    "arc_tangents2",
    "cube_root",
    "exponential",
    "logarithm",
    "power",
    "saturated",
    "whole",
]

_F = np.float32
Floats = NDArray[np.float32]
_PI = _F(np.pi)

SINES: Floats = np.round(np.sin(np.radians(np.arange(360))), 6).astype(_F)  # the firmware's tables have six decimals
COSINES: Floats = np.round(np.cos(np.radians(np.arange(360))), 6).astype(_F)


def whole(x: NDArray[np.floating]) -> NDArray[np.int64]:
    """Drop the fraction, as a C cast to int does (and the firmware's `fast_roundf` and `fast_floorf`)."""
    made: NDArray[np.int64] = np.trunc(x).astype(np.int64)
    return made


def saturated(x: NDArray[np.floating]) -> NDArray[np.int64]:
    """`whole`, as the K210 converts what no int holds: the nearest int, and the greatest one for not-a-number."""
    return whole(np.clip(np.nan_to_num(x.astype(np.float64), nan=np.inf), -(2.0**31), 2.0**31 - 1))


def arc_tangent(x: Floats) -> Floats:
    """atan of each element."""
    sign, size = np.where(x < 0, _F(-1), _F(1)), np.abs(x).astype(_F)
    with np.errstate(divide="ignore", invalid="ignore"):
        beyond, middle = size > _F(2.414213562373095), size > _F(0.4142135623730950)
        t = np.where(beyond, -(_F(1) / size), np.where(middle, (size - _F(1)) / (size + _F(1)), size)).astype(_F)
    start = np.where(beyond, _PI / _F(2), np.where(middle, _PI / _F(4), _F(0))).astype(_F)
    z = t * t
    series = ((_F(8.05374449538e-2) * z - _F(1.38776856032e-1)) * z + _F(1.99777106478e-1)) * z - _F(3.33329491539e-1)
    made: Floats = (sign * (start + (series * z * t + t))).astype(_F)
    return made


def arc_tangents2(y: Floats, x: Floats) -> Floats:
    """atan2 as the firmware has it: from 0 to two pi, and -pi straight down."""
    y, x = np.broadcast_arrays(np.asarray(y, _F), np.asarray(x, _F))
    safe = np.where(x == 0, _F(1), x)
    same = (x > 0) & (y >= 0) | (x < 0) & (y < 0)
    quotient = arc_tangent((np.where(same, y, -y) / safe).astype(_F))
    right = np.where(y >= 0, quotient, _F(2) * _PI - quotient)
    left = np.where(y >= 0, _PI - quotient, _PI + quotient)
    upright = np.where(y == 0, _F(0), np.where(y > 0, _PI, -_PI))
    made: Floats = np.where(x > 0, right, np.where(x < 0, left, upright)).astype(_F)
    return made


def arc_tangent2(y: float, x: float) -> np.float32:
    """`arc_tangents2` of one point."""
    return _F(arc_tangents2(np.array([y], _F), np.array([x], _F))[0])


def power(base: Floats, exponent: float) -> Floats:
    """base ** exponent, by scaling the bits of the float around 1."""
    bits = np.asarray(base, _F).view(np.int32).astype(np.int64)
    scaled = _F(exponent) * (bits - 1064866805).astype(_F) + _F(1064866805)
    return whole(scaled).astype(np.int32).view(_F)


def logarithm(x: Floats) -> Floats:
    """ln, from the bits of a float and a rational correction of its mantissa."""
    bits = np.asarray(x, _F).view(np.uint32)
    mantissa = ((bits & 0x007FFFFF) | 0x3F000000).view(_F)
    binary = bits.astype(_F) * _F(1.1920928955078125e-7) - _F(124.22551499) - _F(1.498030302) * mantissa
    made: Floats = _F(0.69314718) * (binary - _F(1.72587999) / (_F(0.3520887068) + mantissa))
    return made


def cube_root(x: Floats) -> Floats:
    """The cube root's first guess, without refinement."""
    bits = np.asarray(x, _F).view(np.int32).astype(np.int64)
    bits = _quotient(bits, 4) + _quotient(bits, 16)
    bits += _quotient(bits, 16)
    bits += _quotient(bits, 256)
    return (0x2A511CD0 + bits).astype(np.int32).view(_F)


def _quotient(value: NDArray[np.int64], by: int) -> NDArray[np.int64]:
    """C's division, towards zero."""
    return np.where(value < 0, -(-value // by), value // by)


@cache
def _exponent_shift() -> tuple[np.float32, np.float32]:
    return _F(1512775), _F(1072632447)


def exponential(x: Floats) -> Floats:
    """exp, as a straight line through the bits of a double's upper half."""
    factor, offset = _exponent_shift()
    value = np.asarray(factor * x + offset, _F)
    upper = np.where(value < 0, 0, value).astype(np.int64) & 0xFFFFFFFF
    mantissa, exponent, sign = upper & 0xFFFFF, (upper >> 20) & 0x7FF, upper >> 31
    bits = (sign << 31) | (((exponent - 1023 + 127) & 0xFF) << 23) | (mantissa << 3)
    return bits.astype(np.uint32).view(_F)
