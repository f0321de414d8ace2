"""A convolution whose kernel covers the whole map, so that one pixel comes out, is a dense layer.

Before   (c, h, w) ─ conv h x w ─ (o, 1, 1)
After    (c, h, w) ─ gather ─ dense ─ gather ─ (o, 1, 1)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from k210kit.compiler.graph import Graph, Node, elements
from k210kit.compiler.ops import Conv, Dense, Gather

__all__ = ["whole_map_convs"]


def whole_map_convs(graph: Graph) -> Graph:
    """Turn each such convolution that has no groups."""
    nodes: list[Node] = []
    for node in graph.nodes:
        shape = graph.shapes[node.inputs[0]] if node.inputs else ()
        op = node.op
        whole = isinstance(op, Conv) and op.groups == 1 and shape[1:] != (1, 1) and op.weights.shape[2:] == shape[1:]
        if not (isinstance(op, Conv) and whole and graph.shapes[node.output][1:] == (1, 1) and not op.padding):
            nodes.append(node)
            continue
        outs, count = op.weights.shape[0], elements(shape)
        flat, made = f"{node.output}/flat", f"{node.output}/dense"
        before = Gather(index=np.arange(count, dtype=np.int64), shape=(count,))
        after = Gather(index=np.arange(outs, dtype=np.int64), shape=(outs, 1, 1))
        nodes += [
            replace(node, op=before, output=flat),
            replace(node, op=Dense(weights=op.weights.reshape(outs, -1), bias=op.bias), inputs=(flat,), output=made),
            replace(node, op=after, inputs=(made,)),
        ]
    return graph.with_nodes(nodes)
