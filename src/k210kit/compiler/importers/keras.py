"""Keras models, .h5 and .keras, by their own description: neither Keras nor TensorFlow is needed.

Tensors of rank 4 are NHWC. Layers are read by the table in `keras_layers.py`; models within models are walked through.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler.graph import Graph, Node, Output, shape_of
from k210kit.compiler.importers.hdf5 import bounded_memory, check_heaps
from k210kit.compiler.importers.layout import Builder, found_outputs
from k210kit.compiler.ops import Foreign, Op
from k210kit.compiler.refusals import Inexpressible
from k210kit.errors import FormatError, InputError, MissingExtraError

__all__ = ["LayerCall", "is_keras", "read_keras"]

Json = Any  # what a JSON text holds
Floats = NDArray[np.float32]
Reference = tuple[str, int, int]  # layer, which of its calls, which of that call's results
_HDF5 = b"\x89HDF\r\n\x1a\n"
_MOST_MEMORY = 1024 * 1024 * 1024  # for what the HDF5 library asks for, and the weights
_MOST_SPREAD = 256  # times its bytes in the file may an array have: it may be compressed
_MOST_CONFIG = 64 * 1024 * 1024
_MOST_WEIGHTS = 1024 * 1024 * 1024
_DAMAGE = (
    AttributeError, AssertionError, EOFError, IndexError, KeyError, MemoryError, OSError, OverflowError, RuntimeError,
    TypeError, ValueError, ZeroDivisionError, zipfile.BadZipFile,
)  # fmt: skip


def is_keras(data: bytes) -> bool:
    """Whether the bytes are an HDF5 file or a zip with a Keras description in it."""
    return data.startswith(_HDF5) or (data.startswith(b"PK") and b"config.json" in data)


def read_keras(data: bytes, name: str, outputs: Sequence[str] = (), size: tuple[int, int] | None = None) -> Graph:
    """The graph of a Keras model; a `FormatError` says what is damaged or missing."""
    try:
        import h5py
    except ModuleNotFoundError:
        raise MissingExtraError("h5py", extra="keras", purpose="reading a Keras model") from None
    try:
        if data.startswith(_HDF5):
            check_heaps(data, name)
            with bounded_memory(_MOST_MEMORY), h5py.File(io.BytesIO(data), "r") as file:
                return _Reader(name, *_from_h5(file, name), size).graph(outputs)
        return _Reader(name, *_from_archive(data, name), size).graph(outputs)
    except InputError:
        raise
    except _DAMAGE as error:
        raise FormatError(f"the Keras file is damaged ({type(error).__name__}: {error})", field=name) from error


class Weights:
    """The arrays of each layer, by the layer's name and the array's own."""

    def __init__(self, by_layer: Mapping[str, Mapping[str, Floats]]) -> None:
        self._by_layer = by_layer

    def of(self, layer: str) -> Mapping[str, Floats]:
        return self._by_layer.get(layer, {})


def _from_h5(file: Any, name: str) -> tuple[Json, Weights]:  # Any: h5py.File
    config = file.attrs.get("model_config")
    if config is None:
        raise FormatError(
            "the file holds weights only, not the network", field=name,
            expected="a whole model: model.save('model.h5'), not model.save_weights",
        )  # fmt: skip
    found: dict[str, dict[str, Floats]] = {}
    groups = file.get("model_weights", file)
    for group in groups.values():
        for raw in group.attrs.get("weight_names", []):
            path = raw.decode() if isinstance(raw, bytes) else str(raw)
            *parents, last = path.split("/")
            layer = parents[-1] if parents else group.name.rsplit("/", 1)[-1]
            arrays = found.setdefault(layer, {})
            own = last.split(":")[0]
            if own in arrays:
                raise FormatError(f"two layers are called '{layer}'", field=name, expected="a name of its own for each")
            arrays[own] = _numbers(group[path], name)
    return json.loads(config), Weights(found)


def _from_archive(data: bytes, name: str) -> tuple[Json, Weights]:
    import h5py

    from k210kit.compiler.importers.keras_layers import WEIGHT_NAMES

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for part, most in (("config.json", _MOST_CONFIG), ("model.weights.h5", _MOST_WEIGHTS)):
            if archive.getinfo(part).file_size > most:
                raise FormatError(f"its {part} is too large", field=name, expected=f"at most {most:,} bytes")
        config = json.loads(archive.read("config.json"))
        weights = archive.read("model.weights.h5")
    check_heaps(weights, name)
    found: dict[str, dict[str, Floats]] = {}
    with bounded_memory(_MOST_MEMORY), h5py.File(io.BytesIO(weights), "r") as file:
        for layer, layer_name, group in _saved_layers(config, file):
            naming = WEIGHT_NAMES.get(layer["class_name"])
            names = naming(layer["config"]) if naming else []
            arrays = [_numbers(group["vars"][str(i)], name) for i in range(len(names))]
            found[layer_name] = dict(zip(names, arrays, strict=True))
    return config, Weights(found)


def _numbers(stored: Any, name: str) -> Floats:  # Any: h5py.Dataset
    """An array of the file, which must be stored in it: a damaged size would ask for any memory."""
    if stored.nbytes > _MOST_SPREAD * max(stored.id.get_storage_size(), 1):
        raise FormatError(
            f"'{stored.name}' has the shape {stored.shape} in {stored.id.get_storage_size():,} bytes", field=name
        )
    return np.asarray(stored, np.float32)


def _saved_layers(model: Json, group: Any) -> Iterator[tuple[Json, str, Any]]:  # Any: h5py.Group
    """Every layer with its group in the weights file: groups are numbered by class, `conv2d`, `conv2d_1`."""
    counts: dict[str, int] = {}
    inner = group.get("layers", group)
    for layer in model["config"]["layers"]:
        kind = _snake(layer["class_name"])
        number = counts.get(kind, 0)
        counts[kind] = number + 1
        own = f"{kind}_{number}" if number else kind
        if own not in inner:
            continue
        if "layers" in layer["config"]:
            yield from _saved_layers(layer, inner[own])
        elif "vars" in inner[own]:
            yield layer, layer["config"]["name"], inner[own]


def _snake(name: str) -> str:
    """A class name as Keras' saving library writes it: Conv2D is conv2d."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


