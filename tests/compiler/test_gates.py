"""What the KPU has no layer for, made of those that it has: products, masks, transposed convolutions, interpolation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k210kit.compiler import evaluate
from k210kit.compiler.graph import Graph
from k210kit.compiler.ops import (
    Bilinear,
    Conv,
    ConvTranspose,
    Curve,
    Gather,
    GlobalAveragePool,
    Masked,
    Mul,
    Padding,
)
from k210kit.compiler.passes.measure import measured
from k210kit.compiler.passes.table import FINISHING, PREPARING
from k210kit.compiler.pipeline import lowered, passed
from tests.compiler.test_pipeline import RELU, Net, decibels

SILU = Curve(kind="silu")


def squeeze_and_excite(curve: Curve, channels: int = 8) -> Graph:
    net = Net((3, 10, 12))
    net.conv(channels)
    x = net.add(curve)
    net.add(GlobalAveragePool())
    net.conv(4, kernel=1)
    net.add(RELU)
    net.conv(channels, kernel=1)
    gate = net.add(Curve(kind="sigmoid"))
    net.add(Mul(), x, gate)
    net.conv(6, kernel=1)
    return net.graph()


def spatial_attention() -> Graph:
    net = Net((3, 10, 12))
    net.conv(8)
    x = net.add(RELU)
    net.conv(1)
    gate = net.add(Curve(kind="sigmoid"))
    net.add(Mul(), x, gate)
    return net.graph()


def product_of_signed_maps() -> Graph:
    net = Net((3, 10, 12))
    left = net.conv(8)
    net.channels, net.last = 3, "picture"
    right = net.conv(8)
    net.add(Mul(), left, right)
    return net.graph()


def enlarged(kernel: int, cut: Padding, curve: Curve = RELU, groups: int = 1) -> Graph:
    net = Net((3, 6, 7))
    net.conv(8)
    net.add(curve)
    weights = net.rng.normal(size=(8, 8 if groups > 1 else 5, kernel, kernel)) / 8
    weights = weights[:, : weights.shape[1] // groups].astype(np.float32)
    bias = 0.1 * net.rng.normal(size=weights.shape[1] * groups).astype(np.float32)
    net.add(ConvTranspose(weights=weights, bias=bias.astype(np.float32), stride=(2, 2), padding=cut, groups=groups))
    return net.graph()


def interpolated(*, half_pixel: bool, curve: Curve = RELU, channels: int = 4) -> Graph:
    net = Net((3, 6, 7))
    net.conv(channels)
    net.add(curve)
    net.add(Bilinear(half_pixel=half_pixel))
    return net.graph()


def pixel_shuffle() -> Graph:
    net = Net((3, 6, 7))
    net.conv(12)
    index = np.arange(12 * 42).reshape(3, 2, 2, 6, 7).transpose(0, 3, 1, 4, 2)
    net.add(Gather(index=index.reshape(-1), shape=(3, 12, 14)))
    return net.graph()


ONE = Padding(top=1, left=1, bottom=1, right=1)
NETS = {
    "squeeze and excite": squeeze_and_excite(RELU),
    "squeeze and excite of a falling curve": squeeze_and_excite(SILU),
    "wide squeeze and excite": squeeze_and_excite(RELU, 150),
    "spatial attention": spatial_attention(),
    "product of signed maps": product_of_signed_maps(),
    "transposed 2x2": enlarged(2, Padding()),
    "transposed 2x2 of signed values": enlarged(2, Padding(), SILU),
    "transposed 3x3, Keras": enlarged(3, Padding(bottom=1, right=1)),
    "transposed 3x3, torch": enlarged(3, Padding(top=1, left=1)),
    "transposed 3x3, odd": enlarged(3, ONE),
    "transposed 4x4": enlarged(4, ONE),
    "transposed 4x4, depthwise": enlarged(4, ONE, groups=8),
    "transposed 2x2, depthwise": enlarged(2, Padding(), groups=8),
    "bilinear": interpolated(half_pixel=True),
    "bilinear of upper left pixels": interpolated(half_pixel=False),
    "bilinear of signed values": interpolated(half_pixel=True, curve=SILU),
    "bilinear of many channels": interpolated(half_pixel=True, channels=300),
    "pixel shuffle": pixel_shuffle(),
}


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("seen", [False, True])
def test_the_passes_keep_the_function(name: str, seen: bool) -> None:
    """Exactly but for rounding, edges included; without pictures too where nothing leaves what is then assumed."""
    graph = NETS[name]
    batch = np.random.default_rng(2).uniform(-1, 1, size=(2, *graph.input_shape)).astype(np.float32)
    want = evaluate.outputs(graph, batch)[0]
    low = passed(graph, PREPARING)
    if not seen and any(isinstance(node.op, Masked) for node in low.nodes):
        return  # a mask leaks what is larger than it was told
    got = evaluate.outputs(passed(measured(low, batch) if seen else low, FINISHING), batch)[0]
    assert np.abs(want - got).max() < 1e-5 * np.abs(want).max() + 1e-6


@pytest.mark.parametrize("name", NETS)
def test_the_simulated_kmodel_is_near_the_floats(name: str) -> None:
    """Two squares of a byte each leave about 40 dB of a product; the layers around it have their own noise."""
    assert min(decibels(NETS[name])) > 24


@settings(max_examples=40, deadline=None)
@given(
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    cut=st.tuples(*[st.integers(0, 2)] * 4),
    stride=st.sampled_from([(1, 1), (2, 2)]),
    size=st.tuples(st.integers(3, 6), st.integers(3, 6)),
)
def test_every_transposed_convolution_that_is_turned_is_the_same(
    kernel: tuple[int, int], cut: tuple[int, int, int, int], stride: tuple[int, int], size: tuple[int, int]
) -> None:
    net = Net((2, *size))
    weights = net.rng.normal(size=(2, 3, *kernel)).astype(np.float32)
    padding = Padding(top=cut[0], left=cut[1], bottom=cut[2], right=cut[3])
    made = [(n - 1) * s + k - a - b for n, s, k, a, b in zip(size, stride, kernel, cut[:2], cut[2:], strict=True)]
    if min(made) < 1:
        return
    net.add(ConvTranspose(weights=weights, bias=np.ones(3, np.float32), stride=stride, padding=padding))
    graph = net.graph()
    low = passed(graph, PREPARING)
    batch = net.rng.normal(size=(2, 2, *size)).astype(np.float32)
    want, got = evaluate.outputs(graph, batch)[0], evaluate.outputs(low, batch)[0]
    assert want.shape == got.shape
    assert np.abs(want - got).max() < 1e-5
    kept = [node for node in low.nodes if isinstance(node.op, ConvTranspose)]
    assert not kept or stride == (1, 1) or min(kernel) == 1 or max(cut) >= min(kernel) - 1


def test_interpolation_is_that_of_the_definition() -> None:
    net = Net((1, 2, 3))
    net.add(Bilinear())
    picture = np.array([[[[0, 4, 8], [8, 12, 16]]]], np.float32)
    made = evaluate.outputs(net.graph(), picture)[0][0, 0]
    assert made[0].tolist() == [0, 1, 3, 5, 7, 8]
    assert made[:, 0].tolist() == [0, 2, 6, 8]


def test_a_product_goes_into_the_convolution_behind_it() -> None:
    low = passed(passed(NETS["squeeze and excite"], PREPARING), FINISHING)
    assert not any(isinstance(node.op, Conv | Mul) for node in low.nodes)
    assert sum(node.kind == "Mul" and "Kpu" in type(node.op).__name__ for node in low.nodes) == 1


def test_a_product_of_many_channels_is_squared_in_groups_and_summed_in_layers_that_the_kpu_takes() -> None:
    """400 channels are 1,200 squares; behind them a layer, and a map that something else reads."""
    net = Net((3, 8, 8))
    net.conv(400, kernel=1)
    wide = net.add(RELU)
    net.add(GlobalAveragePool())
    net.conv(16, kernel=1)
    net.add(RELU)
    net.conv(400, kernel=1)
    gate = net.add(Curve(kind="sigmoid"))
    product = net.add(Mul(), wide, gate)
    net.conv(8, kernel=1)
    first = net.last
    net.channels, net.last = 400, product
    net.conv(0, groups=400)
    net.conv(4, kernel=1)
    graph = net.graph(first, net.last)
    batch = np.random.default_rng(2).normal(size=(2, *graph.input_shape)).astype(np.float32)
    low, program = lowered(graph, batch)
    for want, got in zip(evaluate.outputs(graph, batch), evaluate.outputs(low, batch), strict=True):
        assert np.abs(want - got).max() < 1e-4 * np.abs(want).max()
    assert max(step.op.in_channels for step in program.convs()) <= 1024
    squares = [step for step in program.convs() if step.op.curve.kind == "squared_relu"]
    assert len(squares) > 4
    assert max(step.op.out_channels for step in squares) < 400
    assert min(decibels(graph)) > 24
