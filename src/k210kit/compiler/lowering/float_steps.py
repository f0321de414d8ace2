"""What the CPU does on floats: everything that leads only to the model's outputs."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from k210kit.compiler import ops
from k210kit.compiler.curves import said
from k210kit.compiler.graph import Node, elements
from k210kit.compiler.lowering.byte_steps import on_bytes
from k210kit.compiler.lowering.pieces import fewest_runs, pieces_of
from k210kit.compiler.lowering.values import Values
from k210kit.compiler.program import (
    AveragePoolStep,
    ConcatStep,
    DenseStep,
    DequantizeStep,
    FlattenStep,
    QuantizeStep,
    Slice,
    SumStep,
    VectorKind,
    VectorStep,
)
from k210kit.compiler.refusals import LayerRefused

__all__ = ["gather", "on_floats"]


def on_floats(values: Values, node: Node) -> None:
    """Add the steps of an operation on floats; a `LayerRefused` if there are none."""
    function = _FLOAT_STEPS.get(type(node.op))
    if function is None:
        raise LayerRefused(node, *_why_not(values, node))
    return function(values, node)


def _why_not(values: Values, node: Node) -> tuple[str, str]:
    """The row of `refusals.py`, and what was found."""
    sizes = " and ".join("x".join(map(str, values.graph.shapes[name])) for name in node.inputs)
    if isinstance(node.op, ops.ConvTranspose):
        kernel, stride = node.op.weights.shape[2:], node.op.stride
        found = f"its kernel is {kernel[0]}x{kernel[1]}, its stride {stride[0]}x{stride[1]}, on {sizes}"
        return "transposed convolution", found
    return "flat arithmetic", f"{type(node.op).__name__} of {sizes}"


def gather(values: Values, node: Node, op: ops.Gather) -> None:
    """Rearrange floats."""
    sources = [values.need_floats(name) for name in node.inputs]
    shapes = [values.graph.shapes[name] for name in node.inputs]
    if len(sources) == 1 and np.array_equal(op.index, np.arange(elements(shapes[0]))):
        values.floats[node.output] = sources[0]
        return
    target = values.buffer(f"{node.output}/floats", "floats", op.shape)
    index, reason = fewest_runs(op.index, shapes), "the results' order"
    starts = np.cumsum([0, *map(elements, shapes)])
    owner = np.searchsorted(starts, op.index, side="right") - 1
    cuts = [0, *(np.flatnonzero(np.diff(owner)) + 1).tolist(), op.index.size]
    turned: dict[int, str] = {}
    rest: list[tuple[int, int]] = []
    for a, b in itertools.pairwise(cuts):
        k = int(owner[a])
        whole = Slice(buffer=target, first=a, size=b - a)
        if index.turned[k] and np.array_equal(index.positions[a:b], np.arange(starts[k], starts[k + 1])):
            values.add(FlattenStep(node=node, reason=reason, source=sources[k], target=whole))
            continue
        if index.turned[k] and k not in turned:
            turned[k] = values.buffer(f"{sources[k]}/turned", "floats", shapes[k])
            values.add(FlattenStep(node=node, reason=reason, source=sources[k], target=values.whole(turned[k])))
        if rest and rest[-1][1] == a:
            rest[-1] = (rest[-1][0], b)
        else:
            rest.append((a, b))
    names = tuple(turned.get(k, name) for k, name in enumerate(sources))
    for a, b in rest:
        pieces = pieces_of(node, index.positions[a:b], [elements(s) for s in shapes])
        part = Slice(buffer=target, first=a, size=b - a)
        used = sorted(set(pieces[:, 0].tolist()))
        pieces[:, 0] = np.searchsorted(used, pieces[:, 0])
        kept = tuple(names[k] for k in used)
        values.add(ConcatStep(node=node, reason=reason, sources=kept, pieces=pieces, target=part))
    values.floats[node.output] = target


def _pool(values: Values, node: Node) -> None:
    """A mean. Floats that become bytes again are written in the bytes' own steps, so an output has floats apart."""
    value, outputs = node.inputs[0], values.graph.output_values
    apart = {value, node.output} & outputs and (value in values.parts or value in values.bytes)
    if apart and node.output in values.between:
        pooled = _pooled(values, node, apart=True)
        target = values.buffer(f"{node.output}/bytes", "bytes", values.graph.shapes[node.output])
        reason = "floats of the CPU become bytes for the KPU"
        values.add(QuantizeStep(node=node, reason=reason, source=pooled, target=values.whole(target)))
        values.bytes[node.output] = target
        if node.output not in outputs:
            return
    values.floats[node.output] = _pooled(values, node)


