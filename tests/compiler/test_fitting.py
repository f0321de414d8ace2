"""Nets that are too large for KPU memory as they stand, and the message for those that stay so."""

from __future__ import annotations

import numpy as np
import pytest

from k210kit.compiler import evaluate
from k210kit.compiler.allocate import allocate
from k210kit.compiler.fitting import fitted, in_groups
from k210kit.compiler.graph import Graph
from k210kit.compiler.lowering import lower
from k210kit.compiler.ops import Curve
from k210kit.compiler.passes.table import PASSES
from k210kit.compiler.pipeline import passed
from k210kit.hardware import KPU_LINES
from tests.compiler.test_pipeline import BEHIND, ONE_EACH, RELU, Net, decibels


def inverted(height: int, width: int, channels: int, padding: object = ONE_EACH) -> Graph:
    """The first block of a MobileNetV2: the map between its layers is the largest of the net."""
    net = Net((3, height, width))
    net.conv(16, stride=2)
    net.add(RELU)
    net.conv(channels, kernel=1)
    net.add(RELU)
    net.conv(channels, stride=2, padding=padding, groups=channels)  # type: ignore[arg-type]
    net.add(RELU)
    net.conv(24, kernel=1)
    return net.graph()


@pytest.mark.parametrize("padding", [ONE_EACH, BEHIND], ids=["on every side", "behind"])
def test_a_chain_that_is_too_large_is_made_in_groups_of_channels(padding: object) -> None:
    low = passed(inverted(240, 320, 96, padding), PASSES)
    assert allocate(lower(low)).kpu_lines > KPU_LINES
    graph, program = fitted(low)
    assert allocate(program).kpu_lines <= KPU_LINES
    batch = np.random.default_rng(2).normal(size=(1, 3, 240, 320)).astype(np.float32)
    want, got = (evaluate.outputs(g, batch)[0] for g in (low, graph))
    assert np.abs(want - got).max() < 1e-5 * np.abs(want).max()


@pytest.mark.parametrize("count", [2, 4, 6])
def test_groups_keep_the_function(count: int) -> None:
    net = Net((3, 12, 12))
    net.conv(24)
    net.add(Curve(kind="leaky", alpha=0.1))
    net.conv(24, stride=2, padding=BEHIND, groups=24)
    net.add(RELU)
    low = passed(net.graph(), PASSES)
    chain = list(low.nodes[-3:])
    cut = in_groups(low, chain, count)
    assert cut is not None
    batch = np.random.default_rng(2).normal(size=(2, 3, 12, 12)).astype(np.float32)
    want, got = (evaluate.outputs(g, batch)[0] for g in (low, cut))
    assert np.abs(want - got).max() < 1e-5 * np.abs(want).max()


def test_what_fits_is_left_alone() -> None:
    low = passed(inverted(32, 32, 16), PASSES)
    assert fitted(low)[0] is low


def test_a_net_in_groups_is_as_near_to_the_floats_as_another() -> None:
    assert decibels(inverted(192, 256, 64))[0] > 24
