"""Maps are enlarged where they have the fewest channels, for the CPU does it: 56 cycles for each byte that it makes.

Before   mean, 240 channels ─ conv 1x1 to 60 ─ relu ─ conv 1x1 to 240 ─ sigmoid ─ enlarged to 14x14
After    mean, 240 channels ─ conv 1x1 to 60 ─ relu ─ enlarged to 14x14 ─ conv 1x1 to 240 ─ sigmoid

A 1x1 layer makes each pixel of that pixel alone, so the same pixels come out; that it makes more of them costs the KPU
little. Enlarging moves behind a layer that makes fewer channels, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from k210kit.compiler.graph import Graph, Node, Shape, elements
from k210kit.compiler.ops import Conv, Curve, Op, PRelu, Resize
from k210kit.kmodel import memory
from k210kit.timing import dense_cycles, enlarging_cycles

__all__ = ["move_enlarging"]


def move_enlarging(graph: Graph) -> Graph:
    """Move every Resize of a picture model."""
    if len(graph.input_shape) != 3:
        return graph
    while (moved := _sunk(graph)) is not None:
        graph = moved
    ways = {node.output: list(_ways(graph, node)) for node in graph.nodes if isinstance(node.op, Resize)}
    sharers = Counter((way.source, graph.shapes[name][1:]) for name, found in ways.items() for way in found)
    for name, found in ways.items():
        shape = graph.shapes[name]
        best = min(found, key=lambda way: way.cycles + way.enlarging // sharers[way.source, shape[1:]])
        graph = _lifted(graph, graph.makers[name], best)
    return graph


@dataclass(frozen=True, kw_only=True)
class _Way:
    """A value that can be enlarged, the layers that then run on the larger map, and the cycles of both."""

    source: str
    enlarging: int
    layers: tuple[Node, ...] = ()
    cycles: int = 0


def _lifted(graph: Graph, resize: Node, best: _Way) -> Graph:
    """The Resize before the layers of a way; values that several ways enlarge are enlarged once."""
    if not best.layers:
        return graph
    op, first = resize.op, best.layers[0]
    large = f"{first.inputs[0]}/enlarged to {graph.shapes[resize.output][2]}x{graph.shapes[resize.output][1]}"
    made = [] if large in graph.makers else [replace(resize, inputs=first.inputs, output=large, op=op)]
    source = large
    for layer in best.layers:
        output = resize.output if layer is best.layers[-1] else f"{layer.output}/for {resize.output}"
        made.append(replace(layer, inputs=(source,), output=output))
        source = output
    return graph.with_nodes(each for node in graph.nodes for each in (made if node is resize else (node,)))


def _ways(graph: Graph, resize: Node) -> Iterator[_Way]:
    """The Resize where it is, and before each layer that it can be moved before."""
    shape = graph.shapes[resize.output]
    layers: tuple[Node, ...] = ()
    name, cycles = resize.inputs[0], 0
    yield _Way(source=name, enlarging=_enlarging(shape[0], shape))
    while (maker := graph.makers.get(name)) is not None and _pixel_by_pixel(maker.op) and _alone(graph, name):
        layers = (maker, *layers)
        name = maker.inputs[0]
        cycles += _on_kpu(maker.op, shape) - _on_kpu(maker.op, graph.shapes[name])
        if isinstance(maker.op, Conv) and name in graph.makers:
            yield _Way(source=name, enlarging=_enlarging(graph.shapes[name][0], shape), layers=layers, cycles=cycles)


def _enlarging(channels: int, shape: Shape) -> int:
    return enlarging_cycles(elements((channels, *shape[1:])))


def _on_kpu(op: Op, shape: Shape) -> int:
    if not isinstance(op, Conv):
        return 0
    outs, channels = op.weights.shape[:2]
    width, height = (4, 4) if shape[1:] == (1, 1) else (shape[2], shape[1])
    return dense_cycles(memory.lines(width, height, channels), channels, outs, 1)


def _pixel_by_pixel(op: Op) -> bool:
    if isinstance(op, Conv):
        return op.weights.shape[2:] == (1, 1) and op.groups == 1 and op.stride == (1, 1) and not op.padding
    return isinstance(op, Curve | PRelu)


def _alone(graph: Graph, name: str) -> bool:
    return len(graph.readers.get(name, ())) == 1 and name not in graph.output_values


def _sunk(graph: Graph) -> Graph | None:
    """One Resize moved behind the layer that alone reads it and makes fewer channels; None if there is none."""
    for resize in graph.nodes:
        if not isinstance(resize.op, Resize) or not _alone(graph, resize.output):
            continue
        layer = graph.readers[resize.output][0]
        op = layer.op
        if isinstance(op, Conv) and _pixel_by_pixel(op) and op.weights.shape[0] < op.weights.shape[1]:
            small = f"{layer.output}/small"
            moved = [
                replace(layer, inputs=resize.inputs, output=small),
                replace(resize, inputs=(small,), output=layer.output),
            ]
            return graph.with_nodes(
                each for node in graph.nodes if node is not resize for each in (moved if node is layer else (node,))
            )
    return None
