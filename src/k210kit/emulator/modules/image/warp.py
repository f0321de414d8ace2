"""Pictures bent: lens correction, rotation in space, polar pictures, affine maps of the KPU's planes.

Sources: `imlib_lens_corr`, `imlib_rotation_corr`, `imlib_logpolar` and `affine.c` of `omv/img/`. Every result pixel
takes one source pixel, its place cut to whole numbers; places outside give black.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .fast_math import COSINES, SINES, arc_tangent, arc_tangents2, exponential, logarithm, saturated, whole

__all__ = ["Turn", "affine_transform", "lens_corrected", "polar", "rotated", "warp_planes"]

Pixels = NDArray[Any]
Floats = NDArray[np.float32]
_F = np.float32


def _taken(pixels: Pixels, x: NDArray[np.int64], y: NDArray[np.int64]) -> Pixels:
    """The pixels at these places [h, w], black where they lie outside."""
    height, width = pixels.shape
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    made = pixels[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
    return np.where(inside, made, 0).astype(pixels.dtype)


def lens_corrected(pixels: Pixels, strength: float, zoom: float) -> Pixels:
    """Undo a barrel distortion about the centre."""
    height, width = pixels.shape
    x = np.arange(width) - width // 2
    y = np.arange(height)[:, None] - height // 2
    radius = _F(strength) / np.sqrt(_F(width * width + height * height))
    r = radius * np.sqrt((x * x + y * y).astype(_F))
    safe = np.where(r < _F(1e-7), _F(1), r)
    theta = np.where(r < _F(1e-7), _F(1), arc_tangent(safe) / safe)
    scale = _F(1) / _F(zoom)
    source_x = width // 2 + whole(theta * (x.astype(_F) * scale))
    source_y = height // 2 + whole(theta * (y.astype(_F) * scale))
    return _taken(pixels, source_x, source_y)


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A camera's pose: rotations and field of view in degrees, moves in pixels, four corners to look at."""

    x_rotation: float = 0.0
    y_rotation: float = 0.0
    z_rotation: float = 0.0
    x_translation: float = 0.0
    y_translation: float = 0.0
    zoom: float = 1.0
    fov: float = 60.0
    corners: Sequence[tuple[float, float]] | None = None


def _rotation(axis: int, degrees: float) -> NDArray[np.float64]:
    """A rotation about x, y or z in homogeneous coordinates; about y it turns the other way, as in the firmware."""
    made = np.eye(4)
    first, second = ((1, 2), (0, 2), (0, 1))[axis]
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    made[first, first] = made[second, second] = cosine
    made[first, second], made[second, first] = -sine, sine
    return made


