"""The YOLOv2 post-processing is MaixPy's, bit for bit."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k210kit.emulator.newlib_sort import sort_by_falling_score
from k210kit.emulator.yolo2 import Grid, decode


@pytest.fixture(scope="module")
def oracle(shared: Path) -> Any:  # Any: a module that is loaded by its path
    spec = importlib.util.spec_from_file_location("yolo2_exact", shared / "oracle" / "yolo2_exact.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("seed", range(12))
def test_every_box_and_score_equals_the_reference(oracle: Any, seed: int) -> None:
    random = np.random.default_rng(seed)
    classes, width, height = int(random.integers(1, 21)), int(random.integers(2, 8)), int(random.integers(2, 7))
    anchors = tuple(float(x) for x in random.uniform(0.3, 6, 10))
    values = random.normal(0, 2, 5 * (5 + classes) * width * height).astype(np.float32)
    if seed % 2:
        values = np.round(values * 2) / np.float32(2)  # quantised outputs tie, and ties show the order of the sort
    threshold, nms = float(random.choice([0.05, 0.2, 0.5])), float(random.choice([0.1, 0.3, 0.5]))
    wanted, _ = oracle.decode(values.copy(), anchors, width, height, 320, 240, threshold, nms)
    grid = Grid(
        net_width=320, net_height=240, width=width, height=height, anchors=anchors, classes=classes,
        threshold=threshold, nms=nms,
    )  # fmt: skip
    found = [(d.x1, d.y1, d.x2, d.y2, d.class_number, d.score) for d in decode(values, grid)]
    assert found == [tuple(row) for row in wanted]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), max_size=90))
def test_the_sort_sorts_and_keeps_every_number(scores: list[float]) -> None:
    order = list(range(len(scores)))
    sort_by_falling_score(order, scores)
    assert sorted(order) == list(range(len(scores)))
    assert [scores[i] for i in order] == sorted(scores, reverse=True)


def test_the_order_of_equals_is_newlibs() -> None:
    """Seven equal scores: the pivot goes to the front, as the first swap of qsort does."""
    order = list(range(7))
    sort_by_falling_score(order, [0.5] * 7)
    assert order == [3, 1, 2, 0, 4, 5, 6]
