"""Maps of more channels than the KPU takes become parts, and the model stays the same function."""

from __future__ import annotations

import numpy as np
import pytest

from k210kit.compiler import evaluate
from k210kit.compiler.graph import Graph
from k210kit.compiler.ops import (
    Add,
    AveragePool,
    Concat,
    Conv,
    Curve,
    Dense,
    Gather,
    GlobalAveragePool,
    MaxPool,
    Padding,
    PRelu,
)
from k210kit.compiler.pipeline import lowered
from k210kit.compiler.program import Program
from tests.compiler.test_pipeline import ONE_EACH, RELU, Net, decibels, passed_with_its_function


def classifier(channels: int, classes: int) -> Graph:
    """The end of a MobileNetV2: a wide 1x1 convolution, the mean, a dense layer."""
    net = Net((3, 6, 6))
    net.conv(channels, kernel=1)
    net.add(RELU)
    net.add(GlobalAveragePool())
    net.add(Gather(index=np.arange(channels), shape=(channels,)))
    weights = net.rng.normal(size=(classes, channels)).astype(np.float32) / 30
    net.add(Dense(weights=weights, bias=np.zeros(classes, np.float32)))
    return net.graph()


def inverted_residual() -> Graph:
    """EfficientNet's 192 * 6 channels, through a depthwise layer and a pool, and the whole as a second output."""
    net = Net((3, 8, 8))
    net.conv(1100, kernel=1)
    net.add(PRelu(slopes=np.linspace(0, 0.5, 1100).astype(np.float32)))
    net.conv(0, groups=1100)
    net.add(Curve(kind="clip", beta=6.0))
    wide = net.add(MaxPool(kernel=(2, 2), stride=(2, 2)))
    net.conv(12, kernel=1)
    return net.graph(net.last, wide)


def wide_sum() -> Graph:
    """A residual sum of 600 channels is a layer over 1,200."""
    net = Net((3, 6, 6))
    net.conv(600, kernel=1)
    first = net.add(RELU)
    net.channels = 600
    net.conv(600, groups=600)
    net.add(Add(), first, net.last)
    net.add(RELU)
    net.conv(10, kernel=1)
    return net.graph()


def wide_concat() -> Graph:
    """1,300 channels of three maps, read by one convolution."""
    net = Net((3, 6, 6))
    maps = []
    for count in (500, 500, 300):
        net.channels, net.last = 3, "picture"
        net.conv(count, kernel=1)
        maps.append(net.add(RELU))
    net.add(Concat(), *maps)
    net.channels = 1300
    net.conv(10, kernel=3, padding=ONE_EACH)
    return net.graph()


def wide_behind_wide() -> Graph:
    """A dense layer of 1,040 to 700 channels is a sum, which takes 512 at once."""
    net = Net((3, 6, 6))
    net.conv(1040, kernel=1)
    net.add(RELU)
    net.conv(700, kernel=1)
    net.add(RELU)
    net.conv(5, kernel=3)
    return net.graph()


def pooled_concat() -> Graph:
    """1,200 channels of three maps, whose pool is split elsewhere than they end."""
    net = Net((3, 6, 6))
    maps = []
    for count in (500, 300, 400):
        net.channels, net.last = 3, "picture"
        net.conv(count, kernel=1)
        maps.append(net.add(RELU))
    net.add(Concat(), *maps)
    net.add(AveragePool(kernel=(3, 3), stride=(1, 1), padding=ONE_EACH, counts_padding=True))
    net.channels = 1200
    net.conv(10, kernel=1)
    return net.graph()


NETS = {
    "classifier": classifier(1280, 10),
    "classifier of many": classifier(1280, 1000),
    "inverted residual": inverted_residual(),
    "sum": wide_sum(),
    "concat": wide_concat(),
    "pooled concat": pooled_concat(),
    "wide behind wide": wide_behind_wide(),
}


@pytest.mark.parametrize("name", NETS)
def test_every_pass_keeps_the_function_of_a_wide_net(name: str) -> None:
    passed_with_its_function(NETS[name])


@pytest.mark.parametrize("name", NETS)
def test_no_layer_of_a_wide_net_has_more_channels_than_the_kpu_takes(name: str) -> None:
    program: Program = lowered(NETS[name])[1]
    assert all(step.op.in_channels <= 1024 and step.op.out_channels <= 1024 for step in program.convs())


@pytest.mark.parametrize("name", ["inverted residual", "sum", "concat"])
def test_a_wide_net_is_near_its_floats(name: str) -> None:
    """Sums of parts are rounded to bytes once more; 24 dB is the bound of narrow nets of this depth."""
    assert min(decibels(NETS[name])) > 24


def test_a_wide_output_is_one_value_in_order() -> None:
    net = Net((3, 5, 5))
    net.conv(1404, kernel=1)
    assert decibels(net.graph())[0] > 30


def test_parts_that_are_not_read_are_not_taken() -> None:
    low, _ = lowered(NETS["classifier"])
    dense = [n for n in low.nodes if isinstance(n.op, Gather)]
    assert all(len(node.inputs) == 1 for node in dense)
    assert not any(isinstance(node.op, Conv) for node in low.nodes)


def test_the_mean_of_maps_side_by_side_has_the_scales_of_each() -> None:
    net = Net((3, 6, 6))
    maps = []
    for count in (12, 20):
        net.channels, net.last = 3, "picture"
        net.conv(count, kernel=1)
        maps.append(net.add(RELU))
    net.add(Concat(), *maps)
    net.add(GlobalAveragePool())
    net.channels = 32
    net.conv(10, kernel=1)
    assert decibels(net.graph())[0] > 24


@pytest.mark.parametrize(("channels", "stride"), [(8, 1), (40, 1), (40, 2)])
def test_a_depthwise_kernel_of_5x5_becomes_dense_ones_of_few_channels(channels: int, stride: int) -> None:
    net = Net((3, 12, 12))
    net.conv(channels)
    net.add(RELU)
    around = Padding(top=2, left=2, bottom=2, right=2)
    net.conv(0, kernel=5, stride=stride, padding=around, groups=channels)
    net.add(RELU)
    graph = net.graph()
    low, program = lowered(graph)
    batch = np.random.default_rng(2).normal(size=(2, 3, 12, 12)).astype(np.float32)
    want, got = evaluate.outputs(graph, batch)[0], evaluate.outputs(low, batch)[0]
    assert np.abs(want - got).max() < 1e-5 * np.abs(want).max()
    assert max(step.op.in_channels for step in program.convs() if not step.op.depthwise) <= 16 * 9
    assert decibels(graph)[0] > 24
