"""PReLUs that fall to the left of zero, which no table of the KPU does, as sums of two that do not.

Before   x ─ prelu(a), some a < 0
After    (x, -x) ─ prelu(a, 0 where a < 0; 0) ─ summed by what comes behind

For a < 0, prelu(x) = relu(x) + |a| relu(-x). -x comes for free of the convolution that makes x. A table has room for
five slopes: channels that lie far from all of them are summed as well.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler.graph import Graph, Node
from k210kit.compiler.ops import Add, Conv, Floats, PRelu
from k210kit.compiler.quantize.tables import grouped_slopes
from k210kit.hardware import MOST_CHANNELS

__all__ = ["is_falling", "split_channels", "summed", "with_both_signs"]

_LEFT = 2e-4  # mean square of what the slopes are off by, that is left: 34 dB below signals of both signs


def split_channels(op: PRelu) -> NDArray[np.int64]:
    """The channels that need a second one, those that are furthest off if there is no room for all; in order."""
    wrong = np.where(op.slopes < 0, -op.slopes, 0.0)
    rising = np.flatnonzero(op.slopes >= 0)
    if rising.size:
        levels, member = grouped_slopes(np.append(op.slopes[rising], 0.0).astype(np.float64))
        wrong[rising] = np.abs(op.slopes[rising] - levels[member[:-1]])
    order = np.argsort(-wrong, kind="stable")
    left = np.cumsum(wrong[order][::-1] ** 2)[::-1]
    needed = int((left > _LEFT * wrong.size).sum())
    return np.sort(order[: min(needed, max(MOST_CHANNELS - wrong.size, 0))])


def is_falling(op: object) -> bool:
    """Whether some channel needs a second one."""
    return isinstance(op, PRelu) and bool(split_channels(op).size)


def with_both_signs(graph: Graph, maker: Node | None, source: str, channels: NDArray[np.int64]) -> tuple[Conv, bool]:
    """A convolution that makes x and, of some channels, -x; and whether it takes the place of what makes x."""
    count = graph.shapes[source][0]
    alone = len(graph.readers.get(source, ())) == 1 and source not in graph.output_values
    if maker is not None and alone and isinstance(maker.op, Conv) and maker.op.groups == 1:
        op = maker.op
        weights = np.concatenate([op.weights, -op.weights[channels]])
        return _conv(weights, np.concatenate([op.bias, -op.bias[channels]]), op), True
    eye = np.eye(count, dtype=np.float32)
    rows = np.concatenate([eye, -eye[channels]])
    if maker is not None and alone and isinstance(maker.op, Add) and len(set(maker.inputs)) == 2:
        return _conv(np.concatenate([rows, rows], 1)[:, :, None, None], np.zeros(len(rows), np.float32)), True
    return _conv(rows[:, :, None, None], np.zeros(len(rows), np.float32)), False


def _conv(weights: Floats, bias: Floats, like: Conv | None = None) -> Conv:
    kept = {} if like is None else {"stride": like.stride, "padding": like.padding, "dilation": like.dilation}
    return Conv(weights=np.ascontiguousarray(weights), bias=np.ascontiguousarray(bias), **kept)  # type: ignore[arg-type]


def summed(op: PRelu, channels: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Slopes of the result's channels and of the second ones, and the matrix that sums them."""
    count = op.slopes.size
    slopes = op.slopes.copy()
    slopes[channels] = 0
    matrix = np.concatenate([np.eye(count), np.zeros((count, channels.size))], 1)
    matrix[channels, count + np.arange(channels.size)] = -op.slopes[channels]
    return np.concatenate([slopes, np.zeros(channels.size)]).astype(np.float32), matrix.astype(np.float32)
