"""The page on how to design a net for the KPU: every price on it is computed here, by compiling the choice.

A choice is built behind the map that it is told to stand on; its price is that of the net with it, less that without.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from k210kit.compiler import ops
from k210kit.compiler.advice import owner_on_cpu
from k210kit.compiler.allocate import allocate
from k210kit.compiler.emit import emit
from k210kit.compiler.graph import Graph, Node, Output
from k210kit.compiler.ops import Curve, Padding
from k210kit.compiler.pipeline import Normalisation, lowered, normalised
from k210kit.compiler.quantize.calibrate import calibrate
from k210kit.compiler.quantize.search import quantize
from k210kit.hardware import KPU_LINE_BYTES
from k210kit.kmodel import read_kmodel
from k210kit.simulator import Machine
from k210kit.timing import CPU_HZ, cpu_cycles, inference

__all__ = ["page"]

RELU, RELU6 = Curve(kind="clip", beta=float("inf")), Curve(kind="clip", beta=6.0)
ALL_ROUND, BEHIND, NONE = Padding(top=1, left=1, bottom=1, right=1), Padding(bottom=1, right=1), Padding()


class Net:
    """A graph as it grows, with seeded weights."""

    def __init__(self, channels: int, height: int, width: int | None = None) -> None:
        self.shape = (channels, height, width or height)
        self.rng, self.nodes, self.last = np.random.default_rng(0), list[Node](), "picture"

    def add(self, op: ops.Op, *inputs: str) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(Node(op=op, inputs=inputs or (self.last,), output=name, origin=name, kind=type(op).__name__))
        self.last = name
        return name

    @property
    def channels(self) -> int:
        return self.size[0]

    @property
    def size(self) -> tuple[int, ...]:
        return self.graph().shapes[self.last]

    def conv(
        self, outs: int, kernel: int = 3, stride: int = 1, *, pad: Padding | None = None, depthwise: bool = False
    ) -> str:
        around = kernel // 2
        pad = Padding(top=around, left=around, bottom=around, right=around) if pad is None else pad
        ins = self.channels
        shape = (outs, 1 if depthwise else ins, kernel, kernel)
        weights = self.rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))
        bias = np.zeros(outs, np.float32)
        groups = ins if depthwise else 1
        strides = (stride, stride)
        return self.add(
            ops.Conv(weights=weights.astype(np.float32), bias=bias, stride=strides, padding=pad, groups=groups)
        )

    def graph(self, *outputs: str) -> Graph:
        found = tuple(Output(value=name, name=name) for name in outputs or (self.last,))
        return Graph(name="net", input="picture", input_shape=self.shape, nodes=tuple(self.nodes), outputs=found)


@dataclass(frozen=True, kw_only=True)
class Price:
    """What a net takes; times are estimates of `k210kit.timing`."""

    milliseconds: float
    cpu_milliseconds: float
    kmodel_bytes: int
    main_memory_bytes: int
    kpu_bytes: int
    layers: int
    decibels: float


def price(graph: Graph, *, of: Sequence[str] | None = None, run: bool = False) -> Price:
    """Compile a net for noise; with `run`, compare what the simulator makes of it with the floats.

    of: the names of the layers whose times, bytes and number are counted; all by default.
    """
    raw = np.random.default_rng(5).integers(0, 256, (4 if run else 1, *graph.input_shape)).astype(np.uint8)
    low, program = lowered(graph)
    batch, scale = normalised(raw, graph, Normalisation(mean=(0.5,), std=(0.5,)))
    statistics = calibrate(low, batch)
    made = quantize(low, program, statistics, scale, raw=raw, batch=batch, effort="fast", tell=lambda _, __: None)
    placement = allocate(program)
    emitted = emit(program, placement, made.scales, made.integers)
    kmodel, time = emitted.kmodel, inference(emitted.kmodel)
    total, on_cpu, size, count = (
        (0.0, 0.0, 0, 0)
        if of is not None
        else (time.input_milliseconds, 0.0, kmodel.file_bytes - sum(kmodel.body_sizes), 0)
    )
    for layer, step, row in zip(kmodel.layers, emitted.steps, time.layers, strict=True):
        cpu = 1e3 * cpu_cycles(layer) / CPU_HZ
        if of is None or owner_on_cpu(program, step).node.origin in of:
            on_cpu += cpu
            total += cpu
        if of is None or step.node.origin in of:
            total += row.milliseconds - cpu
            size += row.bytes
            count += 1
    return Price(
        milliseconds=total,
        cpu_milliseconds=on_cpu,
        kmodel_bytes=size,
        main_memory_bytes=kmodel.main_memory_bytes,
        kpu_bytes=placement.kpu_lines * KPU_LINE_BYTES,
        layers=count,
        decibels=_decibels(graph, kmodel.to_bytes(), raw, batch) if run else 0.0,
    )


def _decibels(graph: Graph, data: bytes, raw: np.ndarray, batch: np.ndarray) -> float:
    from k210kit.compiler import evaluate

    machine = Machine(read_kmodel(data), accelerate=False)
    want = evaluate.outputs(graph, batch)[0]
    got = np.stack([np.asarray(machine.run(picture).outputs[0]) for picture in raw]).reshape(want.shape)
    spread = want - want.mean(0)
    return 10 * float(np.log10((spread**2).sum() / ((want - got) ** 2).sum()))


Build = Callable[[Net], object]


def on_map(channels: int, side: int, build: Build, *, width: int | None = None) -> Price:
    """The price of a choice on a map of `channels` x `side` x `width` that a 3x3 layer with ReLU has made.

    A 1x1 layer to 4 channels stands behind, so that what the choice makes stays where it is.
    """
    net = Net(1, side, width)
    net.conv(channels)
    net.add(RELU)
    before = len(net.nodes)
    build(net)
    names = [node.origin for node in net.nodes[before:]]
    net.conv(4, kernel=1)
    return price(net.graph(), of=names)


def _layer(outs: int, kernel: int, **settings: object) -> Build:
    def build(net: Net) -> None:
        net.conv(outs, kernel, **settings)  # type: ignore[arg-type]
        net.add(RELU)

    return build


def _chain(*builds: Build) -> Build:
    def build(net: Net) -> None:
        for each in builds:
            each(net)

    return build


def _op(op: ops.Op) -> Build:
    return lambda net: net.add(op)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def _ms(value: float) -> str:
    return f"{max(value, 0.0):.2f}"


def _priced(rows: Sequence[tuple[str, Price]]) -> str:
    return _table(
        ("choice", "ms", "of them CPU", "bytes of the kmodel", "layers"),
        [
            (name, _ms(p.milliseconds), _ms(p.cpu_milliseconds), f"{p.kmodel_bytes:,}", str(p.layers))
            for name, p in rows
        ],
    )


def _kernels() -> str:
    return _priced(
        [
            ("1x1", on_map(64, 56, _layer(64, 1))),
            ("3x3", on_map(64, 56, _layer(64, 3))),
            ("depthwise 3x3", on_map(64, 56, _layer(64, 3, depthwise=True))),
            ("depthwise 3x3, then 1x1", on_map(64, 56, _chain(_layer(64, 3, depthwise=True), _layer(64, 1)))),
            ("5x5", on_map(64, 56, _layer(64, 5))),
            ("depthwise 5x5", on_map(64, 56, _layer(64, 5, depthwise=True))),
            ("3x3, dilated by 2", on_map(64, 56, _dilated)),
        ]
    )


def _dilated(net: Net) -> None:
    weights = (net.rng.normal(size=(64, 64, 3, 3)) / 24).astype(np.float32)
    two = Padding(top=2, left=2, bottom=2, right=2)
    net.add(ops.Conv(weights=weights, bias=np.zeros(64, np.float32), padding=two, dilation=(2, 2)))


def _widths() -> str:
    rows = []
    for channels in (8, 16, 32, 64, 128, 256, 512, 1024):
        one = on_map(channels, 14, _layer(channels, 1))
        three = on_map(channels, 14, _layer(channels, 3)) if channels <= 256 else None
        deep = on_map(channels, 14, _layer(channels, 3, depthwise=True))
        cells = [_ms(one.milliseconds), _ms(three.milliseconds) if three else "-", _ms(deep.milliseconds)]
        rows.append([str(channels), *cells, f"{one.kmodel_bytes:,}"])
    return _table(("channels in and out", "1x1, ms", "3x3, ms", "depthwise, ms", "bytes of the 1x1"), rows)


def _sides() -> str:
    rows = []
    for width in (8, 14, 16, 17, 28, 32, 33, 56, 64, 65, 112):
        p = on_map(32, 16, _layer(32, 3), width=width)
        rows.append([str(width), _ms(p.milliseconds), f"{1e6 * p.milliseconds / (16 * width):.0f}"])
    return _table(("pixels of a row", "3x3, 32 to 32 channels, 16 rows, ms", "ns per pixel"), rows)


def _strides() -> str:
    def deep(pad: Padding) -> Build:
        return _layer(32, 3, stride=2, pad=pad, depthwise=True)

    pooled = _chain(_layer(32, 3, depthwise=True), _op(_HALF))
    return _priced(
        [
            ("112x112, padded all round (PyTorch)", on_map(32, 112, deep(ALL_ROUND))),
            ("112x112, padded behind (TensorFlow's SAME)", on_map(32, 112, deep(BEHIND))),
            ("112x112, not padded", on_map(32, 112, deep(NONE))),
            ("112x112, pooled by 2x2 in place of a stride", on_map(32, 112, pooled)),
            ("15x20, padded all round: rows are odd", on_map(32, 15, deep(ALL_ROUND), width=20)),
            ("15x15, padded all round: both are odd", on_map(32, 15, deep(ALL_ROUND))),
        ]
    )  # fmt: skip


_HALF = ops.MaxPool(kernel=(2, 2), stride=(2, 2))


def _pools() -> str:
    def largest(size: int, stride: int, before: int, after: int) -> Build:
        pad = Padding(top=before, left=before, bottom=after, right=after)
        return _op(ops.MaxPool(kernel=(size, size), stride=(stride, stride), padding=pad))

    mean = ops.AveragePool(kernel=(2, 2), stride=(2, 2))
    return _priced(
        [
            ("max 2x2, stride 2", on_map(64, 56, largest(2, 2, 0, 0))),
            ("max 3x3, stride 2, padded by 1", on_map(64, 56, largest(3, 2, 1, 1))),
            ("max 3x3, stride 2, hanging over behind", on_map(64, 56, largest(3, 2, 0, 1))),
            ("max 5x5, stride 1, as SPP has it", on_map(64, 56, largest(5, 1, 2, 2))),
            ("mean 2x2, stride 2", on_map(64, 56, _op(mean))),
            ("max 3x3, stride 2, padded by 1, on 55x55", on_map(64, 55, largest(3, 2, 1, 1))),
        ]
    )


def _joins() -> str:
    def joined(op: ops.Op) -> Price:
        net = Net(1, 28)
        net.conv(64)
        first = net.add(RELU)
        net.conv(64)
        net.add(op, first, net.add(RELU))
        names = [net.nodes[-1].origin]
        net.conv(4, kernel=1)
        return price(net.graph(), of=names)

    return _priced(
        [
            ("add two maps", joined(ops.Add())),
            ("concatenate two maps", joined(ops.Concat())),
            ("enlarge by 2, nearest, 64 channels", on_map(64, 28, _op(ops.Resize(height=56, width=56)))),
            ("enlarge by 2, nearest, behind a 1x1 to 16 channels",
             on_map(64, 28, _chain(_layer(16, 1), _op(ops.Resize(height=56, width=56))))),
        ]
    )  # fmt: skip


def _heads() -> str:
    def dense(net: Net, outs: int) -> None:
        size = net.size
        count = int(np.prod(size))
        net.add(ops.Gather(index=np.arange(count), shape=(count,)))
        weights = net.rng.normal(size=(outs, count)).astype(np.float32) / np.sqrt(count)
        net.add(ops.Dense(weights=weights, bias=np.zeros(outs, np.float32)))

    def head(channels: int, side: int, outs: int, *, mean: bool) -> Price:
        net = Net(1, side)
        net.conv(channels)
        net.add(RELU)
        before = len(net.nodes)
        if mean:
            net.add(ops.GlobalAveragePool())
        dense(net, outs)
        return price(net.graph(), of=[node.origin for node in net.nodes[before:]])

    rows = [
        ("mean and 10 classes, 256x7x7", head(256, 7, 10, mean=True)),
        ("mean and 10 classes, 256x14x14", head(256, 14, 10, mean=True)),
        ("mean and 1000 classes, 256x7x7", head(256, 7, 1000, mean=True)),
        ("flattened and 10 classes, 64x7x7", head(64, 7, 10, mean=False)),
        ("flattened and 10 classes, 256x7x7", head(256, 7, 10, mean=False)),
    ]
    return _table(
        ("head on a map", "ms", "of them CPU", "main memory, bytes", "bytes of the kmodel"),
        [
            (name, _ms(p.milliseconds), _ms(p.cpu_milliseconds), f"{p.main_memory_bytes:,}", f"{p.kmodel_bytes:,}")
            for name, p in rows
        ],
    )


def _curves() -> str:
    rows = []
    for name, op in (
        ("ReLU", RELU), ("ReLU6", RELU6), ("leaky ReLU 0.1", Curve(kind="leaky", alpha=0.1)),
        ("PReLU", ops.PRelu(slopes=np.linspace(0.0, 0.5, 24).astype(np.float32))),
        ("tanh", Curve(kind="tanh")), ("hard-swish", Curve(kind="hard_swish")), ("SiLU", Curve(kind="silu")),
    ):  # fmt: skip
        net = Net(3, 32)
        for _ in range(4):
            net.conv(24)
            net.add(op)
        net.conv(8, kernel=1)
        p = price(net.graph(), run=True)
        rows.append([name, _ms(p.milliseconds), f"{p.decibels:.0f}"])
    return _table(("after each of four 3x3 layers", "ms, the whole net", "dB"), rows)


def _outputs() -> str:
    def of(channels: int, height: int, width: int, *, last: bool) -> Price:
        net = Net(1, height, width)
        net.conv(16)
        net.add(RELU)
        before = len(net.nodes)
        net.conv(channels, kernel=1)
        if last:  # pixel by pixel, as TensorFlow's detectors end
            index = np.arange(channels * height * width).reshape(channels, height, width).transpose(1, 2, 0).reshape(-1)
            net.add(ops.Gather(index=index, shape=(index.size,)))
        return price(net.graph(), of=[node.origin for node in net.nodes[before:]])

    rows = [
        ("30x7x10, a YOLO's map", of(30, 7, 10, last=False)),
        ("30x14x20", of(30, 14, 20, last=False)),
        ("30x28x40", of(30, 28, 40, last=False)),
        ("30x28x40, reordered pixel by pixel", of(30, 28, 40, last=True)),
    ]
    return _table(
        ("output", "CPU, ms", "main memory, bytes"),
        [(name, f"{p.cpu_milliseconds:.2f}", f"{p.main_memory_bytes:,}") for name, p in rows],
    )


def _mobile(height: int, width: int, alpha: float) -> Graph:
    net = Net(3, height, width)
    wide = [max(8, int(alpha * n)) for n in (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)]
    net.conv(wide[0], stride=2)
    net.add(RELU6)
    for place, outs in enumerate(wide[1:]):
        net.conv(net.channels, stride=2 if place in (1, 3, 5, 11) else 1, depthwise=True)
        net.add(RELU6)
        net.conv(outs, kernel=1)
        net.add(RELU6)
    net.add(ops.GlobalAveragePool())
    net.add(ops.Gather(index=np.arange(net.channels), shape=(net.channels,)))
    weights = net.rng.normal(size=(10, wide[-1])).astype(np.float32)
    net.add(ops.Dense(weights=weights, bias=np.zeros(10, np.float32)))
    return net.graph()


def _inputs() -> str:
    rows = []
    for height, width, alpha in (
        (96, 96, 0.25), (128, 128, 0.25), (160, 160, 0.25), (192, 192, 0.25), (224, 224, 0.25), (224, 320, 0.25),
        (240, 320, 0.25),        (224, 224, 0.5), (224, 224, 0.75), (224, 224, 1.0), (224, 320, 0.5), (224, 320, 1.0),
    ):  # fmt: skip
        p = price(_mobile(height, width, alpha))
        rows.append(
            [f"{width}x{height}", f"{alpha:g}", _ms(p.milliseconds), f"{p.kpu_bytes:,}", f"{p.main_memory_bytes:,}",
             f"{p.kmodel_bytes:,}"]
        )  # fmt: skip
    heads = ("input", "alpha", "ms", "KPU memory, bytes", "main memory, bytes", "kmodel, bytes")
    return _table(heads, rows)


def page() -> str:
    """The whole page as Markdown."""
    return _PAGE.format(
        kernels=_kernels(), widths=_widths(), sides=_sides(), strides=_strides(), pools=_pools(), joins=_joins(),
        heads=_heads(), curves=_curves(), outputs=_outputs(), inputs=_inputs(),
    )  # fmt: skip


_PAGE = """# How to design a net for the KPU

