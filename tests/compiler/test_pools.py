"""Largest-value pools of every window that the KPU can be brought to, and strides that keep the lower right pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k210kit.compiler import evaluate
from k210kit.compiler.graph import Graph
from k210kit.compiler.ops import Concat, Curve, MaxPool, Padding
from k210kit.compiler.passes.table import PASSES
from k210kit.compiler.pipeline import lowered
from k210kit.compiler.program import ViewStep
from k210kit.kmodel.layers import Conv
from tests.compiler.test_pipeline import BEHIND, NETS, RELU, Net, compiled, decibels


def pooled(kernel: int, stride: int, before: tuple[int, int], height: int, width: int, *, ceil: bool = False) -> Graph:
    """A convolution whose results are also negative, and a pool of it."""
    net = Net((3, height, width), seed=kernel)
    net.conv(4)
    net.add(Curve(kind="silu"))
    behind = []
    for size, first in zip((height, width), before, strict=True):
        rest = (size + 2 * first - kernel) % stride
        behind.append(first + (stride - rest if ceil and rest else 0))
    padding = Padding(top=before[0], left=before[1], bottom=behind[0], right=behind[1])
    net.add(MaxPool(kernel=(kernel, kernel), stride=(stride, stride), padding=padding))
    return net.graph()


@settings(max_examples=40, deadline=None)
@given(
    kernel=st.integers(2, 5),
    stride=st.integers(1, 2),
    before=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    height=st.integers(8, 13),
    width=st.integers(8, 13),
    ceil=st.booleans(),
)
def test_every_pool_keeps_its_function(
    kernel: int, stride: int, before: tuple[int, int], height: int, width: int, ceil: bool
) -> None:
    before = (min(before[0], kernel // 2), min(before[1], kernel // 2))
    graph = pooled(kernel, stride, before, height, width, ceil=ceil)
    batch = np.random.default_rng(2).normal(size=(2, *graph.input_shape)).astype(np.float32)
    want = evaluate.outputs(graph, batch)[0]
    for each in PASSES:
        graph = each(graph)
    assert np.array_equal(evaluate.outputs(graph, batch)[0], want)


@pytest.mark.parametrize(
    ("kernel", "stride", "before", "size", "ceil"),
    [(3, 2, 1, 16, False), (3, 2, 0, 15, False), (3, 2, 0, 16, True), (5, 1, 2, 12, False), (3, 1, 1, 12, False)],
)
def test_a_pool_of_the_common_nets_leaves_no_work_to_the_cpu(
    kernel: int, stride: int, before: int, size: int, ceil: bool
) -> None:
    graph = pooled(kernel, stride, (before, before), size, size, ceil=ceil)
    raw = np.random.default_rng(1).integers(0, 256, (2, *graph.input_shape)).astype(np.uint8)
    names = [layer.name for layer in compiled(graph, raw).layers]
    assert set(names[:-1]) == {"K210_CONV"}
    assert "DEQUANTIZE" in names[-1]
    assert decibels(graph)[0] > 30


def test_a_pool_of_a_window_is_cut_behind_the_pool() -> None:
    """SqueezeNet 1.0: its first layer has no padding, so the KPU makes more rows and columns than it has."""
    net = Net((3, 32, 32))
    net.conv(24, kernel=7, stride=2, padding=Padding())
    net.add(RELU)
    net.add(MaxPool(kernel=(3, 3), stride=(2, 2), padding=Padding()))
    net.conv(4, kernel=1)
    graph = net.graph()
    low, program = lowered(graph)
    batch = np.random.default_rng(2).normal(size=(2, *graph.input_shape)).astype(np.float32)
    want, got = evaluate.outputs(graph, batch)[0], evaluate.outputs(low, batch)[0]
    assert np.abs(want - got).max() < 1e-5 * np.abs(want).max()
    views = [program.buffers[step.target] for step in program.steps if isinstance(step, ViewStep)]
    assert {view.shape for view in views} == {(4, 6, 6)}  # of 16x16 pixels before the pool
    assert decibels(graph)[0] > 30


def test_pools_side_by_side_share_their_steps() -> None:
    net = Net((3, 16, 16))
    net.conv(8)
    first = net.add(RELU)
    pools = [
        net.add(MaxPool(kernel=(k, k), stride=(1, 1), padding=Padding(top=p, left=p, bottom=p, right=p)), first)
        for k, p in ((5, 2), (9, 4), (13, 6))
    ]
    net.add(Concat(), first, *pools)
    net.channels = 32
    net.conv(8, kernel=1)
    graph = net.graph()
    raw = np.random.default_rng(1).integers(0, 256, (2, *graph.input_shape)).astype(np.uint8)
    assert len([layer for layer in compiled(graph, raw).layers if isinstance(layer, Conv)]) == 2 + 3 * 4
    assert decibels(graph)[0] > 24


def test_only_pools_that_boards_are_known_to_have_are_used() -> None:
    nets = [*NETS.values(), pooled(3, 2, (1, 0), 16, 16), pooled(5, 1, (2, 2), 12, 12)]
    raw = np.random.default_rng(1).integers(0, 256, (2, 3, 24, 24)).astype(np.uint8)
    for graph in nets:
        size = graph.input_shape[1:]
        kmodel = compiled(graph, np.ascontiguousarray(raw[:, :, : size[0], : size[1]]))
        assert {layer.registers.pool_type for layer in kmodel.layers if isinstance(layer, Conv)} <= {0, 1, 5, 9}


@pytest.mark.parametrize("channels", [3, 8])
def test_a_stride_that_keeps_the_lower_right_is_exact_whatever_it_is_made_of(channels: int) -> None:
    net = Net((channels, 16, 16))
    net.conv(6, stride=2, padding=BEHIND)
    net.add(Curve(kind="silu"))
    assert decibels(net.graph())[0] > 30


def test_a_depthwise_layer_has_the_kernel_that_boards_are_known_to_have() -> None:
    net = Net((3, 16, 16))
    first = net.conv(8)
    net.add(Curve(kind="silu"))
    net.add(Concat(), first, net.last)
    net.channels = 16
    net.add(MaxPool(kernel=(2, 2), stride=(2, 2)))
    graph = net.graph()
    raw = np.random.default_rng(1).integers(0, 256, (2, *graph.input_shape)).astype(np.uint8)
    deep = [layer for layer in compiled(graph, raw).layers if isinstance(layer, Conv) and layer.registers.depthwise]
    assert deep
    assert {layer.registers.kernel_size for layer in deep} == {3}
    assert decibels(graph)[0] > 30
