"""A kmodel the way a person wants to see it: a row per layer, and what differs between two models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from k210kit import wire
from k210kit.kmodel.layers import AddPadding, Conv, FullyConnected, Layer, Upload
from k210kit.kmodel.memory import lines
from k210kit.kmodel.model import Kmodel
from k210kit.kmodel.registers import POOLS
from k210kit.kmodel.spans import Span, spans

Array = NDArray[Any]  # of whatever numbers the field holds

__all__ = ["Difference", "LayerRow", "OutputRow", "differences", "layer_rows", "output_rows"]


@dataclass(frozen=True, kw_only=True)
class LayerRow:
    """One layer. Shapes are channels x height x width; lines are of KPU memory; addresses of main memory."""

    number: int
    name: str
    detail: str
    input: str
    output: str
    input_lines: tuple[int, int] | None  # first line and count
    output_lines: tuple[int, int] | None
    main_memory: tuple[int, int] | None  # where the result goes there, and its bytes
    multiply_adds: int
    bytes: int  # of the body in the file


@dataclass(frozen=True, kw_only=True)
class OutputRow:
    """One output of the model."""

    number: int
    address: int
    bytes: int
    dtype: str
    shape: tuple[int, ...]
    layer: str  # that writes it


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One place in which two models differ."""

    where: str
    first: str
    second: str


def layer_rows(model: Kmodel) -> list[LayerRow]:
    """A row for each layer."""
    return [_row(i, layer, size) for i, (layer, size) in enumerate(zip(model.layers, model.body_sizes, strict=True))]


def _row(number: int, layer: Layer, size: int) -> LayerRow:
    reads, writes = spans(layer).reads, spans(layer).writes
    target = writes[0] if writes else None
    shown: dict[str, str] = {"input": ", ".join(map(_span, reads)), "output": _span(target) if target else ""}
    in_lines = out_lines = None
    multiply_adds = 0
    if isinstance(layer, Conv):
        r = layer.registers
        shown = {"input": _shape(r.input_shape), "output": _shape(r.output_shape)}
        in_lines, out_lines = (r.input_line, r.input_lines), (r.output_line, r.output_lines)
        multiply_adds = r.multiply_adds
    elif isinstance(layer, Upload):
        out_lines = layer.kpu_out, lines(layer.width, layer.height, layer.channels)
    elif isinstance(layer, AddPadding):
        out_lines = layer.kpu_out, lines(4, 4, layer.channels)
    elif isinstance(layer, FullyConnected):
        multiply_adds = layer.in_channels * layer.out_channels
    return LayerRow(
        number=number, name=layer.name, detail=_detail(layer), **shown, input_lines=in_lines, output_lines=out_lines,
        main_memory=(target.start, target.size) if target else None, multiply_adds=multiply_adds, bytes=size,
    )  # fmt: skip


def _detail(layer: Layer) -> str:
    if isinstance(layer, Conv):
        r = layer.registers
        pool = "" if r.pool_type == 0 else f", {POOLS[r.pool_type].name}"
        return f"{r.kernel_size}x{r.kernel_size}{' depthwise' if r.depthwise else ''}{pool}"
    if isinstance(layer, FullyConnected):
        return {0: "", 1: "ReLU (MaixPy ignores it)", 2: "ReLU6 (MaixPy ignores it)"}.get(
            layer.activation, f"activation {layer.activation}"
        )
    shown = [
        f"{name} {getattr(layer, name):g}"
        for name in ("scale", "bias")
        if isinstance(getattr(layer, name, None), float)
    ]
    return ", ".join(shown)


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _span(span: Span) -> str:
    return f"{_shape(span.shape)}{' float' if span.is_float else ''}"


def output_rows(model: Kmodel) -> list[OutputRow]:
    """A row for each output: the last layer that writes there tells its type and shape."""
    return [_output_row(model, i) for i in range(len(model.outputs))]


def _output_row(model: Kmodel, number: int) -> OutputRow:
    output = model.outputs[number]
    for index in range(len(model.layers) - 1, -1, -1):
        for span in spans(model.layers[index]).writes:
            if span.start <= output.address < span.end:
                unit = 4 if span.is_float else 1
                whole = (span.start, span.size) == (output.address, output.size)
                return OutputRow(
                    number=number, address=output.address, bytes=output.size,
                    dtype="float32" if span.is_float else "uint8",
                    shape=span.shape if whole else (output.size // unit,),
                    layer=f"{index} {model.layers[index].name}",
                )  # fmt: skip
    return OutputRow(
        number=number, address=output.address, bytes=output.size, dtype="unknown", shape=(output.size,), layer="none"
    )


def differences(first: Kmodel, second: Kmodel) -> list[Difference]:
    """Every field in which the two models differ; arrays by how many of their values differ and by how much."""
    names = ("flags", "max_start_address", "main_memory_bytes", "outputs", "file_bytes")
    found = _value_differences("model", first, second, names)
    if len(first.layers) != len(second.layers):
        found.append(Difference(where="layers", first=str(len(first.layers)), second=str(len(second.layers))))
    for i, (a, b) in enumerate(zip(first.layers, second.layers, strict=False)):
        found.extend(_layer_differences(f"layer {i}", a, b))
    return found


def _layer_differences(where: str, first: Layer, second: Layer) -> list[Difference]:
    if type(first) is not type(second):
        return [Difference(where=where, first=first.name, second=second.name)]
    where = f"{where} {first.name}"
    if not (isinstance(first, Conv) and isinstance(second, Conv)):
        return _record_differences(where, first, second)
    found = _value_differences(where, first, second, ("flags", "main_out"))
    found += _record_differences(f"{where}.registers", first.registers, second.registers)
    found += _array_difference(f"{where}.weights", first.weights, second.weights)
    for part, names in (("batch_norm", ("mul", "add", "shift")), ("activation", ("x_start", "y_mul", "shift", "bias"))):
        for name in names:
            arrays = (getattr(getattr(layer, part), name) for layer in (first, second))
            found += _array_difference(f"{where}.{part}.{name}", *arrays)
    return found


def _value_differences(where: str, first: object, second: object, names: tuple[str, ...]) -> list[Difference]:
    pairs = ((name, getattr(first, name), getattr(second, name)) for name in names)
    return [Difference(where=f"{where}.{name}", first=str(a), second=str(b)) for name, a, b in pairs if a != b]


def _record_differences(where: str, first: object, second: object) -> list[Difference]:
    fields = wire.fields(type(first))
    found = _value_differences(where, first, second, tuple(f.name for f in fields if f.kind != "vector"))
    for f in fields:
        if f.kind == "vector":
            found += _array_difference(f"{where}.{f.name}", getattr(first, f.name), getattr(second, f.name))
    return found


def _array_difference(where: str, first: Array, second: Array) -> list[Difference]:
    if first.shape != second.shape:
        return [Difference(where=where, first=f"shape {first.shape}", second=f"shape {second.shape}")]
    differ = first != second
    if not differ.any():
        return []
    at = tuple(int(i) for i in np.argwhere(differ)[0])
    count = f"{int(differ.sum())} of {first.size} differ; at {list(at)}:"
    return [Difference(where=where, first=f"{count} {first[at]}", second=str(second[at]))]
