"""Every second pixel from the second on: a copy moved by one pixel, of which the KPU keeps the first, third, fifth ...

The KPU computes a strided convolution at every pixel and keeps the upper left of each 2x2 square. TensorFlow's SAME
padding on an even size needs the lower right. Every pixel is made, bytes that are the results already; a depthwise
layer with a single 1 below and right of the middle copies them up and left by one, and keeps the upper left.

    Before   x ─ conv 3x3 with relu, keeping the lower right of 2x2
    After    x ─ conv 3x3 with relu ─ copy moved by (1, 1), keeping the upper left of 2x2

Nothing is lost: what is kept lies inside of the picture. The second layer takes some ten microseconds.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from k210kit.compiler.graph import Graph, Node
from k210kit.compiler.stages import PICK_LEFT_TOP, POOL_NONE, Border, KpuConv

__all__ = ["EVERY_PIXEL", "moved_copy", "pick_by_shift"]

EVERY_PIXEL = "/every pixel"
"""How names of maps end of which a layer behind keeps a quarter."""


def pick_by_shift(graph: Graph) -> Graph:
    """Make each such layer two."""
    nodes: list[Node] = []
    for node in graph.nodes:
        op = node.op
        if not isinstance(op, KpuConv) or op.first == (0, 0):
            nodes.append(node)
            continue
        whole = replace(op, pool_type=POOL_NONE, first=(0, 0))
        pick = moved_copy(op.out_channels, op.first, pool_type=PICK_LEFT_TOP, border="unseen")
        full = node.output + EVERY_PIXEL
        nodes += [replace(node, op=whole, output=full), replace(node, op=pick, inputs=(full,))]
    return graph.with_nodes(nodes)


def moved_copy(channels: int, by: tuple[int, int], *, pool_type: int, border: Border) -> KpuConv:
    """A depthwise layer whose pixel (y, x) is the pixel (y + by[0], x + by[1]) of its input; `by`: -1 to 1."""
    weights = np.zeros((channels, 3, 3), np.float32)
    weights[:, 1 + by[0], 1 + by[1]] = 1
    bias = np.zeros(channels, np.float32)
    return KpuConv(weights=weights, bias=bias, depthwise=True, pool_type=pool_type, border=border)
