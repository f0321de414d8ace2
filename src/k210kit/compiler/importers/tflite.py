"""TensorFlow Lite files: float32, float16 weights behind DEQUANTIZE, and full-integer models (int8, uint8, 16x8).

Of a quantised model the weights are read as the floats that they stand for; the compiler quantises anew.

The schema is the `tflite` package's, operators are read by the table in `tflite_operators.py`. Tensors of rank 4 are
NHWC. A dynamic batch becomes 1.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler.graph import Graph, Output, elements
from k210kit.compiler.importers.layout import Builder, found_outputs
from k210kit.compiler.ops import Curve, Foreign, Op
from k210kit.compiler.refusals import Inexpressible
from k210kit.errors import FormatError, InputError

__all__ = ["ACTIVATIONS", "Call", "is_tflite", "read_tflite"]

_TYPES: dict[int, str] = {
    0: "<f4", 1: "<f2", 2: "<i4", 3: "u1", 4: "<i8", 6: "?", 7: "<i2", 9: "i1", 10: "<f8", 15: "<u4", 16: "<u2",
}  # fmt: skip
ACTIVATIONS = {
    1: Curve(kind="clip", alpha=0.0, beta=float("inf")),
    2: Curve(kind="clip", alpha=-1.0, beta=1.0),
    3: Curve(kind="clip", alpha=0.0, beta=6.0),
    4: Curve(kind="tanh"),
}
_DAMAGE = (
    struct.error, IndexError, TypeError, ValueError, AttributeError, KeyError, OverflowError, AssertionError,
    MemoryError, RuntimeError, ZeroDivisionError,
)  # fmt: skip


def is_tflite(data: bytes) -> bool:
    return data[4:8] == b"TFL3"


def read_tflite(data: bytes, name: str, outputs: Sequence[str] = ()) -> Graph:
    """The graph of a .tflite file; a `FormatError` says what is damaged."""
    if not is_tflite(data):
        raise FormatError("not a TFLite file", field=name, found=repr(data[4:8]), expected="the letters TFL3 at byte 4")
    try:
        return _Reader(data, name).graph(outputs)
    except InputError:
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


class Call:
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
            raise Inexpressible("computed setting", f"its input {k} is computed")
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
        if tensor is None or tensor.index in self.reader.constants:
            raise Inexpressible("constant operand", f"its input {k} is {'missing' if tensor is None else 'a constant'}")
        if tensor.index not in self.reader.values:
            raise FormatError(f"{self.kind} '{self.origin}' reads '{tensor.name}', which nothing makes")
        return self.reader.values[tensor.index]

    def shape_of(self, k: int) -> tuple[int, ...]:
        tensor = self.ins[k]
        if tensor is None:
            raise Inexpressible("constant operand", f"its input {k} is missing")
        return tensor.shape

    def inner(self, op: Op, inputs: tuple[str, ...], suffix: str) -> str:
        """Add a node whose result this operator's next node reads."""
        name = self.reader.build.fresh(f"{self.outs[0].name}/{suffix}")
        return self.reader.build.add(op, inputs, name, origin=self.origin, kind=self.kind)

    def emit(self, op: Op, *inputs: str, activation: int = 0) -> None:
        """Add the node and, behind it, the fused activation."""
        build, out = self.reader.build, self.outs[0]
        final = build.fresh(out.name)
        if activation:
            if activation not in ACTIVATIONS:
                raise Inexpressible("activation", f"its fused activation has the number {activation}")
            inner = build.fresh(out.name + "/linear")
            build.add(op, inputs, inner, origin=self.origin, kind=self.kind)
            build.add(ACTIVATIONS[activation], (inner,), final, origin=self.origin, kind=self.kind)
        else:
            build.add(op, inputs, final, origin=self.origin, kind=self.kind)
        self.reader.values[out.index] = final

    def emit_gather(self, index: NDArray[np.int64], *inputs: str, out: int = 0) -> None:
        name = self.reader.build.fresh(self.outs[out].name)
        self.reader.build.gather(index, inputs, name, origin=self.origin, kind=self.kind)
        self.reader.values[self.outs[out].index] = name


def _numbers(array: Any) -> list[int]:  # Any: an array, or the number 0 where the field is absent
    return [int(k) for k in array] if isinstance(array, np.ndarray) else []


class _Reader:
    MOST_SPARSE = 256  # times as many elements as bytes, a sparse constant may have

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
            if table.Sparsity() is not None:
                raw = self._dense(raw, dtype, shape, table.Sparsity(), name)
            if raw.size != elements(shape) * dtype.itemsize:
                raise FormatError(
                    f"'{name}' has {raw.size} bytes of data",
                    field=self.name,
                    expected=f"{elements(shape) * dtype.itemsize}",
                )
            constant = _dequantized(np.frombuffer(raw.tobytes(), dtype).reshape(shape), table)
            self.constants[k] = constant
        return _Tensor(index=k, name=name, shape=shape, type=table.Type(), constant=constant)

    def _dense(
        self, raw: NDArray[np.uint8], dtype: np.dtype[Any], shape: tuple[int, ...], sparsity: Any, name: str
    ) -> NDArray[np.uint8]:  # Any: flatbuffers' untyped table, and the number type of the file
        from k210kit.compiler.importers.tflite_sparse import densified

        if elements(shape) > self.MOST_SPARSE * max(raw.size, 1):
            raise FormatError(f"'{name}' has the shape {list(shape)} and {raw.size} bytes of data", field=self.name)
        if raw.size % dtype.itemsize:
            raise FormatError(f"'{name}' has {raw.size} bytes of sparse data", expected=f"whole {dtype.name}")
        return np.frombuffer(densified(raw.tobytes(), dtype, shape, sparsity, name).tobytes(), np.uint8)

    def graph(self, wanted: Sequence[str]) -> Graph:
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
            kind = names.get(number, f"operator {number}")
            if kind == "CUSTOM":
                kind = (code.CustomCode() or b"CUSTOM").decode("utf-8", "replace")
            self._read_operator(Call(self, operator, kind))
        missing = [self.tensor(k).name for k in outputs if k not in self.values]
        if not wanted and (missing or not outputs):
            raise FormatError(f"output '{missing[0] if missing else ''}' is not computed by the graph", field=self.name)
        graph = Graph(
            name=self.name,
            input=self.values[source.index],
            input_shape=self.build.shape(source.shape),
            nodes=(),
            outputs=found_outputs(wanted, self._names())
            if wanted
            else tuple(Output(value=self.values[k], name=self.tensor(k).name) for k in outputs),
        )
        return graph.with_nodes(self.build.nodes)

    def _names(self) -> dict[str, str]:
        """The values by their tensors' names, and by what stands before the first semicolon of those."""
        names: dict[str, str] = {}
        for k, value in self.values.items():
            names.setdefault(self.tensor(k).name.split(";")[0], value)
        return names | {self.tensor(k).name: value for k, value in self.values.items()}

    def _read_operator(self, call: Call) -> None:
        from k210kit.compiler.importers.tflite_operators import OPERATORS

        try:
            if call.kind not in OPERATORS:
                raise Inexpressible("operator", f"{call.kind} is not read")
            OPERATORS[call.kind](call)
        except Inexpressible as error:
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
