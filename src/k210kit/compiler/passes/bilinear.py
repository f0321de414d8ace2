"""Interpolation to twice the size becomes nearest neighbour and a convolution, exactly, edges included.

    Before   bilinear x 2
    After    nearest x 2 ─┬─────────────────────────── (1 2 1)/4 x (1 2 1)/4 ─┐
                          ├─ first and last row ─────── 1/4 x (1 2 1)/4 ───────┤
                          ├─ first and last column ──── (1 2 1)/4 x 1/4 ───────┼─ sum
                          └─ corners ────────────────── 1/16 ──────────────────┘

The KPU pads with zeros where interpolation repeats the edge; the masked maps make up for that. All four are one
convolution over the maps side by side. With pixels whose place is their upper left, (0 1 1)/2 stands for (1 2 1)/4.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from k210kit.compiler.graph import Graph, Node, Shape
from k210kit.compiler.ops import Bilinear, Concat, Conv, Masked, Op, Padding, Resize

__all__ = ["expand_bilinear"]


def expand_bilinear(graph: Graph) -> Graph:
    """Expand every Bilinear of a picture model."""
    if len(graph.input_shape) != 3:
        return graph
    nodes: list[Node] = []
    for node in graph.nodes:
        if isinstance(node.op, Bilinear):
            nodes.extend(_expanded(node, node.op, graph.shapes[node.output]))
        else:
            nodes.append(node)
    return graph.with_nodes(nodes)


def _expanded(node: Node, op: Bilinear, shape: Shape) -> list[Node]:
    channels, height, width = shape
    taps = np.array([1, 2, 1] if op.half_pixel else [0, 2, 2], np.float32) / 4
    border = taps[2]  # what the kernel gives the pixel behind the last one, and before the first
    alone = np.array([0, 1, 0], np.float32)
    edge_rows, edge_columns = (_edges(size, op) for size in (height, width))
    every_row, every_column = np.ones(height, bool), np.ones(width, bool)
    masks = (
        (edge_rows, every_column, border * np.outer(alone, taps)),
        (every_row, edge_columns, border * np.outer(taps, alone)),
        (edge_rows, edge_columns, border * border * np.outer(alone, alone)),
    )
    large, joined = f"{node.output}/large", f"{node.output}/with edges"

    def made(what: Op, source: tuple[str, ...], output: str) -> Node:
        return replace(node, op=what, inputs=source, output=output)

    nodes = [made(Resize(height=height, width=width), node.inputs, large)]
    names, kernels = [large], [np.outer(taps, taps)]
    for k, (rows, columns, kernel) in enumerate(masks):
        names.append(f"{node.output}/edge {k}")
        nodes.append(made(Masked(rows=rows, columns=columns), (large,), names[-1]))
        kernels.append(kernel)
    weights = np.zeros((channels, len(kernels), channels, 3, 3), np.float32)
    for k, kernel in enumerate(kernels):
        weights[range(channels), k, range(channels)] = kernel
    conv = Conv(
        weights=weights.reshape(channels, -1, 3, 3), bias=np.zeros(channels, np.float32),
        padding=Padding(top=1, left=1, bottom=1, right=1),
    )  # fmt: skip
    return [*nodes, made(Concat(), tuple(names), joined), made(conv, (joined,), node.output)]


def _edges(size: int, op: Bilinear) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    kept = np.zeros(size, bool)
    kept[-1] = True
    kept[0] = op.half_pixel
    return kept
