"""ONNX operators that move numbers or leave them alone: reshapes, slices, concatenations, changes of type.

Source of the semantics: the ONNX operator specification (onnx.ai), opsets 7 to 23.
"""

from __future__ import annotations

import numpy as np

from k210kit.compiler.graph import elements
from k210kit.compiler.importers.onnx import Call
from k210kit.compiler.importers.onnx_table import demand_picture, reads, rearranged
from k210kit.compiler.ops import Concat
from k210kit.compiler.refusals import Inexpressible

__all__: list[str] = []


@reads("Concat")
def _concat(call: Call) -> None:
    shapes = [call.shape(k) for k in range(len(call.ins))]
    axis = int(call.attributes.get("axis", 1)) % len(shapes[0])
    values = [call.value(k) for k in range(len(call.ins))]
    if len(shapes[0]) == 4 and axis == 1:
        call.emit(Concat(), *values)
        return
    starts = np.cumsum([0, *(elements(s) for s in shapes)])
    parts = [call.build.natural(s) + start for s, start in zip(shapes, starts, strict=False)]
    call.emit_gather(np.concatenate(parts, axis), *values)


@reads("Reshape")
def _reshape(call: Call) -> None:
    shape = call.shape()
    wanted = [int(v) for v in call.constant(1)]
    if not call.attributes.get("allowzero", 0):
        wanted = [shape[i] if v == 0 else v for i, v in enumerate(wanted)]
    rearranged(call, call.build.natural(shape).reshape(wanted))


@reads("Flatten")
def _flatten(call: Call) -> None:
    axis = int(call.attributes.get("axis", 1)) % (len(call.shape()) + 1)
    rearranged(call, call.build.natural(call.shape()).reshape(elements(call.shape()[:axis]), -1))


@reads("Squeeze", "Unsqueeze")
def _squeeze(call: Call) -> None:
    index = call.build.natural(call.shape())
    axes = [int(a) for a in call.constant(1)] if call.has(1) else call.integers("axes", [])
    if call.kind == "Unsqueeze":
        rearranged(call, np.expand_dims(index, tuple(axes)))
    else:
        rearranged(call, np.squeeze(index, tuple(axes) if axes else None))


@reads("Transpose")
def _transpose(call: Call) -> None:
    index = call.build.natural(call.shape())
    rearranged(call, index.transpose(call.integers("perm", list(range(index.ndim))[::-1])))


@reads("Slice")
def _slice(call: Call) -> None:
    shape = call.shape()
    if call.has(1):
        rows = [[int(v) for v in call.constant(k)] if call.has(k) else None for k in range(1, 5)]
    else:
        rows = [call.integers("starts", []), call.integers("ends", []), call.attributes.get("axes"), None]
    starts, ends = rows[0] or [], rows[1] or []
    axes, steps = rows[2] or list(range(len(starts))), rows[3] or [1] * len(starts)
    parts = [slice(None)] * len(shape)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        last = None if step < 0 and end < -shape[axis] else end
        parts[axis % len(shape)] = slice(start, last, step)
    rearranged(call, call.build.natural(shape)[tuple(parts)])


@reads("Split")
def _split(call: Call) -> None:
    shape = call.shape()
    axis = int(call.attributes.get("axis", 0)) % len(shape)
    sizes = [int(v) for v in call.constant(1)] if call.has(1) else call.integers("split", [])
    if not sizes:
        part = -(-shape[axis] // len(call.outs))
        sizes = [min(part, shape[axis] - k * part) for k in range(len(call.outs))]
    for k, index in enumerate(np.split(call.build.natural(shape), np.cumsum(sizes)[:-1], axis)):
        if call.outs[k]:
            rearranged(call, index, k)


@reads("Gather")
def _gather(call: Call) -> None:
    axis = int(call.attributes.get("axis", 0)) % len(call.shape())
    rearranged(call, np.take(call.build.natural(call.shape()), call.constant(1).astype(np.int64), axis))


@reads("Expand", "Tile")
def _expand(call: Call) -> None:
    index, sizes = call.build.natural(call.shape()), [int(v) for v in call.constant(1)]
    if call.kind == "Tile":
        call.build.natural([n * max(times, 1) for n, times in zip(index.shape, sizes, strict=True)])  # not too large
        rearranged(call, np.tile(index, sizes))
        return
    out = np.broadcast_shapes(index.shape, tuple(sizes))
    call.build.natural(out)
    if call.ins[0] in call.reader.lengths:
        call.reader.lengths[call.outs[0]] = call.reader.lengths[call.ins[0]]
    rearranged(call, np.broadcast_to(index, out).copy())


@reads("DepthToSpace", "SpaceToDepth")
def _space(call: Call) -> None:
    channels, height, width = demand_picture(call)
    block = int(call.attributes["blocksize"])
    index = call.build.natural(call.shape())
    if call.kind == "SpaceToDepth":
        cut = index.reshape(channels, height // block, block, width // block, block).transpose(2, 4, 0, 1, 3)
        rearranged(call, cut.reshape(1, -1, height // block, width // block))
        return
    kept = channels // block**2
    if call.text("mode", "DCR") == "DCR":
        cut = index.reshape(block, block, kept, height, width).transpose(2, 3, 0, 4, 1)
    else:
        cut = index.reshape(kept, block, block, height, width).transpose(0, 3, 1, 4, 2)
    rearranged(call, cut.reshape(1, kept, height * block, width * block))


@reads("Identity", "QuantizeLinear", "DequantizeLinear")
def _as_it_is(call: Call) -> None:
    """A change of number type, or nothing: none of ours."""
    call.same()


_FLOAT_TYPES = (1, 10, 11, 16)  # float32, float16, float64, bfloat16 in ONNX's numbering


@reads("Cast")
def _cast(call: Call) -> None:
    if int(call.attributes["to"]) not in _FLOAT_TYPES:
        raise Inexpressible("integers", f"it makes integers or texts of {list(call.shape())}")
    call.same()


@reads("Dropout")
def _dropout(call: Call) -> None:
    if call.has(2) and call.constant(2).item():
        raise Inexpressible("training", "it is exported in training mode")
    if len([out for out in call.outs if out]) > 1:
        raise Inexpressible("second result", "its mask is asked for")
    call.same()


@reads("Shape")
def _shape(call: Call) -> None:
    shape = call.shape()
    start, end = int(call.attributes.get("start", 0)), call.attributes.get("end")
    call.fold(np.array(shape[start:end], np.int64))


@reads("Size")
def _size(call: Call) -> None:
    call.fold(np.array(elements(call.shape()), np.int64))
