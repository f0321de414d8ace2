"""How far the bytes of each channel shall reach: as far as pictures may go that calibration has not seen.

Measured on nets and photos of others (docs/design/compiler.md): what a range cut off costs a hundred times what a range
twice too wide costs, and it is the channels that hardly spoke on the calibration pictures that are cut off. So the
largest value of each picture is taken as log-normal, channel by channel, and the range ends where rounding all pixels
and cutting off a few cost least together: early where maps are large, late where they are small. No channel reaches
less than two fifths of what the channels of its map do on the whole, weighted by how loudly the layers behind hear
them: that costs less than a decibel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler import curves, elementary
from k210kit.compiler.ops import Curve
from k210kit.compiler.quantize.calibrate import Statistics

__all__ = ["limits", "reach"]

Numbers = NDArray[np.float64]
_DEVIATIONS = (1.0, 3.0)  # above the mean of the logarithm, at least and at most
_CUT_PIXELS = 4.0  # of a channel, in a picture that goes beyond the range
_PRIOR_PICTURES = 4.0  # as many pictures does the median deviation of all channels count, beside a channel's own
_PRIOR_DEVIATION = 0.35  # of the logarithm, where there is one picture only
_SMALLEST = 1e-3  # of the largest value of all: what is smaller counts as this, so that it has a logarithm
_LEAST = 0.4  # of the root mean square of all channels' spans
_OTHER_SIDE = 0.5  # of one side's reach, at least, does the other have in the last layers
_BEYOND, _LAST_BEYOND = 1.3, 2.0  # times what any channel showed; for one pixel, and in the last layers


def reach(
    seen: Statistics,
    curve: Curve,
    *,
    pixels: int,
    sharing: int,
    around_mean: bool,
    last: bool,
    gains: Numbers | None = None,
) -> tuple[Numbers, Numbers]:
    """The lowest and the highest value of each channel.

    pixels: of a channel; sharing: how many channels have one range; around_mean: 0 need not lie between the two;
    last: no layer of the KPU reads the map; gains: the sum of squares of the weights that read each channel.
    """
    middle = seen.mean.astype(np.float64) if around_mean else np.zeros(seen.channels)
    up = _largest(seen.highs - middle, pixels * sharing)
    down = _largest(middle - seen.lows, pixels * sharing)
    if last:
        up, down = np.maximum(up, _OTHER_SIDE * down), np.maximum(down, _OTHER_SIDE * up)
    span = up + down
    heard = np.sqrt(np.ones(seen.channels) if gains is None else np.maximum(gains, 1e-6 * max(gains.max(), 1e-30)))
    wanted = np.maximum(span, _LEAST * np.sqrt(np.mean((heard * span) ** 2)) / heard)
    grown = wanted / np.maximum(span, 1e-30)
    beyond = _LAST_BEYOND if last or pixels == 1 else _BEYOND
    most = [beyond * max(float((high - low).max()), 0.0) for low, high in ((middle, seen.high), (seen.low, middle))]
    lowest, highest = limits(curve)
    low = np.maximum(middle - np.minimum(down * grown, most[1]), min(lowest, float(seen.low.min())))
    high = np.minimum(middle + np.minimum(up * grown, most[0]), max(highest, float(seen.high.max())))
    return low, high


def limits(curve: Curve) -> tuple[float, float]:
    """The least and the largest value of a curve, infinite where it goes on rising."""
    x = np.concatenate([[-1e4], np.linspace(-30, 30, 6001), [1e4]])
    y = curves.evaluate(curve, x)
    inner = y[1:-1]
    lowest = float(inner.min()) if y[0] >= inner.min() - 1e-3 else -np.inf
    highest = float(inner.max()) if y[-1] <= inner.max() + 1e-3 else np.inf
    return lowest, highest


def _largest(values: NDArray[np.floating], pixels: int) -> Numbers:
    """What the largest value of a picture may be, from those of some: values [picture, channel]."""
    values = np.maximum(values, 0).astype(np.float64)
    count, top = len(values), max(float(values.max()), 1e-30)
    logs = elementary.log(np.maximum(values, _SMALLEST * top))
    variance = np.full(values.shape[1], _PRIOR_DEVIATION**2)
    if count > 1:
        own = logs.var(0, ddof=1)
        variance = ((count - 1) * own + _PRIOR_PICTURES * np.median(own)) / (count - 1 + _PRIOR_PICTURES)
    deviation = np.sqrt(variance * (1 + 1 / count))
    expected = elementary.exp(logs.mean(0) + _worth(deviation, pixels) * deviation)
    return np.where(values.max(0) > 0, np.maximum(expected, values.max(0)), 0.0)


def _worth(deviation: Numbers, pixels: int) -> Numbers:
    """How many deviations above the mean a range should end: where rounding `pixels` and cutting off a few cost least.

    In units of the square of the median largest value: rounding costs pixels * R^2 / (12 * 255^2), cutting off costs
    E[(M - R)^2; M > R] for each pixel cut off, with M log-normal and R = exp(z * deviation).
    """
    z = np.linspace(*_DEVIATIONS, 31)[:, None]
    r = elementary.exp(z * deviation)
    tail = (
        elementary.exp(2 * deviation**2) * _normal(2 * deviation - z)
        - 2 * r * elementary.exp(deviation**2 / 2) * _normal(deviation - z)
        + r**2 * _normal(-z)
    )
    cost = pixels * r**2 / (12 * 255**2) + _CUT_PIXELS * tail
    return np.asarray(z[cost.argmin(0), 0])


def _normal(x: Numbers) -> Numbers:
    return np.asarray((1 + curves.erf(x / np.sqrt(2))) / 2)