class LayerCall:
    """One call of one layer, with its inputs and settings."""

    def __init__(self, reader: _Reader, layer: Json, inputs: Sequence[str], extra: Mapping[str, Json]) -> None:
        self.reader, self.kind, self.inputs, self.extra = reader, str(layer["class_name"]), list(inputs), extra
        self.config: Mapping[str, Json] = layer["config"]
        self.origin = str(self.config.get("name") or layer.get("name") or self.kind)
        self.build = reader.build
        self.weights = reader.weights.of(self.origin)
        self.result = ""

    def shape(self, k: int = 0) -> tuple[int, ...]:
        """The source shape of input `k`, batch included."""
        return self.build.source_shapes[self.inputs[k]]

    def picture(self) -> tuple[int, int, int]:
        """Height, width and channels of the first input."""
        shape = self.shape()
        if len(shape) != 4:
            raise Inexpressible("rank", f"its input has {len(shape)} axes, {list(shape)}")
        if self.config.get("data_format", "channels_last") == "channels_first":
            raise Inexpressible("layout", f"it takes {list(shape)} channels first")
        return shape[1], shape[2], shape[3]

    def weight(self, *names: str) -> Floats:
        """An array of the layer's, under any of the names that versions of Keras give it."""
        for name in names:
            if name in self.weights:
                return self.weights[name]
        raise FormatError(
            f"layer '{self.origin}' has no {names[0]}", field=self.reader.name, found=str(list(self.weights))
        )

    def emit(self, op: Op, *inputs: str, shape: tuple[int, ...] | None = None) -> None:
        """Add a node behind the current result, or on `inputs`."""
        inputs = inputs or ((self.result,) if self.result else (self.inputs[0],))
        name = self.build.fresh(self.origin)
        node = Node(op=op, inputs=inputs, output=name, origin=self.origin, kind=self.kind)
        made = shape_of(node, [self.build.shape(self.build.source_shapes[value]) for value in inputs])
        if shape is None:
            shape = (1, made[1], made[2], made[0]) if len(made) == 3 else (1, *made)
        self.build.nodes.append(node)
        self.build.source_shapes[name] = shape
        self.result = name

    def emit_gather(self, index: NDArray[np.int64], *inputs: str) -> None:
        """Add a rearrangement, given as an array of the result's source shape."""
        inputs = inputs or ((self.result,) if self.result else (self.inputs[0],))
        name = self.build.fresh(self.origin)
        self.build.gather(index, inputs, name, origin=self.origin, kind=self.kind)
        self.build.source_shapes[name] = index.shape
        self.result = name

    @property
    def current(self) -> str:
        """What has been made so far, at first the input."""
        return self.result or self.inputs[0]

    @property
    def current_shape(self) -> tuple[int, ...]:
        return self.build.source_shapes[self.current]


