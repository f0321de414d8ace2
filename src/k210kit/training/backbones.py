"""ImageNet weights for MobileNetV1: where they come from, and how they get into our nets.

Tried in this order, and never silently replaced by random numbers: the file that the user gives, Keras' own cache, the
files of installed packages, and, only if the user allows the network, Keras' own download.
"""

from __future__ import annotations

import os
import re
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from k210kit.errors import FormatError, InputError, missing_file

from .engine import engine
from .models import ALPHAS

__all__ = ["Weights", "alpha_of", "carry_over", "find_weights", "read_weights"]

Weights = dict[str, dict[str, NDArray[np.float32]]]  # layer -> kernel, gamma, beta, moving_mean, moving_variance
_SIZES = (224, 192, 160, 128)


def read_weights(path: Path) -> Weights:
    """The weights of a Keras .h5 (weights alone or a whole model), by layer name; a `FormatError` says what lacks."""
    import h5py

    if not path.is_file():
        raise missing_file(path)
    found: Weights = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            parts = name.split("/")
            kind = re.sub(r":\d+$", "", parts[-1])
            layer = next((p for p in parts if re.fullmatch(r"conv1(_bn)?|conv_[dp]w_\d+(_bn)?", p)), None)
            if layer:
                found.setdefault(layer, {})[kind] = np.asarray(item, np.float32)

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except OSError as error:
        raise FormatError(
            f"{path} is not a readable HDF5 file ({error})", expected="a Keras .h5 of MobileNetV1"
        ) from error
    wanted = ["conv1", *(f"conv_{kind}_{n}" for n in range(1, 14) for kind in ("dw", "pw"))]
    missing = [name for layer in wanted for name in (layer, f"{layer}_bn") if name not in found]
    if missing:
        raise FormatError(
            f"{path} lacks {len(missing)} of MobileNetV1's layers, {missing[0]!r} first",
            expected="the weights of keras.applications.MobileNet",
        )
    return found


def alpha_of(weights: Weights) -> float:
    """The width of the net that the weights belong to, from the 32 * alpha filters of its first convolution."""
    return float(_kernel(weights["conv1"]).shape[-1]) / 32


def find_weights(alpha: float, *, download: bool) -> Path:
    """A file with ImageNet weights for this alpha: from Keras' cache or an installed package, else downloaded.

    Raises `InputError` that says how to get one.
    """
    cache = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "models"
    code = {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"}[alpha]
    for size in _SIZES:
        for end in ("_no_top", ""):
            path = cache / f"mobilenet_{code}_{size}_tf{end}.h5"
            if path.is_file():
                return path
    if packaged := _packaged(code):
        return packaged
    if not download:
        raise InputError(
            f"ImageNet weights for MobileNetV1 alpha {alpha} are not on this computer (looked in {cache} and "
            f"in the installed packages). Give a "
            f"Keras file with --backbone FILE.h5, or let Keras download its own with --download, or train from scratch "
            f"with --backbone none (needs more pictures and time)."
        )
    _, keras = engine()
    try:
        keras.applications.MobileNet(input_shape=(224, 224, 3), alpha=alpha, include_top=False, weights="imagenet")
    except (OSError, ValueError) as error:
        raise InputError(
            f"Keras could not download its weights ({error}). Give a file with --backbone FILE.h5, or train from "
            "scratch with --backbone none."
        ) from error
    return cache / f"mobilenet_{code}_224_tf_no_top.h5"


def _packaged(code: str) -> Path | None:
    """The file of any installed package that has the name Keras gives to such weights."""
    pattern = re.compile(rf"(.*/)?mobilenet_{code}_\d+_tf(_no_top)?\.h5")
    for distribution in metadata.distributions():
        for file in distribution.files or ():
            path = Path(str(distribution.locate_file(file)))
            if pattern.fullmatch(file.as_posix()) and path.is_file():
                return path
    return None


def carry_over(weights: Weights, model: Any, *, alpha: float) -> None:
    """Put ImageNet weights into a net of `models`; for a grey input the three colours' kernels are added up."""
    own = alpha_of(weights)
    if own != alpha:
        known = f"It belongs to alpha {own}" if own in ALPHAS else f"Its first layer has {round(own * 32)} filters"
        raise InputError(f"The backbone's weights do not fit alpha {alpha}. {known}; give --alpha {own}.")
    for layer in model.layers:
        if layer.name not in weights or not layer.weights:
            continue
        source = weights[layer.name]
        if layer.name.endswith("_bn"):
            layer.set_weights([source[k] for k in ("gamma", "beta", "moving_mean", "moving_variance")])
            layer.epsilon = 1e-3
            continue
        kernel = _kernel(source)
        wanted = tuple(layer.weights[0].shape)
        if kernel.shape[2] == 3 and wanted[2] == 1:
            kernel = kernel.sum(2, keepdims=True)
        if kernel.shape != wanted:
            raise InputError(f"The backbone's {layer.name} has the shape {kernel.shape}; the net needs {wanted}.")
        layer.set_weights([kernel])


def _kernel(layer: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    for name in ("kernel", "depthwise_kernel"):
        if name in layer:
            return layer[name]
    raise FormatError(f"a convolution of the backbone has no kernel but {sorted(layer)}")
