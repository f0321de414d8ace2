"""What the CPU does on bytes between two layers of the KPU."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler import ops
from k210kit.compiler.graph import Graph, Node, elements
from k210kit.compiler.lowering.crops import cut_on_kpu, grow_on_kpu, view_on_kpu
from k210kit.compiler.lowering.pieces import pieces_of
from k210kit.compiler.lowering.values import Values
from k210kit.compiler.program import ConcatStep, MaxPoolStep, RequantizeStep, ResizeStep, Step
from k210kit.compiler.stages import KpuConv

__all__ = ["on_bytes"]


def on_bytes(values: Values, node: Node) -> None:
    """Add the steps of an operation of `BYTE_OPS`."""
    op, shape = node.op, values.graph.shapes[node.output]
    if isinstance(op, ops.Pad) and _goes_to_kpu(values, node.output) and grow_on_kpu(values, node, op):
        return None
    if isinstance(op, ops.Gather | ops.Pad):
        return _byte_gather(values, node, _as_gather(node, op, values.graph))
    source = values.need_bytes(node.inputs[0])
    target = values.whole(values.buffer(f"{node.output}/bytes", "bytes", shape))
    if isinstance(op, ops.Resize):
        step: Step = ResizeStep(
            node=node,
            reason="the KPU cannot enlarge",
            source=source,
            target=target,
            height=op.height,
            width=op.width,
        )
    else:
        inside = values.graph.shapes[node.inputs[0]]
        whole = isinstance(op, ops.GlobalMaxPool)
        pool = ops.MaxPool(kernel=inside[1:], stride=(1, 1)) if whole else op  # type: ignore[arg-type]
        assert isinstance(pool, ops.MaxPool)
        reason = "the KPU pools 2x2 with stride 2 only"
        before = (pool.padding.top, pool.padding.left)
        step = MaxPoolStep(
            node=node,
            reason=reason,
            source=source,
            target=target,
            kernel=pool.kernel,
            stride=pool.stride,
            before=before,
        )
    values.add(step)
    values.bytes[node.output] = target.buffer
    return None


def _byte_gather(values: Values, node: Node, op: ops.Gather) -> None:
    if _goes_to_kpu(values, node.output) and (view_on_kpu(values, node, op) or cut_on_kpu(values, node, op)):
        return
    sources = [values.need_bytes(name) for name in node.inputs]
    if len(sources) == 1 and np.array_equal(op.index, np.arange(elements(values.graph.shapes[node.inputs[0]]))):
        alias = values.buffer(f"{node.output}/bytes", "bytes", op.shape)
        values.add(
            ConcatStep(
                node=node,
                reason="",
                sources=(sources[0],),
                pieces=np.zeros((0, 3), np.int64),
                target=values.whole(alias),
            )
        )
        values.bytes[node.output] = alias
        return
    if (op.index < 0).any():
        zeros = values.buffer(f"{node.output}/zeros", "bytes", (_longest_run(op.index < 0),))
        values.add(
            RequantizeStep(node=node, reason="the border's zeros", source=sources[0], target=values.whole(zeros))
        )
        sources.append(zeros)
    pieces = pieces_of(node, op.index, [elements(values.graph.shapes[name]) for name in node.inputs])
    target = values.buffer(f"{node.output}/bytes", "bytes", op.shape)
    reason = "the KPU cannot move pixels so"
    values.add(ConcatStep(node=node, reason=reason, sources=tuple(sources), pieces=pieces, target=values.whole(target)))
    values.bytes[node.output] = target
    if _goes_to_kpu(values, node.output):
        values.need_kpu(node.output)  # at once, so that main memory is free again


def _goes_to_kpu(values: Values, value: str) -> bool:
    """Whether a layer, or the parts of one's input, will read the value."""
    return len(values.graph.shapes[value]) == 3 and any(
        isinstance(reader.op, KpuConv)
        or (
            isinstance(reader.op, ops.Concat)
            and reader.output in values.between
            and _goes_to_kpu(values, reader.output)
        )
        for reader in values.graph.readers.get(value, ())
    )


def _as_gather(node: Node, op: ops.Gather | ops.Pad, graph: Graph) -> ops.Gather:
    if isinstance(op, ops.Gather):
        return op
    shape = graph.shapes[node.inputs[0]]
    inside = np.arange(elements(shape), dtype=np.int64).reshape(shape)
    pad = op.padding
    around = ((0, op.channels_after), (pad.top, pad.bottom), (pad.left, pad.right))
    return ops.Gather(index=np.pad(inside, around, constant_values=-1).reshape(-1), shape=graph.shapes[node.output])


def _longest_run(flags: NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max())
