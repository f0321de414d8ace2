"""Engines that run a float model and share no code with the kit: LiteRT, ONNX Runtime, Keras."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from k210kit.errors import FormatError, MissingExtraError

__all__ = ["float_outputs"]

Floats = NDArray[np.float32]


def float_outputs(path: Path, batch: Floats, ends: Sequence[str] = ()) -> tuple[str, list[tuple[str, Floats]]]:
    """The engine's name, and per output its name and values.

    batch: (pictures, channels, height, width) or (rows, elements). Outputs of rank 4 come back as (pictures, channels,
    height, width), all others as (pictures, elements) in the model's own order. ends: values or layers that are asked
    for in place of the model's own outputs.
    """
    suffix = path.suffix.lower()
    engines = {".tflite": _lite, ".onnx": _onnx, ".keras": _keras, ".h5": _keras, ".hdf5": _keras}
    if suffix not in engines:
        raise FormatError(f"{path} is no float model", expected=", ".join(engines))
    return engines[suffix](path, batch, ends)


def _lite(path: Path, batch: Floats, ends: Sequence[str]) -> tuple[str, list[tuple[str, Floats]]]:
    name, make = _lite_interpreter()
    more = {"experimental_preserve_all_tensors": True} if ends else {}
    interpreter = make(model_path=str(path), num_threads=2, **more)
    (source,) = interpreter.get_input_details()
    shape = [1 if size < 0 else int(size) for size in source["shape_signature"]]
    interpreter.resize_tensor_input(source["index"], shape)
    interpreter.allocate_tensors()
    outputs = interpreter.get_output_details()
    if ends:
        details = {str(d["name"]).split(";")[0]: d for d in reversed(interpreter.get_tensor_details())}
        details |= {str(d["name"]): d for d in interpreter.get_tensor_details()}
        outputs = [details[name] for name in ends]
    rows: list[list[Floats]] = [[] for _ in outputs]
    for picture in batch:
        x = picture.transpose(1, 2, 0)[None] if picture.ndim == 3 else picture.reshape(shape)
        interpreter.set_tensor(source["index"], _as_stored(x, source))
        interpreter.invoke()
        for row, output in zip(rows, outputs, strict=True):
            row.append(_as_float(interpreter.get_tensor(output["index"]), output))
    return name, [(str(o["name"]), _ours(np.concatenate(row), "NHWC")) for o, row in zip(outputs, rows, strict=True)]


def _lite_interpreter() -> tuple[str, Callable[..., Any]]:  # Any: an interpreter, from one of two libraries
    if importlib.util.find_spec("ai_edge_litert") is not None:
        from ai_edge_litert.interpreter import Interpreter

        return "LiteRT", Interpreter
    if importlib.util.find_spec("tensorflow") is not None:
        import tensorflow

        return "TensorFlow Lite", tensorflow.lite.Interpreter
    raise MissingExtraError("ai-edge-litert", extra="compare", purpose="running a TFLite model in floats")


def _as_stored(x: Floats, detail: dict[str, Any]) -> NDArray[Any]:  # Any: as the model wants it
    dtype = np.dtype(detail["dtype"])
    if dtype == np.float32:
        return x.astype(np.float32)
    scale, zero = detail["quantization"]
    limits = np.iinfo(dtype)
    stored: NDArray[Any] = np.clip(np.round(x / scale + zero), limits.min, limits.max).astype(dtype)
    return stored


def _as_float(x: NDArray[Any], detail: dict[str, Any]) -> Floats:
    scale, zero = detail["quantization"]
    if x.dtype.kind == "f" or not scale:
        return x.astype(np.float32)
    floats: Floats = ((x.astype(np.float64) - zero) * scale).astype(np.float32)
    return floats


def _onnx(path: Path, batch: Floats, ends: Sequence[str]) -> tuple[str, list[tuple[str, Floats]]]:
    if importlib.util.find_spec("onnxruntime") is not None:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as state

        faults = (state.Fail, state.InvalidArgument, state.InvalidGraph, state.InvalidProtobuf, state.NotImplemented)
        try:
            source_of = _ended(path, ends) if ends else str(path)
            session = onnxruntime.InferenceSession(source_of, providers=["CPUExecutionProvider"])
        except faults as error:
            raise FormatError(f"ONNX Runtime refuses it ({error})", field=path.name) from None
        name, source = "ONNX Runtime", session.get_inputs()[0]
        shape = [1 if not isinstance(size, int) else size for size in source.shape]
        names = [output.name for output in session.get_outputs()]
        shape = [1, *batch.shape[1:]] if len(shape) == batch.ndim else shape
        runs = [session.run(None, {source.name: picture.reshape(shape)}) for picture in batch]
    elif importlib.util.find_spec("onnx") is not None:
        import onnx
        from onnx.reference import ReferenceEvaluator

        model = onnx.load_model_from_string(_ended(path, ends)) if ends else onnx.load(str(path))
        evaluator, name = ReferenceEvaluator(model), "ONNX's reference implementation"
        names, source_name = [output.name for output in model.graph.output], evaluator.input_names[0]
        runs = [evaluator.run(None, {source_name: picture[None]}) for picture in batch]
    else:
        raise MissingExtraError("onnxruntime", extra="compare", purpose="running an ONNX model in floats")
    columns = (np.concatenate([np.asarray(run[k], np.float32) for run in runs]) for k in range(len(names)))
    return name, [(output, _ours(column, "NCHW")) for output, column in zip(names, columns, strict=True)]


def _ended(path: Path, ends: Sequence[str]) -> bytes:
    """The ONNX file with other outputs, without what they do not need."""
    import onnx

    model = onnx.load(str(path))
    made = {node.name: node.output[0] for node in model.graph.node if node.name and node.output}
    names = [made.get(name, name) for name in ends]
    wanted, kept = set(names), []
    for node in reversed(model.graph.node):
        if any(out in wanted for out in node.output):
            kept.append(node)
            wanted.update(node.input)
    del model.graph.node[:], model.graph.output[:]
    model.graph.node.extend(reversed(kept))
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    return bytes(model.SerializeToString())


def _keras(path: Path, batch: Floats, ends: Sequence[str]) -> tuple[str, list[tuple[str, Floats]]]:
    if importlib.util.find_spec("keras") is None:
        raise MissingExtraError("keras", extra="train", purpose="running a Keras model in floats")
    import keras

    model = keras.models.load_model(path, compile=False)
    if ends:
        model = keras.Model(model.inputs, [model.get_layer(name).output for name in ends])
    x = batch.transpose(0, 2, 3, 1) if batch.ndim == 4 else batch
    made = model.predict(x, verbose=0)
    made = list(made) if isinstance(made, list | tuple) else [made]
    return "Keras", [(n, _ours(np.asarray(m), "NHWC")) for n, m in zip(ends or model.output_names, made, strict=True)]


def _ours(x: NDArray[Any], order: str) -> Floats:  # Any: of any float type
    if x.ndim == 4:
        return np.ascontiguousarray(x.transpose(0, 3, 1, 2) if order == "NHWC" else x, np.float32)
    return np.ascontiguousarray(x.reshape(len(x), -1), np.float32)
