"""A report warns of what costs much, by the user's own names, with the time and the cure."""

from __future__ import annotations

import numpy as np
import pytest

from k210kit.compiler.advice import CPU_SHARE, MAIN_MEMORY_BYTES, advice
from k210kit.compiler.allocate import allocate
from k210kit.compiler.emit import Emitted, emit
from k210kit.compiler.graph import Graph
from k210kit.compiler.ops import Gather, MaxPool, Padding, Resize, Softmax
from k210kit.compiler.pipeline import Normalisation, lowered, normalised
from k210kit.compiler.quantize.calibrate import calibrate
from k210kit.compiler.quantize.search import quantize
from k210kit.kmodel.layers import Conv
from k210kit.timing import CPU_HZ, cpu_cycles, inference
from tests.compiler.test_pipeline import NETS, RELU, Net


def warned(graph: Graph) -> tuple[tuple[str, ...], Emitted]:
    raw = np.random.default_rng(1).integers(0, 256, (1, *graph.input_shape)).astype(np.uint8)
    low, program = lowered(graph)
    batch, scale = normalised(raw, graph, Normalisation())
    made = quantize(
        low, program, calibrate(low, batch), scale, raw=raw, batch=batch, effort="fast", tell=lambda _, __: None
    )
    placement = allocate(program)
    emitted = emit(program, placement, made.scales, made.integers)
    return advice(program, placement, emitted, inference(emitted.kmodel)), emitted


def enlarging() -> Graph:
    net = Net((3, 32, 32))
    net.conv(32, stride=2)
    net.add(RELU)
    net.add(Resize(height=32, width=32))
    net.conv(8)
    return net.graph()


def with_many_outputs() -> Graph:
    net = Net((3, 64, 64))
    net.conv(16)
    net.add(Gather(index=np.arange(16 * 64 * 64), shape=(16 * 64 * 64,)))
    net.add(Softmax(length=16 * 64 * 64))
    return net.graph()


def pooled_at_odd_sides() -> Graph:
    net = Net((3, 33, 33))
    net.conv(16)
    net.add(RELU)
    net.add(MaxPool(kernel=(3, 3), stride=(2, 2), padding=Padding(top=1, left=1, bottom=1, right=1)))
    net.conv(4)
    return net.graph()


MANY = {**NETS, "enlarging": enlarging(), "outputs": with_many_outputs(), "odd pool": pooled_at_odd_sides()}


@pytest.mark.parametrize("name", MANY)
def test_a_costly_net_is_never_without_a_warning(name: str) -> None:
    warnings, emitted = warned(MANY[name])
    total = inference(emitted.kmodel).milliseconds
    on_cpu = sum(1e3 * cpu_cycles(layer) / CPU_HZ for layer in emitted.kmodel.layers)
    if on_cpu > CPU_SHARE * total or emitted.kmodel.main_memory_bytes > MAIN_MEMORY_BYTES:
        assert warnings


def test_a_warning_names_the_layer_its_time_and_the_cure() -> None:
    warnings, emitted = warned(enlarging())
    total = inference(emitted.kmodel).milliseconds
    (text,) = (text for text in warnings if "Resize" in text)
    assert text.startswith("Resize 'v2' costs ")
    assert f" of {total:.1f} ms on the CPU: the KPU cannot enlarge. " in text
    assert text.endswith("Enlarge fewer channels: a 1x1 convolution before it, to half as many, halves this.")


def test_the_times_told_are_no_more_than_the_cpus_whole_time() -> None:
    for name in ("enlarging", "outputs", "odd pool"):
        warnings, emitted = warned(MANY[name])
        on_cpu = sum(1e3 * cpu_cycles(layer) / CPU_HZ for layer in emitted.kmodel.layers)
        told = [float(text.split(" costs ")[1].split(" of ")[0]) for text in warnings if " costs " in text]
        assert told
        assert sum(told) <= on_cpu + 0.05 * len(told)


def test_much_main_memory_is_told_with_its_owner() -> None:
    warnings, emitted = warned(with_many_outputs())
    (text,) = (text for text in warnings if text.startswith("Main memory"))
    assert f"Main memory of {emitted.kmodel.main_memory_bytes:,} bytes" in text
    assert "the largest part are 262,144 bytes, floats (16x64x64) of Gather 'v1'" in text


def test_a_net_that_is_cheap_is_not_warned_of() -> None:
    net = Net((3, 64, 64))
    net.conv(16)
    net.add(RELU)
    net.conv(16)
    net.add(MaxPool(kernel=(2, 2), stride=(2, 2)))
    net.conv(16, stride=2)
    net.conv(2, kernel=1)
    warnings, emitted = warned(net.graph())
    assert warnings == ()
    assert sum(isinstance(layer, Conv) for layer in emitted.kmodel.layers) == 4


def test_a_map_below_4x4_is_told_to_be_unproven() -> None:
    net = Net((3, 12, 12))
    net.conv(8, stride=2)
    net.conv(8, stride=2)
    net.conv(8)
    warnings, _ = warned(net.graph())
    assert any("3x3 pixels; nncase gives the KPU none below 4x4" in text for text in warnings)


def test_a_kmodel_that_maixpy_cannot_load_is_told_with_its_largest_layer() -> None:
    net = Net((3, 8, 8))
    net.conv(1000, kernel=1)
    net.add(RELU)
    net.conv(800)
    (told,) = [text for text in warned(net.graph())[0] if text.startswith("The kmodel has")]
    assert "kpu.load takes 6,291,456 at most, kpu.load_flash can run it from flash" in told
    assert "are of Conv 'v2'. Use fewer channels there" in told


def test_more_layers_of_the_cpu_than_maixpys_stack_holds_are_told() -> None:
    net = Net((3, 8, 8))
    names = []
    for _ in range(40):
        net.channels, net.last = 3, "picture"
        names.append(net.conv(2, kernel=1))
    (told,) = [text for text in warned(net.graph(*names))[0] if "follow each other" in text]
    assert told.startswith("40 layers of the CPU follow each other, up to Conv 'v39'; MaixPy's stack ends at 36")


def test_a_large_depthwise_kernel_tells_its_price() -> None:
    net = Net((3, 14, 14))
    net.conv(96)
    net.add(RELU)
    net.conv(0, kernel=5, padding=Padding(top=2, left=2, bottom=2, right=2), groups=96)
    net.add(RELU)
    net.conv(4, kernel=1)
    warnings, emitted = warned(net.graph())
    layers = sum(step.node.origin == "v2" for step in emitted.steps)
    found = [text for text in warnings if "Depthwise kernels above 3x3" in text]
    assert len(found) == 1
    assert f"in {layers} layers of the KPU, Conv 'v2' most" in found[0]


def test_more_layers_than_load_flash_reads_are_told() -> None:
    net = Net((3, 10, 10))
    net.conv(96)
    for _ in range(14):
        net.conv(0, kernel=5, padding=Padding(top=2, left=2, bottom=2, right=2), groups=96)
    net.conv(4, kernel=1)
    warnings, emitted = warned(net.graph())
    count = len(emitted.kmodel.layers)
    found = [text for text in warnings if f"has {count:,} layers; kpu.load_flash reads a table of 495 at most" in text]
    assert count > 495
    assert len(found) == 1
