"""Maps are enlarged where they have the fewest channels, and stay the same function."""

from __future__ import annotations

import numpy as np
import pytest

from k210kit.compiler import evaluate
from k210kit.compiler.graph import Graph
from k210kit.compiler.ops import Concat, Conv, Curve, GlobalAveragePool, Mul, Resize
from k210kit.compiler.passes.move_enlarging import move_enlarging
from k210kit.compiler.pipeline import lowered
from k210kit.compiler.program import ResizeStep
from tests.compiler.test_pipeline import RELU, Net, decibels


def squeezed(channels: int, inside: int) -> Graph:
    """Squeeze and excite: a gate per channel, by way of a few."""
    net = Net((3, 14, 14))
    net.conv(channels)
    wide = net.add(RELU)
    net.add(GlobalAveragePool())
    net.conv(inside, kernel=1)
    net.add(RELU)
    net.conv(channels, kernel=1)
    gate = net.add(Curve(kind="hard_sigmoid", alpha=1 / 6, beta=0.5))
    net.add(Mul(), wide, gate)
    net.conv(8, kernel=1)
    return net.graph()


def enlarged(before: int, behind: int) -> Graph:
    net = Net((3, 8, 8))
    net.conv(before)
    net.add(RELU)
    net.add(Resize(height=16, width=16))
    net.conv(behind, kernel=1)
    net.add(RELU)
    return net.graph()


def resized(graph: Graph) -> list[int]:
    """Of how many channels the maps are that the CPU enlarges."""
    steps = lowered(graph)[1].steps
    return [step.target.size // (step.height * step.width) for step in steps if isinstance(step, ResizeStep)]


GRAPHS = {
    "squeeze and excite": squeezed(48, 12),
    "of several parts": squeezed(160, 24),
    "behind a wide layer": enlarged(32, 8),
    "before a wide layer": enlarged(8, 32),
}  # fmt: skip


@pytest.mark.parametrize("name", GRAPHS)
def test_the_function_stays(name: str) -> None:
    """Products are differences of squares, which cost a float a few bits."""
    graph = GRAPHS[name]
    batch = np.random.default_rng(2).normal(size=(2, *graph.input_shape)).astype(np.float32)
    for want, got in zip(evaluate.outputs(graph, batch), evaluate.outputs(lowered(graph)[0], batch), strict=True):
        assert np.abs(want - got).max() < 1e-4 * np.abs(want).max()
    assert min(decibels(graph)) > 24


@pytest.mark.parametrize(("name", "channels"), [
    ("squeeze and excite", [12]),
    ("of several parts", [24]),
    ("behind a wide layer", [8]),
    ("before a wide layer", [8]),
])  # fmt: skip
def test_the_fewest_channels_are_enlarged_and_once(name: str, channels: list[int]) -> None:
    assert resized(GRAPHS[name]) == channels


def test_a_value_that_others_read_is_enlarged_where_it_is() -> None:
    net = Net((3, 8, 8))
    net.conv(8)
    net.add(RELU)
    net.conv(32, kernel=1)
    wide = net.add(RELU)
    net.add(Resize(height=16, width=16))
    net.conv(4)
    assert resized(net.graph(net.last, wide)) == [32]


def test_a_layer_that_sees_neighbours_stays_behind() -> None:
    net = Net((3, 8, 8))
    net.conv(8)
    net.add(Resize(height=16, width=16))
    net.conv(4, kernel=3)
    graph = net.graph()
    assert [type(node.op) for node in move_enlarging(graph).nodes] == [Conv, Resize, Conv]


def test_a_map_beside_others_is_enlarged_where_it_is() -> None:
    net = Net((3, 8, 8))
    net.conv(32)
    net.add(RELU)
    large = net.add(Resize(height=16, width=16))
    net.add(Concat(), large, large)
    net.channels = 64
    net.conv(4, kernel=1)
    assert resized(net.graph()) == [32]
