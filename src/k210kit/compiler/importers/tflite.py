"""TensorFlow Lite files: float32, float16 weights behind DEQUANTIZE, and full-integer models read as floats.

The schema is the `tflite` package's. Tensors of rank 4 are NHWC. A dynamic batch becomes 1.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler.graph import Graph, Output, elements
from k210kit.compiler.importers.layout import Builder, padding_of
from k210kit.compiler.ops import (
    Add,
    AveragePool,
    Concat,
    Conv,
    ConvTranspose,
    Curve,
    Dense,
    Foreign,
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
from k210kit.errors import FormatError

__all__ = ["OPERATORS", "is_tflite", "read_tflite"]

Floats = NDArray[np.float32]
_TYPES: dict[int, str] = {
    0: "<f4", 1: "<f2", 2: "<i4", 3: "u1", 4: "<i8", 6: "?", 7: "<i2", 9: "i1", 10: "<f8", 15: "<u4", 16: "<u2",
}  # fmt: skip
_ACTIVATIONS = {
    1: Curve(kind="clip", alpha=0.0, beta=float("inf")),
    2: Curve(kind="clip", alpha=-1.0, beta=1.0),
    3: Curve(kind="clip", alpha=0.0, beta=6.0),
    4: Curve(kind="tanh"),
}
_CURVES = {
    "RELU": _ACTIVATIONS[1],
    "RELU_N1_TO_1": _ACTIVATIONS[2],
    "RELU6": _ACTIVATIONS[3],
    "RELU_0_TO_1": Curve(kind="clip", alpha=0.0, beta=1.0),
    "TANH": _ACTIVATIONS[4],
    "LOGISTIC": Curve(kind="sigmoid"),
    "HARD_SWISH": Curve(kind="hard_swish"),
    "ELU": Curve(kind="elu", alpha=1.0),
    "ABS": Curve(kind="abs"),
    "EXP": Curve(kind="exp"),
}
_DAMAGE = (
    struct.error, IndexError, TypeError, ValueError, AttributeError, KeyError, OverflowError, AssertionError,
    MemoryError,
)  # fmt: skip


def is_tflite(data: bytes) -> bool:
    return data[4:8] == b"TFL3"


def read_tflite(data: bytes, name: str) -> Graph:
    """The graph of a .tflite file; a `FormatError` says what is damaged."""
    if not is_tflite(data):
        raise FormatError("not a TFLite file", field=name, found=repr(data[4:8]), expected="the letters TFL3 at byte 4")
    try:
        return _Reader(data, name).graph()
    except FormatError:
        raise
    except _DAMAGE as error:
        raise FormatError(f"the TFLite file is damaged ({type(error).__name__}: {error})", field=name) from error


@dataclass(frozen=True, kw_only=True)
class _Tensor:
    index: int
    name: str
    shape: tuple[int, ...]
    type: int
    constant: NDArray[Any] | None  # Any: as stored; dequantised when read


class _Call:
    """One operator of the file, with its tensors."""

    def __init__(self, reader: _Reader, operator: Any, kind: str) -> None:  # Any: flatbuffers' untyped tables
        self.reader, self.kind, self._operator = reader, kind, operator
        self.ins = [reader.tensor(k) if k >= 0 else None for k in _numbers(operator.InputsAsNumpy())]
        self.outs = [reader.tensor(k) for k in _numbers(operator.OutputsAsNumpy())]
        self.origin = self.outs[0].name.split(";")[0] if self.outs else kind

    def options(self, kind: Any) -> Any:  # Any: flatbuffers' untyped tables
        table = self._operator.BuiltinOptions()
        made = kind()
        if table is not None:
            made.Init(table.Bytes, table.Pos)
        return made if table is not None else None

    def constant(self, k: int) -> NDArray[Any]:
        tensor = self.ins[k] if k < len(self.ins) else None
        found = None if tensor is None else self.reader.constants.get(tensor.index)
        if found is None:
            raise _Inexpressible(
                f"its input {k} is computed, not a constant", "export the model with fixed shapes and weights"
            )
        return found

    def bias(self, k: int, count: int) -> NDArray[np.float32]:
        if k >= len(self.ins) or self.ins[k] is None:
            return np.zeros(count, np.float32)
        return self.constant(k).astype(np.float32)

    @property
    def shape(self) -> tuple[int, ...]:
        assert self.ins[0] is not None
        return self.ins[0].shape

    def is_constant(self, k: int) -> bool:
        tensor = self.ins[k]
        return tensor is not None and tensor.index in self.reader.constants

    def value(self, k: int) -> str:
        tensor = self.ins[k]
        assert tensor is not None
        return self.reader.values[tensor.index]

    def emit(self, op: Op, *inputs: str, activation: int = 0) -> None:
        """Add the node and, behind it, the fused activation."""
        build, out = self.reader.build, self.outs[0]
        final = build.fresh(out.name)
        if activation:
            if activation not in _ACTIVATIONS:
                raise _Inexpressible(f"its fused activation number {activation} is unknown", "ReLU or ReLU6")
            inner = build.fresh(out.name + "/linear")
            build.add(op, inputs, inner, origin=self.origin, kind=self.kind)
            build.add(_ACTIVATIONS[activation], (inner,), final, origin=self.origin, kind=self.kind)
        else:
            build.add(op, inputs, final, origin=self.origin, kind=self.kind)
        self.reader.values[out.index] = final

    def emit_gather(self, index: NDArray[np.int64], *inputs: str, out: int = 0) -> None:
        name = self.reader.build.fresh(self.outs[out].name)
        self.reader.build.gather(index, inputs, name, origin=self.origin, kind=self.kind)
        self.reader.values[self.outs[out].index] = name


class _Inexpressible(Exception):
    """An operator that has no counterpart in the graph: what is wrong, and what to use instead."""

    def __init__(self, why: str, instead: str) -> None:
        self.why, self.instead = why, instead


OPERATORS: dict[str, Callable[[_Call], None]] = {}


def _reads(*kinds: str) -> Callable[[Callable[[_Call], None]], Callable[[_Call], None]]:
    def join(function: Callable[[_Call], None]) -> Callable[[_Call], None]:
        OPERATORS.update(dict.fromkeys(kinds, function))
        return function

    return join


def _numbers(array: Any) -> list[int]:  # Any: an array, or the number 0 where the field is absent
    return [int(k) for k in array] if isinstance(array, np.ndarray) else []


class _Reader:
    def __init__(self, data: bytes, name: str) -> None:
        from tflite.Model import Model

        self.data, self.name = data, name
        self.model = Model.GetRootAs(data, 0)
        if self.model.SubgraphsLength() < 1:
            raise FormatError("the TFLite file has no graph", field=name)
        self.subgraph = self.model.Subgraphs(0)
        for what, count in (("operators", self.subgraph.OperatorsLength()), ("tensors", self.subgraph.TensorsLength())):
            if not 0 < count <= len(data) // 4:
                raise FormatError(
                    f"the TFLite file has {count} {what}", field=name, expected="at least 1, and room for them"
                )
        self.build = Builder("NHWC")
        self.constants: dict[int, NDArray[Any]] = {}
        self.values: dict[int, str] = {}
        self._tensors: dict[int, _Tensor] = {}

    def tensor(self, k: int) -> _Tensor:
        if k not in self._tensors:
            if not 0 <= k < self.subgraph.TensorsLength():
                raise FormatError(f"tensor {k} does not exist", field=self.name)
            self._tensors[k] = self._read_tensor(k)
        return self._tensors[k]

    def _read_tensor(self, k: int) -> _Tensor:
        table = self.subgraph.Tensors(k)
        shape = tuple(_numbers(table.ShapeAsNumpy()))
        shape = tuple(1 if size < 0 else size for size in shape)
        name = (table.Name() or b"").decode("utf-8", "replace") or f"tensor {k}"
        buffer = self.model.Buffers(table.Buffer())
        raw = buffer.DataAsNumpy()
        constant = None
        if isinstance(raw, np.ndarray) and raw.size:
            if table.Type() not in _TYPES:
                raise FormatError(
                    f"'{name}' holds constants of type number {table.Type()}", field=self.name, expected="a number type"
                )
            dtype = np.dtype(_TYPES[table.Type()])
            if raw.size != elements(shape) * dtype.itemsize:
                raise FormatError(
                    f"'{name}' has {raw.size} bytes of data",
                    field=self.name,
                    expected=f"{elements(shape) * dtype.itemsize}",
                )
            constant = _dequantized(np.frombuffer(raw.tobytes(), dtype).reshape(shape), table)
            self.constants[k] = constant
        return _Tensor(index=k, name=name, shape=shape, type=table.Type(), constant=constant)

    def graph(self) -> Graph:
        subgraph = self.subgraph
        inputs, outputs = _numbers(subgraph.InputsAsNumpy()), _numbers(subgraph.OutputsAsNumpy())
        if len(inputs) != 1:
            raise FormatError(
                f"the model has {len(inputs)} inputs", field=self.name, expected="1, a picture or a flat vector"
            )
        source = self.tensor(inputs[0])
        if source.shape and source.shape[0] != 1:
            raise FormatError(
                f"the model's batch is {source.shape[0]}", field=self.name, expected="1, or dynamic; export it so"
            )
        self.values[source.index] = self.build.fresh(source.name)
        names = _operator_names()
        for k in range(subgraph.OperatorsLength()):
            operator = subgraph.Operators(k)
            code = self.model.OperatorCodes(operator.OpcodeIndex())
            number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
            self._read_operator(_Call(self, operator, names.get(number, f"operator {number}")))
        missing = [self.tensor(k).name for k in outputs if k not in self.values]
        if missing or not outputs:
            raise FormatError(f"output '{missing[0] if missing else ''}' is not computed by the graph", field=self.name)
        graph = Graph(
            name=self.name,
            input=self.values[source.index],
            input_shape=self.build.shape(source.shape),
            nodes=(),
            outputs=tuple(Output(value=self.values[k], name=self.tensor(k).name) for k in outputs),
        )
        return graph.with_nodes(self.build.nodes)

    def _read_operator(self, call: _Call) -> None:
        try:
            if call.kind not in OPERATORS:
                raise _Inexpressible("it has no counterpart here", "the operators of docs/reference/operators.md")
            OPERATORS[call.kind](call)
        except _Inexpressible as error:
            inputs = [self.values[t.index] for t in call.ins if t is not None and t.index in self.values]
            for out in call.outs:
                name = self.build.fresh(out.name)
                op = Foreign(shape=self.build.shape(out.shape), why=error.why, instead=error.instead)
                self.build.add(op, inputs, name, origin=call.origin, kind=call.kind)
                self.values[out.index] = name


def _operator_names() -> dict[int, str]:
    from tflite.BuiltinOperator import BuiltinOperator

    return {number: name for name, number in vars(BuiltinOperator).items() if isinstance(number, int)}


def _dequantized(array: NDArray[Any], table: Any) -> NDArray[Any]:  # Any: as stored
    """Quantised weights and biases as float32; other numbers as they are, halves as float32."""
    quantization = table.Quantization()
    scales = quantization.ScaleAsNumpy() if quantization is not None else 0
    if not isinstance(scales, np.ndarray) or scales.size == 0 or array.dtype.kind == "f":
        return array.astype(np.float32) if array.dtype.kind == "f" else array
    zeros = quantization.ZeroPointAsNumpy()
    zero = np.asarray(zeros if isinstance(zeros, np.ndarray) and zeros.size else [0], np.float64)
    axis = quantization.QuantizedDimension() if array.ndim else 0
    form = [1] * array.ndim
    if scales.size > 1:
        form[axis] = scales.size
    scale, zero = scales.astype(np.float64).reshape(form), np.broadcast_to(zero, scales.shape).reshape(form)
    return ((array.astype(np.float64) - zero) * scale).astype(np.float32)


def _window(
    call: _Call, options: Any, kernel: tuple[int, int], dilation: tuple[int, int] = (1, 1)
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
def _conv(call: _Call) -> None:
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
def _depthwise(call: _Call) -> None:
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
def _transpose_conv(call: _Call) -> None:
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
    call.emit(op, call.value(2))


@_reads("FULLY_CONNECTED")
def _fully_connected(call: _Call) -> None:
    from tflite.FullyConnectedOptions import FullyConnectedOptions

    options = call.options(FullyConnectedOptions)
    weights = call.constant(1).astype(np.float32)
    value = call.value(0)
    if elements(call.shape) != weights.shape[1]:
        raise _Inexpressible(
            f"it is applied to {elements(call.shape) // max(weights.shape[1], 1)} rows at once", "one flat vector"
        )
    if len(call.shape) == 4:
        flat = call.reader.build.fresh(call.origin + "/flat")
        index = call.reader.build.natural(call.shape).reshape(-1)
        value = call.reader.build.gather(index, (value,), flat, origin=call.origin, kind=call.kind)
    activation = options.FusedActivationFunction() if options is not None else 0
    call.emit(Dense(weights=weights, bias=call.bias(2, weights.shape[0])), value, activation=activation)


@_reads("MAX_POOL_2D", "AVERAGE_POOL_2D")
def _pool(call: _Call) -> None:
    from tflite.Pool2DOptions import Pool2DOptions

    options = call.options(Pool2DOptions)
    kernel = (options.FilterHeight(), options.FilterWidth())
    stride, padding = _window(call, options, kernel)
    kind = MaxPool if call.kind == "MAX_POOL_2D" else AveragePool
    call.emit(
        kind(kernel=kernel, stride=stride, padding=padding), call.value(0), activation=options.FusedActivationFunction()
    )


@_reads("MEAN", "REDUCE_MAX")
def _mean(call: _Call) -> None:
    axes = sorted({int(a) % len(call.shape) for a in np.atleast_1d(call.constant(1))})
    if len(call.shape) != 4 or axes != [1, 2]:
        raise _Inexpressible(f"it reduces the axes {axes} of {list(call.shape)}", "a mean over height and width")
    build = call.reader.build
    op = GlobalAveragePool() if call.kind == "MEAN" else GlobalMaxPool()
    if len(call.outs[0].shape) == 4:
        return call.emit(op, call.value(0))
    inner = build.add(op, (call.value(0),), build.fresh(call.origin + "/pooled"), origin=call.origin, kind=call.kind)
    return call.emit_gather(np.arange(call.shape[3], dtype=np.int64).reshape(call.outs[0].shape), inner)


@_reads(*_CURVES)
def _curve(call: _Call) -> None:
    call.emit(_CURVES[call.kind], call.value(0))


@_reads("LEAKY_RELU")
def _leaky(call: _Call) -> None:
    from tflite.LeakyReluOptions import LeakyReluOptions

    call.emit(Curve(kind="leaky", alpha=call.options(LeakyReluOptions).Alpha()), call.value(0))


@_reads("GELU")
def _gelu(call: _Call) -> None:
    from tflite.GeluOptions import GeluOptions

    call.emit(Curve(kind="gelu", alpha=float(call.options(GeluOptions).Approximate())), call.value(0))


@_reads("PRELU")
def _prelu(call: _Call) -> None:
    slopes = call.reader.build.per_channel(call.constant(1), call.shape)
    if slopes is None:
        raise _Inexpressible("its slopes differ from pixel to pixel", "one slope per channel (shared_axes=[1, 2])")
    call.emit(PRelu(slopes=slopes), call.value(0))


@_reads("ADD", "SUB", "MUL", "DIV")
def _binary(call: _Call) -> None:
    options = _binary_options(call)
    if call.is_constant(0) and call.is_constant(1):
        raise _Inexpressible("both its inputs are constants", "a folded constant")
    if not call.is_constant(0) and not call.is_constant(1):
        kinds: dict[str, Op] = {"ADD": Add(), "SUB": Sub(), "MUL": Mul()}
        if call.kind not in kinds:
            raise _Inexpressible("it divides by a computed value", "a multiplication")
        return call.emit(kinds[call.kind], call.value(0), call.value(1), activation=options)
    k = 0 if call.is_constant(0) else 1
    value = call.ins[1 - k]
    assert value is not None
    number = call.reader.build.per_channel(call.constant(k).astype(np.float32), value.shape)
    if number is None or (call.kind == "DIV" and k == 0):
        raise _Inexpressible("its constant differs from pixel to pixel", "one number, or one per channel")
    with np.errstate(divide="ignore"):
        forms: dict[str, tuple[Floats | float, Floats | float]] = {
            "ADD": (1.0, number),
            "SUB": (1.0, -number) if k else (-1.0, number),
            "MUL": (number, 0.0),
            "DIV": ((1 / number).astype(np.float32), 0.0),
        }
        scale, shift = forms[call.kind]
    return call.emit(call.reader.build.affine(scale, shift, value.shape), call.value(1 - k), activation=options)


def _binary_options(call: _Call) -> int:
    from tflite.AddOptions import AddOptions

    options = call.options(AddOptions)  # the four option tables begin with the same field
    return int(options.FusedActivationFunction()) if options is not None else 0


@_reads("CONCATENATION")
def _concatenation(call: _Call) -> None:
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
def _reshape(call: _Call) -> None:
    out = call.outs[0].shape
    if elements(out) != elements(call.shape):
        raise FormatError(
            f"{call.kind} '{call.origin}' makes {list(out)} of {list(call.shape)}", expected="as many elements"
        )
    call.emit_gather(call.reader.build.natural(call.shape).reshape(out), call.value(0))


@_reads("TRANSPOSE")
def _transpose(call: _Call) -> None:
    order = [int(k) for k in call.constant(1)]
    call.emit_gather(call.reader.build.natural(call.shape).transpose(order), call.value(0))


@_reads("SLICE")
def _slice(call: _Call) -> None:
    begin, size = call.constant(1), call.constant(2)
    parts = tuple(slice(int(b), None if s < 0 else int(b) + int(s)) for b, s in zip(begin, size, strict=True))
    call.emit_gather(call.reader.build.natural(call.shape)[parts], call.value(0))


@_reads("STRIDED_SLICE")
def _strided_slice(call: _Call) -> None:
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
def _split(call: _Call) -> None:
    value = call.ins[1]
    assert value is not None
    axis = int(call.constant(0).reshape(-1)[0]) % len(value.shape)
    for k, part in enumerate(np.split(call.reader.build.natural(value.shape), len(call.outs), axis)):
        call.emit_gather(part, call.value(1), out=k)


@_reads("SPACE_TO_DEPTH", "DEPTH_TO_SPACE")
def _space(call: _Call) -> None:
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
def _pad(call: _Call) -> None:
    amounts = call.constant(1).astype(int)
    if call.kind == "MIRROR_PAD":
        raise _Inexpressible("it pads with a mirror image", "zero padding")
    if len(call.shape) != 4 or amounts[0].any() or amounts[3][0] or amounts.min() < 0:
        raise _Inexpressible(f"it pads {amounts.tolist()} of {list(call.shape)}", "padding of height and width")
    value = float(call.constant(2).reshape(-1)[0]) if call.kind == "PADV2" else 0.0
    padding = Padding(
        top=int(amounts[1][0]), bottom=int(amounts[1][1]), left=int(amounts[2][0]), right=int(amounts[2][1])
    )
    call.emit(Pad(padding=padding, value=value, channels_after=int(amounts[3][1])), call.value(0))


@_reads("RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR")
def _resize(call: _Call) -> None:
    from tflite.ResizeNearestNeighborOptions import ResizeNearestNeighborOptions

    options = call.options(ResizeNearestNeighborOptions)
    height, width = (int(v) for v in call.constant(1))
    if call.kind == "RESIZE_BILINEAR":
        raise _Inexpressible("it interpolates", "nearest neighbour: UpSampling2D(interpolation='nearest')")
    exact = height % call.shape[1] == 0 and width % call.shape[2] == 0
    if options is not None and (options.AlignCorners() or (options.HalfPixelCenters() and not exact)):
        raise _Inexpressible(
            f"it resizes to {height}x{width} with aligned corners or half pixels", "a whole factor, with neither"
        )
    call.emit(Resize(height=height, width=width), call.value(0))


@_reads("SOFTMAX")
def _softmax(call: _Call) -> None:
    from tflite.SoftmaxOptions import SoftmaxOptions

    options = call.options(SoftmaxOptions)
    if options is not None and options.Beta() != 1.0:
        raise _Inexpressible(f"its beta is {options.Beta()}", "beta 1")
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
def _l2(call: _Call) -> None:
    if elements(call.shape) != call.shape[-1]:
        raise _Inexpressible(f"it normalises the rows of {list(call.shape)}", "one flat vector")
    call.emit(L2Normalize(), call.value(0))


@_reads("DEQUANTIZE", "QUANTIZE", "CAST", "DENSIFY")
def _as_it_is(call: _Call) -> None:
    """A change of number type: none of ours."""
    source = call.ins[0]
    assert source is not None
    if source.index in call.reader.constants:
        found = call.reader.constants[source.index]
        call.reader.constants[call.outs[0].index] = found.astype(np.float32) if found.dtype.kind == "f" else found
    else:
        call.reader.values[call.outs[0].index] = call.value(0)