Every price on this page is computed when the page is made (`docs/net_design_page.py`): the choice is compiled and its
layers are timed by the model of [How long a board takes](../design/timing.md), for a CPU of 400 MHz. What a layer
costs in your own net stands in the report: `k210kit compile MODEL -o M.kmodel --images DIR --report report.html`.

The short of it:

* Depthwise 3x3 and 1x1 layers by turns, ReLU or ReLU6, strides of 2 in convolutions or 2x2 pools: all of that runs on
  the KPU alone. Padding as PyTorch or as TensorFlow does it costs nearly the same.
* Sides of the input that are multiples of 32; rows of 16, 32, 64, 128 ... pixels use all of a line of KPU memory.
* From 16 to 256 channels; below, the start of a layer is what is paid.
* What costs milliseconds is whatever leaves the KPU and comes back: enlarging, odd sides under a stride, products of
  maps, and each output of the model.

## Kernels

On a 56x56 map, 64 to 64 channels, with ReLU. The KPU reads its input once per output channel whatever the kernel, so
a 3x3 layer takes hardly longer than a 1x1; a depthwise layer reads it once in all. Larger kernels are taken apart:
a 5x5 reads nine copies of the map. Two 3x3 layers see as much and cost much less.

{kernels}
## Channels

On a 14x14 map, as many channels out as in.

