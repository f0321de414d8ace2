"""What each TensorFlow Lite operator becomes: a table of functions, one per operator or family of operators.

Source of the semantics: TensorFlow Lite's schema and reference kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler.graph import elements
from k210kit.compiler.importers.layout import padding_of
from k210kit.compiler.importers.reductions import Reduction, reduction
from k210kit.compiler.importers.tflite import ACTIVATIONS, Call
from k210kit.compiler.ops import (
    Add,
    AveragePool,
    Bilinear,
    Concat,
    Conv,
    ConvTranspose,
    Curve,
    Dense,
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
from k210kit.compiler.refusals import Inexpressible
from k210kit.errors import FormatError

__all__ = ["OPERATORS"]

Floats = NDArray[np.float32]
OPERATORS: dict[str, Callable[[Call], None]] = {}
_CURVES = {
    "RELU": ACTIVATIONS[1],
    "RELU_N1_TO_1": ACTIVATIONS[2],
    "RELU6": ACTIVATIONS[3],
    "RELU_0_TO_1": Curve(kind="clip", alpha=0.0, beta=1.0),
    "TANH": ACTIVATIONS[4],
    "LOGISTIC": Curve(kind="sigmoid"),
    "HARD_SWISH": Curve(kind="hard_swish"),
    "ELU": Curve(kind="elu", alpha=1.0),
    "ABS": Curve(kind="abs"),
    "EXP": Curve(kind="exp"),
    "LOG": Curve(kind="log"),
    "SQRT": Curve(kind="sqrt"),
}


def _reads(*kinds: str) -> Callable[[Callable[[Call], None]], Callable[[Call], None]]:
    def join(function: Callable[[Call], None]) -> Callable[[Call], None]:
        OPERATORS.update(dict.fromkeys(kinds, function))
        return function

    return join


def _window(
    call: Call, options: Any, kernel: tuple[int, int], dilation: tuple[int, int] = (1, 1)
) -> tuple[tuple[int, int], Padding]:
    stride = (options.StrideH(), options.StrideW())
    if min(stride) < 1 or min(dilation) < 1:
        raise FormatError(
            f"{call.kind} '{call.origin}' has stride {stride}, dilation {dilation}", expected="at least 1"
        )
    if len(call.shape) != 4:
        raise FormatError(f"{call.kind} '{call.origin}' has an input of rank {len(call.shape)}", expected="4")
    same = options.Padding() == 0
    return stride, padding_of((call.shape[1], call.shape[2]), kernel, stride, dilation) if same else Padding()


@_reads("CONV_2D")
def _conv(call: Call) -> None:
    from tflite.Conv2DOptions import Conv2DOptions

    options = call.options(Conv2DOptions)
    weights = call.constant(1).astype(np.float32).transpose(0, 3, 1, 2)
    dilation = (options.DilationHFactor(), options.DilationWFactor())
    stride, padding = _window(call, options, weights.shape[2:], dilation)
    groups = call.shape[3] // weights.shape[1] if weights.shape[1] else 1
    op = Conv(
        weights=np.ascontiguousarray(weights), bias=call.bias(2, weights.shape[0]),
        stride=stride, padding=padding, dilation=dilation, groups=max(groups, 1),
    )  # fmt: skip
    call.emit(op, call.value(0), activation=options.FusedActivationFunction())


@_reads("DEPTHWISE_CONV_2D")
def _depthwise(call: Call) -> None:
    from tflite.DepthwiseConv2DOptions import DepthwiseConv2DOptions

    options = call.options(DepthwiseConv2DOptions)
    weights = call.constant(1).astype(np.float32)[0].transpose(2, 0, 1)[:, None]
    dilation = (options.DilationHFactor(), options.DilationWFactor())
    stride, padding = _window(call, options, weights.shape[2:], dilation)
    op = Conv(
        weights=np.ascontiguousarray(weights), bias=call.bias(2, weights.shape[0]),
        stride=stride, padding=padding, dilation=dilation, groups=call.shape[3],
    )  # fmt: skip
    call.emit(op, call.value(0), activation=options.FusedActivationFunction())


@_reads("TRANSPOSE_CONV")
def _transpose_conv(call: Call) -> None:
    from tflite.TransposeConvOptions import TransposeConvOptions

    options = call.options(TransposeConvOptions)
    weights = call.constant(1).astype(np.float32).transpose(3, 0, 1, 2)
    source = call.ins[2]
    assert source is not None
    stride = (options.StrideH(), options.StrideW())
    cut = Padding()
    if options.Padding() == 0:
        out = call.outs[0].shape
        cut = padding_of((out[1], out[2]), weights.shape[2:], stride, (1, 1))
    op = ConvTranspose(
        weights=np.ascontiguousarray(weights), bias=call.bias(3, weights.shape[1]), stride=stride, padding=cut
    )
    call.emit(op, call.value(2), activation=options.FusedActivationFunction())


@_reads("FULLY_CONNECTED")
def _fully_connected(call: Call) -> None:
    from tflite.FullyConnectedOptions import FullyConnectedOptions

    options = call.options(FullyConnectedOptions)
    weights = call.constant(1).astype(np.float32)
    value = call.value(0)
    if elements(call.shape) != weights.shape[1]:
        raise Inexpressible(
            "rows at once", f"it is applied to the rows of {list(call.shape)}, each of {weights.shape[1]}"
        )
    if len(call.shape) == 4:
        flat = call.reader.build.fresh(call.origin + "/flat")
        index = call.reader.build.natural(call.shape).reshape(-1)
        value = call.reader.build.gather(index, (value,), flat, origin=call.origin, kind=call.kind)
    activation = options.FusedActivationFunction() if options is not None else 0
    call.emit(Dense(weights=weights, bias=call.bias(2, weights.shape[0])), value, activation=activation)


@_reads("MAX_POOL_2D", "AVERAGE_POOL_2D")
def _pool(call: Call) -> None:
    from tflite.Pool2DOptions import Pool2DOptions

    options = call.options(Pool2DOptions)
    kernel = (options.FilterHeight(), options.FilterWidth())
    stride, padding = _window(call, options, kernel)
    kind = MaxPool if call.kind == "MAX_POOL_2D" else AveragePool
    call.emit(
        kind(kernel=kernel, stride=stride, padding=padding), call.value(0), activation=options.FusedActivationFunction()
    )


@_reads("MEAN", "SUM", "REDUCE_MAX")
def _reduce(call: Call) -> None:
    shape, build = call.shape, call.reader.build
    axes = sorted({int(a) % len(shape) for a in np.atleast_1d(call.constant(1))})
    value = call.value(0)
    if len(shape) == 3 and axes == [1]:  # pixels of a map that was flattened: a picture of one column
        flat, shape, axes = shape, (1, shape[1], 1, shape[2]), [1, 2]
        name = build.fresh(call.outs[0].name + "/picture")
        value = build.gather(build.natural(flat).reshape(shape), (value,), name, origin=call.origin, kind=call.kind)
    op = _reduction(call.kind, shape, axes)
    if op is None:
        raise Inexpressible("reduction", f"it reduces the axes {axes} of {list(call.shape)}")
    reduced = tuple(1 if k in axes else size for k, size in enumerate(shape))
    out = call.outs[0].shape
    if elements(out) != elements(reduced):
        raise FormatError(f"{call.kind} '{call.origin}' makes {list(out)}", expected=f"{elements(reduced)} elements")
    if out == reduced:
        return call.emit(op, value)
    return call.emit_gather(build.natural(reduced).reshape(out), call.inner(op, (value,), "reduced"))


def _reduction(kind: str, shape: tuple[int, ...], axes: list[int]) -> Op | None:
    if len(shape) != 4 or 0 in axes:
        return None
    kinds: dict[str, Reduction] = {"MEAN": "mean", "SUM": "sum", "REDUCE_MAX": "max"}
    return reduction(kinds[kind], (shape[3], shape[1], shape[2]), "".join("nhwc"[axis] for axis in axes))


@_reads(*_CURVES)
def _curve(call: Call) -> None:
    call.emit(_CURVES[call.kind], call.value(0))


@_reads("LEAKY_RELU")
def _leaky(call: Call) -> None:
    from tflite.LeakyReluOptions import LeakyReluOptions

    call.emit(Curve(kind="leaky", alpha=call.options(LeakyReluOptions).Alpha()), call.value(0))


@_reads("GELU")
def _gelu(call: Call) -> None:
    from tflite.GeluOptions import GeluOptions

    call.emit(Curve(kind="gelu", alpha=float(call.options(GeluOptions).Approximate())), call.value(0))


@_reads("MAXIMUM", "MINIMUM")
def _limit(call: Call) -> None:
    if call.is_constant(0) == call.is_constant(1):
        raise Inexpressible("comparison", f"it compares {list(call.shape)} with {list(call.shape_of(1))}")
    k = 1 if call.is_constant(1) else 0
    if call.constant(k).size != 1:
        raise Inexpressible("comparison", f"its limit is {list(call.constant(k).shape)}")
    limit, infinite = float(call.constant(k).item()), float("inf")
    largest = call.kind == "MAXIMUM"
    curve = Curve(kind="clip", alpha=limit if largest else -infinite, beta=infinite if largest else limit)
    call.emit(curve, call.value(1 - k))


@_reads("NEG", "SQUARE")
def _plain(call: Call) -> None:
    if call.kind == "NEG":
        return call.emit(call.reader.build.affine(-1.0, 0.0, call.shape), call.value(0))
    return call.emit(Mul(), call.value(0), call.value(0))


@_reads("PRELU")
def _prelu(call: Call) -> None:
    slopes = call.reader.build.per_channel(call.constant(1), call.shape)
    if slopes is None:
        raise Inexpressible("per pixel", f"its slopes are {list(call.constant(1).shape)} for {list(call.shape)}")
    call.emit(PRelu(slopes=slopes), call.value(0))


@_reads("ADD", "SUB", "MUL", "DIV")
def _binary(call: Call) -> None:
    options = _binary_options(call)
    if call.is_constant(0) and call.is_constant(1):
        raise Inexpressible("constant operand", "both its inputs are constants")
    if not call.is_constant(0) and not call.is_constant(1):
        kinds: dict[str, Op] = {"ADD": Add(), "SUB": Sub(), "MUL": Mul()}
        if call.kind not in kinds:
            raise Inexpressible("division", f"it divides {list(call.shape)} by {list(call.shape_of(1))}, both computed")
        return call.emit(kinds[call.kind], *_of_one_shape(call), activation=options)
    k = 0 if call.is_constant(0) else 1
    value = call.ins[1 - k]
    assert value is not None
    number = call.reader.build.per_channel(call.constant(k).astype(np.float32), value.shape)
    if call.kind == "DIV" and k == 0:
        raise Inexpressible("division", f"it divides a constant by the computed {list(value.shape)}")
    if number is None:
        raise Inexpressible("per pixel", f"its constant is {list(call.constant(k).shape)} for {list(value.shape)}")
    if call.kind == "DIV" and not number.all():
        raise Inexpressible("zero", "it divides by 0")
    forms: dict[str, tuple[Floats | float, Floats | float]] = {
        "ADD": (1.0, number),
        "SUB": (1.0, -number) if k else (-1.0, number),
        "MUL": (number, 0.0),
    }
    scale, shift = forms[call.kind] if call.kind != "DIV" else ((1 / number).astype(np.float32), 0.0)
    return call.emit(call.reader.build.affine(scale, shift, value.shape), call.value(1 - k), activation=options)


def _of_one_shape(call: Call) -> tuple[str, str]:
    """Both inputs, the larger first in a product; in a sum, the smaller spread to the larger."""
    first, second = call.shape_of(0), call.shape_of(1)
    build, values = call.reader.build, (call.value(0), call.value(1))
    out = np.broadcast_shapes(first, second)
    if first == second:
        return values
    if call.kind == "MUL" and out in (first, second):
        small = second if out == first else first
        if len(out) == 4 and small in ((1, 1, 1, out[3]), (*out[:3], 1)):
            return values if out == first else (values[1], values[0])
    spread = [
        value
        if shape == out
        else build.spread(value, shape, out, f"{call.outs[0].name}/spread", origin=call.origin, kind=call.kind)
        for value, shape in zip(values, (first, second), strict=True)
    ]
    return spread[0], spread[1]


def _binary_options(call: Call) -> int:
    from tflite.AddOptions import AddOptions

    options = call.options(AddOptions)  # the four option tables begin with the same field
    return int(options.FusedActivationFunction()) if options is not None else 0


@_reads("CONCATENATION")
def _concatenation(call: Call) -> None:
    from tflite.ConcatenationOptions import ConcatenationOptions

    options = call.options(ConcatenationOptions)
    shapes = [t.shape for t in call.ins if t is not None]
    axis = options.Axis() % len(shapes[0])
    values = [call.value(k) for k in range(len(call.ins))]
    if len(shapes[0]) == 4 and axis == 3:
        return call.emit(Concat(), *values, activation=options.FusedActivationFunction())
    starts = np.cumsum([0, *(elements(s) for s in shapes)])
    parts = [call.reader.build.natural(s) + start for s, start in zip(shapes, starts, strict=False)]
    return call.emit_gather(np.concatenate(parts, axis), *values)


@_reads("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "FLATTEN")
def _reshape(call: Call) -> None:
    out = call.outs[0].shape
    if elements(out) != elements(call.shape):
        raise FormatError(
            f"{call.kind} '{call.origin}' makes {list(out)} of {list(call.shape)}", expected="as many elements"
        )
    call.emit_gather(call.reader.build.natural(call.shape).reshape(out), call.value(0))


@_reads("TRANSPOSE")
def _transpose(call: Call) -> None:
    order = [int(k) for k in call.constant(1)]
    call.emit_gather(call.reader.build.natural(call.shape).transpose(order), call.value(0))


@_reads("SLICE")
def _slice(call: Call) -> None:
    begin, size = call.constant(1), call.constant(2)
    parts = tuple(slice(int(b), None if s < 0 else int(b) + int(s)) for b, s in zip(begin, size, strict=True))
    call.emit_gather(call.reader.build.natural(call.shape)[parts], call.value(0))


@_reads("STRIDED_SLICE")
def _strided_slice(call: Call) -> None:
    from tflite.StridedSliceOptions import StridedSliceOptions

    options = call.options(StridedSliceOptions)
    parts: list[slice | int] = []
    rows = zip(call.constant(1), call.constant(2), call.constant(3), strict=True)
    for k, (begin, end, step) in enumerate(rows):
        if options.ShrinkAxisMask() >> k & 1:
            parts.append(int(begin))
            continue
        first = None if options.BeginMask() >> k & 1 else int(begin)
        parts.append(slice(first, None if options.EndMask() >> k & 1 else int(end), int(step)))
    call.emit_gather(call.reader.build.natural(call.shape)[tuple(parts)], call.value(0))


@_reads("SPLIT")
def _split(call: Call) -> None:
    value = call.ins[1]
    assert value is not None
    axis = int(call.constant(0).reshape(-1)[0]) % len(value.shape)
    for k, part in enumerate(np.split(call.reader.build.natural(value.shape), len(call.outs), axis)):
        call.emit_gather(part, call.value(1), out=k)


@_reads("SPACE_TO_DEPTH", "DEPTH_TO_SPACE")
def _space(call: Call) -> None:
    from tflite.SpaceToDepthOptions import SpaceToDepthOptions

    block = call.options(SpaceToDepthOptions).BlockSize()
    _, height, width, channels = call.shape
    index = call.reader.build.natural(call.shape)[0]
    if call.kind == "SPACE_TO_DEPTH":
        cut = index.reshape(height // block, block, width // block, block, channels).transpose(0, 2, 1, 3, 4)
    else:
        cut = index.reshape(height, width, block, block, channels // block**2).transpose(0, 2, 1, 3, 4)
    call.emit_gather(cut.reshape(call.outs[0].shape), call.value(0))


@_reads("PAD", "PADV2", "MIRROR_PAD")
def _pad(call: Call) -> None:
    amounts = call.constant(1).astype(int)
    if len(call.shape) != 4 or amounts[0].any() or amounts[3][0] or amounts.min() < 0:
        raise Inexpressible("padding", f"it pads {amounts.tolist()} of {list(call.shape)}")
    if call.kind == "MIRROR_PAD":
        from tflite.MirrorPadOptions import MirrorPadOptions

        mode: Literal["reflect", "symmetric"] = "symmetric" if call.options(MirrorPadOptions).Mode() else "reflect"
        return call.emit_gather(np.pad(call.reader.build.natural(call.shape), amounts, mode=mode), call.value(0))
    value = float(call.constant(2).reshape(-1)[0]) if call.kind == "PADV2" else 0.0
    padding = Padding(
        top=int(amounts[1][0]), bottom=int(amounts[1][1]), left=int(amounts[2][0]), right=int(amounts[2][1])
    )
    return call.emit(Pad(padding=padding, value=value, channels_after=int(amounts[3][1])), call.value(0))


@_reads("RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR")
def _resize(call: Call) -> None:
    from tflite.ResizeBilinearOptions import ResizeBilinearOptions
    from tflite.ResizeNearestNeighborOptions import ResizeNearestNeighborOptions

    options = call.options(ResizeBilinearOptions if call.kind == "RESIZE_BILINEAR" else ResizeNearestNeighborOptions)
    height, width = (int(v) for v in call.constant(1))
    aligned = options is not None and options.AlignCorners()
    half = options is not None and options.HalfPixelCenters()
    what = f"it resizes {call.shape[1]}x{call.shape[2]} to {height}x{width}"
    what += " with aligned corners" * aligned + " with half pixels" * half
    if (height, width) == call.shape[1:3]:
        return call.emit(Curve(kind="linear"), call.value(0))
    if call.shape[1:3] == (1, 1):  # one pixel everywhere, however it is interpolated
        return call.emit(Resize(height=height, width=width), call.value(0))
    if call.kind == "RESIZE_BILINEAR":
        if aligned or (height, width) != (2 * call.shape[1], 2 * call.shape[2]):
            raise Inexpressible("interpolation", f"{what}, bilinear")
        return call.emit(Bilinear(half_pixel=half), call.value(0))
    exact = height % call.shape[1] == 0 and width % call.shape[2] == 0
    if aligned or (half and not exact):
        raise Inexpressible("interpolation", what)
    return call.emit(Resize(height=height, width=width), call.value(0))


@_reads("SOFTMAX")
def _softmax(call: Call) -> None:
    from tflite.SoftmaxOptions import SoftmaxOptions

    options = call.options(SoftmaxOptions)
    if options is not None and options.Beta() != 1.0:
        raise Inexpressible("softmax", f"its beta is {options.Beta()}")
    value, build = call.value(0), call.reader.build
    if len(call.shape) == 4:
        natural = build.natural(call.shape)
        flat = build.gather(
            natural.reshape(-1), (value,), build.fresh(call.origin + "/flat"), origin=call.origin, kind=call.kind
        )
        rows = build.add(
            Softmax(length=call.shape[-1]),
            (flat,),
            build.fresh(call.origin + "/rows"),
            origin=call.origin,
            kind=call.kind,
        )
        return call.emit_gather(np.arange(natural.size, dtype=np.int64).reshape(call.shape), rows)
    return call.emit(Softmax(length=call.shape[-1]), value)


@_reads("L2_NORMALIZATION")
def _l2(call: Call) -> None:
    if elements(call.shape) != call.shape[-1]:
        raise Inexpressible("norm", f"it normalises the rows of {list(call.shape)}")
    call.emit(L2Normalize(), call.value(0))


@_reads("PACK")
def _pack(call: Call) -> None:
    from tflite.PackOptions import PackOptions

    axis = call.options(PackOptions).Axis()
    shapes = [call.shape_of(k) for k in range(len(call.ins))]
    starts = np.cumsum([0, *(elements(s) for s in shapes)])
    parts = [call.reader.build.natural(s) + start for s, start in zip(shapes, starts, strict=False)]
    call.emit_gather(np.stack(parts, axis), *(call.value(k) for k in range(len(call.ins))))


@_reads("GATHER")
def _gather(call: Call) -> None:
    from tflite.GatherOptions import GatherOptions

    options = call.options(GatherOptions)
    axis = (options.Axis() if options is not None else 0) % len(call.shape)
    call.emit_gather(np.take(call.reader.build.natural(call.shape), call.constant(1).astype(int), axis), call.value(0))


@_reads("SPLIT_V")
def _split_by_sizes(call: Call) -> None:
    axis = int(call.constant(2).reshape(-1)[0]) % len(call.shape)
    edges = np.cumsum([int(v) for v in call.constant(1)])[:-1]
    for k, part in enumerate(np.split(call.reader.build.natural(call.shape), edges, axis)):
        call.emit_gather(part, call.value(0), out=k)


@_reads("TILE", "BROADCAST_TO")
def _repeat(call: Call) -> None:
    build, out = call.reader.build, call.outs[0].shape
    build.natural(out)  # refuses what is absurdly large
    if call.kind == "BROADCAST_TO" or len(out) != len(call.shape):
        index = np.broadcast_to(build.natural(call.shape), out).copy()
    else:
        index = np.tile(build.natural(call.shape), [n // m for n, m in zip(out, call.shape, strict=True)])
    call.emit_gather(index, call.value(0))


@_reads(
    "TFLite_Detection_PostProcess", "NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5", "TOPK_V2", "ARG_MAX", "ARG_MIN",
    "GATHER_ND", "SCATTER_ND", "WHERE", "UNIQUE", "CUMSUM", "ONE_HOT",
)  # fmt: skip
def _detection_tail(call: Call) -> None:
    raise Inexpressible("detection tail", f"it chooses among {list(call.shape)}")


@_reads("BATCH_MATMUL")
def _attention(call: Call) -> None:
    raise Inexpressible("attention", f"it multiplies {list(call.shape)} by {list(call.shape_of(1))}")


@_reads(
    "LSTM", "RNN", "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN", "BIDIRECTIONAL_SEQUENCE_LSTM",
    "SVDF", "WHILE", "IF", "CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE",
)  # fmt: skip
def _recurrence(call: Call) -> None:
    raise Inexpressible("recurrence", "it repeats, decides or remembers while it runs")


@_reads("DEQUANTIZE", "QUANTIZE", "CAST", "DENSIFY")
def _as_it_is(call: Call) -> None:
    """A change of number type: none of ours."""
    source = call.ins[0]
    assert source is not None
    if source.index in call.reader.constants:
        found = call.reader.constants[source.index]
        call.reader.constants[call.outs[0].index] = found.astype(np.float32) if found.dtype.kind == "f" else found
    else:
        call.reader.values[call.outs[0].index] = call.value(0)