class _Reader:
    def __init__(self, name: str, config: Json, weights: Weights, size: tuple[int, int] | None) -> None:
        self.name, self.config, self.weights, self.size = name, config, weights, size
        self.build = Builder("NHWC")
        self.named: dict[str, str] = {}  # layer -> its last result

    def graph(self, wanted: Sequence[str]) -> Graph:
        shape = self._input_shape(self.config)
        source = self.build.fresh("input")
        self.build.source_shapes[source] = shape
        values, names = self._model(self.config, [source])
        graph = Graph(
            name=self.name,
            input=source,
            input_shape=self.build.shape(shape),
            nodes=(),
            outputs=found_outputs(wanted, self.named)
            if wanted
            else tuple(Output(value=v, name=n) for v, n in zip(values, names, strict=True)),
        )
        return graph.with_nodes(self.build.nodes)

    def _input_shape(self, model: Json) -> tuple[int, ...]:
        layers = model["config"]["layers"]
        if len(model["config"].get("input_layers", [0])) != 1 and not _is_reference(model["config"]["input_layers"]):
            raise FormatError("the model has several inputs", field=self.name, expected="1, a picture or a flat vector")
        for layer in layers:
            config = layer["config"]
            shape = config.get("batch_shape") or config.get("batch_input_shape")
            if shape is not None:
                break
            if "layers" in config:
                return self._input_shape(layer)
        else:
            shape = (model.get("build_config") or {}).get("input_shape") or model["config"].get("build_input_shape")
        if shape and len(shape) == 4 and self.size is not None and None in shape[1:3]:
            shape = (shape[0], self.size[1], self.size[0], shape[3])
        if not shape or any(size is None for size in shape[1:]):
            raise FormatError(
                "the model's input has no fixed size", field=self.name, found=str(shape),
                expected="numbers for height, width and channels: --input WxH, or keras.Input((224, 224, 3))",
            )  # fmt: skip
        return (1, *(int(size) for size in shape[1:]))

    def _model(self, model: Json, inputs: Sequence[str]) -> tuple[list[str], list[str]]:
        """Walk a model; the values and the names of its outputs."""
        kind, config = model["class_name"], model["config"]
        if kind == "Sequential":
            value, name = inputs[0], ""
            for layer in config["layers"]:
                if layer["class_name"] != "InputLayer":
                    (value,), name = self._layer(layer, [value], {}), str(layer["config"].get("name", ""))
            return [value], [name]
        if kind not in ("Functional", "Model"):
            raise FormatError(f"a model of class {kind}", field=self.name, expected="Sequential or Functional")
        return self._functional(config, inputs)

    def _functional(self, config: Json, inputs: Sequence[str]) -> tuple[list[str], list[str]]:
        values: dict[Reference, str] = {}
        for reference, value in zip(_references(config["input_layers"]), inputs, strict=True):
            values[reference] = value
        waiting = [
            (layer, k, node)
            for layer in config["layers"]
            for k, node in enumerate(layer.get("inbound_nodes", []))
            if node and layer["class_name"] != "InputLayer"
        ]
        while waiting:
            ready = [item for item in waiting if all(r in values for r in _node_references(item[2]))]
            if not ready:
                name = waiting[0][0]["config"].get("name", "")
                raise FormatError(f"layer '{name}' reads what no layer makes", field=self.name)
            for layer, k, node in ready:
                made = self._layer(layer, [values[r] for r in _node_references(node)], _node_settings(node))
                name = str(layer.get("name") or layer["config"]["name"])
                values.update({(name, k, j): value for j, value in enumerate(made)})
            waiting = [item for item in waiting if item not in ready]
        outputs = _references(config["output_layers"])
        return [values[r] for r in outputs], [r[0] for r in outputs]

    def _layer(self, layer: Json, inputs: Sequence[str], settings: Mapping[str, Json]) -> list[str]:
        from k210kit.compiler.importers.keras_layers import LAYERS

        if "layers" in layer["config"]:
            return self._model(layer, inputs)[0]
        call = LayerCall(self, layer, inputs, settings)
        try:
            if call.kind not in LAYERS:
                raise Inexpressible("operator", f"{call.kind} is not read")
            LAYERS[call.kind](call)
        except Inexpressible as error:
            shape = call.shape()
            call.emit(
                Foreign(shape=self.build.shape(shape), why=error.why, instead=error.instead), *inputs, shape=shape
            )
        self.named[call.origin] = call.current
        return [call.current]


def _is_reference(item: Json) -> bool:
    return isinstance(item, list) and len(item) >= 3 and isinstance(item[0], str) and isinstance(item[1], int)


def _references(item: Json) -> list[Reference]:
    """`["name", 0, 0]`, or lists or a dictionary of them."""
    if _is_reference(item):
        return [(item[0], item[1], item[2])]
    if isinstance(item, dict):
        item = list(item.values())
    return [reference for part in item for reference in _references(part)]


def _node_references(node: Json) -> list[Reference]:
    """The tensors that one call of a layer reads, in the old and in the new notation."""
    if isinstance(node, dict):
        return list(_keras_tensors([node.get("args", []), node.get("kwargs", {})]))
    return _references(node)


def _keras_tensors(item: Json) -> Iterator[Reference]:
    if isinstance(item, dict):
        if item.get("class_name") == "__keras_tensor__":
            layer, call, result = item["config"]["keras_history"]
            yield str(layer), int(call), int(result)
            return
        item = list(item.values())
    if isinstance(item, list):
        for part in item:
            yield from _keras_tensors(part)


def _node_settings(node: Json) -> Mapping[str, Json]:
    """What a call says beside its tensors."""
    if isinstance(node, dict):
        return {"args": node.get("args", []), **node.get("kwargs", {})}
    first = node[0] if node and isinstance(node[0], list) else node
    return first[3] if len(first) > 3 and isinstance(first[3], dict) else {}
