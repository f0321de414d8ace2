"""A sum joins the 1x1 layer before it."""

from __future__ import annotations

import numpy as np
import pytest

from k210kit.compiler.graph import Graph
from k210kit.compiler.ops import Add, Conv, Curve, Op, Sub
from k210kit.compiler.passes.table import PASSES
from k210kit.compiler.pipeline import passed
from k210kit.compiler.stages import KpuConv
from tests.compiler.test_pipeline import RELU, Net, decibels, passed_with_its_function


def block(op: Op, *, kernel: int = 1, last_first: bool = False, scale: float = 1.0) -> Graph:
    net = Net((3, 12, 12))
    side = net.conv(8)
    net.conv(24, kernel=1)
    net.add(RELU)
    net.conv(8, kernel=kernel)
    made = net.nodes[-1].op
    assert isinstance(made, Conv)
    object.__setattr__(made, "weights", (scale * made.weights).astype(np.float32))
    inputs = (net.last, side) if last_first else (side, net.last)
    net.add(op, *inputs)
    net.add(Curve(kind="leaky", alpha=0.1))
    net.conv(4, kernel=1)
    return net.graph()


def layers(graph: Graph) -> int:
    return sum(isinstance(node.op, KpuConv) for node in passed(graph, PASSES).nodes)


@pytest.mark.parametrize("op", [Add(), Sub()], ids=["add", "sub"])
@pytest.mark.parametrize("last_first", [True, False])
def test_a_merged_sum_keeps_the_function(op: Op, last_first: bool) -> None:
    graph = passed_with_its_function(block(op, last_first=last_first))
    assert sum(isinstance(node.op, KpuConv) for node in graph.nodes) == 4


def test_a_merged_sum_is_near_the_floats() -> None:
    assert decibels(block(Add()))[0] > 28


def test_a_layer_of_3x3_and_one_of_small_weights_stay_as_they_are() -> None:
    assert layers(block(Add(), kernel=3)) == 5
    assert layers(block(Add(), scale=0.05)) == 5


def test_sums_of_sums_become_one_layer() -> None:
    net = Net((3, 12, 12))
    parts = []
    first = net.conv(8)
    for _ in range(4):
        net.last, net.channels = first, 8
        parts.append(net.conv(8, kernel=1))
    while len(parts) > 1:
        parts = [*parts[2:], net.add(Add(), parts[0], parts[1])]
    assert decibels(passed_with_its_function(net.graph()))[0] > 28
