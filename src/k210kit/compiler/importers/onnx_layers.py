"""ONNX operators with windows, weights or whole vectors: convolutions, dense layers, norms, pools, resizing, softmax.

Source of the semantics: the ONNX operator specification (onnx.ai), opsets 7 to 23.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler.graph import elements, window_count
from k210kit.compiler.importers.layout import padding_of
from k210kit.compiler.importers.onnx import Call
from k210kit.compiler.importers.onnx_table import Indices, demand_picture, pair, reads
from k210kit.compiler.importers.reductions import Reduction, reduction
from k210kit.compiler.ops import (
    AveragePool,
    Bilinear,
    Conv,
    ConvTranspose,
    Dense,
    GlobalAveragePool,
    GlobalMaxPool,
    L2Normalize,
    MaxPool,
    Op,
    Pad,
    Padding,
    Resize,
    Softmax,
)
from k210kit.compiler.refusals import Inexpressible

__all__: list[str] = []


def _padding(call: Call, kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int]) -> Padding:
    """The padding by `auto_pad` or `pads`."""
    _, height, width = demand_picture(call)
    kind = call.text("auto_pad", "NOTSET")
    if kind in ("SAME_UPPER", "SAME_LOWER"):
        pad = padding_of((height, width), kernel, stride, dilation)
        if kind == "SAME_UPPER":
            return pad
        return Padding(top=pad.bottom, left=pad.right, bottom=pad.top, right=pad.left)
    top, left, bottom, right = [0] * 4 if kind == "VALID" else call.integers("pads", [0] * 4)
    if min(top, left, bottom, right) < 0:
        raise Inexpressible("padding", f"its padding is negative: {[top, left, bottom, right]}")
    return Padding(top=top, left=left, bottom=bottom, right=right)


@reads("Conv")
def _conv(call: Call) -> None:
    demand_picture(call)
    weights = call.floats(1)
    kernel = pair(list(weights.shape[2:]), "kernel")
    stride = pair(call.integers("strides", [1, 1]), "stride")
    dilation = pair(call.integers("dilations", [1, 1]), "dilation")
    bias = call.floats(2) if call.has(2) else np.zeros(weights.shape[0], np.float32)
    op = Conv(
        weights=weights, bias=bias, stride=stride, padding=_padding(call, kernel, stride, dilation),
        dilation=dilation, groups=int(call.attributes.get("group", 1)),
    )  # fmt: skip
    call.emit(op, call.value(0))


@reads("ConvTranspose")
def _conv_transpose(call: Call) -> None:
    _, height, width = demand_picture(call)
    weights = call.floats(1)
    kernel = pair(list(weights.shape[2:]), "kernel")
    stride = pair(call.integers("strides", [1, 1]), "stride")
    if call.integers("dilations", [1, 1]) != [1, 1]:
        raise Inexpressible("dilation", f"its dilation is {call.integers('dilations', [])}")
    extra = call.integers("output_padding", [0, 0])
    pads = call.integers("pads", [0] * 4)
    if "output_shape" in call.attributes or call.text("auto_pad", "NOTSET") != "NOTSET":
        wanted = call.integers("output_shape", [height * stride[0], width * stride[1]])[-2:]
        total = [(n - 1) * s + k - w for n, s, k, w in zip((height, width), stride, kernel, wanted, strict=True)]
        pads = [total[0] // 2, total[1] // 2, total[0] - total[0] // 2, total[1] - total[1] // 2]
    cut = Padding(top=pads[0], left=pads[1], bottom=pads[2] - extra[0], right=pads[3] - extra[1])
    if min(cut.top, cut.left, cut.bottom, cut.right) < 0:
        raise Inexpressible("output padding", f"its output padding is {extra}, its padding {pads}")
    groups = int(call.attributes.get("group", 1))
    bias = call.floats(2) if call.has(2) else np.zeros(weights.shape[1] * groups, np.float32)
    call.emit(ConvTranspose(weights=weights, bias=bias, stride=stride, padding=cut, groups=groups), call.value(0))


@reads("Gemm")
def _gemm(call: Call) -> None:
    _demand_constant_matrix(call)
    alpha, beta = float(call.attributes.get("alpha", 1.0)), float(call.attributes.get("beta", 1.0))
    weights = call.floats(1) if call.attributes.get("transB", 0) else call.floats(1).T
    _demand_row(call, weights.shape[1], transposed=bool(call.attributes.get("transA", 0)))
    bias = np.zeros(weights.shape[0], np.float32)
    if call.has(2):
        bias = bias + np.float32(beta) * call.floats(2).reshape(-1)
    op = Dense(weights=np.ascontiguousarray(np.float32(alpha) * weights), bias=bias.astype(np.float32))
    call.emit(op, call.value(0), shape=(1, weights.shape[0]))


@reads("MatMul")
def _matmul(call: Call) -> None:
    _demand_constant_matrix(call)
    weights = call.floats(1)
    _demand_row(call, weights.shape[0], transposed=False)
    value = call.flattened(call.value(0), call.shape())
    op = Dense(weights=np.ascontiguousarray(weights.T), bias=np.zeros(weights.shape[1], np.float32))
    shape = (*call.shape()[:-1], weights.shape[1])
    if len(shape) == 4:
        flat = call.inner(op, value, (weights.shape[1],), "row")
        call.emit_gather(np.arange(weights.shape[1], dtype=np.int64).reshape(shape), flat)
    else:
        call.emit(op, value, shape=shape)


def _demand_constant_matrix(call: Call) -> None:
    if call.is_constant(0) or not call.is_constant(1):
        raise Inexpressible("attention", f"it multiplies {list(call.shape(0))} by {list(call.shape(1))}")
    if call.constant(1).ndim != 2:
        raise Inexpressible("attention", f"its matrix is {list(call.constant(1).shape)}")


def _demand_row(call: Call, length: int, *, transposed: bool) -> None:
    shape = call.shape()
    if elements(shape) != length or (transposed and length != 1):
        raise Inexpressible("rows at once", f"it is applied to the rows of {list(shape)}, each of {length}")


@reads("BatchNormalization")
def _batch_norm(call: Call) -> None:
    if call.attributes.get("training_mode", 0):
        raise Inexpressible("training", "it is exported in training mode")
    scale, shift, mean, variance = (call.floats(k).astype(np.float64) for k in range(1, 5))
    factor = scale / np.sqrt(variance + float(call.attributes.get("epsilon", 1e-5)))
    shape = call.shape()
    if len(shape) not in (2, 4) or (len(shape) == 2 and shape[1] != factor.size):
        raise Inexpressible("rank", f"its input is {list(shape)}")
    call.emit(
        call.build.affine(factor.astype(np.float32), (shift - mean * factor).astype(np.float32), shape),
        call.value(0), shape=shape,
    )  # fmt: skip


@reads("InstanceNormalization", "LayerNormalization", "GroupNormalization", "RMSNormalization", "LRN")
def _computed_norm(call: Call) -> None:
    raise Inexpressible("norm", f"it measures {list(call.shape())} anew for each picture")


@reads("GlobalAveragePool", "GlobalMaxPool")
def _global_pool(call: Call) -> None:
    demand_picture(call)
    call.emit(GlobalAveragePool() if call.kind == "GlobalAveragePool" else GlobalMaxPool(), call.value(0))


@reads("ReduceMean", "ReduceMax", "ReduceSum")
def _reduce(call: Call) -> None:
    shape = call.shape()
    given = call.constant(1).reshape(-1).tolist() if call.has(1) else call.integers("axes", [])
    if not given and call.attributes.get("noop_with_empty_axes", 0):
        call.same()
        return
    axes = sorted({int(a) % len(shape) for a in given}) or list(range(len(shape)))
    picture, axes, value = _as_picture(call, shape, axes)
    op = _reduction(call.kind, picture, axes)
    if op is None:
        raise Inexpressible("reduction", f"it reduces the axes {axes} of {list(shape)}")
    reduced = tuple(1 if k in axes else size for k, size in enumerate(picture))
    made = call.inner(op, value, reduced, "reduced")
    keeps = bool(call.attributes.get("keepdims", 1))
    removed = sorted({int(a) % len(shape) for a in given}) or list(range(len(shape)))
    wanted = tuple(1 if k in removed else size for k, size in enumerate(shape) if keeps or k not in removed)
    call.emit_gather(call.build.natural(reduced).reshape(wanted), made)


def _as_picture(call: Call, shape: tuple[int, ...], axes: list[int]) -> tuple[tuple[int, ...], list[int], str]:
    """A picture's own shape and axes; (1, channels, pixels) is one of one column."""
    if len(shape) == 3 and axes == [2]:
        picture = (*shape, 1)
        name = call.build.fresh(f"{call.outs[0]}/picture")
        index = call.build.natural(shape).reshape(picture)
        call.build.gather(index, (call.value(0),), name, origin=call.origin, kind=call.kind)
        call.build.source_shapes[name] = picture
        return picture, [2, 3], name
    return shape, axes, call.value(0)


