"""From the lowered graph to steps: which values live in KPU memory, which in main memory as bytes or floats.

A convolution's result is in KPU memory. What the CPU shall do with it between two KPU layers it does on bytes: the KPU
sends a copy to main memory, and the result is uploaded. What leads only to outputs is done on floats.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from k210kit.compiler import ops
from k210kit.compiler.graph import Graph, Node, elements
from k210kit.compiler.lowering.byte_steps import on_bytes
from k210kit.compiler.lowering.float_steps import gather, on_floats
from k210kit.compiler.lowering.kpu_steps import convolve
from k210kit.compiler.lowering.tiles import Tiling, in_tiles
from k210kit.compiler.lowering.values import BYTE_OPS, Values
from k210kit.compiler.program import Program
from k210kit.compiler.stages import KpuConv

__all__ = ["lower"]


def lower(graph: Graph, tilings: Sequence[Tiling] = ()) -> Program:
    """The steps of a graph that all passes have been over; chains of `tilings` are made some rows at a time."""
    tiled = {name: tiling for tiling in tilings for name in tiling.chain}
    values = Values(graph)
    if len(graph.input_shape) == 3:
        values.buffer(graph.input, "kpu", graph.input_shape)
        values.parts[graph.input] = (graph.input,)
    else:
        values.buffer(graph.input, "floats", graph.input_shape)
        values.floats[graph.input] = graph.input
    for node in graph.nodes:
        values.node = node
        tiling = tiled.get(node.output)
        if tiling is None:
            _lower(values, node)
        elif node.output == tiling.chain[-1]:
            in_tiles(values, tiling)
    outputs = []
    for output in graph.outputs:
        values.node = graph.makers.get(output.value, values.node)
        outputs.append(values.need_floats(output.value))
    return Program(
        name=graph.name,
        input=graph.input,
        steps=tuple(values.steps),
        buffers=values.buffers,
        runs=tuple(tuple(run) for run in values.runs),
        outputs=tuple(outputs),
    )


def _lower(values: Values, node: Node) -> None:
    op = node.op
    if isinstance(op, KpuConv):
        return convolve(values, node, op)
    if isinstance(op, ops.Concat):
        if all(name in values.parts or name in values.bytes for name in node.inputs):
            values.parts[node.output] = tuple(p for name in node.inputs for p in values.need_kpu(name))
            return None
        shape = values.graph.shapes[node.output]
        return gather(values, node, ops.Gather(index=np.arange(elements(shape)), shape=shape))
    if isinstance(op, BYTE_OPS) and (node.output in values.between or _must_be_bytes(op)):
        return on_bytes(values, node)
    return on_floats(values, node)


def _must_be_bytes(op: ops.Op) -> bool:
    return isinstance(op, ops.MaxPool | ops.GlobalMaxPool | ops.Pad)
