"""Branches that are summed become one convolution, and stay the same function."""

from __future__ import annotations

import numpy as np
import pytest

from k210kit.compiler import evaluate
from k210kit.compiler.graph import Graph
from k210kit.compiler.ops import Add, Affine, Conv, Padding
from k210kit.compiler.passes.merge_branches import merge_branches
from k210kit.compiler.pipeline import lowered
from tests.compiler.test_pipeline import ONE_EACH, RELU, Net, decibels

BEHIND = Padding(bottom=1, right=1)


def branches(channels: int, *, stride: int = 1, groups: int = 1, identity: bool = True) -> Graph:
    """A block of RepVGG, or of MobileOne's depthwise half."""
    net = Net((3, 12, 12))
    net.conv(channels)
    start = net.add(RELU)
    outs = channels if groups > 1 or identity else channels + 4
    names = []
    for kernel, padding in ((3, ONE_EACH), (1, Padding())):
        net.channels, net.last = channels, start
        names.append(net.conv(outs, kernel=kernel, stride=stride, padding=padding, groups=groups))
    if identity:
        scale = np.linspace(0.5, 1.5, channels).astype(np.float32)
        names.append(net.add(Affine(scale=scale, shift=scale - 1), start))
    while len(names) > 1:
        names = [net.add(Add(), names[0], names[1]), *names[2:]]
    net.add(RELU)
    return net.graph()


GRAPHS = {
    "dense": branches(8),
    "depthwise": branches(8, groups=8),
    "stride 2": branches(8, stride=2, identity=False),
    "depthwise, stride 2": branches(8, stride=2, groups=8, identity=False),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_the_function_stays_and_one_layer_is_left_of_each_block(name: str) -> None:
    graph = GRAPHS[name]
    batch = np.random.default_rng(2).normal(size=(2, *graph.input_shape)).astype(np.float32)
    low, program = lowered(graph)
    want, got = evaluate.outputs(graph, batch)[0], evaluate.outputs(low, batch)[0]
    assert np.abs(want - got).max() < 1e-5 * np.abs(want).max()
    assert len(list(program.convs())) == 2
    assert decibels(graph)[0] > 30


def test_kernels_of_any_size_and_padding_are_laid_over_each_other() -> None:
    net = Net((3, 12, 12))
    start = net.conv(6)
    names = []
    for kernel, padding in ((5, Padding(top=2, left=2, bottom=2, right=2)), (3, Padding(top=2, left=1, right=1)),
                            (2, BEHIND)):  # fmt: skip
        net.channels, net.last = 6, start
        names.append(net.conv(4, kernel=kernel, padding=padding))
    net.add(Add(), net.add(Add(), names[0], names[1]), names[2])
    graph = net.graph()
    batch = np.random.default_rng(2).normal(size=(2, 3, 12, 12)).astype(np.float32)
    merged = merge_branches(graph)
    assert [type(node.op) for node in merged.nodes] == [Conv, Conv]
    want, got = evaluate.outputs(graph, batch)[0], evaluate.outputs(merged, batch)[0]
    assert np.abs(want - got).max() < 1e-5 * np.abs(want).max()


def test_a_branch_that_something_else_reads_stays() -> None:
    net = Net((3, 12, 12))
    start = net.conv(6)
    one = net.conv(6)
    net.last = start
    other = net.conv(6)
    both = net.add(Add(), one, other)
    graph = net.graph(both, one)
    assert merge_branches(graph).nodes == graph.nodes


def test_branches_of_two_maps_stay_a_sum() -> None:
    net = Net((3, 12, 12))
    start = net.conv(6)
    one = net.conv(6)
    net.add(Add(), one, net.conv(6))
    graph = net.graph()
    assert start != one
    assert merge_branches(graph).nodes == graph.nodes
