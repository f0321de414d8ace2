"""Borders of zeros go into the convolution or pool behind them.

Before   pad ─ conv           After   conv
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from k210kit.compiler.graph import Graph, Node
from k210kit.compiler.ops import AveragePool, Conv, MaxPool, Op, Pad, Padding

__all__ = ["fold_padding", "summed"]


def fold_padding(graph: Graph) -> Graph:
    """Fold every Pad whose readers all take it."""
    folded: dict[str, Node] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        if isinstance(node.op, Pad) and not node.op.channels_after and node.output not in graph.output_values:
            readers = graph.readers.get(node.output, ())
            if readers and all(_takes(reader.op, node.op) for reader in readers):
                folded[node.output] = node
                continue
        before = folded.get(node.inputs[0]) if node.inputs else None
        if before is not None and isinstance(before.op, Pad) and isinstance(node.op, Conv | MaxPool | AveragePool):
            padding = summed(before.op.padding, node.op.padding)
            op = replace(node.op, padding=padding)
            if isinstance(op, AveragePool):
                op = replace(op, counts_padding=True)
            node = replace(node, op=op, inputs=before.inputs)
        nodes.append(node)
    return graph.with_nodes(nodes)


def _takes(op: Op, pad: Pad) -> bool:
    if isinstance(op, MaxPool):  # ignores what lies outside: right if the border never wins
        return pad.value == -np.inf or pad.value < -1e30
    if isinstance(op, AveragePool):
        return pad.value == 0 and (op.counts_padding or not op.padding)
    return isinstance(op, Conv) and pad.value == 0


def summed(first: Padding, second: Padding) -> Padding:
    return Padding(
        top=first.top + second.top,
        left=first.left + second.left,
        bottom=first.bottom + second.bottom,
        right=first.right + second.right,
    )
