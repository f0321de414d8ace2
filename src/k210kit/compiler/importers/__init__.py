"""From a file of the user's to the float graph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from k210kit.compiler.graph import Graph
from k210kit.errors import FormatError
from k210kit.files import read_whole

__all__ = ["read_model"]

_MOST_BYTES = 512 * 1024 * 1024

_PYTORCH = ", but a PyTorch file; write ONNX from it: torch.onnx.export(model, torch.zeros(1, 3, H, W), 'model.onnx')"
_FROZEN = ", but a frozen graph; write TFLite from it: tf.compat.v1.lite.TFLiteConverter.from_frozen_graph"
_OTHER_FORMS = {  # files that people have, by their suffix, and the way from there
    ".pt": _PYTORCH,
    ".pth": _PYTORCH,
    ".pb": _FROZEN,
    ".kmodel": ", but a kmodel; take the network that it was made from",
}


def read_model(path: Path, outputs: Sequence[str] = (), size: tuple[int, int] | None = None) -> Graph:
    """The float graph of a TFLite, ONNX or Keras file; the content decides, then the name.

    outputs: where the model shall end instead of at its own outputs: names of values or layers. size: width and height
    of the input, for a model that leaves them open.
    """
    data = read_whole(path, most_bytes=_MOST_BYTES)
    suffix = path.suffix.lower()
    if data[4:8] == b"TFL3" or suffix == ".tflite":
        from k210kit.compiler.importers.tflite import read_tflite

        graph = read_tflite(data, path.name, outputs)
    elif suffix in (".h5", ".hdf5", ".keras") or data[:4] == b"\x89HDF":
        from k210kit.compiler.importers.keras import read_keras

        graph = read_keras(data, path.name, outputs, size)
    elif suffix == ".onnx":
        from k210kit.compiler.importers.onnx import read_onnx

        graph = read_onnx(data, path.name, path.parent, outputs, size)
    else:
        other = _OTHER_FORMS.get(suffix, "")
        raise FormatError(f"{path} is no model that can be compiled{other}", expected=".tflite, .onnx, .h5 or .keras")
    if len(graph.input_shape) not in (1, 3):
        raise FormatError(f"{path}: the input has the shape {graph.input_shape}", expected="a picture or a flat vector")
    graph.shapes  # noqa: B018 - checks that everything fits together
    return graph
