"""find_displacement: how far, and if asked how much turned and scaled, one picture lies from another.

Phase correlation as `omv/img/phasecorrelation.c` does it, step by step; the Fourier transforms are NumPy's, with 64
bits, so that digits far behind the point differ from a board's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .warp import Turn, polar, rotated

__all__ = ["Displaced", "find_displacement"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Displaced:
    """Pixels to the right and upwards, radians, a factor, and how clear the answer is (0 to 1)."""

    x: float = 0.0
    y: float = 0.0
    rotation: float = 0.0
    scale: float = 0.0
    response: float = 0.0


def find_displacement(
    picture: NDArray[np.uint8], other: NDArray[np.uint8], *, logpolar: bool, fix_rotation_scale: bool
) -> Displaced:
    """Compare gray levels [h, w] of the same size."""
    h, w = picture.shape
    rho_scale = float(np.log(np.hypot(w / 2, h / 2))) / h
    theta_scale = 2 * np.pi / w
    if logpolar:
        moved = _shift(_spectrum(polar(picture, False, False)), _spectrum(polar(other, False, False)))
        return Displaced(rotation=moved.x * theta_scale, scale=moved.y * rho_scale + 1, response=moved.response)
    if not fix_rotation_scale:
        return _shift(_spectrum(picture), _spectrum(other))
    turned = _shift(_turn_spectrum(picture), _turn_spectrum(other))
    rotation, scale = turned.x * theta_scale, turned.y * rho_scale + 1
    # The firmware hands radians on where degrees are meant.
    straight = rotated(picture, Turn(z_rotation=float(np.rad2deg(rotation)), zoom=scale, fov=float(np.rad2deg(60))))
    moved = _shift(_spectrum(straight), _spectrum(other))
    return Displaced(x=moved.x, y=moved.y, rotation=rotation, scale=scale, response=moved.response)


def _padded(shape: tuple[int, ...]) -> tuple[int, int]:
    h, w = (1 << int(size - 1).bit_length() for size in shape)
    return h, w


def _spectrum(levels: NDArray[np.generic]) -> NDArray[np.complex128]:
    made: NDArray[np.complex128] = np.fft.fft2(levels.astype(np.float64), _padded(levels.shape))
    return made


def _turn_spectrum(levels: NDArray[np.uint8]) -> NDArray[np.complex128]:
    """The spectrum of the strengths of the spectrum over angle and log distance: turning becomes a shift."""
    strength = np.fft.fftshift(np.abs(_spectrum(levels)))
    return _spectrum(polar(strength, False, False))


def _shift(one: NDArray[np.complex128], two: NDArray[np.complex128]) -> Displaced:
    """Where the peak of the phase correlation lies."""
    product = one * np.conj(two)
    strength = np.abs(product)
    heard = strength > 1e-12 * strength.max()  # what vanishes is a rounding error on a board, and says nothing there
    if heard.sum() < 2:
        return Displaced()
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.fft.ifft2(np.where(heard, product / strength, 0)).real
        h, w = values.shape
        total = values.sum()
        at = int(np.argmax(values))
        row, column = divmod(at, w)
        ys, xs = row + np.arange(-2, 2), column + np.arange(-2, 2)
        near = values[np.ix_(ys % h, xs % w)]
        x = float((xs[None, :] * near).sum() / near.sum())
        y = float((ys[:, None] * near).sum() / near.sum())
        response = float(values.flat[at] / total)
    x = x - w if x >= w / 2 else x
    y = h - y if y >= h / 2 else -y
    if not np.all(np.isfinite((x, y, response))) or not (-w / 2 <= x < w / 2 and -h / 2 <= y < h / 2):
        return Displaced()
    return Displaced(x=x, y=y, response=response)
