"""Windows of maps are cut behind the 1x1 layers that follow, where these make fewer channels.

    Before   64 channels ─ window ─ conv 1x1, 64 → 16          After   64 channels ─ conv 1x1, 64 → 16 ─ window

A 1x1 layer makes each pixel of that pixel alone; to cut 16 channels costs a quarter of what 64 cost.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from k210kit.compiler.graph import Graph, Node, Shape, elements, window_of
from k210kit.compiler.ops import Gather
from k210kit.compiler.stages import POOL_NONE, KpuConv

__all__ = ["sink_windows"]


def sink_windows(graph: Graph) -> Graph:
    """Sink until nothing moves."""
    while True:
        pair = next((pair for node in graph.nodes if (pair := _pair(node, graph)) is not None), None)
        if pair is None:
            return graph
        window, layer = pair
        graph = graph.with_nodes(
            each
            for node in graph.nodes
            if node is not window
            for each in (_swapped(window, layer, graph) if node is layer else (node,))
        )


def _pair(node: Node, graph: Graph) -> tuple[Node, Node] | None:
    """A window and the layer that it can be cut behind."""
    op, readers = node.op, graph.readers.get(node.output, ())
    if not isinstance(op, Gather) or len(node.inputs) != 1 or len(readers) != 1 or node.output in graph.output_values:
        return None
    layer = readers[0].op
    if (
        not isinstance(layer, KpuConv)
        or len(readers[0].inputs) != 1
        or layer.kernel != 1
        or layer.pool_type != POOL_NONE
    ):
        return None
    behind = graph.readers.get(readers[0].output, ())
    if readers[0].output in graph.output_values or not any(isinstance(each.op, KpuConv) for each in behind):
        return None  # the CPU would cut its floats
    found = window_of(op.index, graph.shapes[node.inputs[0]], op.shape)
    return (node, readers[0]) if found is not None and layer.out_channels < layer.in_channels else None


def _swapped(window: Node, layer: Node, graph: Graph) -> tuple[Node, Node]:
    assert isinstance(window.op, Gather)
    assert isinstance(layer.op, KpuConv)
    source = graph.shapes[window.inputs[0]]
    top, left = divmod(int(window.op.index[0]), source[2])
    whole: Shape = (layer.op.out_channels, *source[1:])
    shape: Shape = (layer.op.out_channels, *window.op.shape[1:])
    positions = np.arange(elements(whole), dtype=np.int64).reshape(whole)
    index = positions[:, top : top + shape[1], left : left + shape[2]].reshape(-1)
    name = f"{layer.output}/whole"
    cut = replace(window, op=Gather(index=index, shape=shape), inputs=(name,), output=layer.output)
    return replace(layer, inputs=window.inputs, output=name), cut
