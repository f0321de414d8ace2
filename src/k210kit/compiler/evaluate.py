"""The float graph, run on a batch of pictures with NumPy: the reference of calibration.

Every function takes arrays with the picture first: (pictures, channels, height, width) or (pictures, elements).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler import curves, elementary, ops
from k210kit.compiler.exact import exact_bits, on_grid, product
from k210kit.compiler.graph import Graph, Node
from k210kit.compiler.stages import PICK_LEFT_TOP, POOL_MAX_2X2, POOL_MAX_STRIDE_1, POOL_NONE, KpuConv
from k210kit.errors import KitError, UnsupportedError
from k210kit.kmodel.arithmetic.threads import own_threads, pool

__all__ = ["apply", "convolution", "for_each", "outputs", "preactivation", "values"]

Floats = NDArray[np.float32]
T = TypeVar("T")


def values(graph: Graph, batch: Floats) -> Iterator[tuple[str, Floats]]:
    """Every value of the graph for the batch, the input first; each is dropped after its last reader ran."""
    alive = {graph.input: np.ascontiguousarray(batch, np.float32)}
    yield graph.input, alive[graph.input]
    last = {name: k for k, node in enumerate(graph.nodes) for name in node.inputs}
    for k, node in enumerate(graph.nodes):
        result = apply(node, [alive[name] for name in node.inputs])
        if node.output in last:
            alive[node.output] = result
        for name in node.inputs:
            if last[name] == k:
                alive.pop(name, None)
        yield node.output, result


def outputs(graph: Graph, batch: Floats) -> list[Floats]:
    """The results of the model, in order."""
    wanted = graph.output_values
    found = {name: array for name, array in values(graph, batch) if name in wanted}
    return [found[output.value] for output in graph.outputs]


def apply(node: Node, inputs: list[Floats]) -> Floats:
    """One node on its inputs."""
    function = _FUNCTIONS.get(type(node.op))
    if function is None:
        if isinstance(node.op, ops.Foreign):
            raise UnsupportedError(f"{node}: {node.op.why}. Use {node.op.instead}.")
        raise KitError(f"{node} has no float function for {type(node.op).__name__}.")
    return function(node.op, inputs)


def for_each(work: Callable[[Any], T], items: Iterable[Any]) -> list[T]:  # Any: whatever `work` takes
    """Results in order, made on all cores."""
    return list(pool().map(work, items))


def convolution(
    x: Floats,
    weights: Floats,
    *,
    stride: tuple[int, int] = (1, 1),
    start: tuple[int, int] = (0, 0),
    padding: ops.Padding | None = None,
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
) -> Floats:
    """Cross-correlation without bias; `start` is the first row and column of windows that is computed."""
    count, channels = x.shape[:2]
    outs, per_group, kh, kw = weights.shape
    if padding:
        x = np.pad(x, ((0, 0), (0, 0), (padding.top, padding.bottom), (padding.left, padding.right)))
    height = (x.shape[2] - (kh - 1) * dilation[0] - 1 - start[0]) // stride[0] + 1
    width = (x.shape[3] - (kw - 1) * dilation[1] - 1 - start[1]) // stride[1] + 1

    def tap(image: NDArray[Any], row: int, column: int) -> NDArray[Any]:  # Any: floats, or whole numbers as floats
        top, left = start[0] + row * dilation[0], start[1] + column * dilation[1]
        down, across = slice(top, top + (height - 1) * stride[0] + 1, stride[0]), (left, (width - 1) * stride[1] + 1)
        return image[:, down, across[0] : across[0] + across[1] : stride[1]]

    out = np.empty((count, outs, height, width), np.float32)
    depthwise = groups == channels and per_group == 1
    bits = exact_bits(per_group * kh * kw)
    factors, steps = (weights, weights) if depthwise else on_grid(weights.reshape(outs, -1), bits)

    def one(image: int) -> None:
        if depthwise:
            multiple = outs // channels
            _depthwise(x[image] if multiple == 1 else np.repeat(x[image], multiple, 0), weights, tap, out[image])
            return
        for group in range(groups):
            inside = x[image, group * per_group : (group + 1) * per_group]
            members = slice(group * (outs // groups), (group + 1) * (outs // groups))
            flat, step = on_grid(inside.reshape(1, -1), bits)
            pixels = flat.reshape(inside.shape)
            patch = np.empty((per_group, kh, kw, height, width))
            for row in range(kh):
                for column in range(kw):
                    patch[:, row, column] = tap(pixels, row, column)
            sums = factors[members] @ patch.reshape(per_group * kh * kw, -1)
            sums *= step * steps[members]
            out[image, members] = sums.reshape(outs // groups, height, width)

    with own_threads():
        for_each(one, range(count))
    return out


def _depthwise(source: Floats, weights: Floats, tap: Callable[[Floats, int, int], NDArray[Any]], out: Floats) -> None:
    """Channel by channel, so that the working set stays in the nearest cache."""
    kh, kw = weights.shape[2:]
    block = max(1, 65536 // max(1, out.shape[1] * out.shape[2]))
    for first in range(0, len(source), block):
        part = slice(first, first + block)
        total = out[part]
        product = np.empty_like(total)
        for row in range(kh):
            for column in range(kw):
                factor = weights[part, 0, row, column][:, None, None]
                if row == column == 0:
                    np.multiply(tap(source[part], 0, 0), factor, out=total)
                else:
                    np.multiply(tap(source[part], row, column), factor, out=product)
                    total += product


def preactivation(op: KpuConv, x: Floats) -> Floats:
    """What the curve of a KPU layer sees, at the pixels that a picking pool keeps."""
    if op.border == "lowest":
        return _shifted(op, x)
    weights = op.weights[:, None] if op.depthwise else op.weights
    border = op.kernel // 2
    padding = ops.Padding(top=border, left=border, bottom=border, right=border)
    stride, start = (1, 1), (0, 0)
    if op.pool_type == PICK_LEFT_TOP:
        stride, start = (2, 2), op.first
        x = x[:, :, : x.shape[2] // 2 * 2 + 1, : x.shape[3] // 2 * 2 + 1]
    out = convolution(
        x, weights, stride=stride, start=start, padding=padding, groups=op.in_channels if op.depthwise else 1
    )
    if stride == (2, 2):
        out = out[:, :, : x.shape[2] // 2, : x.shape[3] // 2]
    out += op.bias[:, None, None]
    return out


def _shifted(op: KpuConv, x: Floats) -> Floats:
    """A copy moved by one pixel; what comes in from outside is lower than everything."""
    row, column = (int(tap[0]) - 1 for tap in np.nonzero(op.weights[0]))
    around = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    return np.ascontiguousarray(around[:, :, 1 + row :, 1 + column :][:, :, : x.shape[2], : x.shape[3]])


def _kpu_conv(op: KpuConv, inputs: list[Floats]) -> Floats:
    x = inputs[0] if len(inputs) == 1 else np.concatenate(inputs, 1)
    before = preactivation(op, x)
    after = _prelu(before, op.slopes) if op.slopes is not None else curves.evaluate(op.curve, before)
    return pooled(after, op.pool_type)


def pooled(x: Floats, pool_type: int) -> Floats:
    """The pooling of a KPU layer on floats; the picks were made before."""
    if pool_type in (POOL_NONE, PICK_LEFT_TOP):
        return x
    height, width = x.shape[2] // 2, x.shape[3] // 2
    parts = [x[:, :, r : 2 * height : 2, c : 2 * width : 2] for r in (0, 1) for c in (0, 1)]
    if pool_type == POOL_MAX_2X2:
        return np.maximum(np.maximum(parts[0], parts[1]), np.maximum(parts[2], parts[3]))
    below = np.pad(x, ((0, 0), (0, 0), (0, 1), (0, 1)), mode="edge")
    shifted = [below[:, :, r : r + x.shape[2], c : c + x.shape[3]] for r in (0, 1) for c in (0, 1)]
    if pool_type == POOL_MAX_STRIDE_1:
        return np.maximum(np.maximum(shifted[0], shifted[1]), np.maximum(shifted[2], shifted[3]))
    raise KitError(f"Pool type {pool_type} is never chosen by the compiler.")


def _prelu(x: Floats, slopes: Floats) -> Floats:
    return np.where(x > 0, x, x * slopes.reshape(1, -1, *([1] * (x.ndim - 2))))


def _conv(op: ops.Conv, inputs: list[Floats]) -> Floats:
    out = convolution(
        inputs[0], op.weights, stride=op.stride, padding=op.padding, dilation=op.dilation, groups=op.groups
    )
    out += op.bias[:, None, None]
    return out


def _conv_transpose(op: ops.ConvTranspose, inputs: list[Floats]) -> Floats:
    x, (down, across) = inputs[0], op.stride
    spread = np.zeros((*x.shape[:2], (x.shape[2] - 1) * down + 1, (x.shape[3] - 1) * across + 1), np.float32)
    spread[:, :, ::down, ::across] = x
    ins, per_group, kh, kw = op.weights.shape
    grouped = op.weights.reshape(op.groups, ins // op.groups, per_group, kh, kw)[..., ::-1, ::-1]
    weights = np.ascontiguousarray(grouped.transpose(0, 2, 1, 3, 4).reshape(-1, ins // op.groups, kh, kw))
    full = convolution(
        spread, weights, padding=ops.Padding(top=kh - 1, left=kw - 1, bottom=kh - 1, right=kw - 1), groups=op.groups
    )
    cut = op.padding
    out = full[:, :, cut.top : full.shape[2] - cut.bottom, cut.left : full.shape[3] - cut.right]
    return np.asarray(out + op.bias[:, None, None], np.float32)


def _per_channel(numbers: Floats, x: Floats) -> Floats:
    return numbers.reshape(1, -1, *([1] * (x.ndim - 2)))


def _windows(x: Floats, kernel: tuple[int, int], stride: tuple[int, int], padding: ops.Padding, fill: float) -> Floats:
    around = ((0, 0), (0, 0), (padding.top, padding.bottom), (padding.left, padding.right))
    padded = np.pad(x, around, constant_values=fill)
    seen = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(2, 3))
    return seen[:, :, :: stride[0], :: stride[1]]


def _max_pool(op: ops.MaxPool, inputs: list[Floats]) -> Floats:
    return np.asarray(_windows(inputs[0], op.kernel, op.stride, op.padding, -np.inf).max((4, 5)), np.float32)


def _average_pool(op: ops.AveragePool, inputs: list[Floats]) -> Floats:
    total = _windows(inputs[0], op.kernel, op.stride, op.padding, 0.0).sum((4, 5))
    if op.counts_padding:
        return np.asarray(total / np.float32(op.kernel[0] * op.kernel[1]), np.float32)
    ones = np.ones((1, 1, *inputs[0].shape[2:]), np.float32)
    return np.asarray(total / _windows(ones, op.kernel, op.stride, op.padding, 0.0).sum((4, 5)), np.float32)


def _softmax(op: ops.Softmax, inputs: list[Floats]) -> Floats:
    rows = inputs[0].reshape(len(inputs[0]), -1, op.length)
    raised = elementary.exp(rows - rows.max(2, keepdims=True))
    return np.asarray(raised / raised.sum(2, keepdims=True), np.float32).reshape(inputs[0].shape)


def _l2(_: ops.L2Normalize, inputs: list[Floats]) -> Floats:
    x = inputs[0]
    return np.asarray(x / np.sqrt(np.maximum((x * x).sum(1, keepdims=True), 1e-10)), np.float32)


def _resize(op: ops.Resize, inputs: list[Floats]) -> Floats:
    x = inputs[0]
    rows = np.arange(op.height) * x.shape[2] // op.height
    columns = np.arange(op.width) * x.shape[3] // op.width
    return np.ascontiguousarray(x[:, :, rows][:, :, :, columns])


def _bilinear(op: ops.Bilinear, inputs: list[Floats]) -> Floats:
    x = inputs[0]
    for axis in (2, 3):
        size = x.shape[axis]
        at = (np.arange(2 * size) + 0.5) / 2 - 0.5 if op.half_pixel else np.arange(2 * size) / 2
        at = np.clip(at, 0, size - 1)
        low = np.floor(at).astype(int)
        part = (at - low).astype(np.float32).reshape(-1, *([1] * (3 - axis)))
        x = np.take(x, low, axis) * (1 - part) + np.take(x, np.minimum(low + 1, size - 1), axis) * part
    return np.asarray(x, np.float32)


def _masked(op: ops.Masked, inputs: list[Floats]) -> Floats:
    return inputs[0] * (op.rows[:, None] & op.columns).astype(np.float32)


def _pad(op: ops.Pad, inputs: list[Floats]) -> Floats:
    pad = op.padding
    around = ((0, 0), (0, op.channels_after), (pad.top, pad.bottom), (pad.left, pad.right))
    return np.pad(inputs[0], around, constant_values=op.value)


def _gather(op: ops.Gather, inputs: list[Floats]) -> Floats:
    flat = [x.reshape(len(x), -1) for x in inputs]
    joined = flat[0] if len(flat) == 1 else np.concatenate(flat, 1)
    return joined[:, op.index].reshape(len(joined), *op.shape)


_FUNCTIONS: dict[type[ops.Op], Callable[..., Floats]] = {
    KpuConv: _kpu_conv,
    ops.Conv: _conv,
    ops.ConvTranspose: _conv_transpose,
    ops.Dense: lambda op, x: product(x[0], op.weights.T).astype(np.float32) + op.bias,
    ops.Affine: lambda op, x: x[0] * _per_channel(op.scale, x[0]) + _per_channel(op.shift, x[0]),
    ops.Curve: lambda op, x: curves.evaluate(op, x[0]),
    ops.PRelu: lambda op, x: _prelu(x[0], op.slopes),
    ops.Add: lambda op, x: x[0] + x[1],
    ops.Sub: lambda op, x: x[0] - x[1],
    ops.Mul: lambda op, x: x[0] * x[1],
    ops.Concat: lambda op, x: np.concatenate(x, 1),
    ops.MaxPool: _max_pool,
    ops.AveragePool: _average_pool,
    ops.GlobalAveragePool: lambda op, x: x[0].mean((2, 3), keepdims=True),
    ops.GlobalMaxPool: lambda op, x: x[0].max((2, 3), keepdims=True),
    ops.Resize: _resize,
    ops.Bilinear: _bilinear,
    ops.Masked: _masked,
    ops.Pad: _pad,
    ops.Gather: _gather,
    ops.Softmax: _softmax,
    ops.L2Normalize: _l2,
}
