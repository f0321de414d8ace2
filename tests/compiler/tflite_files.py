"""Small TensorFlow Lite files, written field by field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
import tflite as schema

__all__ = ["Op", "Sparse", "Tensor", "small_net", "tflite_file"]

Builder = Any  # flatbuffers.Builder, which has no types
_TYPES = {"float32": 0, "float16": 1, "int32": 2, "uint8": 3, "int64": 4, "int16": 7, "int8": 9}


@dataclass(frozen=True, kw_only=True)
class Sparse:
    """How a constant is stored: per level None (dense, with its size) or (segments, indices)."""

    order: list[int]
    levels: list[int | tuple[list[int], list[int]]]
    blocks: list[int]


@dataclass(frozen=True)
class Tensor:
    """A tensor; with `data` it is a constant, with `scale` it is quantised."""

    name: str
    shape: tuple[int, ...]
    data: np.ndarray[Any, Any] | None = None
    type: str = "float32"
    scale: tuple[float, ...] = ()
    zero: tuple[int, ...] = ()
    axis: int = 0
    sparse: Sparse | None = None


@dataclass(frozen=True)
class Op:
    """An operator by its name, on tensors by theirs; `options` are a table of the schema and its fields."""

    kind: str
    inputs: str
    outputs: str
    table: str = ""
    fields: tuple[tuple[str, Any], ...] = ()
    custom: str = ""


def tflite_file(tensors: Sequence[Tensor], operators: Sequence[Op], inputs: str, outputs: str) -> bytes:
    """The bytes of a model with one graph."""
    b = flatbuffers.Builder(1024)
    places = {tensor.name: k for k, tensor in enumerate(tensors)}

    def numbers(names: str) -> list[int]:
        return [places.get(name, -1) for name in names.split()]

    kinds = sorted({(op.kind, op.custom) for op in operators})
    codes = [_operator_code(b, kind, custom) for kind, custom in kinds]
    buffers = [_buffer(b, None), *(_buffer(b, tensor.data) for tensor in tensors)]
    rows = [_tensor(b, tensor, k + 1) for k, tensor in enumerate(tensors)]
    nodes = [
        _operator(b, op, kinds.index((op.kind, op.custom)), numbers(op.inputs), numbers(op.outputs)) for op in operators
    ]
    fields = {
        "Tensors": _vector(b, rows), "Operators": _vector(b, nodes),
        "Inputs": b.CreateNumpyVector(np.array(numbers(inputs), np.int32)),
        "Outputs": b.CreateNumpyVector(np.array(numbers(outputs), np.int32)),
    }  # fmt: skip
    graph = _table(b, "SubGraph", fields)
    whole = {"OperatorCodes": _vector(b, codes), "Subgraphs": _vector(b, [graph]), "Buffers": _vector(b, buffers)}
    model = _table(b, "Model", {"Version": 3, **whole})
    b.Finish(model, file_identifier=b"TFL3")
    return bytes(b.Output())


def _table(b: Builder, name: str, fields: dict[str, Any]) -> int:
    getattr(schema, f"{name}Start")(b)
    for field, value in fields.items():
        getattr(schema, f"{name}Add{field}")(b, value)
    end: Callable[[Builder], int] = getattr(schema, f"{name}End")
    return end(b)


def _vector(b: Builder, offsets: Sequence[int]) -> int:
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return int(b.EndVector())


def _operator_code(b: Builder, kind: str, custom: str) -> int:
    number = getattr(schema.BuiltinOperator, kind)
    fields = {"CustomCode": b.CreateString(custom)} if custom else {}
    return _table(b, "OperatorCode", {"BuiltinCode": number, "DeprecatedBuiltinCode": min(number, 127), **fields})


def _buffer(b: Builder, data: np.ndarray[Any, Any] | None) -> int:
    if data is None:
        return _table(b, "Buffer", {})
    return _table(b, "Buffer", {"Data": b.CreateByteVector(np.ascontiguousarray(data).tobytes())})


def _tensor(b: Builder, tensor: Tensor, buffer: int) -> int:
    fields: dict[str, Any] = {
        "Shape": b.CreateNumpyVector(np.array(tensor.shape, np.int32)), "Type": _TYPES[tensor.type],
        "Buffer": buffer if tensor.data is not None else 0, "Name": b.CreateString(tensor.name),
    }  # fmt: skip
    if tensor.scale:
        scale = b.CreateNumpyVector(np.array(tensor.scale, np.float32))
        zero = b.CreateNumpyVector(np.array(tensor.zero, np.int64))
        quantization = {"Scale": scale, "ZeroPoint": zero, "QuantizedDimension": tensor.axis}
        fields["Quantization"] = _table(b, "QuantizationParameters", quantization)
    if tensor.sparse is not None:
        fields["Sparsity"] = _sparsity(b, tensor.sparse)
    return _table(b, "Tensor", fields)


def _sparsity(b: Builder, sparse: Sparse) -> int:
    levels = []
    for level in sparse.levels:
        if isinstance(level, int):
            levels.append(_table(b, "DimensionMetadata", {"Format": 0, "DenseSize": level}))
            continue
        tables = [
            _table(b, "Int32Vector", {"Values": b.CreateNumpyVector(np.array(numbers, np.int32))}) for numbers in level
        ]
        fields = {"Format": 1, "ArraySegmentsType": 1, "ArraySegments": tables[0]}
        levels.append(_table(b, "DimensionMetadata", {**fields, "ArrayIndicesType": 1, "ArrayIndices": tables[1]}))
    vectors = [b.CreateNumpyVector(np.array(numbers, np.int32)) for numbers in (sparse.order, sparse.blocks)]
    metadata = _vector(b, levels)
    fields = {"TraversalOrder": vectors[0], "BlockMap": vectors[1], "DimMetadata": metadata}
    return _table(b, "SparsityParameters", fields)


def _operator(b: Builder, op: Op, code: int, inputs: list[int], outputs: list[int]) -> int:
    fields: dict[str, Any] = {"OpcodeIndex": code}
    if op.table:
        fields["BuiltinOptions"] = _table(b, op.table, dict(op.fields))
        fields["BuiltinOptionsType"] = getattr(schema.BuiltinOptions, op.table)
    fields["Inputs"] = b.CreateNumpyVector(np.array(inputs, np.int32))
    fields["Outputs"] = b.CreateNumpyVector(np.array(outputs, np.int32))
    return _table(b, "Operator", fields)


STRIDE_1 = (("StrideH", 1), ("StrideW", 1), ("DilationHFactor", 1), ("DilationWFactor", 1))


def small_net() -> bytes:
    """A convolution, a depthwise one, a sum, a pool, a mean, a dense layer and softmax."""
    rng = np.random.default_rng(0)

    def constant(name: str, *shape: int) -> Tensor:
        return Tensor(name, shape, rng.normal(size=shape).astype(np.float32))

    tensors = [
        Tensor("x", (1, 8, 8, 3)), constant("w", 4, 3, 3, 3), constant("b", 4), Tensor("conv", (1, 8, 8, 4)),
        constant("v", 1, 3, 3, 4), Tensor("depthwise", (1, 8, 8, 4)), Tensor("sum", (1, 8, 8, 4)),
        Tensor("pool", (1, 4, 4, 4)), Tensor("axes", (2,), np.array([1, 2], np.int32), "int32"), Tensor("mean", (1, 4)),
        constant("d", 5, 4), Tensor("dense", (1, 5)), Tensor("softmax", (1, 5)),
    ]  # fmt: skip
    relu6 = ("FusedActivationFunction", 3)
    pool = (("StrideH", 2), ("StrideW", 2), ("FilterHeight", 2), ("FilterWidth", 2), ("Padding", 1))
    operators = [
        Op("CONV_2D", "x w b", "conv", "Conv2DOptions", (*STRIDE_1, relu6)),
        Op("DEPTHWISE_CONV_2D", "conv v b", "depthwise", "DepthwiseConv2DOptions", (*STRIDE_1, ("DepthMultiplier", 1))),
        Op("ADD", "conv depthwise", "sum", "AddOptions"),
        Op("MAX_POOL_2D", "sum", "pool", "Pool2DOptions", pool),
        Op("MEAN", "pool axes", "mean", "ReducerOptions"),
        Op("FULLY_CONNECTED", "mean d ", "dense", "FullyConnectedOptions"),
        Op("SOFTMAX", "dense", "softmax", "SoftmaxOptions", (("Beta", 1.0),)),
    ]
    return tflite_file(tensors, operators, "x", "softmax")
