"""Windows of maps are cut out on the KPU, line of channels by line of channels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k210kit.compiler import evaluate
from k210kit.compiler.graph import Graph, window_of
from k210kit.compiler.ops import Curve, Gather, MaxPool, Padding
from k210kit.compiler.pipeline import Normalisation, normalised
from k210kit.kmodel.layers import Conv
from k210kit.simulator import Machine
from tests.compiler.test_pipeline import RELU, Net, compiled, decibels, passed_with_its_function


def cropped(channels: int, size: tuple[int, int], window: tuple[int, int, int, int]) -> Graph:
    net = Net((3, *size))
    net.conv(channels)
    net.add(RELU)
    top, left, height, width = window
    positions = np.arange(channels * size[0] * size[1]).reshape(channels, *size)
    kept = positions[:, top : top + height, left : left + width]
    net.add(Gather(index=kept.reshape(-1), shape=(channels, height, width)))
    net.conv(4)
    return net.graph()


def layer_names(graph: Graph) -> set[str]:
    raw = np.random.default_rng(1).integers(0, 256, (2, *graph.input_shape)).astype(np.uint8)
    return {layer.name for layer in compiled(graph, raw).layers}


@settings(max_examples=12, deadline=None)
@given(data=st.data(), channels=st.sampled_from([4, 6, 8]), width=st.sampled_from([16, 20, 40]))
def test_any_window_of_a_map_is_near_the_floats(data: st.DataObject, channels: int, width: int) -> None:
    top, left = data.draw(st.integers(0, 3)), data.draw(st.integers(0, 2))
    height, across = data.draw(st.integers(6, 12 - top)), data.draw(st.integers(width - 4, width - left))
    assert decibels(cropped(channels, (12, width), (top, left, height, across)))[0] > 30


@pytest.mark.parametrize("window", [(0, 0, 15, 15), (1, 0, 14, 16), (1, 1, 14, 14), (0, 2, 16, 14)])
def test_a_window_whose_rows_take_as_many_lines_needs_no_cpu(window: tuple[int, int, int, int]) -> None:
    assert layer_names(cropped(6, (16, 16), window)) <= {"K210_CONV", "DEQUANTIZE", "CHANNELWISE_DEQUANTIZE"}


def test_a_window_whose_rows_take_fewer_lines_is_cut_by_the_cpu() -> None:
    assert "K210_UPLOAD" in layer_names(cropped(4, (16, 20), (0, 0, 16, 16)))


def squeeze_stem(size: int) -> Graph:
    """The start of SqueezeNet 1.1: nothing is padded, and pools hang over the edge."""
    net = Net((3, size, size))
    net.conv(16, stride=2, padding=Padding())
    net.add(RELU)
    made = (size - 3) // 2 + 1
    ceil = -(made - 3) % 2
    net.add(MaxPool(kernel=(3, 3), stride=(2, 2), padding=Padding(bottom=ceil, right=ceil)))
    net.conv(4, kernel=1)
    net.add(RELU)
    net.conv(8)
    return net.graph()


@pytest.mark.parametrize("size", [32, 33, 35, 40])
def test_an_unpadded_stem_runs_on_the_kpu(size: int) -> None:
    graph = squeeze_stem(size)
    assert layer_names(graph) <= {"K210_CONV", "DEQUANTIZE", "CHANNELWISE_DEQUANTIZE"}
    assert decibels(graph)[0] > 26


def test_every_layer_of_a_cut_has_the_registers_of_a_map_of_its_own() -> None:
    graph = cropped(6, (16, 16), (1, 1, 14, 14))
    raw = np.random.default_rng(1).integers(0, 256, (2, *graph.input_shape)).astype(np.uint8)
    kmodel = compiled(graph, raw)
    assert [d for layer in kmodel.layers if isinstance(layer, Conv) for d in layer.registers.doubts()] == []


@pytest.mark.parametrize("effort", ["fast", "normal"])
def test_what_is_cut_is_the_bytes_of_the_whole(effort: str) -> None:
    """A depthwise layer without padding is a padded one, cut: the same bytes inside."""
    net = Net((3, 14, 14))
    net.conv(8)
    net.add(Curve(kind="leaky", alpha=0.1))
    net.conv(8, padding=Padding(), groups=8)
    net.conv(5, kernel=1)
    graph = net.graph()
    raw = np.random.default_rng(5).integers(0, 256, (3, *graph.input_shape)).astype(np.uint8)
    kmodel = compiled(graph, raw, effort)
    assert {layer.name for layer in kmodel.layers[:-1]} == {"K210_CONV"}
    batch, _ = normalised(raw, graph, Normalisation(mean=(0.5,), std=(0.5,)))
    want = evaluate.outputs(graph, batch)[0]
    got = np.stack([np.asarray(Machine(kmodel).run(picture).outputs[0]) for picture in raw]).reshape(want.shape)
    assert 10 * np.log10((want**2).sum() / ((want - got) ** 2).sum()) > 28


def test_a_window_is_told_from_other_orders() -> None:
    positions = np.arange(2 * 4 * 4).reshape(2, 4, 4)
    assert window_of(positions[:, 1:3, 2:].reshape(-1), (2, 4, 4), (2, 2, 2)) == (1, 2)
    assert window_of(positions[:, ::2, ::2].reshape(-1), (2, 4, 4), (2, 2, 2)) is None
    assert window_of(positions[::-1, :2, :2].reshape(-1), (2, 4, 4), (2, 2, 2)) is None


@pytest.mark.parametrize("effort", ["fast", "normal"])
def test_a_stride_over_an_odd_number_of_rows_needs_no_cpu(effort: str) -> None:
    """The KPU drops the last row of an odd number; a row of zeros below makes it even."""
    net = Net((3, 15, 20))
    net.conv(16)
    net.add(RELU)
    net.conv(16, stride=2, groups=16)
    net.add(RELU)
    net.conv(5, kernel=1)
    graph = net.graph()
    assert graph.shapes[net.last] == (5, 8, 10)
    raw = np.random.default_rng(1).integers(0, 256, (2, *graph.input_shape)).astype(np.uint8)
    kmodel = compiled(graph, raw, effort)
    assert {layer.name for layer in kmodel.layers[:-1]} == {"K210_CONV"}
    assert decibels(graph, effort)[0] > 26


def test_rows_below_are_the_zero_of_a_map_with_negative_values() -> None:
    net = Net((3, 9, 12))
    net.conv(8)
    net.conv(6, stride=2)
    graph = net.graph()
    assert layer_names(graph) <= {"K210_CONV", "DEQUANTIZE", "CHANNELWISE_DEQUANTIZE"}
    assert decibels(graph)[0] > 30


def test_a_window_of_the_picture_itself_leaves_the_models_input_whole() -> None:
    net = Net((3, 16, 16))
    positions = np.arange(3 * 16 * 16).reshape(3, 16, 16)[:, 2:, :15]
    net.add(Gather(index=positions.reshape(-1), shape=(3, 14, 15)))
    net.conv(4)
    assert decibels(net.graph())[0] > 30


def test_a_window_is_cut_where_channels_are_few() -> None:
    graph = squeeze_stem(40)
    raw = np.random.default_rng(1).integers(0, 256, (2, *graph.input_shape)).astype(np.uint8)
    cut = [layer for layer in compiled(graph, raw).layers if isinstance(layer, Conv) and layer.registers.depthwise]
    assert sum(layer.registers.input_channels for layer in cut) == 16 + 4  # the pool's step, and the window behind
    passed_with_its_function(graph)