{widths}
## Width of a map

KPU memory has lines of 64 bytes: rows of up to 16 pixels take a quarter of one, up to 32 a half, and whole ones from
there on. A row of 17 pixels costs as much as one of 32.

{sides}
## Strides

A depthwise 3x3 layer of stride 2 on 32 channels. Behind an odd number of rows or columns the KPU drops the last
pixel, so zeros must come behind: rows of them the KPU adds itself, columns the CPU.

{strides}
## Pools

On a 56x56 map of 64 channels, if not told otherwise. The first 2x2 step of a pool joins the layer before it.

{pools}
## Joining and enlarging maps

On maps of 64 channels, 28x28. Sums are a 1x1 layer over both; a concatenation costs nothing by itself, the layer
behind it reads more. The KPU cannot enlarge.

{joins}
## Heads

The mean of a map is taken by the CPU. Where few classes come of it, the dense layer goes before the mean, and only
the classes leave the KPU.

{heads}
## Activations

Four 3x3 layers of 24 channels on 32x32 noise, untrained, `--effort fast`; dB is the signal-to-noise ratio of the
kmodel against the floats. Every curve is one table of 16 straight pieces and takes no time. ReLU and ReLU6 are exact;
what curved ones lose shows in deep nets, and PReLU costs most.

{curves}
## Outputs

Every element of an output is copied out of KPU memory and made a float of four bytes.

{outputs}
## Input sizes

MobileNetV1 with 10 classes. The memory that a net may take beside MaixPy is told by `k210kit fit`.

{inputs}"""
