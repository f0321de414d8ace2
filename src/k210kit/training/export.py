"""A trained net as files: Keras .h5 and TensorFlow Lite, both taking normalised pixels."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from .datasets import Task
from .engine import engine, quiet

__all__ = ["finished", "h5_bytes", "load_h5", "tflite_bytes"]


def finished(model: Any, task: Task) -> Any:
    """The net as it is used: drop-out gone, a classifier's scores turned into probabilities by a softmax."""
    _, keras = engine()
    x = inputs = keras.Input(model.input_shape[1:], name="image")
    for layer in model.layers[1:]:
        if type(layer).__name__ != "Dropout":
            x = layer(x)
    if task == "classify":
        x = keras.layers.Softmax(name="probabilities")(x)
    return keras.Model(inputs, x, name=model.name)


def h5_bytes(model: Any) -> bytes:
    """A Keras model as the bytes of an .h5 file."""
    with tempfile.TemporaryDirectory() as folder, quiet():
        path = Path(folder) / "model.h5"
        model.save(path)
        return path.read_bytes()


def load_h5(path: Path) -> Any:
    """A Keras model that `h5_bytes` wrote."""
    _, keras = engine()
    return keras.models.load_model(path, compile=False)


def tflite_bytes(model: Any) -> bytes:
    """A Keras model as a float TensorFlow Lite file for one picture at a time."""
    tensorflow, _ = engine()

    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    @tensorflow.function(autograph=False)  # type: ignore[untyped-decorator, unused-ignore]
    def call(image: Any) -> Any:
        return model(image, training=False)

    spec = tensorflow.TensorSpec((1, *model.input_shape[1:]), tensorflow.float32, name="image")
    with quiet():
        frozen = convert_variables_to_constants_v2(call.get_concrete_function(spec))
        converter = tensorflow.lite.TFLiteConverter.from_concrete_functions([frozen])
        return bytes(converter.convert())