def rotated(pixels: Pixels, turn: Turn) -> Pixels:
    """Look at the picture as at a plane in space; all black when it cannot be seen."""
    height, width = pixels.shape
    distance = np.hypot(width, height) / 2 / np.tan(np.radians(turn.fov) / 2)
    plane = np.array([[1, 0, -(width // 2)], [0, 1, -(height // 2)], [0, 0, 0], [0, 0, 1]], float)
    moved = np.eye(4)
    moved[:3, 3] = turn.x_translation, turn.y_translation, distance
    eye = np.zeros((3, 4))
    eye[0, 0] = eye[1, 1] = distance * turn.zoom
    eye[0, 2], eye[1, 2], eye[2, 2] = width // 2, height // 2, 1
    turned = _rotation(0, turn.x_rotation) @ _rotation(1, turn.y_rotation) @ _rotation(2, turn.z_rotation)
    seen = eye @ moved @ turned @ plane
    if abs(np.linalg.det(seen)) < 1e-12:
        return np.zeros_like(pixels)
    back = np.linalg.inv(seen)
    if turn.corners is not None:
        back = _homography(width, height, turn.corners) @ back
    x, y = np.arange(width, dtype=_F), np.arange(height, dtype=_F)[:, None]
    upper, middle, lower = (_F(row[0]) * x + _F(row[1]) * y + _F(row[2]) for row in back)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _taken(pixels, saturated(upper / lower), saturated(middle / lower))


def _homography(width: int, height: int, corners: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """The projective map that takes the picture's corners to these points."""
    rows = []
    whole_picture = ((0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1))
    for (x, y), (u, v) in zip(whole_picture, corners, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y, -u])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y, -v])
    solution = np.linalg.svd(np.array(rows, float))[2][-1]
    made: NDArray[np.float64] = solution.reshape(3, 3) / (solution[8] or 1.0)
    return made


def polar(pixels: Pixels, linear: bool, reverse: bool) -> Pixels:
    """Angle across and distance (or its logarithm) down; `reverse` goes back."""
    height, width = pixels.shape
    half_w, half_h = _F(width) / _F(2), _F(height) / _F(2)

    def log(value: Floats) -> Floats:
        return value if linear else logarithm(value)

    farthest = np.array([np.sqrt(half_w * half_w + half_h * half_h)], _F)
    rho_scale = log(farthest)[0] / _F(height)
    theta_scale = _F(360) / _F(width)
    if reverse:
        x, y = np.arange(width, dtype=_F) - half_w, (np.arange(height, dtype=_F) - half_h)[:, None]
        with np.errstate(divide="ignore"):
            rho = log(np.sqrt(x * x + y * y))
        angle = whole(arc_tangents2(y, np.where(x == 0, _F(1), x)) * (_F(180) / _F(np.pi)))
        angle = np.where(x == 0, np.where(y < 0, 270, 90), angle)
        theta = _turned(angle)
        across = np.clip(whole(theta.astype(_F) * (_F(1) / theta_scale)), 0, width - 1)
        down = np.clip(saturated(rho * (_F(1) / rho_scale)), 0, height - 1)
        return _taken(pixels, across, down)
    theta = _turned(whole(np.arange(width, dtype=_F) * theta_scale))
    rho = (np.arange(height, dtype=_F) * rho_scale)[:, None]
    away = rho if linear else exponential(rho)
    return _taken(pixels, whole(away * COSINES[theta] + half_w), whole(away * SINES[theta] + half_h))


def _turned(degrees: NDArray[np.int64]) -> NDArray[np.int64]:
    """630 - degrees, within one turn."""
    angle = 630 - degrees
    made: NDArray[np.int64] = np.where(angle >= 360, angle - 360, angle)
    return made


def affine_transform(source: NDArray[np.float64], target: NDArray[np.float64]) -> list[float]:
    """The similarity (turn, scale and move) that takes target points to source points, row by row.

    The firmware computes the map from the destination back to the source, as `warp_affine_ai` needs it.
    """
    from_, to = target.astype(np.float64), source.astype(np.float64)
    from_mean, to_mean = from_.mean(axis=0), to.mean(axis=0)
    covariance = (to - to_mean).T @ (from_ - from_mean) / len(from_)
    turn, stretch = _turn_and_stretch(covariance)
    spread = ((from_ - from_mean) ** 2).sum(axis=1).mean()
    scale = stretch / spread
    made = np.eye(3)
    made[:2, :2] = scale * turn
    made[:2, 2] = to_mean - scale * turn @ from_mean
    return [float(value) for value in made.ravel().astype(_F)]


def _turn_and_stretch(a: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """U V of a 2 x 2 matrix's singular value decomposition, and the sum of its singular values.

    The firmware's closed form keeps V's first element positive; for mirrored points, whose U V is no rotation, the
    result depends on that.
    """
    (p, q), (r, s) = a
    skew, plain = np.hypot(p - s, q + r), np.hypot(p + s, q - r)
    large, small = (skew + plain) / 2, abs((skew + plain) / 2 - skew)
    sine = np.sin(np.arctan2(2 * (p * q + r * s), p * p - q * q + r * r - s * s) / 2) if large > small else 0.0
    cosine = np.sqrt(1 - sine * sine)
    first = -(a @ [cosine, sine]) / large if large else np.array([1.0, 0.0])
    second = (a @ [-sine, cosine]) / small if small else np.array([-first[1], first[0]])
    u = np.column_stack([first, second])
    v = np.array([[-cosine, -sine], [-sine, cosine]])
    return u @ v, float(large + small)


def warp_planes(source: NDArray[np.uint8], width: int, height: int, transform: Sequence[float]) -> NDArray[np.uint8]:
    """Planes [c, h, w] seen through an affine map, with bilinear mixing in 1/256 steps."""
    matrix = np.array(transform, _F).reshape(3, 3)
    x, y = (np.arange(width) << 8).astype(_F), (np.arange(height) << 8).astype(_F)[:, None]
    place_x = whole(matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * _F(256))
    place_y = whole(matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * _F(256))
    part_x, part_y, left, top = place_x & 0xFF, place_y & 0xFF, place_x >> 8, place_y >> 8
    old_h, old_w = source.shape[1:]
    inside = (left >= 0) & (left < old_w) & (top >= 0) & (top < old_h)
    base = np.where(inside, top * old_w + left, 0)
    flat = np.pad(source.reshape(-1), (0, old_w + 2)).astype(np.int64)  # the last pixel's neighbours lie behind it
    made = np.empty((source.shape[0], height, width), np.uint8)
    for channel in range(source.shape[0]):
        at = base + channel * old_w * old_h
        upper = (256 - part_x) * flat[at] + part_x * flat[at + 1]
        lower = (256 - part_x) * flat[at + old_w] + part_x * flat[at + old_w + 1]
        made[channel] = np.where(inside, ((256 - part_y) * upper + part_y * lower) >> 16, 0)
    return made
