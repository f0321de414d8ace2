"""Means of whole maps are taken of as few pixels and channels as will do: the CPU takes them, of floats.

Before   map ─ mean ─ dense 256 → 10                    The mean of a linear function is the function of the mean;
After    map ─ conv 1x1, 256 → 10 ─ mean                done where that takes less time

Before   map 14x14 ─ mean                               On the KPU, 2x2 by 2x2, each rounded to the nearest byte of
After    map 14x14 ─ mean 2x2, stride 2 ─ mean          a range of its own; down to 4x4, the least that a KPU takes
"""

from __future__ import annotations

from dataclasses import replace

from k210kit.compiler.graph import Graph, Node, Shape
from k210kit.compiler.ops import AveragePool, Conv, GlobalAveragePool, Op
from k210kit.kmodel import memory

__all__ = ["means"]

_CPU_PER_BYTE = 34 + 18 + 10  # cycles of either clock: out of KPU memory, to a float, into the sum; see timing/cpu.py
_LEAST = 4  # pixels of a map's side that the KPU takes: nncase's limit
_WORTH = 4096  # bytes: the CPU would take the mean of fewer in half a millisecond


def means(graph: Graph) -> Graph:
    """Make the means of a picture model small."""
    if len(graph.input_shape) != 3:
        return graph
    graph = graph.with_nodes(replace(node, op=_whole(node.op, graph.shapes[node.inputs[0]])) for node in graph.nodes)
    graph = _dense_first(graph)
    nodes: list[Node] = []
    for node in graph.nodes:
        if isinstance(node.op, GlobalAveragePool) and node.inputs[0] != graph.input:
            nodes += _halved(node, graph.shapes[node.inputs[0]])
        else:
            nodes.append(node)
    return graph.with_nodes(nodes)


def _whole(op: Op, shape: Shape) -> Op:
    return GlobalAveragePool() if isinstance(op, AveragePool) and op.kernel == shape[1:] and not op.padding else op


def _dense_first(graph: Graph) -> Graph:
    moved: dict[str, Node] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        readers = graph.readers.get(node.output, ())
        alone = len(readers) == 1 and node.output not in graph.output_values
        if isinstance(node.op, GlobalAveragePool) and alone and _gains(readers[0].op, graph.shapes[node.inputs[0]]):
            moved[node.output] = node
            continue
        mean = moved.get(node.inputs[0]) if node.inputs else None
        if mean is None:
            nodes.append(node)
            continue
        name = f"{node.output}/of each pixel"
        nodes += [replace(node, inputs=mean.inputs, output=name), replace(mean, inputs=(name,), output=node.output)]
    return graph.with_nodes(nodes)


def _gains(op: Op, shape: Shape) -> bool:
    """Whether a convolution of the mean takes less time on every pixel: fewer channels leave the KPU."""
    if not isinstance(op, Conv) or op.groups != 1 or op.weights.shape[2:] != (1, 1) or shape[1:] == (1, 1):
        return False
    outs = int(op.weights.shape[0])
    saved = _CPU_PER_BYTE * shape[1] * shape[2] * (shape[0] - outs)
    added = outs * (memory.lines(shape[2], shape[1], shape[0]) - memory.lines(4, 4, shape[0]))
    return saved > added


def _halved(node: Node, shape: Shape) -> list[Node]:
    nodes: list[Node] = []
    source, height, width = node.inputs[0], shape[1], shape[2]
    while min(height, width) >= 2 * _LEAST and height % 2 == width % 2 == 0 and shape[0] * height * width >= _WORTH:
        name = f"{node.output}/of {height // 2}x{width // 2}"
        nodes.append(replace(node, op=AveragePool(kernel=(2, 2), stride=(2, 2)), inputs=(source,), output=name))
        source, height, width = name, height // 2, width // 2
    return [*nodes, replace(node, inputs=(source,))]