def _reduction(kind: str, shape: tuple[int, ...], axes: list[int]) -> Op | None:
    if len(shape) != 4 or 0 in axes:
        return None
    kinds: dict[str, Reduction] = {"ReduceMean": "mean", "ReduceSum": "sum", "ReduceMax": "max"}
    return reduction(kinds[kind], (shape[1], shape[2], shape[3]), "".join("nchw"[axis] for axis in axes))


@reads("MaxPool", "AveragePool")
def _pool(call: Call) -> None:
    _, height, width = demand_picture(call)
    if len([out for out in call.outs if out]) > 1:
        raise Inexpressible("second result", "its indices are asked for")
    kernel = pair(call.integers("kernel_shape", []), "window")
    stride = pair(call.integers("strides", [1, 1]), "stride")
    if call.integers("dilations", [1, 1]) != [1, 1]:
        raise Inexpressible("dilation", f"its dilation is {call.integers('dilations', [])}")
    pad = _padding(call, kernel, stride, (1, 1))
    if call.attributes.get("ceil_mode", 0):
        pad = _ceiled(pad, (height, width), kernel, stride)
    if call.kind == "MaxPool":
        call.emit(MaxPool(kernel=kernel, stride=stride, padding=pad), call.value(0))
        return
    counts = bool(call.attributes.get("count_include_pad", 0))
    if counts and call.attributes.get("ceil_mode", 0) and bool(pad):
        raise Inexpressible("rounded size", f"it counts its padding ({pad}) and rounds its size up")
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


