"""Statistics of many pictures: measured ten at a time, with no more memory than some take."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from k210kit.compiler import evaluate
from k210kit.compiler.graph import Graph
from k210kit.compiler.ops import Curve, Gather, GlobalAveragePool
from k210kit.compiler.pipeline import Normalisation, Normalised, lowered
from k210kit.compiler.quantize import calibrate as module
from k210kit.compiler.quantize.calibrate import calibrate
from tests.compiler.test_pipeline import Net


def net(size: int = 12) -> Graph:
    made = Net((3, size, size))
    made.conv(6)
    made.add(Curve(kind="silu"))
    made.add(GlobalAveragePool())
    made.add(Gather(index=np.arange(6), shape=(6,)))
    return lowered(made.graph())[0]


def pictures(count: int, size: int = 12) -> np.ndarray:
    return np.random.default_rng(count).normal(size=(count, 3, size, size)).astype(np.float32)


def test_statistics_of_25_pictures_are_those_of_all_of_them() -> None:
    graph, batch = net(), pictures(25)
    found = calibrate(graph, batch)
    for name, value in evaluate.values(graph, batch):
        rows = value.reshape(*value.shape[:2], -1).astype(np.float64)
        seen = found[name]
        assert np.array_equal(seen.low, rows.min((0, 2)).astype(np.float32))
        assert np.array_equal(seen.highs, rows.max(2).astype(np.float32))
        assert np.abs(seen.mean - rows.mean((0, 2))).max() < 1e-5
        assert np.abs(seen.square - (rows**2).mean((0, 2))).max() < 1e-5
        assert seen.sample.shape[1] >= (1000 if value.ndim > 2 and rows.shape[2] > 1 else 0)
        assert np.isin(seen.sample, value).all()


def test_pictures_beyond_the_memory_count_in_ranges_and_means_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_ROWS", 20 * 6)
    graph, batch = net(), pictures(30)
    batch[29] *= 10
    found = calibrate(graph, batch)[graph.outputs[0].value]
    assert found.highs.shape == (20, 6)
    assert (found.high > found.highs.max(0)).any()


def test_samples_of_later_pictures_are_not_all_of_the_first_pixels() -> None:
    graph = net(32)
    ramp = np.broadcast_to(np.arange(32 * 32, dtype=np.float32).reshape(32, 32), (500, 3, 32, 32))
    sample = calibrate(graph, ramp)[graph.input].sample[0]
    assert np.histogram(sample, 8, (0, 1024))[0].min() > 0.08 * sample.size


def test_four_times_the_pictures_take_no_more_memory() -> None:
    """Bound: lows and highs of each picture; all pictures as floats would be as much again as the first peak."""
    graph, peaks = net(64), []
    raw = np.random.default_rng(1).integers(0, 256, (80, 3, 64, 64)).astype(np.uint8)
    for count in (20, 80):
        batch = Normalised(raw[:count], graph, Normalisation())
        tracemalloc.start()
        calibrate(graph, batch)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]
