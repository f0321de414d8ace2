"""Float networks: TFLite, ONNX, Keras. Their operators in order, with the shapes that the file tells."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

from k210kit.errors import FormatError, MissingExtraError

from .inspect import Inspection

__all__ = ["describe_keras_config", "describe_keras_h5", "describe_onnx", "describe_tflite"]

_LOADS_ON = "a computer; compile it for the board: k210kit compile MODEL -o OUT.kmodel --images FOLDER"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_TFLITE_FAULTS = (ValueError, IndexError, KeyError, TypeError, OverflowError, AttributeError)  # what flatbuffers raises


def describe_tflite(data: bytes) -> Inspection | None:
    """A TFLite file, by the identifier at byte 4."""
    if data[4:8] != b"TFL3":
        return None
    import struct

    import tflite

    try:
        model = tflite.Model.GetRootAs(data, 0)
        graph = model.Subgraphs(0)
        names = {v: k for k, v in vars(tflite.BuiltinOperator).items() if isinstance(v, int)}
        layers = tuple(_tflite_row(model, graph, i, names) for i in range(graph.OperatorsLength()))
        inputs = tuple(_tflite_tensor(graph, graph.Inputs(i)) for i in range(graph.InputsLength()))
        outputs = [_tflite_tensor(graph, graph.Outputs(i)) for i in range(graph.OutputsLength())]
    except (*_TFLITE_FAULTS, struct.error) as error:
        raise FormatError(f"the TFLite file is damaged ({error})", field="TFLite") from None
    return Inspection(
        kind="tflite", version=str(model.Version()), loads_on=_LOADS_ON, layers=layers, inputs=inputs,
        outputs=tuple({"number": i, "shape": text} for i, text in enumerate(outputs)),
    )  # fmt: skip


def _tflite_row(model: Any, graph: Any, number: int, names: Mapping[int, str]) -> Mapping[str, object]:
    operator = graph.Operators(number)
    code = model.OperatorCodes(operator.OpcodeIndex())
    builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    shown = [_tflite_tensor(graph, operator.Inputs(i)) for i in range(min(1, operator.InputsLength()))]
    made = [_tflite_tensor(graph, operator.Outputs(i)) for i in range(min(1, operator.OutputsLength()))]
    name = _text(graph.Tensors(operator.Outputs(0)).Name()) if made else ""
    return {
        "number": number, "name": names.get(builtin, f"operator {builtin}"), "detail": name,
        "input": "".join(shown), "output": "".join(made),
    }  # fmt: skip


def _tflite_tensor(graph: Any, index: int) -> str:
    if index < 0:
        return ""
    tensor = graph.Tensors(index)
    return "x".join(str(tensor.Shape(i)) for i in range(tensor.ShapeLength()))


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", "replace")


def describe_onnx(data: bytes) -> Inspection | None:
    """An ONNX file: a protocol buffer without any identifier, so it is tried last."""
    if data[:1] != b"\x08":  # field 1, ir_version
        return None
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ModuleNotFoundError:
        raise MissingExtraError("onnx", extra="onnx", purpose="reading an ONNX file") from None
    try:
        model = onnx.load_model_from_string(data)
    except DecodeError:
        return None
    if not model.graph.node:
        raise FormatError("the ONNX file has no operators", field="graph.node", found="0", expected="at least 1")
    shapes = {v.name: _onnx_shape(v) for v in (*model.graph.value_info, *model.graph.input, *model.graph.output)}
    weights = {t.name for t in model.graph.initializer}
    layers = tuple(
        {
            "number": i, "name": node.op_type, "detail": node.name,
            "input": shapes.get(next((n for n in node.input if n not in weights), ""), ""),
            "output": shapes.get(node.output[0] if node.output else "", ""),
        }
        for i, node in enumerate(model.graph.node)
    )  # fmt: skip
    opset = ", ".join(f"{o.domain or 'ai.onnx'} {o.version}" for o in model.opset_import)
    return Inspection(
        kind="onnx", version=f"IR {model.ir_version}, opset {opset}", loads_on=_LOADS_ON, layers=layers,
        inputs=tuple(f"{v.name} {shapes[v.name]}" for v in model.graph.input if v.name not in weights),
        outputs=tuple({"number": i, "name": v.name, "shape": shapes[v.name]} for i, v in enumerate(model.graph.output)),
        facts={"producer": f"{model.producer_name} {model.producer_version}".strip()},
    )  # fmt: skip


def _onnx_shape(value: Any) -> str:
    sides = value.type.tensor_type.shape.dim
    return "x".join(side.dim_param or str(side.dim_value) for side in sides)


def describe_keras_h5(data: bytes) -> Inspection | None:
    """A Keras model or weights in HDF5."""
    if not data.startswith(_HDF5):
        return None
    try:
        import h5py
    except ModuleNotFoundError:
        raise MissingExtraError("h5py", extra="keras", purpose="reading a Keras .h5 file") from None
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            config = file.attrs.get("model_config")
            version = str(file.attrs.get("keras_version", ""))
    except (OSError, KeyError, RuntimeError) as error:
        raise FormatError(f"the HDF5 file is damaged ({error})", field="HDF5") from None
    if config is None:
        return Inspection(kind="keras", version=version, loads_on="nothing by itself: weights without a network")
    return describe_keras_config(config if isinstance(config, str) else bytes(config).decode(), version)


def describe_keras_config(text: str, version: str) -> Inspection:
    """A Keras network, from the JSON that describes it."""
    try:
        config = json.loads(text)
        rows = config["config"]["layers"]
        layers = tuple(
            {
                "number": i, "name": row["class_name"], "detail": row["config"].get("name", ""), "input": "",
                "output": "",
            }
            for i, row in enumerate(rows)
        )  # fmt: skip
        shape = next((s for s in map(_keras_input, rows) if s), "")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FormatError(f"the network's description is damaged ({error})", field="Keras config") from None
    inputs = (shape,) if shape else ()
    return Inspection(kind="keras", version=version, loads_on=_LOADS_ON, layers=layers, inputs=inputs)


def _keras_input(row: Mapping[str, Any]) -> str:
    shape = row["config"].get("batch_shape") or row["config"].get("batch_input_shape")
    return "x".join("?" if side is None else str(side) for side in shape) if shape else ""
