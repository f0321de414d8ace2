"""What each ONNX operator becomes: a table of functions, one per operator or family of operators.

Source of the semantics: the ONNX operator specification (onnx.ai), opsets 7 to 23.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler.graph import elements, window_count
from k210kit.compiler.importers.layout import padding_of
from k210kit.compiler.importers.onnx import Call, Inexpressible
from k210kit.compiler.ops import (
    Add,
    AveragePool,
    Concat,
    Conv,
    ConvTranspose,
    Curve,
    Dense,
    GlobalAveragePool,
    GlobalMaxPool,
    L2Normalize,
    MaxPool,
    Mul,
    Op,
    Pad,
    Padding,
    PRelu,
    Resize,
    Softmax,
    Sub,
)

__all__ = ["OPERATORS"]

Indices = NDArray[np.int64]
Reads = Callable[[Call], object]
OPERATORS: dict[str, Reads] = {}
_INFINITY = float("inf")


def _reads(*kinds: str) -> Callable[[Reads], Reads]:
    def join(function: Reads) -> Reads:
        OPERATORS.update(dict.fromkeys(kinds, function))
        return function

    return join


def _demand_picture(call: Call) -> tuple[int, int, int]:
    shape = call.shape()
    if len(shape) != 4:
        raise Inexpressible(
            f"its input has rank {len(shape)}, {list(shape)}", "a picture: batch, channels, height, width"
        )
    return shape[1], shape[2], shape[3]


def _pair(values: list[int], what: str) -> tuple[int, int]:
    if len(values) != 2 or min(values) < 1:
        raise Inexpressible(f"its {what} is {values}", "two numbers of at least 1: height and width")
    return values[0], values[1]


def _padding(call: Call, kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int]) -> Padding:
    """The padding by `auto_pad` or `pads`."""
    _, height, width = _demand_picture(call)
    kind = call.text("auto_pad", "NOTSET")
    if kind in ("SAME_UPPER", "SAME_LOWER"):
        pad = padding_of((height, width), kernel, stride, dilation)
        if kind == "SAME_UPPER":
            return pad
        return Padding(top=pad.bottom, left=pad.right, bottom=pad.top, right=pad.left)
    top, left, bottom, right = [0] * 4 if kind == "VALID" else call.integers("pads", [0] * 4)
    if min(top, left, bottom, right) < 0:
        raise Inexpressible(f"its padding is negative: {[top, left, bottom, right]}", "padding of at least 0")
    return Padding(top=top, left=left, bottom=bottom, right=right)


@_reads("Conv")
def _conv(call: Call) -> None:
    _demand_picture(call)
    weights = call.floats(1)
    kernel = _pair(list(weights.shape[2:]), "kernel")
    stride = _pair(call.integers("strides", [1, 1]), "stride")
    dilation = _pair(call.integers("dilations", [1, 1]), "dilation")
    bias = call.floats(2) if call.has(2) else np.zeros(weights.shape[0], np.float32)
    op = Conv(
        weights=weights, bias=bias, stride=stride, padding=_padding(call, kernel, stride, dilation),
        dilation=dilation, groups=int(call.attributes.get("group", 1)),
    )  # fmt: skip
    call.emit(op, call.value(0))


@_reads("ConvTranspose")
def _conv_transpose(call: Call) -> None:
    _, height, width = _demand_picture(call)
    weights = call.floats(1)
    kernel = _pair(list(weights.shape[2:]), "kernel")
    stride = _pair(call.integers("strides", [1, 1]), "stride")
    if call.integers("dilations", [1, 1]) != [1, 1]:
        raise Inexpressible("it is dilated", "dilation 1")
    extra = call.integers("output_padding", [0, 0])
    pads = call.integers("pads", [0] * 4)
    if "output_shape" in call.attributes or call.text("auto_pad", "NOTSET") != "NOTSET":
        wanted = call.integers("output_shape", [height * stride[0], width * stride[1]])[-2:]
        total = [(n - 1) * s + k - w for n, s, k, w in zip((height, width), stride, kernel, wanted, strict=True)]
        pads = [total[0] // 2, total[1] // 2, total[0] - total[0] // 2, total[1] - total[1] // 2]
    cut = Padding(top=pads[0], left=pads[1], bottom=pads[2] - extra[0], right=pads[3] - extra[1])
    if min(cut.top, cut.left, cut.bottom, cut.right) < 0:
        raise Inexpressible(f"it adds rows or columns beyond its own reach ({cut})", "output_padding of at most pads")
    groups = int(call.attributes.get("group", 1))
    bias = call.floats(2) if call.has(2) else np.zeros(weights.shape[1] * groups, np.float32)
    call.emit(ConvTranspose(weights=weights, bias=bias, stride=stride, padding=cut, groups=groups), call.value(0))


@_reads("Gemm")
def _gemm(call: Call) -> None:
    if call.is_constant(0) or not call.is_constant(1):
        raise Inexpressible("it multiplies two computed values", "a constant matrix as the second factor")
    alpha, beta = float(call.attributes.get("alpha", 1.0)), float(call.attributes.get("beta", 1.0))
    weights = call.floats(1) if call.attributes.get("transB", 0) else call.floats(1).T
    _demand_row(call, weights.shape[1], transposed=bool(call.attributes.get("transA", 0)))
    bias = np.zeros(weights.shape[0], np.float32)
    if call.has(2):
        bias = bias + np.float32(beta) * call.floats(2).reshape(-1)
    op = Dense(weights=np.ascontiguousarray(np.float32(alpha) * weights), bias=bias.astype(np.float32))
    call.emit(op, call.value(0), shape=(1, weights.shape[0]))


@_reads("MatMul")
def _matmul(call: Call) -> None:
    if call.is_constant(0) or not call.is_constant(1):
        raise Inexpressible("it multiplies two computed values", "a constant matrix as the second factor")
    weights = call.floats(1)
    if weights.ndim != 2:
        raise Inexpressible(f"its matrix has rank {weights.ndim}", "rank 2")
    _demand_row(call, weights.shape[0], transposed=False)
    value = call.flattened(call.value(0), call.shape())
    op = Dense(weights=np.ascontiguousarray(weights.T), bias=np.zeros(weights.shape[1], np.float32))
    shape = (*call.shape()[:-1], weights.shape[1])
    if len(shape) == 4:
        flat = call.inner(op, value, (weights.shape[1],), "row")
        call.emit_gather(np.arange(weights.shape[1], dtype=np.int64).reshape(shape), flat)
    else:
        call.emit(op, value, shape=shape)


def _demand_row(call: Call, length: int, *, transposed: bool) -> None:
    shape = call.shape()
    if elements(shape) != length or (transposed and length != 1):
        raise Inexpressible(f"it is applied to {list(shape)}, several rows at once", "one flat vector")


@_reads("BatchNormalization")
def _batch_norm(call: Call) -> None:
    if call.attributes.get("training_mode", 0):
        raise Inexpressible("it is exported in training mode", "an export in evaluation mode: model.eval()")
    scale, shift, mean, variance = (call.floats(k).astype(np.float64) for k in range(1, 5))
    factor = scale / np.sqrt(variance + float(call.attributes.get("epsilon", 1e-5)))
    shape = call.shape()
    if len(shape) not in (2, 4) or (len(shape) == 2 and shape[1] != factor.size):
        raise Inexpressible(f"its input is {list(shape)}", "a picture or a flat vector")
    call.emit(
        call.build.affine(factor.astype(np.float32), (shift - mean * factor).astype(np.float32), shape),
        call.value(0), shape=shape,
    )  # fmt: skip


def _elementwise(call: Call, op: Op) -> None:
    call.emit(op, call.value(0), shape=call.shape())


_PLAIN_CURVES = {
    "Relu": Curve(kind="clip", alpha=0.0, beta=_INFINITY),
    "Sigmoid": Curve(kind="sigmoid"),
    "Tanh": Curve(kind="tanh"),
    "HardSwish": Curve(kind="hard_swish"),
    "Softplus": Curve(kind="softplus"),
    "Mish": Curve(kind="mish"),
    "Exp": Curve(kind="exp"),
    "Abs": Curve(kind="abs"),
}


@_reads(*_PLAIN_CURVES)
def _plain_curve(call: Call) -> None:
    _elementwise(call, _PLAIN_CURVES[call.kind])


@_reads("LeakyRelu")
def _leaky(call: Call) -> None:
    _elementwise(call, Curve(kind="leaky", alpha=float(call.attributes.get("alpha", 0.01))))


@_reads("Elu")
def _elu(call: Call) -> None:
    _elementwise(call, Curve(kind="elu", alpha=float(call.attributes.get("alpha", 1.0))))


@_reads("HardSigmoid")
def _hard_sigmoid(call: Call) -> None:
    alpha, beta = float(call.attributes.get("alpha", 0.2)), float(call.attributes.get("beta", 0.5))
    _elementwise(call, Curve(kind="hard_sigmoid", alpha=alpha, beta=beta))


@_reads("Gelu")
def _gelu(call: Call) -> None:
    _elementwise(call, Curve(kind="gelu", alpha=float(call.text("approximate", "none") == "tanh")))


@_reads("Clip")
def _clip(call: Call) -> None:
    low = call.constant(1).item() if call.has(1) else call.attributes.get("min", -_INFINITY)
    high = call.constant(2).item() if call.has(2) else call.attributes.get("max", _INFINITY)
    _elementwise(call, Curve(kind="clip", alpha=float(low), beta=float(high)))


@_reads("Min", "Max")
def _limit(call: Call) -> None:
    if len(call.ins) != 2 or call.is_constant(0) == call.is_constant(1):
        raise Inexpressible("it compares computed values", "a limit that is one number")
    k = 1 if call.is_constant(1) else 0
    if call.constant(k).size != 1:
        raise Inexpressible("its limit differs from element to element", "a limit that is one number")
    limit, infinite = float(call.constant(k).item()), _INFINITY
    curve = Curve(
        kind="clip", alpha=limit if call.kind == "Max" else -infinite, beta=limit if call.kind == "Min" else infinite
    )
    call.emit(curve, call.value(1 - k), shape=call.shape(1 - k))


@_reads("PRelu")
def _prelu(call: Call) -> None:
    slopes = call.build.per_channel(call.floats(1), call.shape())
    if slopes is None:
        raise Inexpressible("its slopes differ from pixel to pixel", "one slope per channel")
    _elementwise(call, PRelu(slopes=slopes))


@_reads("Neg")
def _negate(call: Call) -> None:
    _elementwise(call, call.build.affine(-1.0, 0.0, call.shape()))


@_reads("Pow")
def _power(call: Call) -> None:
    if call.is_constant(0) or call.constant(1).size != 1 or float(call.constant(1).item()) not in (1.0, 2.0):
        raise Inexpressible("it raises to a power other than 1 or 2", "a multiplication")
    if float(call.constant(1).item()) == 1.0:
        call.same()
    else:
        call.emit(Mul(), call.value(0), call.value(0), shape=call.shape())


@_reads("Add", "Sub", "Mul", "Div")
def _binary(call: Call) -> None:
    if call.is_constant(0) or call.is_constant(1):
        _with_constant(call, 0 if call.is_constant(0) else 1)
        return
    kinds: dict[str, Op] = {"Add": Add(), "Sub": Sub(), "Mul": Mul()}
    if call.kind not in kinds:
        raise Inexpressible("it divides by a computed value", "a multiplication")
    first, second = call.shape(0), call.shape(1)
    out = np.broadcast_shapes(first, second)
    values = [_broadcast(call, k, out) for k in range(2)]
    if call.kind == "Mul" and first != second and len(out) == 4:
        large, small = (0, 1) if first == out else (1, 0)
        sides = call.shape(small)
        if call.shape(large) == out and len(sides) == 4 and (sides[2:] == (1, 1) or sides[1] == 1):
            values = [call.value(large), call.value(small)]
    call.emit(kinds[call.kind], *values, shape=out)


def _broadcast(call: Call, k: int, out: tuple[int, ...]) -> str:
    """Input `k`, its elements repeated to the shape `out` where it is smaller."""
    shape, build = call.shape(k), call.build
    if shape == out:
        return call.value(k)
    index = np.broadcast_to(build.natural(shape).reshape((1,) * (len(out) - len(shape)) + shape), out)
    name = build.gather(
        index.copy(), (call.value(k),), build.fresh(f"{call.outs[0]}/spread"), origin=call.origin, kind=call.kind
    )
    build.source_shapes[name] = out
    return name


def _with_constant(call: Call, k: int) -> None:
    """`call` with the constant input `k` as a scale and a shift per channel."""
    shape = call.shape(1 - k)
    number = call.build.per_channel(call.floats(k), shape)
    if number is None or (call.kind == "Div" and k == 0):
        raise Inexpressible(
            f"its constant {list(call.constant(k).shape)} differs from pixel to pixel of {list(shape)}",
            "one number, or one per channel",
        )
    if call.kind == "Add":
        scale, shift = np.ones_like(number), number
    elif call.kind == "Sub":
        scale, shift = np.full_like(number, 1 if k else -1), -number if k else number
    elif call.kind == "Mul":
        scale, shift = number, np.zeros_like(number)
    else:
        if not number.all():
            raise Inexpressible("it divides by 0", "another divisor")
        scale, shift = (1 / number.astype(np.float64)).astype(np.float32), np.zeros_like(number)
    call.emit(call.build.affine(scale, shift, shape), call.value(1 - k), shape=shape)


@_reads("Sum")
def _sum(call: Call) -> None:
    if len(call.ins) != 2:
        raise Inexpressible(f"it adds {len(call.ins)} values", "additions of two values")
    call.kind = "Add"
    _binary(call)


@_reads("GlobalAveragePool", "GlobalMaxPool")
def _global_pool(call: Call) -> None:
    _demand_picture(call)
    call.emit(GlobalAveragePool() if call.kind == "GlobalAveragePool" else GlobalMaxPool(), call.value(0))


@_reads("ReduceMean", "ReduceMax")
def _reduce(call: Call) -> None:
    shape = call.shape()
    axes = [int(a) for a in call.constant(1).reshape(-1)] if call.has(1) else call.integers("axes", [])
    axes = sorted(a % len(shape) for a in axes) or list(range(len(shape)))
    if len(shape) != 4 or axes != [2, 3]:
        raise Inexpressible(f"it reduces the axes {axes} of {list(shape)}", "a mean over height and width")
    op = GlobalAveragePool() if call.kind == "ReduceMean" else GlobalMaxPool()
    if call.attributes.get("keepdims", 1):
        call.emit(op, call.value(0))
        return
    pooled = call.inner(op, call.value(0), (1, shape[1], 1, 1), "pooled")
    call.emit_gather(np.arange(shape[1], dtype=np.int64).reshape(1, -1), pooled)


@_reads("MaxPool", "AveragePool")
def _pool(call: Call) -> None:
    _, height, width = _demand_picture(call)
    if len([out for out in call.outs if out]) > 1:
        raise Inexpressible("its indices are asked for", "the values alone")
    kernel = _pair(call.integers("kernel_shape", []), "window")
    stride = _pair(call.integers("strides", [1, 1]), "stride")
    if call.integers("dilations", [1, 1]) != [1, 1]:
        raise Inexpressible("it is dilated", "dilation 1")
    pad = _padding(call, kernel, stride, (1, 1))
    if call.attributes.get("ceil_mode", 0):
        pad = _ceiled(pad, (height, width), kernel, stride)
    if call.kind == "MaxPool":
        call.emit(MaxPool(kernel=kernel, stride=stride, padding=pad), call.value(0))
        return
    counts = bool(call.attributes.get("count_include_pad", 0))
    if counts and call.attributes.get("ceil_mode", 0) and bool(pad):
        raise Inexpressible("it counts padding and rounds its size up", "ceil_mode=False")
    call.emit(AveragePool(kernel=kernel, stride=stride, padding=pad, counts_padding=counts), call.value(0))


def _ceiled(pad: Padding, size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int]) -> Padding:
    """The padding with which rounding down gives as many windows as rounding up, none outside of the picture."""
    after = []
    for axis, (before, behind) in enumerate(((pad.top, pad.bottom), (pad.left, pad.right))):
        windows = -(-(size[axis] + before + behind - kernel[axis]) // stride[axis]) + 1
        if (windows - 1) * stride[axis] >= size[axis] + before:
            windows -= 1
        have = window_count(size[axis], kernel[axis], stride[axis], before, behind)
        need = (windows - 1) * stride[axis] + kernel[axis] - size[axis] - before
        after.append(behind if windows == have else need)
    return Padding(top=pad.top, left=pad.left, bottom=after[0], right=after[1])


@_reads("Pad")
def _pad(call: Call) -> None:
    _demand_picture(call)
    if call.text("mode", "constant") != "constant":
        raise Inexpressible(f"it pads with mode {call.text('mode', '')}", "constant padding")
    pads = [int(v) for v in call.constant(1)] if call.has(1) else call.integers("pads", [])
    if call.has(3):
        axes = [int(a) % 4 for a in call.constant(3)]
        full = [0] * 8
        for i, axis in enumerate(axes):
            full[axis], full[axis + 4] = pads[i], pads[i + len(axes)]
        pads = full
    if len(pads) != 8 or min(pads) < 0 or pads[0] or pads[4] or pads[1]:
        raise Inexpressible(f"it pads {pads}", "padding of height and width, and of channels behind")
    value = float(call.constant(2).item()) if call.has(2) else float(call.attributes.get("value", 0.0))
    padding = Padding(top=pads[2], left=pads[3], bottom=pads[6], right=pads[7])
    if not padding and not pads[5]:
        call.same()
    else:
        call.emit(Pad(padding=padding, value=value, channels_after=pads[5]), call.value(0))


@_reads("Resize", "Upsample")
def _resize(call: Call) -> None:
    channels, height, width = _demand_picture(call)
    if call.text("mode", "nearest") != "nearest":
        raise Inexpressible(f"it interpolates ({call.text('mode', '')})", "nearest neighbour: mode='nearest'")
    sizes = (height, width)
    wanted, scales = _resized(call, sizes)
    if wanted == sizes:
        call.same()
        return
    rows, columns = (_nearest(call, n, w, s) for n, w, s in zip(sizes, wanted, scales, strict=True))
    plain = [np.arange(w) * n // w for n, w in zip(sizes, wanted, strict=True)]
    if np.array_equal(rows, plain[0]) and np.array_equal(columns, plain[1]):
        call.emit(Resize(height=wanted[0], width=wanted[1]), call.value(0))
        return
    index = call.build.natural((1, channels, height, width))
    call.emit_gather(index[:, :, rows][:, :, :, columns], call.value(0))


def _resized(call: Call, sizes: tuple[int, int]) -> tuple[tuple[int, int], list[float]]:
    """Height and width of the result, and the two factors."""
    if call.kind == "Resize" and call.opset >= 11:
        if call.has(3):
            wanted = [int(v) for v in call.constant(3)][-2:]
            return (wanted[0], wanted[1]), [w / n for w, n in zip(wanted, sizes, strict=True)]
        factors = [float(v) for v in call.constant(2)]
    elif call.has(1):
        factors = [float(v) for v in call.constant(1)]
    else:
        factors = [float(v) for v in call.attributes.get("scales", [])]
    if len(factors) == 4 and factors[:2] != [1.0, 1.0]:
        raise Inexpressible(f"it resizes batch or channels ({factors})", "height and width alone")
    scales = factors[-2:]
    if len(scales) != 2:
        raise Inexpressible(f"its factors are {factors}", "one for height and one for width")
    return (int(np.floor(sizes[0] * scales[0])), int(np.floor(sizes[1] * scales[1]))), scales


def _nearest(call: Call, size: int, wanted: int, scale: float) -> Indices:
    """The source index of each result index along one axis."""
    x = np.arange(wanted, dtype=np.float64)
    kind = call.text("coordinate_transformation_mode", "half_pixel" if call.opset >= 11 else "asymmetric")
    if kind == "asymmetric":
        at = x / scale
    elif kind in ("half_pixel", "pytorch_half_pixel"):
        at = (x + 0.5) / scale - 0.5 if wanted > 1 or kind == "half_pixel" else np.zeros(1)
    elif kind == "align_corners":
        at = x * (size - 1) / (wanted - 1) if wanted > 1 else np.zeros(1)
    else:
        raise Inexpressible(f"its coordinates are '{kind}'", "asymmetric or half_pixel")
    rounding = call.text("nearest_mode", "round_prefer_floor" if call.opset >= 11 else "floor")
    rules: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
        "floor": np.floor,
        "ceil": np.ceil,
        "round_prefer_floor": lambda v: np.ceil(v - 0.5),
        "round_prefer_ceil": lambda v: np.floor(v + 0.5),
    }
    index: Indices = np.clip(rules[rounding](at), 0, size - 1).astype(np.int64)
    return index


@_reads("Concat")
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


def _rearranged(call: Call, index: Indices, out: int = 0) -> None:
    """The result is the one computed input with its elements in another order."""
    if index.shape == call.shape() and np.array_equal(index, call.build.natural(call.shape())):
        call.same(0, out)
    else:
        call.emit_gather(index, call.value(0), out=out)


@_reads("Reshape")
def _reshape(call: Call) -> None:
    shape = call.shape()
    wanted = [int(v) for v in call.constant(1)]
    if not call.attributes.get("allowzero", 0):
        wanted = [shape[i] if v == 0 else v for i, v in enumerate(wanted)]
    _rearranged(call, call.build.natural(shape).reshape(wanted))


@_reads("Flatten")
def _flatten(call: Call) -> None:
    axis = int(call.attributes.get("axis", 1)) % (len(call.shape()) + 1)
    _rearranged(call, call.build.natural(call.shape()).reshape(elements(call.shape()[:axis]), -1))


@_reads("Squeeze", "Unsqueeze")
def _squeeze(call: Call) -> None:
    index = call.build.natural(call.shape())
    axes = [int(a) for a in call.constant(1)] if call.has(1) else call.integers("axes", [])
    if call.kind == "Unsqueeze":
        _rearranged(call, np.expand_dims(index, tuple(axes)))
    else:
        _rearranged(call, np.squeeze(index, tuple(axes) if axes else None))


@_reads("Transpose")
def _transpose(call: Call) -> None:
    index = call.build.natural(call.shape())
    _rearranged(call, index.transpose(call.integers("perm", list(range(index.ndim))[::-1])))


@_reads("Slice")
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
    _rearranged(call, call.build.natural(shape)[tuple(parts)])


@_reads("Split")
def _split(call: Call) -> None:
    shape = call.shape()
    axis = int(call.attributes.get("axis", 0)) % len(shape)
    sizes = [int(v) for v in call.constant(1)] if call.has(1) else call.integers("split", [])
    if not sizes:
        part = -(-shape[axis] // len(call.outs))
        sizes = [min(part, shape[axis] - k * part) for k in range(len(call.outs))]
    for k, index in enumerate(np.split(call.build.natural(shape), np.cumsum(sizes)[:-1], axis)):
        if call.outs[k]:
            _rearranged(call, index, k)


@_reads("Gather")
def _gather(call: Call) -> None:
    axis = int(call.attributes.get("axis", 0)) % len(call.shape())
    _rearranged(call, np.take(call.build.natural(call.shape()), call.constant(1).astype(np.int64), axis))


@_reads("Expand", "Tile")
def _expand(call: Call) -> None:
    index, sizes = call.build.natural(call.shape()), [int(v) for v in call.constant(1)]
    if call.kind == "Tile":
        _rearranged(call, np.tile(index, sizes))
    else:
        _rearranged(call, np.broadcast_to(index, np.broadcast_shapes(index.shape, tuple(sizes))).copy())


@_reads("DepthToSpace", "SpaceToDepth")
def _space(call: Call) -> None:
    channels, height, width = _demand_picture(call)
    block = int(call.attributes["blocksize"])
    index = call.build.natural(call.shape())
    if call.kind == "SpaceToDepth":
        cut = index.reshape(channels, height // block, block, width // block, block).transpose(2, 4, 0, 1, 3)
        _rearranged(call, cut.reshape(1, -1, height // block, width // block))
        return
    kept = channels // block**2
    if call.text("mode", "DCR") == "DCR":
        cut = index.reshape(block, block, kept, height, width).transpose(2, 3, 0, 4, 1)
    else:
        cut = index.reshape(kept, block, block, height, width).transpose(0, 3, 1, 4, 2)
    _rearranged(call, cut.reshape(1, kept, height * block, width * block))


@_reads("Softmax")
def _softmax(call: Call) -> None:
    shape = call.shape()
    axis = int(call.attributes.get("axis", -1 if call.opset >= 13 else 1)) % len(shape)
    natural = call.build.natural(shape)
    if call.opset < 13:  # the axes from `axis` on are one
        order, length = natural.reshape(-1), elements(shape[axis:])
        back = np.arange(natural.size, dtype=np.int64).reshape(shape)
    else:
        moved = np.moveaxis(natural, axis, -1)
        order, length = moved.reshape(-1), shape[axis]
        back = np.moveaxis(np.arange(natural.size, dtype=np.int64).reshape(moved.shape), -1, axis)
    value = call.value(0)
    if len(shape) != 4 and np.array_equal(order, np.arange(order.size)):
        call.emit(Softmax(length=length), value, shape=shape)
        return
    build = call.build
    flat = build.gather(order.copy(), (value,), build.fresh(f"{call.outs[0]}/rows"), origin=call.origin, kind=call.kind)
    build.source_shapes[flat] = order.shape
    call.emit_gather(back.copy(), call.inner(Softmax(length=length), flat, order.shape, "softmax"))


@_reads("LpNormalization")
def _l2(call: Call) -> None:
    shape = call.shape()
    axis = int(call.attributes.get("axis", -1)) % len(shape)
    if int(call.attributes.get("p", 2)) != 2 or elements(shape) != shape[axis] or len(shape) == 4:
        raise Inexpressible(f"it normalises the rows of {list(shape)}", "one flat vector, p=2")
    call.emit(L2Normalize(), call.value(0), shape=shape)


@_reads("Identity", "QuantizeLinear", "DequantizeLinear")
def _as_it_is(call: Call) -> None:
    """A change of number type, or nothing: none of ours."""
    call.same()


_FLOAT_TYPES = (1, 10, 11, 16)  # float32, float16, float64, bfloat16 in ONNX's numbering


@_reads("Cast")
def _cast(call: Call) -> None:
    if int(call.attributes["to"]) not in _FLOAT_TYPES:
        raise Inexpressible("it makes integers or texts of computed values", "floats to the end")
    call.same()


@_reads("Dropout")
def _dropout(call: Call) -> None:
    if call.has(2) and call.constant(2).item():
        raise Inexpressible("it is exported in training mode", "an export in evaluation mode: model.eval()")
    if len([out for out in call.outs if out]) > 1:
        raise Inexpressible("its mask is asked for", "the values alone")
    call.same()


@_reads("Shape")
def _shape(call: Call) -> None:
    shape = call.shape()
    start, end = int(call.attributes.get("start", 0)), call.attributes.get("end")
    call.fold(np.array(shape[start:end], np.int64))


@_reads("Size")
def _size(call: Call) -> None:
    call.fold(np.array(elements(call.shape()), np.int64))
