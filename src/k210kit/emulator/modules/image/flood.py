"""Flood filling: pixels reached from a seed over small steps of colour, and the cartoon filter.

Sources: `imlib_flood_fill_int` of `omv/img/blob.c`, `imlib_flood_fill` of `draw.c`, `imlib_cartoon_filter`. A pixel is
reached if it is near the seed's colour and near that of a reached neighbour; both relations are symmetric, so the order
of the firmware's walk does not matter.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .frame import Frame
from .pixels import Format, join565, split565

__all__ = ["cartoon", "reached"]

Channels = list[NDArray[np.int64]]
_F = np.float32
_TOPS = {Format.BINARY: (1,), Format.GRAYSCALE: (255,), Format.RGB565: (31, 63, 31)}


def _channels(frame: Frame) -> Channels:
    return list(split565(frame.data)) if frame.format is Format.RGB565 else [frame.data.astype(np.int64)]


def _bounds(frame: Frame, share: float) -> list[int]:
    """A share of each channel's range, cut."""
    return [int(_F(share) * _F(top)) for top in _TOPS[frame.format]]


class _Steps:
    """Which neighbours of a picture's pixels are near each other in colour."""

    def __init__(self, channels: Channels, floating: list[int]) -> None:
        height, width = channels[0].shape
        self.channels, self.width = [part.ravel() for part in channels], width
        across, down = np.ones((height, width - 1), bool), np.ones((height - 1, width), bool)
        for part, bound in zip(channels, floating, strict=True):
            across &= np.abs(np.diff(part, axis=1)) <= bound
            down &= np.abs(np.diff(part, axis=0)) <= bound
        self.right = np.pad(across, ((0, 0), (0, 1))).ravel()
        self.left = np.pad(across, ((0, 0), (1, 0))).ravel()
        self.down = np.pad(down, ((0, 1), (0, 0))).ravel()
        self.up = np.pad(down, ((1, 0), (0, 0))).ravel()

    def fill(self, visited: NDArray[np.bool_], seed: int, bounds: list[int]) -> NDArray[np.int64]:
        """Mark what the seed reaches among the pixels not yet visited; returns their places."""
        near = np.ones(visited.shape, bool)
        for part, bound in zip(self.channels, bounds, strict=True):
            near &= np.abs(part - part[seed]) <= bound
        front = np.array([seed])
        visited[seed] = True
        filled = [front]
        while len(front):
            steps = [
                front[open_][...] + move
                for open_, move in (
                    (self.right[front], 1),
                    (self.left[front], -1),
                    (self.down[front], self.width),
                    (self.up[front], -self.width),
                )
            ]
            found = np.unique(np.concatenate(steps))
            front = found[near[found] & ~visited[found]]
            visited[front] = True
            filled.append(front)
        return np.concatenate(filled)


def reached(
    frame: Frame, x: int, y: int, seed_share: float, floating_share: float, mask: NDArray[np.bool_] | None
) -> NDArray[np.bool_]:
    """The pixels [h, w] that the fill at (x, y) covers. Pixels of the mask stop it and count as covered."""
    steps = _Steps(_channels(frame), _bounds(frame, floating_share))
    visited = np.zeros(frame.data.size, bool) if mask is None else mask.ravel().copy()
    steps.fill(visited, y * frame.width + x, _bounds(frame, seed_share))
    return visited.reshape(frame.data.shape)


class _Walk:
    """`_Steps.fill` one pixel at a time: quicker where there are many small regions."""

    def __init__(self, steps: _Steps) -> None:
        self._channels = [part.tolist() for part in steps.channels]
        self._moves = tuple(
            (open_.tolist(), move)
            for open_, move in ((steps.right, 1), (steps.left, -1), (steps.down, steps.width), (steps.up, -steps.width))
        )

    def fill(self, visited: bytearray, seed: int, bounds: list[int]) -> list[int]:
        ranges = [
            (part, part[seed] - bound, part[seed] + bound) for part, bound in zip(self._channels, bounds, strict=True)
        ]
        visited[seed] = 1
        filled, at = [seed], 0
        while at < len(filled):
            place = filled[at]
            at += 1
            for open_, move in self._moves:
                if open_[place] and not visited[place + move]:
                    near = place + move
                    if all(low <= part[near] <= high for part, low, high in ranges):
                        visited[near] = 1
                        filled.append(near)
        return filled


def cartoon(frame: Frame, seed_share: float, floating_share: float, mask: NDArray[np.bool_] | None) -> NDArray[Any]:
    """Every region in its mean colour, regions taken row by row."""
    channels = _channels(frame)
    walk = _Walk(steps := _Steps(channels, _bounds(frame, floating_share)))
    bounds = _bounds(frame, seed_share)
    averaged = bytearray(frame.data.size)
    painted = bytearray(frame.data.size) if mask is None else bytearray(mask.ravel().astype(np.uint8).tobytes())
    made = frame.data.ravel().copy()
    for seed in range(frame.data.size):
        if averaged[seed]:
            continue
        region = walk.fill(averaged, seed, bounds)
        means = [int(part[region].sum()) // len(region) for part in steps.channels]
        value = int(join565(*(np.array([part]) for part in means))[0]) if len(means) == 3 else means[0]
        made[region if mask is None else walk.fill(painted, seed, bounds)] = value
    return made.reshape(frame.data.shape)