_WINDOW = "the runtime takes means of floats only, and the KPU's are rounded down"


def _pooled(values: Values, node: Node, *, apart: bool = False) -> str:
    """The buffer of means; `apart`: of floats that nobody else reads."""
    op, value = node.op, node.inputs[0]
    target = values.buffer(f"{node.output}/floats", "floats", values.graph.shapes[node.output])
    window = isinstance(op, ops.AveragePool) and op.kernel != values.graph.shapes[value][1:]
    if not window and value not in values.floats:
        return _mean_by_parts(values, node, target)
    kept = values.floats.pop(value, None) if apart else None
    source = values.need_floats(value)
    if apart:
        del values.floats[value]
        if kept is not None:
            values.floats[value] = kept
    step = AveragePoolStep(node=node, reason=_WINDOW, source=source, target=values.whole(target), kernel=None)
    if window and isinstance(op, ops.AveragePool):
        step = replace(step, kernel=op.kernel, stride=op.stride, before=(op.padding.top, op.padding.left))
    values.add(step)
    return target


_PARTS = 4  # of a map whose floats would be large; each is two layers, and MaixPy's stack ends at 36 in a row
_LARGE = 16 * 1024


def _mean_by_parts(values: Values, node: Node, target: str) -> str:
    """The mean of each channel, some channels at a time, so that few of the map's pixels are floats at once."""
    value = node.inputs[0]
    shape = values.graph.shapes[value]
    pixels = elements(shape[1:])
    sources = [values.bytes[value]] if value in values.bytes else [values.sent(part) for part in values.parts[value]]
    at_once = shape[0] if 4 * elements(shape) <= _LARGE else -(-shape[0] // _PARTS)
    done = 0
    for source in sources:
        channels = values.buffers[source].shape[0]
        for first in range(0, channels, at_once):
            count = min(at_once, channels - first)
            part = values.buffer(f"{value}/floats", "floats", (count, *shape[1:]))
            reason = "means are of floats"
            into = values.whole(part)
            values.add(DequantizeStep(node=node, reason=reason, source=source, target=into, first=first * pixels))
            means = Slice(buffer=target, first=done, size=count)
            values.add(AveragePoolStep(node=node, reason=_WINDOW, source=part, target=means, kernel=None))
            done += count
    return target


_MOST_ROWS = 24  # of softmax: with what stands around them, MaixPy's stack ends at 36 layers of the CPU


def _vector(values: Values, node: Node) -> None:
    op, size = node.op, elements(values.graph.shapes[node.output])
    source = values.need_floats(node.inputs[0])
    target = values.buffer(f"{node.output}/floats", "floats", values.graph.shapes[node.output])
    length = op.length if isinstance(op, ops.Softmax) else size
    if size // length > _MOST_ROWS:
        raise LayerRefused(node, "rows of softmax", f"it has {size // length:,} rows of {length}")
    names: dict[type[ops.Op], VectorKind] = {
        ops.Softmax: "softmax",
        ops.L2Normalize: "l2",
        ops.Curve: "logistic",
    }
    what = names[type(op)]
    if isinstance(op, ops.Curve) and op.kind != "sigmoid":
        return _curve(values, node, op, source, target)
    for first in range(0, size, length):
        part = Slice(buffer=target, first=first, size=length)
        values.add(
            VectorStep(
                node=node,
                reason="a function of a whole vector",
                source=source,
                target=part,
                what=what,
                first=first,
                size=length,
            )
        )
    values.floats[node.output] = target
    return None


def _curve(values: Values, node: Node, op: ops.Curve, source: str, target: str) -> None:
    """ReLU on floats, to 15 bits: quantise (which drops what is negative), then quantise what that left over.

    q1 = quantise(x); r = x - dequantise(q1); q2 = quantise(r, finer); result = dequantise(q1) + dequantise(q2).
    MaixPy ignores the activation of a fully connected layer, and has no other float ReLU.
    """
    if op.kind == "linear":
        values.floats[node.output] = source
        return
    if not (op.kind == "clip" and op.alpha == 0.0 and op.beta == np.inf):
        raise LayerRefused(node, "float curve", f"it is {said(op)} of {elements(values.graph.shapes[node.output])}")
    shape = values.graph.shapes[node.output]
    coarse = values.buffer(f"{node.output}/coarse", "bytes", shape)
    less = values.buffer(f"{node.output}/less", "floats", shape)
    rest = values.buffer(f"{node.output}/rest", "floats", shape)
    fine = values.buffer(f"{node.output}/fine", "bytes", shape)
    both = [values.buffer(f"{node.output}/{name}", "floats", shape) for name in ("high", "low")]
    reason = "no layer of the format is a float ReLU; this is one, to 15 bits"
    common = {"node": node, "reason": reason}
    values.add(QuantizeStep(source=source, target=values.whole(coarse), part="coarse", **common))  # type: ignore[arg-type]
    values.add(DequantizeStep(source=coarse, target=values.whole(less), **common))  # type: ignore[arg-type]
    values.add(SumStep(sources=(source, less), target=values.whole(rest), **common))  # type: ignore[arg-type]
    values.add(QuantizeStep(source=rest, target=values.whole(fine), part="fine", **common))  # type: ignore[arg-type]
    values.add(DequantizeStep(source=coarse, target=values.whole(both[0]), **common))  # type: ignore[arg-type]
    values.add(DequantizeStep(source=fine, target=values.whole(both[1]), **common))  # type: ignore[arg-type]
    values.add(SumStep(sources=(both[0], both[1]), target=values.whole(target), **common))  # type: ignore[arg-type]
    values.floats[node.output] = target


def _dense(values: Values, node: Node) -> None:
    assert isinstance(node.op, ops.Dense)
    source = values.need_floats(node.inputs[0])
    target = values.buffer(f"{node.output}/floats", "floats", values.graph.shapes[node.output])
    values.add(
        DenseStep(
            node=node, reason="a flat model runs as floats", source=source, target=values.whole(target), op=node.op
        )
    )
    values.floats[node.output] = target


def _sum(values: Values, node: Node) -> None:
    sources = [values.need_floats(name) for name in node.inputs]
    target = values.buffer(f"{node.output}/floats", "floats", values.graph.shapes[node.output])
    values.add(
        SumStep(node=node, reason="a sum of floats", sources=(sources[0], sources[1]), target=values.whole(target))
    )
    values.floats[node.output] = target


def _order(values: Values, node: Node) -> None:
    assert isinstance(node.op, ops.Gather)
    gather(values, node, node.op)


_FLOAT_STEPS: dict[type[ops.Op], Callable[[Values, Node], None]] = {
    ops.Gather: _order,
    ops.GlobalAveragePool: _pool,
    ops.AveragePool: _pool,
    ops.Softmax: _vector,
    ops.L2Normalize: _vector,
    ops.Curve: _vector,
    ops.Dense: _dense,
    ops.Resize: on_bytes,
    ops.Add: _sum,
}
