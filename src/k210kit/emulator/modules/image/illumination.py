"""chrominvar and illuminvar: colours without brightness, and without the colour of the light.

Sources: `omv/img/shadow_removal.c`; Finlayson, Hordley and Drew, "Removing shadows from images", ECCV 2002. The
firmware computes each pixel anew; here all colours are computed once.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from .colors import linear_levels
from .fast_math import cube_root, exponential, logarithm
from .pixels import EIGHT_TO_FIVE, EIGHT_TO_SIX, join565, rgb_of_words

__all__ = ["without_brightness", "without_light"]

_F = np.float32
Floats = NDArray[np.float32]
# Sharpened sensors, and the plane across (1, 1, 1) with its two axes
_SHARP = np.array([[0.9968, 0.0228, 0.0015], [-0.0071, 0.9933, 0.0146], [0.0103, -0.0161, 0.9839]], _F)
_AXES = np.array([[0.7071, -0.7071, 0.0], [0.4082, 0.4082, -0.8164]], _F)
_DIRECTION = np.array([0.9326, -0.3609], _F)  # along which the light's colour does not move a surface's


@cache
def _linear() -> Floats:
    """Light of each of the 65,536 colours, 0 to 100 per channel [65536, 3]."""
    made: Floats = linear_levels()[rgb_of_words(np.arange(65536, dtype=np.uint16))]
    return made


def _words(shares: Floats) -> NDArray[np.uint16]:
    """Channels of 0 to 1 as RGB565."""
    red, green, blue = np.clip(shares * _F(255), 0, 255).astype(np.int64).T
    made: NDArray[np.uint16] = join565(EIGHT_TO_FIVE[red], EIGHT_TO_SIX[green], EIGHT_TO_FIVE[blue]).astype(np.uint16)
    return made


def _normalised(values: Floats) -> Floats:
    total = values.sum(axis=1, keepdims=True)
    made: Floats = np.divide(values, total, out=np.zeros_like(values), where=total > 0)
    return made


@cache
def without_brightness() -> NDArray[np.uint16]:
    """For each colour each channel's share of the light."""
    return _words(_normalised(_linear()))


@cache
def without_light() -> NDArray[np.uint16]:
    """For each colour what is left when the direction in which light changes it is taken out."""
    sharp = (_linear() + _F(1)) @ _SHARP.T
    mean = cube_root(np.maximum(sharp.prod(axis=1, keepdims=True), _F(0)))
    ratio = np.divide(sharp, mean, out=np.zeros_like(sharp), where=mean > 0)
    logs = np.where(ratio > 0, logarithm(np.maximum(ratio, _F(1e-30))), _F(0))
    place = logs @ _AXES.T
    along = (place @ _DIRECTION)[:, None] * _DIRECTION
    return _words(_normalised(exponential((along @ _AXES).astype(_F))))
