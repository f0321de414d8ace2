"""Nets that are too large for KPU memory as they stand, and the message for those that stay so."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from k210kit.compiler import evaluate
from k210kit.compiler.allocate import allocate
from k210kit.compiler.emit import emit
from k210kit.compiler.fitting import fitted, in_groups
from k210kit.compiler.graph import Graph
from k210kit.compiler.lowering import Tiling, lower
from k210kit.compiler.ops import Concat, Curve, MaxPool
from k210kit.compiler.passes.table import PASSES
from k210kit.compiler.pipeline import Normalisation, lowered, normalised, passed
from k210kit.compiler.quantize.calibrate import calibrate
from k210kit.compiler.quantize.search import quantize
from k210kit.compiler.stages import KpuConv
from k210kit.compiler.support import memory_findings
from k210kit.hardware import KPU_LINES
from k210kit.simulator import Machine
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


def vgg(height: int, width: int, channels: int = 48) -> Graph:
    """Two wide layers at full size, each of which needs all of the map before it."""
    net = Net((3, height, width))
    net.conv(channels)
    side = net.add(RELU)
    net.conv(channels)
    net.add(RELU)
    net.add(Concat(), side, net.last)
    net.channels = 2 * channels
    net.conv(8)
    return net.graph()


def told(graph: Graph) -> str:
    program = lowered(graph)[1]
    (finding,) = memory_findings(graph, program, allocate(program))
    return str(finding)


@pytest.mark.parametrize(("height", "width"), [(240, 320), (224, 224), (128, 256)])
def test_the_input_that_is_told_to_fit_does_and_the_next_larger_does_not(height: int, width: int) -> None:
    text = told(vgg(height, width))
    found = re.search(r"An input of (\d+)x(\d+) \(it has (\d+)x(\d+)\) or (\d+)% of the channels at this size", text)
    assert found, text
    across, down = int(found[1]), int(found[2])
    assert (int(found[3]), int(found[4])) == (width, height)

    def fits(graph: Graph) -> bool:
        return allocate(lowered(graph)[1]).kpu_lines <= KPU_LINES

    assert fits(vgg(down, across))
    assert not fits(vgg(round(height * (across + 8) / width / 8) * 8, across + 8))
    share = int(found[5]) / 100
    assert fits(vgg(height, width, int(48 * share)))
    assert not fits(vgg(height, width, round(48 * (share + 0.05)) + 1))


def test_the_message_names_the_layer_its_bytes_and_the_limit() -> None:
    text = told(vgg(240, 320))
    assert text.startswith("Conv 'v5': ")
    assert "bytes of KPU memory" in text
    assert "the KPU has 2,097,152" in text


def stacked(height: int, width: int, channels: int, *, pooled: bool = True) -> Graph:
    """Dense layers one behind the other at full size, as VGG begins."""
    net = Net((3, height, width))
    net.conv(channels)
    net.add(RELU)
    net.conv(channels)
    net.add(Curve(kind="leaky", alpha=0.1))
    if pooled:
        net.add(MaxPool(kernel=(2, 2), stride=(2, 2)))
    net.conv(channels, stride=2)
    net.add(RELU)
    net.conv(6)
    return net.graph()


def test_dense_layers_that_are_too_large_together_are_made_in_tiles() -> None:
    low = passed(stacked(240, 320, 24), PASSES)
    assert allocate(lower(low)).kpu_lines > KPU_LINES
    graph, program = fitted(low)
    assert allocate(program).kpu_lines <= KPU_LINES
    assert any(step.tiled for step in program.convs())
    assert graph is low


@settings(max_examples=12, deadline=None)
@given(data=st.data(), pooled=st.booleans(), count=st.integers(2, 4))
def test_tiles_give_the_bytes_of_the_whole(data: st.DataObject, pooled: bool, count: int) -> None:
    height = data.draw(st.sampled_from([16, 21, 24, 26]))
    source = stacked(height, data.draw(st.sampled_from([8, 20, 40])), 5, pooled=pooled)
    low = passed(source, PASSES)
    names = [node.output for node in low.nodes if isinstance(node.op, KpuConv) and len(node.inputs) == 1]
    first = data.draw(st.integers(0, len(names) - 2))
    last = data.draw(st.integers(first + 1, len(names) - 1))
    chain = tuple(names[first : last + 1])
    assume(all(low.makers[after].inputs == (before,) for before, after in itertools.pairwise(chain)))
    assume(low.shapes[chain[-1]][1] >= count)
    raw = np.random.default_rng(5).integers(0, 256, (1, *source.input_shape)).astype(np.uint8)
    batch, scale = normalised(raw, source, Normalisation())
    statistics = calibrate(low, batch)
    outputs = []
    for program in (lower(low), lower(low, (Tiling(chain=chain, count=count),))):
        made = quantize(low, program, statistics, scale, raw=raw, batch=batch, effort="fast", tell=lambda _, __: None)
        kmodel = emit(program, allocate(program), made.scales, made.integers).kmodel
        outputs.append([Machine(kmodel).run(picture).outputs[0] for picture in raw])
    for whole, tiled in zip(*outputs, strict=True):
        assert np.array_equal(whole, tiled)


@pytest.mark.parametrize("effort", ["fast", "normal"])
def test_a_net_in_tiles_is_as_near_to_the_floats_as_another(effort: str) -> None:
    assert decibels(stacked(104, 320, 56), effort)[0] > 24
