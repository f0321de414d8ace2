"""Colours one at a time: the module's rgb_to_lab and its kin.

Source: `omv/img/imlib.c`; single precision, results cut towards zero (the firmware's `fast_roundf` truncates), the
cube root by the firmware's bit trick.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["gray_to_rgb", "lab_to_rgb", "linear_levels", "rgb_to_gray", "rgb_to_lab"]

_F = np.float32


@cache
def linear_levels() -> NDArray[np.float32]:
    """Linear light 0..100 of an sRGB level, to six decimals as in the firmware's table."""
    level = np.arange(256) / 255.0
    light = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    return np.round(100.0 * light, 6).astype(_F)


def _cube_root(x: np.float32) -> np.float32:
    bits = int(np.asarray(x, _F).view(np.int32))
    bits = int(bits / 4) + int(bits / 16)
    bits += int(bits / 16)
    bits += int(bits / 256)
    return _F(np.asarray(0x2A511CD0 + bits, np.int32).view(_F))


def _signed_byte(value: int) -> int:
    return (value + 128) % 256 - 128


def rgb_to_lab(red: int, green: int, blue: int) -> tuple[int, int, int]:
    """CIE L, a, b of an sRGB colour."""
    r, g, b = (linear_levels()[part & 0xFF] for part in (red, green, blue))
    parts = (
        (r * _F(0.4124) + g * _F(0.3576) + b * _F(0.1805)) / _F(95.047),
        (r * _F(0.2126) + g * _F(0.7152) + b * _F(0.0722)) / _F(100.0),
        (r * _F(0.0193) + g * _F(0.1192) + b * _F(0.9505)) / _F(108.883),
    )
    x, y, z = (_cube_root(p) if p > _F(0.008856) else p * _F(7.787037) + _F(0.137931) for p in parts)
    lightness = _signed_byte(int(_F(116) * y)) - 16
    return lightness, _signed_byte(int(_F(500) * (x - y))), _signed_byte(int(_F(200) * (y - z)))


def _gamma(linear: np.float32) -> np.float32:
    if linear > _F(0.0031308):
        return _F(_F(1.055) * np.power(linear, _F(0.416666)) - _F(0.055))
    return linear * _F(12.92)


def _level(linear: np.float32) -> int:
    return int(max(min(int(_gamma(linear) * _F(255)), 255), 0))


def lab_to_rgb(lightness: int, a: int, b: int) -> tuple[int, int, int]:
    """The sRGB colour of CIE L, a, b."""
    middle = _F(_signed_byte(lightness) + 16) * _F(0.008621)
    roots = (middle + _F(_signed_byte(a)) * _F(0.002), middle, middle - _F(_signed_byte(b)) * _F(0.005))
    x, y, z = (
        (t * t * t if t > _F(0.206897) else _F(0.128419) * t - _F(0.017713)) * white
        for t, white in zip(roots, (_F(95.047), _F(100.0), _F(108.883)), strict=True)
    )
    hundred = _F(100)
    return (
        _level((x * _F(3.2406) + y * _F(-1.5372) + z * _F(-0.4986)) / hundred),
        _level((x * _F(-0.9689) + y * _F(1.8758) + z * _F(0.0415)) / hundred),
        _level((x * _F(0.0557) + y * _F(-0.2040) + z * _F(1.0570)) / hundred),
    )


def rgb_to_gray(red: int, green: int, blue: int) -> int:
    """The gray level of the same luminance."""
    r, g, b = (linear_levels()[part & 0xFF] for part in (red, green, blue))
    return _level((r * _F(0.2126) + g * _F(0.7152) + b * _F(0.0722)) / _F(100))


def gray_to_rgb(level: int) -> tuple[int, int, int]:
    return (level & 0xFF,) * 3
