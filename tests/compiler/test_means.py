"""Means of whole maps: few channels and pixels leave the KPU, and few of them are floats at once."""

from __future__ import annotations

import numpy as np
import pytest

from k210kit.compiler.graph import Graph
from k210kit.compiler.ops import Dense, Gather, GlobalAveragePool
from k210kit.kmodel import Kmodel
from k210kit.kmodel.layers import Conv
from tests.compiler.test_pipeline import RELU, Net, compiled, decibels, passed_with_its_function


def classifier(channels: int, size: int, classes: int, *, map_too: bool = False) -> Graph:
    net = Net((3, size, size))
    net.conv(channels)
    last = net.add(RELU)
    net.add(GlobalAveragePool())
    net.add(Gather(index=np.arange(channels), shape=(channels,)))
    weights = net.rng.normal(size=(classes, channels)).astype(np.float32)
    net.add(Dense(weights=weights, bias=np.zeros(classes, np.float32)))
    return net.graph(last, net.last) if map_too else net.graph()


def kmodel_of(graph: Graph) -> Kmodel:
    raw = np.random.default_rng(1).integers(0, 256, (2, *graph.input_shape)).astype(np.uint8)
    return compiled(graph, raw)


NETS = {
    "few classes": classifier(32, 14, 5),
    "more classes than channels": classifier(40, 14, 100),
    "and the map": classifier(40, 14, 100, map_too=True),
    "odd": classifier(64, 9, 300),
}


@pytest.mark.parametrize("name", NETS)
def test_means_keep_the_function(name: str) -> None:
    passed_with_its_function(NETS[name])


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("runtime", ["sdk", "maixpy"])
def test_a_mean_is_near_the_floats(name: str, runtime: str) -> None:
    assert min(decibels(NETS[name], runtime=runtime)) > 28


def test_of_few_classes_only_they_leave_the_kpu() -> None:
    kmodel = kmodel_of(classifier(32, 14, 5))
    sent = [layer.registers.output_channels for layer in kmodel.layers if isinstance(layer, Conv) and layer.flags]
    assert sent == [5]


def test_a_large_map_is_halved_before_its_mean() -> None:
    kmodel = kmodel_of(classifier(40, 16, 100))
    sent = [layer.registers.output_shape for layer in kmodel.layers if isinstance(layer, Conv) and layer.flags]
    assert sent[0] == (40, 8, 8)


def test_only_a_part_of_a_map_is_floats_at_once() -> None:
    channels, pixels = 64, 81
    kmodel = kmodel_of(classifier(channels, 9, 300))
    assert kmodel.main_memory_bytes < 2 * channels * pixels + 4 * channels + 4 * 300 + 16 * 300
    assert [layer.name for layer in kmodel.layers].count("GLOBAL_AVERAGE_POOL2D") == 4
