"""Small graphs through every stage: the passes keep the function, and the simulated kmodel is near the floats."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k210kit.compiler import evaluate
from k210kit.compiler.allocate import Block, allocate, place
from k210kit.compiler.emit import emit
from k210kit.compiler.graph import Graph, Node, Output
from k210kit.compiler.ops import (
    Add,
    Concat,
    Conv,
    Curve,
    Dense,
    Gather,
    GlobalAveragePool,
    MaxPool,
    Op,
    Pad,
    Padding,
    PRelu,
    Softmax,
)
from k210kit.compiler.passes.table import PASSES
from k210kit.compiler.pipeline import Normalisation, lowered, normalised, refined
from k210kit.compiler.quantize.calibrate import calibrate
from k210kit.compiler.quantize.search import quantize
from k210kit.compiler.refusals import LayerRefused
from k210kit.kmodel import Kmodel, read_kmodel
from k210kit.simulator import Machine

RELU = Curve(kind="clip", beta=np.inf)
ONE_EACH = Padding(top=1, left=1, bottom=1, right=1)
BEHIND = Padding(bottom=1, right=1)


class Net:
    """A graph as it grows, with seeded weights."""

    def __init__(self, shape: tuple[int, ...], seed: int = 0) -> None:
        self.rng, self.nodes, self.shape, self.last = np.random.default_rng(seed), [], shape, "picture"
        self.channels = shape[0]

    def add(self, op: Op, *inputs: str) -> str:
        name = f"v{len(self.nodes)}"
        node = Node(op=op, inputs=inputs or (self.last,), output=name, origin=name, kind=type(op).__name__)
        self.nodes.append(node)
        self.last = name
        return name

    def conv(self, outs: int, kernel: int = 3, stride: int = 1, padding: Padding = ONE_EACH, groups: int = 1) -> str:
        outs = self.channels if groups > 1 else outs
        shape = (outs, self.channels // groups, kernel, kernel)
        weights = self.rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))
        bias = 0.1 * self.rng.normal(size=outs)
        op = Conv(
            weights=weights.astype(np.float32),
            bias=bias.astype(np.float32),
            stride=(stride, stride),
            padding=padding if kernel > 1 else Padding(),
            groups=groups,
        )
        self.channels = outs
        return self.add(op)

    def graph(self, *outputs: str) -> Graph:
        found = tuple(Output(value=name, name=name) for name in outputs or (self.last,))
        return Graph(name="net", input="picture", input_shape=self.shape, nodes=(), outputs=found).with_nodes(
            self.nodes
        )


def compiled(graph: Graph, raw: np.ndarray, effort: str = "fast") -> Kmodel:
    low, program = lowered(graph)
    batch, scale = normalised(raw, graph, Normalisation(mean=(0.5,), std=(0.5,)))
    statistics = calibrate(low, batch)
    split = refined(low, program, statistics, scale, at_best=effort == "best")
    if split is not None:
        low, program, _ = split
        statistics |= calibrate(low, batch, statistics)
    made = quantize(low, program, statistics, scale, raw=raw, batch=batch, effort=effort, tell=lambda _, __: None)
    return read_kmodel(emit(program, allocate(program), made.scales, made.integers).kmodel.to_bytes())


def decibels(graph: Graph, effort: str = "fast", runtime: str = "sdk") -> list[float]:
    """Signal to noise of every output on the calibration pictures themselves."""
    raw = np.random.default_rng(5).integers(0, 256, (4, *graph.input_shape)).astype(np.uint8)
    machine = Machine(compiled(graph, raw, effort), runtime=runtime, accelerate=False)  # type: ignore[arg-type]
    batch, _ = normalised(raw, graph, Normalisation(mean=(0.5,), std=(0.5,)))
    want = evaluate.outputs(graph, batch)
    runs = [machine.run(picture).outputs for picture in raw]
    found = []
    for k, exact in enumerate(want):
        got = np.stack([np.asarray(run[k]).reshape(exact.shape[1:]) for run in runs])
        found.append(10 * float(np.log10((exact**2).sum() / ((exact - got) ** 2).sum())))
    return found


def mobile(down: Padding, size: int = 16) -> Graph:
    net = Net((3, size, size))
    net.conv(8, stride=2, padding=down)
    net.add(RELU)
    net.conv(8, stride=2, padding=down, groups=8)
    net.add(RELU)
    net.conv(12, kernel=1)
    net.add(RELU)
    return net.graph()


def with_everything() -> Graph:
    net = Net((3, 16, 16))
    net.conv(8)
    first = net.add(Curve(kind="silu"))
    net.conv(8)
    net.add(PRelu(slopes=np.linspace(0, 0.5, 8).astype(np.float32)))
    added = net.add(Add(), net.last, first)
    net.add(Concat(), added, first)
    net.channels = 16
    net.conv(6, kernel=1)
    net.add(Curve(kind="leaky", alpha=0.1))
    pooled = net.add(MaxPool(kernel=(2, 2), stride=(2, 2)))
    net.add(GlobalAveragePool())
    net.add(Gather(index=np.arange(6), shape=(6,)))
    weights = net.rng.normal(size=(5, 6)).astype(np.float32)
    dense = net.add(Dense(weights=weights, bias=np.zeros(5, np.float32)))
    return net.graph(pooled, dense)


def falling() -> Graph:
    """PReLUs whose slopes have both signs: before a dense layer, after a sum, and before a depthwise layer."""
    net = Net((3, 16, 16), seed=4)
    net.conv(8)
    first = net.add(PRelu(slopes=np.linspace(-1.0, 0.8, 8).astype(np.float32)))
    net.conv(8)
    net.add(Add(), net.last, first)
    net.add(PRelu(slopes=np.linspace(0.9, -0.6, 8).astype(np.float32)))
    net.conv(8, groups=8)
    net.add(PRelu(slopes=np.full(8, -0.3, np.float32)))
    net.conv(6, kernel=1)
    return net.graph()


def filled_up() -> Graph:
    """A residual block whose shortcut is filled up with channels of zeros."""
    net = Net((3, 16, 16), seed=5)
    net.conv(8)
    first = net.add(RELU)
    net.conv(16)
    filled = net.add(Pad(padding=Padding(), channels_after=8), first)
    net.add(Add(), "v2", filled)
    net.add(RELU)
    net.conv(6, kernel=1)
    return net.graph()


NETS = {
    "falling slopes": falling(),
    "filled up": filled_up(),
    "padded on every side": mobile(ONE_EACH),
    "padded behind": mobile(BEHIND),
    "odd size": mobile(ONE_EACH, 18),
    "everything": with_everything(),
}


def passed_with_its_function(graph: Graph) -> Graph:
    """The graph after all passes, each of which keeps its function."""
    batch = np.random.default_rng(2).normal(size=(2, *graph.input_shape)).astype(np.float32)
    want = evaluate.outputs(graph, batch)
    for each in PASSES:
        graph = each(graph)
        for exact, got in zip(want, evaluate.outputs(graph, batch), strict=True):
            assert np.abs(exact - got).max() < 1e-5 * np.abs(exact).max(), each.__name__
    return graph


@pytest.mark.parametrize("name", NETS)
def test_every_pass_keeps_the_function(name: str) -> None:
    passed_with_its_function(NETS[name])


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("effort", ["fast", "normal"])
def test_the_simulated_kmodel_is_near_the_floats(name: str, effort: str) -> None:
    """A byte holds 48 dB at best; five layers and ranges with room for other pictures cost less than 24 of them."""
    assert min(decibels(NETS[name], effort)) > 24


def flat_net(*widths: int) -> Graph:
    net = Net((4,), seed=3)
    for outs, ins in zip(widths, (4, *widths), strict=False):
        if net.nodes:
            net.add(RELU)
        weights = net.rng.normal(size=(outs, ins)).astype(np.float32)
        net.add(Dense(weights=weights, bias=net.rng.normal(size=outs).astype(np.float32)))
    return net.graph()


@pytest.mark.parametrize("runtime", ["sdk", "maixpy"])
def test_a_relu_between_the_layers_of_a_flat_model_keeps_13_bits_of_rows_twice_as_large(runtime: str) -> None:
    """15 bits span four times what calibration saw, so 13 are left of it: 80 dB, less 12 for means below the peak."""
    graph, rng = flat_net(10, 8, 3), np.random.default_rng(0)
    machine = Machine(compiled(graph, rng.normal(size=(10, 4)).astype(np.float32)), runtime=runtime)  # type: ignore[arg-type]
    rows = 2 * rng.normal(size=(50, 4)).astype(np.float32)
    (want,) = evaluate.outputs(graph, rows)
    got = np.stack([machine.run(row).outputs[0] for row in rows])
    assert 10 * np.log10((want**2).sum() / ((want - got) ** 2).sum()) > 68


def far_reaching(kind: str) -> Graph:
    """A map whose channels reach 1 to 200 times as far as the first, before a layer per channel that evens them out."""
    net, scales = Net((3, 16, 16), seed=6), np.geomspace(1, 200, 8).astype(np.float32)
    net.conv(8)
    net.nodes[-1].op.weights[:] *= scales[:, None, None, None]
    net.add(Curve(kind=kind, beta=np.inf))
    net.conv(8, groups=8)
    net.nodes[-1].op.weights[:] /= scales[:, None, None, None]
    net.add(RELU)
    net.conv(6, kernel=1)
    return net.graph()


def test_a_map_that_a_byte_is_too_coarse_for_becomes_two() -> None:
    graph = far_reaching("silu")
    raw = np.random.default_rng(5).integers(0, 256, (4, *graph.input_shape)).astype(np.uint8)
    batch, scale = normalised(raw, graph, Normalisation(mean=(0.5,), std=(0.5,)))
    low, program = lowered(graph)
    split = refined(low, program, calibrate(low, batch), scale, at_best=False)
    assert split is not None
    assert len(list(split[1].convs())) == len(list(program.convs())) + 1
    (want,), (got,) = evaluate.outputs(low, batch), evaluate.outputs(split[0], batch)
    assert np.abs(want - got).max() < 1e-4 * np.abs(want).max()
    assert min(decibels(graph)) > 24


def test_a_map_whose_channels_have_steps_of_their_own_stays_as_it_is() -> None:
    graph = far_reaching("clip")
    raw = np.random.default_rng(5).integers(0, 256, (4, *graph.input_shape)).astype(np.uint8)
    batch, scale = normalised(raw, graph, Normalisation(mean=(0.5,), std=(0.5,)))
    low, program = lowered(graph)
    assert refined(low, program, calibrate(low, batch), scale, at_best=False) is None


def test_both_runtimes_give_the_same_bytes_to_the_layers_behind_a_mean() -> None:
    graph = NETS["everything"]
    assert decibels(graph, runtime="sdk") == pytest.approx(decibels(graph, runtime="maixpy"), abs=1e-3)


def test_the_same_input_gives_the_same_bytes() -> None:
    graph = NETS["everything"]
    raw = np.random.default_rng(5).integers(0, 256, (3, *graph.input_shape)).astype(np.uint8)
    assert compiled(graph, raw, "normal").to_bytes() == compiled(graph, raw, "normal").to_bytes()


def test_padding_behind_costs_no_round_trip() -> None:
    raw = np.zeros((1, 3, 16, 16), np.uint8) + np.arange(16, dtype=np.uint8)
    for name in ("padded behind", "padded on every side"):
        assert "K210_UPLOAD" not in [layer.name for layer in compiled(NETS[name], raw).layers]


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    kinds=st.lists(st.sampled_from(["1", "3", "s", "t", "d", "p", "a", "c"]), max_size=5),
    activation=st.sampled_from(["clip", "leaky", "silu", "elu", "prelu"]),
)
def test_random_graphs_survive_every_stage(seed: int, kinds: list[str], activation: str) -> None:
    """Bound: a map of random sums has 35 dB after rounding: its deviation is a quarter of its largest value, and its
    range up to twice that. At most 22 layers (a PReLU that falls ends in a sum) add their noise, each
    once more by its weights: 35 - 10 log10(44) dB.
    """

    def activate() -> None:
        slopes = net.rng.uniform(-0.5, 0.8, net.channels).astype(np.float32)
        curve = Curve(kind=activation, alpha=0.0 if activation == "clip" else 0.5, beta=np.inf)
        net.add(PRelu(slopes=slopes) if activation == "prelu" else curve)

    net = Net((3, 16, 16), seed)
    net.conv(8)
    activate()
    size = 16
    for kind in kinds:
        before = net.last
        if kind in "1s3td":
            stride = 2 if kind in "st" and size > 4 else 1
            padding = BEHIND if kind == "t" and stride == 2 else ONE_EACH
            net.conv(8, kernel=1 if kind == "1" else 3, stride=stride, padding=padding, groups=8 if kind == "d" else 1)
            activate()
            size //= stride
        elif kind == "p" and size > 4:
            net.add(MaxPool(kernel=(2, 2), stride=(2, 2)))
            size //= 2
        elif kind in "ac":
            side = net.conv(8)
            net.add(Add() if kind == "a" else Concat(), side, before)
            if kind == "c":
                net.channels = 16
                net.conv(8, kernel=1)
    assert min(decibels(net.graph())) > 35 - 10 * np.log10(44)


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 10), st.integers(0, 10)), min_size=1, max_size=12))
def test_blocks_alive_together_never_overlap(rows: list[tuple[int, int, int]]) -> None:
    blocks = [Block(name=str(k), size=s, first=min(a, b), last=max(a, b)) for k, (s, a, b) in enumerate(rows)]
    addresses, peak = place(blocks)
    for one in blocks:
        assert addresses[one.name] + one.size <= peak
        for other in blocks:
            if one is not other and one.first <= other.last and other.first <= one.last:
                a, b = addresses[one.name], addresses[other.name]
                assert a + one.size <= b or b + other.size <= a


def test_a_channel_that_was_dead_on_the_calibration_pictures_stays_within_36_bits() -> None:
    weights = np.full((2, 3, 1, 1), 1.0, np.float32)
    conv = Conv(weights=weights, bias=np.array([0.0, -1e-7 + 3.0], np.float32))
    net = Net((3, 8, 8))
    net.add(conv)
    net.add(RELU)
    dark, bright = np.zeros((2, 3, 8, 8), np.uint8), np.full((3, 8, 8), 255, np.uint8)
    run = Machine(compiled(net.graph(), dark)).run(bright)
    assert not [text for text in run.warnings if "36 bits" in text]


@pytest.mark.parametrize("size", [8, 20])
def test_a_depthwise_layer_reads_maps_that_do_not_fill_their_lines(size: int) -> None:
    net = Net((3, size, size))
    first = net.conv(3)
    net.channels, net.last = 3, "picture"
    second = net.conv(5)
    net.add(Concat(), first, second)
    net.channels = 8
    net.conv(0, groups=8)
    assert decibels(net.graph())[0] > 24


def test_a_prelu_behind_a_dense_layer_runs_on_the_kpu() -> None:
    net = Net((3, 8, 8))
    net.conv(8)
    net.add(RELU)
    net.add(Gather(index=np.arange(512), shape=(512,)))
    weights = net.rng.normal(size=(12, 512)).astype(np.float32) / 16
    net.add(Dense(weights=weights, bias=np.zeros(12, np.float32)))
    net.add(PRelu(slopes=np.linspace(0, 0.5, 12).astype(np.float32)))
    assert decibels(net.graph())[0] > 20  # of one pixel, whose range is guessed wide


def rows_of_softmax(channels: int, length: int) -> Graph:
    net = Net((3, 8, 8))
    net.conv(channels)
    index = np.arange(channels * 64).reshape(channels // length, length, 64).transpose(2, 0, 1).reshape(-1)
    net.add(Gather(index=index, shape=(index.size,)))
    net.add(Softmax(length=length))
    return net.graph()


@pytest.mark.parametrize("channels", [2, 6])
def test_softmax_over_two_channels_is_a_sigmoid_on_the_kpu(channels: int) -> None:
    graph = rows_of_softmax(channels, 2)
    low, _ = lowered(graph)
    assert not any(isinstance(node.op, Softmax) for node in low.nodes)
    batch = np.random.default_rng(2).normal(size=(2, 3, 8, 8)).astype(np.float32)
    assert np.abs(evaluate.outputs(graph, batch)[0] - evaluate.outputs(low, batch)[0]).max() < 1e-5
    assert decibels(graph)[0] > 30


def test_softmax_over_pairs_of_several_maps_is_theirs_before_they_are_joined() -> None:
    net = Net((3, 8, 8))
    base = net.conv(4)
    small = net.conv(6, stride=2, padding=ONE_EACH, kernel=3)
    rows = [
        np.arange(count * size).reshape(count // 2, 2, size).transpose(2, 0, 1).reshape(-1)
        for count, size in ((4, 64), (6, 16))
    ]
    net.add(Gather(index=np.concatenate([rows[0], 256 + rows[1]]), shape=(352,)), base, small)
    net.add(Softmax(length=2))
    graph = net.graph()
    low, _ = lowered(graph)
    assert not any(isinstance(node.op, Softmax) for node in low.nodes)
    batch = np.random.default_rng(2).normal(size=(2, 3, 8, 8)).astype(np.float32)
    assert np.abs(evaluate.outputs(graph, batch)[0] - evaluate.outputs(low, batch)[0]).max() < 1e-5
    assert decibels(graph)[0] > 30


def test_many_rows_of_softmax_are_refused_with_their_number() -> None:
    with pytest.raises(LayerRefused, match="it has 64 rows of 3; one layer each, and MaixPy's stack ends at 36"):
        lowered(rows_of_softmax(3, 3))


@pytest.mark.parametrize("stride", [(2, 1), (1, 2), (3, 3)])
@pytest.mark.parametrize("groups", [1, 6])
def test_any_stride_is_picked_from_every_pixel(stride: tuple[int, int], groups: int) -> None:
    net = Net((3, 12, 12))
    net.conv(6)
    net.add(RELU)
    net.conv(6, groups=groups)
    op = net.nodes[-1].op
    assert isinstance(op, Conv)
    net.nodes[-1] = replace(net.nodes[-1], op=replace(op, stride=stride))
    net.conv(4, kernel=1)
    graph = net.graph()
    batch = np.random.default_rng(2).normal(size=(2, 3, 12, 12)).astype(np.float32)
    got = evaluate.outputs(lowered(graph)[0], batch)[0]
    assert np.abs(evaluate.outputs(graph, batch)[0] - got).max() < 1e-4
    assert decibels(graph)[0] > 24
