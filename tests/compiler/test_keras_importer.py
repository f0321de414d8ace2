from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

h5py = pytest.importorskip("h5py", reason="the extra 'keras' is not installed")
keras = pytest.importorskip("keras", reason="the extra 'train' is not installed: nothing makes Keras files here")

from k210kit.compiler import evaluate  # noqa: E402
from k210kit.compiler.importers.keras import read_keras  # noqa: E402
from k210kit.compiler.ops import Foreign  # noqa: E402
from k210kit.compiler.refusals import REFUSALS  # noqa: E402
from k210kit.errors import FormatError  # noqa: E402
from tests.fuzz.mutations import damaged  # noqa: E402

Model = Any  # keras.Model


def _mobile() -> Model:
    L = keras.layers
    x = source = keras.Input((16, 24, 3), name="picture")
    x = L.Rescaling(1 / 127.5, offset=-1)(x)
    x = L.ZeroPadding2D(((0, 1), (0, 1)))(x)
    x = L.Conv2D(8, 3, strides=2, use_bias=False)(x)
    x = L.BatchNormalization()(x)
    x = L.ReLU(6.0)(x)
    y = L.DepthwiseConv2D(3, padding="same")(x)
    y = L.BatchNormalization(scale=False)(y)
    y = L.Activation("silu")(y)
    x = L.Add()([x, y])
    s = L.GlobalAveragePooling2D(keepdims=True)(x)
    s = L.Conv2D(8, 1, activation="sigmoid")(s)
    x = L.Multiply()([x, s])
    x = L.Dropout(0.5)(x)
    x = L.GlobalAveragePooling2D()(x)
    return keras.Model(source, L.Dense(5, activation="softmax")(x))


def _detector() -> Model:
    L = keras.layers
    x = source = keras.Input((16, 16, 3))
    x = L.SeparableConv2D(6, 3, padding="same", activation="relu")(x)
    x = L.MaxPooling2D(2)(x)
    a = L.LeakyReLU()(L.Conv2D(4, 5, padding="same", name="branch")(x))
    b = L.PReLU(shared_axes=[1, 2])(L.Conv2D(4, 3, dilation_rate=2, padding="same")(x))
    x = L.Concatenate()([a, b])
    x = L.UpSampling2D(2)(x)
    x = L.Conv2DTranspose(3, 3, strides=2, padding="same")(x)
    x = L.AveragePooling2D(3, strides=2, padding="same")(x)
    x = L.Cropping2D(((1, 0), (0, 2)))(x)
    return keras.Model(source, [x, L.Reshape((-1, 3))(x)])


def _nested() -> Model:
    L = keras.layers
    inner = keras.Sequential([keras.Input((8, 8, 3)), L.Conv2D(4, 3, name="deep"), L.BatchNormalization(name="norm")])
    return keras.Sequential([keras.Input((8, 8, 3)), inner, L.Flatten(), L.Dense(3, name="head")])


MODELS: dict[str, Callable[[], Model]] = {"mobile": _mobile, "detector": _detector, "nested": _nested}


def _with_lively_weights(model: Model) -> Model:
    """Weights as training leaves them: no zeros, no ones."""
    rng = np.random.default_rng(0)
    model.set_weights(
        [rng.uniform(0.1, 0.9, w.shape) * rng.choice([-1, 1], w.shape) ** (w.ndim > 1) for w in model.get_weights()]
    )
    return model


@pytest.mark.parametrize("suffix", ["h5", "keras"])
@pytest.mark.parametrize("name", MODELS)
def test_a_model_means_what_keras_computes(tmp_path: Path, name: str, suffix: str) -> None:
    model = _with_lively_weights(MODELS[name]())
    path = tmp_path / f"model.{suffix}"
    model.save(path)
    graph = read_keras(path.read_bytes(), name)
    assert not [n for n in graph.nodes if isinstance(n.op, Foreign)]
    x = np.random.default_rng(1).uniform(0, 1, (2, *model.input_shape[1:])).astype(np.float32)
    wanted = model.predict(x, verbose=0)
    got = evaluate.outputs(graph, x.transpose(0, 3, 1, 2))
    for want, have in zip(wanted if isinstance(wanted, list) else [wanted], got, strict=True):
        want = want.transpose(0, 3, 1, 2) if want.ndim == 4 else want
        np.testing.assert_allclose(have.reshape(2, -1), want.reshape(2, -1), rtol=1e-3, atol=1e-4)


def test_layers_keep_the_users_names(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    _detector().save(path)
    graph = read_keras(path.read_bytes(), "m")
    assert ("branch", "Conv2D") in [(n.origin, n.kind) for n in graph.nodes]


def test_a_layer_without_counterpart_is_kept_with_the_reason(tmp_path: Path) -> None:
    L = keras.layers
    model = keras.Sequential([keras.Input((8, 8, 3)), L.UpSampling2D(2, interpolation="bicubic", name="up")])
    model.save(tmp_path / "m.keras")
    (node,) = read_keras((tmp_path / "m.keras").read_bytes(), "m").nodes
    assert isinstance(node.op, Foreign)
    assert (node.origin, node.op.why) == (
        "up",
        f"it interpolates 8x8 by 2x2 (bicubic); {REFUSALS['interpolation'].taken}",
    )


def test_weights_alone_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        file.create_group("conv")
    with pytest.raises(FormatError, match="the file holds weights only, not the network"):
        read_keras(path.read_bytes(), "w")


def test_an_input_of_no_fixed_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(4, 3)]).save(path)
    with pytest.raises(FormatError, match="the model's input has no fixed size"):
        read_keras(path.read_bytes(), "m")


def test_the_notation_of_keras_2_is_read(tmp_path: Path) -> None:
    conv = {
        "name": "c",
        "filters": 2,
        "kernel_size": [1, 1],
        "strides": [1, 1],
        "padding": "valid",
        "activation": "relu",
    }
    layers = [
        {"class_name": "InputLayer", "name": "i", "config": {"name": "i", "batch_input_shape": [None, 2, 2, 1]}, "inbound_nodes": []},
        {"class_name": "TFOpLambda", "name": "d", "config": {"name": "d", "function": "math.truediv"}, "inbound_nodes": [["i", 0, 0, {"y": 2.0}]]},
        {"class_name": "Conv2D", "name": "c", "config": conv, "inbound_nodes": [[["d", 0, 0, {}]]]},
    ]  # fmt: skip
    config = {
        "class_name": "Functional",
        "config": {"layers": layers, "input_layers": [["i", 0, 0]], "output_layers": [["c", 0, 0]]},
    }
    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        group = file.create_group("model_weights/c")
        group.attrs["weight_names"] = [b"c/kernel:0", b"c/bias:0"]
        group["c/kernel:0"] = np.float32([[[[1, -1]]]])
        group["c/bias:0"] = np.float32([0.5, 0])
    graph = read_keras(path.read_bytes(), "m")
    x = np.float32([[[[1, 2], [3, 4]]]])
    assert evaluate.outputs(graph, x)[0].tolist() == [[[[1.0, 1.5], [2.0, 2.5]], [[0, 0], [0, 0]]]]


def test_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    _nested().save(path)
    refused = 0
    for data in damaged(path.read_bytes(), 0, 150):
        try:
            read_keras(data, "m")
        except FormatError:
            refused += 1
    assert 0 < refused < 150
