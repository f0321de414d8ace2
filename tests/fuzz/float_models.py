"""The small float models that the fuzz tests and campaigns damage, made on the spot."""

from __future__ import annotations

import functools
import io
import json
import zipfile
from typing import Any

import numpy as np

__all__ = ["MODELS", "small_model"]

MODELS = {".tflite": 300, ".onnx": 300, ".h5": 60, ".keras": 60}  # suffix -> how many damaged ones a short test tries


@functools.cache
def small_model(suffix: str) -> bytes:
    """A convolution, an activation, a pool, a mean and a dense layer in one of the formats."""
    return {".tflite": _tflite, ".onnx": _onnx, ".h5": _h5, ".keras": _keras}[suffix]()


def _tflite() -> bytes:
    from tests.compiler.tflite_files import small_net

    return small_net()


def _onnx() -> bytes:
    from tests.compiler.test_onnx_importer import floats, integers, model_of, node

    nodes = [
        node("Conv", "x w b", "c", pads=[1, 1, 1, 1]), node("Relu", "c", "r"),
        node("MaxPool", "r", "p", kernel_shape=[2, 2], strides=[2, 2]), node("Shape", "p", "s"),
        node("Gather", "s first", "n"), node("Unsqueeze", "n axis", "m"), node("Concat", "m rest", "shape", axis=0),
        node("Reshape", "p shape", "f"), node("Gemm", "f d", "g", transB=1), node("Softmax", "g", "y"),
    ]  # fmt: skip
    constants = {
        "w": floats(4, 3, 3, 3), "b": floats(4), "d": floats(5, 64), "first": integers(0)[0], "axis": integers(0),
        "rest": integers(64),
    }  # fmt: skip
    return bytes(model_of(nodes, (1, 3, 8, 8), constants).SerializeToString())


def _layers() -> list[dict[str, Any]]:
    def layer(kind: str, name: str, **config: Any) -> dict[str, Any]:
        return {"class_name": kind, "config": {"name": name, **config}}

    return [
        layer("InputLayer", "in", batch_shape=[None, 8, 8, 3], batch_input_shape=[None, 8, 8, 3]),
        layer("Conv2D", "conv", filters=4, kernel_size=[3, 3], strides=[1, 1], padding="same", activation="relu"),
        layer("MaxPooling2D", "pool", pool_size=[2, 2], strides=[2, 2], padding="valid"),
        layer("GlobalAveragePooling2D", "mean"),
        layer("Dense", "dense", units=5, activation="softmax"),
    ]


def _config() -> dict[str, Any]:
    return {"class_name": "Sequential", "config": {"name": "net", "layers": _layers()}}


_WEIGHTS = {"conv": (("kernel", (3, 3, 3, 4)), ("bias", (4,))), "dense": (("kernel", (4, 5)), ("bias", (5,)))}


def _h5() -> bytes:
    import h5py

    rng, whole = np.random.default_rng(0), io.BytesIO()
    with h5py.File(whole, "w") as file:
        file.attrs["model_config"] = json.dumps(_config())
        for layer, arrays in _WEIGHTS.items():
            group = file.create_group(f"model_weights/{layer}")
            names = [f"{layer}/{name}:0" for name, _ in arrays]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, (_, shape) in zip(names, arrays, strict=True):
                group[name] = rng.normal(size=shape).astype(np.float32)
    return whole.getvalue()


def _keras() -> bytes:
    import h5py

    rng, weights, whole = np.random.default_rng(0), io.BytesIO(), io.BytesIO()
    with h5py.File(weights, "w") as file:
        for layer, kind in (("conv", "conv2d"), ("dense", "dense")):
            for k, (_, shape) in enumerate(_WEIGHTS[layer]):
                file[f"layers/{kind}/vars/{k}"] = rng.normal(size=shape).astype(np.float32)
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("config.json", json.dumps(_config()))
        archive.writestr("model.weights.h5", weights.getvalue())
    return whole.getvalue()