_MIRRORS: dict[str, Literal["reflect", "edge", "wrap"]] = {"reflect": "reflect", "edge": "edge", "wrap": "wrap"}


@reads("Pad")
def _pad(call: Call) -> None:
    demand_picture(call)
    mode = call.text("mode", "constant")
    pads = [int(v) for v in call.constant(1)] if call.has(1) else call.integers("pads", [])
    if call.has(3):
        axes = [int(a) % 4 for a in call.constant(3)]
        full = [0] * 8
        for i, axis in enumerate(axes):
            full[axis], full[axis + 4] = pads[i], pads[i + len(axes)]
        pads = full
    if len(pads) != 8 or min(pads) < 0 or pads[0] or pads[4]:
        raise Inexpressible("padding", f"it pads {pads}")
    if mode in _MIRRORS:
        around = np.array([pads[:4], pads[4:]]).T
        call.emit_gather(np.pad(call.build.natural(call.shape()), around, mode=_MIRRORS[mode]), call.value(0))
        return
    if mode != "constant":
        raise Inexpressible("padding", f"it pads with mode {mode}")
    value = float(call.constant(2).item()) if call.has(2) else float(call.attributes.get("value", 0.0))
    padding = Padding(top=pads[2], left=pads[3], bottom=pads[6], right=pads[7])
    if not padding and not pads[5] and not pads[1]:
        call.same()
    elif pads[1]:
        if padding or value:
            raise Inexpressible("padding", f"it pads {pads} with {value:g}")
        channels = call.shape()[1]
        weights = np.eye(channels + pads[1] + pads[5], channels, -pads[1], np.float32)[:, :, None, None]
        call.emit(Conv(weights=weights, bias=np.zeros(len(weights), np.float32)), call.value(0))
    else:
        call.emit(Pad(padding=padding, value=value, channels_after=pads[5]), call.value(0))


