"""MaixPy copies all but the last byte of a map 64, 128, ... wide to main memory; a kmodel sends that once more."""

from __future__ import annotations

import numpy as np
import pytest

from k210kit.compiler.graph import Graph
from k210kit.compiler.ops import Resize
from k210kit.kmodel.layers import Conv
from k210kit.simulator import Machine
from tests.compiler.test_pipeline import RELU, Net, compiled, decibels


def sent(width: int, height: int = 12, channels: int = 5) -> Graph:
    """A map of that width that goes to main memory, as an output and to be enlarged."""
    net = Net((3, height, width))
    net.conv(channels)
    first = net.add(RELU)
    net.add(Resize(height=2 * height, width=width + 7))
    net.conv(2)
    return net.graph(net.last, first)


@pytest.mark.parametrize("width", [64, 128, 192, 256, 320])
def test_maixpy_and_the_sdk_see_the_same_last_byte(width: int) -> None:
    graph = sent(width)
    raw = np.random.default_rng(1).integers(0, 256, (1, *graph.input_shape)).astype(np.uint8)
    kmodel = compiled(graph, raw)
    runs = [Machine(kmodel, runtime=runtime, accelerate=False).run(raw[0]).outputs for runtime in ("sdk", "maixpy")]  # type: ignore[arg-type]
    for one, other in zip(*runs, strict=True):
        assert np.allclose(one, other, atol=1e-5)
    assert min(decibels(graph, runtime="maixpy")) > 24


def test_the_byte_is_sent_in_a_map_that_loses_none() -> None:
    raw = np.zeros((1, 3, 12, 128), np.uint8)
    kmodel = compiled(sent(128), raw)
    told = [x.registers.output_width for x in kmodel.layers if isinstance(x, Conv) and x.flags & 1]
    assert [width % 64 for width in told] == [0, 32, 7]


def test_other_widths_are_sent_once() -> None:
    raw = np.zeros((1, 3, 12, 96), np.uint8)
    kmodel = compiled(sent(96), raw)
    assert len([x for x in kmodel.layers if isinstance(x, Conv)]) == 2
