"""Kernels of any reach, stride and padding become the KPU's own layers, and stay the same function."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k210kit.compiler import evaluate
from k210kit.compiler.graph import Graph
from k210kit.compiler.ops import Conv, Padding
from k210kit.compiler.passes.moved_copies import MOST_MOVES, taps_over_copies
from k210kit.compiler.pipeline import lowered
from k210kit.compiler.program import Program, UploadStep, ViewStep
from k210kit.compiler.refusals import LayerRefused
from tests.compiler.test_pipeline import RELU, Net, decibels


def around(by: int) -> Padding:
    return Padding(top=by, left=by, bottom=by, right=by)


def net_of(
    channels: int, kernel: tuple[int, int], *, depthwise: bool, stride: int = 1, dilation: int = 1,
    padding: Padding | None = None, size: tuple[int, int] = (14, 14),
) -> Graph:  # fmt: skip
    net = Net((3, *size))
    net.conv(channels, kernel=1)
    net.add(RELU)
    outs = channels if depthwise else 6
    shape = (outs, 1 if depthwise else channels, *kernel)
    reach = (max(kernel) - 1) * dilation
    net.channels = outs
    net.add(
        Conv(
            weights=(net.rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32),
            bias=net.rng.normal(0, 0.1, outs).astype(np.float32),
            stride=(stride, stride),
            padding=around(reach // 2) if padding is None else padding,
            dilation=(dilation, dilation),
            groups=channels if depthwise else 1,
        )
    )
    net.add(RELU)
    return net.graph()


def same_function(graph: Graph) -> Program:
    low, program = lowered(graph)
    batch = np.random.default_rng(2).normal(size=(2, *graph.input_shape)).astype(np.float32)
    want, got = evaluate.outputs(graph, batch)[0], evaluate.outputs(low, batch)[0]
    assert want.shape == got.shape
    assert np.abs(want - got).max() <= 1e-5 * np.abs(want).max()
    return program


@st.composite
def convolutions(draw: st.DrawFn) -> Graph:
    kernel = draw(st.tuples(st.integers(1, 7), st.integers(1, 7)))
    dilation = draw(st.integers(1, min(3, MOST_MOVES // max(1, max(kernel) - 1))))
    reach = [(side - 1) * dilation for side in kernel]
    sides = [draw(st.integers(0, r // 2 + 1)) for r in (*reach, *reach)]
    return net_of(
        draw(st.sampled_from([3, 8, 40, 80, 130])), kernel,
        depthwise=draw(st.booleans()), stride=draw(st.sampled_from([1, 2])), dilation=dilation,
        padding=Padding(top=sides[0], left=sides[1], bottom=sides[2], right=sides[3]),
        size=(draw(st.integers(reach[0] + 2, reach[0] + 12)), draw(st.integers(reach[1] + 2, reach[1] + 12))),
    )  # fmt: skip


@settings(max_examples=60, deadline=None, derandomize=True)
@given(graph=convolutions())
def test_a_kernel_of_any_reach_and_padding_is_the_same_function(graph: Graph) -> None:
    same_function(graph)


@pytest.mark.parametrize(("kernel", "stride"), [(5, 1), (5, 2), (7, 1)])
def test_a_large_depthwise_kernel_over_many_channels_is_near_its_floats(kernel: int, stride: int) -> None:
    """Each of nine parts is rounded to bytes, in all by as much as the result itself: 24 dB as for small kernels."""
    graph = net_of(96, (kernel, kernel), depthwise=True, stride=stride)
    program = same_function(graph)
    assert all(step.op.kernel in (1, 3) for step in program.convs())
    assert decibels(graph)[0] > 30


@pytest.mark.parametrize(("kernel", "padding", "size", "channels"), [
    (4, 0, (32, 48), 3),  # patches
    (11, 2, (56, 64), 3),  # AlexNet's first
    (7, 3, (32, 36), 24),
    (3, 1, (24, 28), 8),
    (5, 0, (22, 26), 40),
])  # fmt: skip
@pytest.mark.parametrize("depthwise", [False, True])
def test_stride_4_on_even_sides_runs_on_the_kpu(
    kernel: int, padding: int, size: tuple[int, int], channels: int, depthwise: bool
) -> None:
    graph = net_of(
        channels, (kernel, kernel), depthwise=depthwise, stride=4, padding=around(padding), size=size
    )  # fmt: skip
    program = same_function(graph)
    assert not any(isinstance(step, UploadStep) for step in program.steps)
    assert decibels(graph)[0] > 24


def test_copies_of_small_maps_are_made_once_for_all_channels() -> None:
    program = same_function(net_of(160, (5, 5), depthwise=True))
    copies = [step for step in program.convs() if "/dealt" in step.output]
    assert len(copies) == 8
    assert sum(isinstance(step, ViewStep) for step in program.steps) == 9 * 5  # 32 of the channels each time


def test_copies_of_large_maps_are_made_for_some_channels_at_a_time() -> None:
    program = same_function(net_of(96, (5, 5), depthwise=True, size=(64, 64)))
    copies = [step for step in program.convs() if "/dealt" in step.output]
    assert len(copies) > 8
    assert max(step.op.out_channels for step in copies) < 96


@pytest.mark.parametrize(("kernel", "copies"), [(5, 4), (7, 9)])
def test_stride_2_needs_no_more_copies_than_there_are_phases(kernel: int, copies: int) -> None:
    program = same_function(net_of(16, (kernel, kernel), depthwise=False, stride=2))
    assert sum("/dealt" in step.output for step in program.convs()) == copies


def test_a_dense_kernel_over_more_channels_than_the_kpu_takes_is_a_sum() -> None:
    program = same_function(net_of(300, (5, 5), depthwise=False, size=(9, 9)))
    assert max(step.op.in_channels for step in program.convs()) <= 1024


def test_a_dilated_kernel_becomes_1x1_over_copies() -> None:
    """As many weights as the model has, where a 3x3 kernel over each copy would have nine times as many."""
    program = same_function(net_of(16, (3, 3), depthwise=False, dilation=3))
    assert [step.op.kernel for step in program.convs() if not step.op.depthwise] == [1, 1]


def test_what_reaches_too_far_is_refused_with_its_size() -> None:
    graph = net_of(80, (3, 3), depthwise=True, dilation=14, size=(30, 30))
    with pytest.raises(LayerRefused, match=r"depthwise with a 3x3 kernel, .*dilation 14x14.* on 80x30x30; "):
        lowered(graph)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("spread", [False, True])
def test_every_offset_is_read_where_padding_of_the_copy_is_padding_of_the_picture(stride: int, spread: bool) -> None:
    if stride == 2 and spread:
        spread = False
    picture = np.arange(1, 21)
    for low, high in ((-4, 4), (-2, 3), (0, 6), (-7, 1)):
        for offset, (moved, tap) in taps_over_copies(range(low, high + 1), stride, spread).items():
            places = stride * np.arange(20 // stride)
            copy = _at(picture, places + moved)
            read = _at(copy, np.arange(len(copy)) + tap)
            assert np.array_equal(read, _at(picture, places + offset))


def _at(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    inside = (places >= 0) & (places < len(values))
    return np.where(inside, values[np.clip(places, 0, len(values) - 1)], 0)