@reads("Resize", "Upsample")
def _resize(call: Call) -> None:
    channels, height, width = demand_picture(call)
    sizes = (height, width)
    wanted, scales = _resized(call, sizes)
    mode = call.text("mode", "nearest")
    if wanted == sizes:
        call.same()
    elif mode in ("linear", "bilinear") and sizes != (1, 1):
        call.emit(_interpolation(call, sizes, wanted, scales), call.value(0))
    elif mode != "nearest" and sizes != (1, 1):
        raise Inexpressible("interpolation", f"it interpolates {sizes} to {wanted} ({mode})")
    elif sizes == (1, 1):  # one pixel everywhere, however it is interpolated
        call.emit(Resize(height=wanted[0], width=wanted[1]), call.value(0))
    else:
        rows, columns = (_nearest(call, n, w, s) for n, w, s in zip(sizes, wanted, scales, strict=True))
        plain = [np.arange(w) * n // w for n, w in zip(sizes, wanted, strict=True)]
        if np.array_equal(rows, plain[0]) and np.array_equal(columns, plain[1]):
            call.emit(Resize(height=wanted[0], width=wanted[1]), call.value(0))
            return
        index = call.build.natural((1, channels, height, width))
        call.emit_gather(index[:, :, rows][:, :, :, columns], call.value(0))


def _coordinates(call: Call) -> str:
    return call.text("coordinate_transformation_mode", "half_pixel" if call.opset >= 11 else "asymmetric")


def _interpolation(
    call: Call, sizes: tuple[int, int], wanted: tuple[int, int], scales: list[float]
) -> Bilinear | AveragePool:
    kind = _coordinates(call)
    plain = not call.attributes.get("antialias", 0) and not call.attributes.get("exclude_outside", 0)
    known = kind in ("half_pixel", "pytorch_half_pixel", "asymmetric")
    if plain and kind.endswith("half_pixel") and scales == [0.5, 0.5] and min(wanted) > 1:
        return AveragePool(kernel=(2, 2), stride=(2, 2))  # each sample lies in the middle of four pixels
    if not plain or not known or wanted != (2 * sizes[0], 2 * sizes[1]) or scales != [2.0, 2.0]:
        raise Inexpressible("interpolation", f"it interpolates {sizes} to {wanted}, coordinates '{kind}'")
    return Bilinear(half_pixel=kind != "asymmetric")


def _resized(call: Call, sizes: tuple[int, int]) -> tuple[tuple[int, int], list[float]]:
    """Height and width of the result, and the two factors."""
    if call.kind == "Resize" and call.opset >= 11:
        if call.has(3):
            wanted = [int(v) for v in call.constant(3)][-2:]
            if len(wanted) != 2:
                raise Inexpressible("resize", f"its sizes are {wanted}")
            return (wanted[0], wanted[1]), [w / n for w, n in zip(wanted, sizes, strict=True)]
        factors = [float(v) for v in call.constant(2)]
    elif call.has(1):
        factors = [float(v) for v in call.constant(1)]
    else:
        factors = [float(v) for v in call.attributes.get("scales", [])]
    if len(factors) == 4 and factors[:2] != [1.0, 1.0]:
        raise Inexpressible("resize", f"its factors are {factors}")
    scales = factors[-2:]
    if len(scales) != 2:
        raise Inexpressible("resize", f"its factors are {factors}")
    return (int(np.floor(sizes[0] * scales[0])), int(np.floor(sizes[1] * scales[1]))), scales


def _nearest(call: Call, size: int, wanted: int, scale: float) -> Indices:
    """The source index of each result index along one axis."""
    kind = _coordinates(call)
    if not 0 < wanted <= 1 << 16:
        raise Inexpressible("resize", f"it resizes {size} to {wanted}")
    x = np.arange(wanted, dtype=np.float64)
    if kind == "asymmetric":
        at = x / scale
    elif kind in ("half_pixel", "pytorch_half_pixel"):
        at = (x + 0.5) / scale - 0.5 if wanted > 1 or kind == "half_pixel" else np.zeros(1)
    elif kind == "align_corners":
        at = x * (size - 1) / (wanted - 1) if wanted > 1 else np.zeros(1)
    else:
        raise Inexpressible("interpolation", f"it resizes {size} to {wanted}, coordinates '{kind}'")
    rounding = call.text("nearest_mode", "round_prefer_floor" if call.opset >= 11 else "floor")
    rules: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
        "floor": np.floor,
        "ceil": np.ceil,
        "round_prefer_floor": lambda v: np.ceil(v - 0.5),
        "round_prefer_ceil": lambda v: np.floor(v + 0.5),
    }
    index: Indices = np.clip(rules[rounding](at), 0, size - 1).astype(np.int64)
    return index


@reads("Softmax")
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


@reads("LpNormalization")
def _l2(call: Call) -> None:
    shape = call.shape()
    axis = int(call.attributes.get("axis", -1)) % len(shape)
    if int(call.attributes.get("p", 2)) != 2 or elements(shape) != shape[axis] or len(shape) == 4:
        raise Inexpressible("norm", f"it normalises axis {axis} of {list(shape)}")
    call.emit(L2Normalize(), call.value(0), shape=shape)


@reads("ReduceL2")
def _length(call: Call) -> None:
    """The length of one whole vector: known to the division that makes it 1, and to nobody else."""
    shape = call.shape()
    if len(shape) != 4 and elements(shape) == max(shape):
        call.reader.lengths[call.outs[0]] = call.value(0)
    raise Inexpressible("norm", f"it measures the length of {list(shape)}")


@reads(
    "NonMaxSuppression", "TopK", "NonZero", "ArgMax", "ArgMin", "RoiAlign", "MaxRoiPool", "ScatterND", "GatherND",
    "ScatterElements", "GatherElements", "OneHot", "Unique", "CumSum",
)  # fmt: skip
def _detection_tail(call: Call) -> None:
    raise Inexpressible("detection tail", f"it chooses among {list(call.shape())}")


@reads("Einsum", "Attention")
def _attention(call: Call) -> None:
    raise Inexpressible("attention", f"it multiplies {list(call.shape())} by computed values")


@reads("LSTM", "GRU", "RNN", "Loop", "Scan", "If")
def _recurrence(call: Call) -> None:
    raise Inexpressible("recurrence", "it repeats or decides while it runs")
