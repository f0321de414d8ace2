"""What the calibration pictures show of every value: ranges, means, and a sample of what each channel takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler import curves, evaluate
from k210kit.compiler.graph import Graph
from k210kit.compiler.pictures import Batch
from k210kit.compiler.stages import KpuConv

__all__ = ["Statistics", "calibrate"]

Floats = NDArray[np.float32]

_AT_ONCE = 10  # pictures that run together: bounds the memory
_SAMPLES, _FEWEST_SAMPLES = 2048, 32  # per channel, of all pictures; of each batch of them
_MOST_ROWS = 1 << 20  # numbers that are kept picture by picture, of a value
_MOST_PICTURES = 1024  # that are kept one by one; of flat values of thousands of elements there are fewer
_BEFORE = "/before"


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Of one value, or of what a curve sees; arrays have one entry per channel (or element of a flat value)."""

    low: Floats
    high: Floats
    lows: Floats  # of each picture, or of some, [picture, channel]
    highs: Floats
    mean: Floats
    square: Floats  # mean of the squares
    sample: Floats  # [channel, n], in no order; of a flat value none

    @property
    def channels(self) -> int:
        return len(self.low)

    def part(self, first: int, count: int) -> Statistics:
        """Of some of the channels."""
        kept = slice(first, first + count)
        return Statistics(
            low=self.low[kept],
            high=self.high[kept],
            lows=self.lows[:, kept],
            highs=self.highs[:, kept],
            mean=self.mean[kept],
            square=self.square[kept],
            sample=self.sample[kept],
        )


def calibrate(graph: Graph, batch: Batch, known: Mapping[str, Statistics] | None = None) -> dict[str, Statistics]:
    """Statistics of every value by its name, and of what a curve sees as `<name>/before`.

    batch: (pictures, *input shape), normalised; known: what need not be measured again.
    """
    known = known or {}
    graph = _making(graph, {node.output for node in graph.nodes if node.output not in known})
    found: dict[str, _Running] = {}
    samples = max(_SAMPLES * _AT_ONCE // max(len(batch), _AT_ONCE), _FEWEST_SAMPLES)
    for first in range(0, len(batch), _AT_ONCE):
        for name, value in _seen(graph, batch[first : first + _AT_ONCE]):
            if name.removesuffix(_BEFORE) not in known:
                found.setdefault(name, _Running()).add(_statistics(value, samples, first), len(value))
    return {name: found.pop(name).statistics() for name in list(found)}


def _making(graph: Graph, wanted: set[str]) -> Graph:
    """The part of a graph that is needed to make some values."""
    kept = []
    needed = set(wanted)
    for node in reversed(graph.nodes):
        if node.output in needed:
            needed.update(node.inputs)
            kept.append(node)
    return replace(graph, nodes=tuple(reversed(kept)))


def _seen(graph: Graph, batch: Floats) -> Iterator[tuple[str, Floats]]:
    """Every value, and what curves see before it; each is dropped after its last reader ran."""
    alive = {graph.input: np.ascontiguousarray(batch, np.float32)}
    last = {name: k for k, node in enumerate(graph.nodes) for name in node.inputs}
    yield graph.input, alive[graph.input]
    for k, node in enumerate(graph.nodes):
        inputs = [alive[name] for name in node.inputs]
        op = node.op
        if isinstance(op, KpuConv) and not _bends_at_zero(op):
            before = evaluate.preactivation(op, inputs[0] if len(inputs) == 1 else np.concatenate(inputs, 1))
            yield node.output + _BEFORE, before
            result = evaluate.pooled(curves.evaluate(op.curve, before), op.pool_type)
        else:
            result = evaluate.apply(node, inputs)
        yield node.output, result
        if node.output in last:
            alive[node.output] = result
        for name in set(node.inputs):
            if last[name] == k:
                alive.pop(name)


def _bends_at_zero(op: KpuConv) -> bool:
    return op.slopes is not None or curves.is_homogeneous(op.curve)


def _statistics(x: Floats, samples: int, before: int) -> Statistics:
    """x: (pictures, channels, ...); before: how many pictures were seen already."""
    pictures, channels = x.shape[:2]
    rows = x.reshape(pictures, channels, -1)
    sample = np.empty((channels, 0), np.float32)
    if x.ndim > 2:
        step = max(1, pictures * rows.shape[2] // samples)
        step += step % 2 == 0  # an odd step meets every column of an even width
        sample = np.concatenate([row[:, (k + 97 * before) % step :: step] for k, row in enumerate(rows)], 1)
    square = np.mean([np.square(row).mean(1) for row in rows], 0, dtype=np.float32)
    lows, highs = rows.min(2), rows.max(2)
    return Statistics(
        low=lows.min(0),
        high=highs.max(0),
        lows=lows,
        highs=highs,
        mean=rows.mean((0, 2), dtype=np.float32),
        square=np.asarray(square, np.float32),
        sample=np.ascontiguousarray(sample),
    )


class _Running:
    """Statistics of pictures that come some at a time."""

    def __init__(self) -> None:
        self.parts: list[Statistics] = []  # of the first pictures, as many as are kept one by one
        self.low = self.high = self.mean = self.square = np.zeros(0, np.float32)
        self.count = 0

    def add(self, part: Statistics, pictures: int) -> None:
        if not self.parts:
            self.low, self.high, self.mean, self.square = part.low, part.high, part.mean, part.square
        else:
            share = np.float32(pictures / (self.count + pictures))
            self.low, self.high = np.minimum(self.low, part.low), np.maximum(self.high, part.high)
            self.mean = self.mean + (part.mean - self.mean) * share
            self.square = self.square + (part.square - self.square) * share
        self.count += pictures
        if not self.parts or (self.count <= _MOST_PICTURES and self.count * part.channels <= _MOST_ROWS):
            self.parts.append(part)

    def statistics(self) -> Statistics:
        return Statistics(
            low=self.low,
            high=self.high,
            lows=_joined([part.lows for part in self.parts], 0),
            highs=_joined([part.highs for part in self.parts], 0),
            mean=self.mean,
            square=self.square,
            sample=_joined([part.sample for part in self.parts], 1),
        )


def _joined(parts: list[Floats], axis: int) -> Floats:
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis)
