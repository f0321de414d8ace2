"""The nets: chains of what the KPU runs (3x3 and 1x1 convolutions, depthwise ones, ReLU6), padded as the KPU pads.

A stride-2 convolution of the K210 is a stride-1 one with one pixel of padding on every side, of which every second
result is taken. So these nets pad (1, 1), where Keras' own MobileNet pads (0, 1): the compiler has nothing to move.
Every net takes pixels normalised by `NORMALISATION`; the compiler folds that into the first layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from k210kit.errors import InputError, UnsupportedError

from .datasets.pixels import InputSize
from .engine import engine

__all__ = ["ALPHAS", "NORMALISATION", "Net", "Normalisation", "check_size", "classifier", "detector"]

Net = Literal["mobilenet", "tiny"]
ALPHAS = (0.25, 0.5, 0.75, 1.0)
# MobileNetV1 (Howard et al. 2017, table 1): stride and channels at alpha 1 of the 13 depthwise separable blocks
_MOBILENET = (
    (1, 64),
    (2, 128),
    (1, 128),
    (2, 256),
    (1, 256),
    (2, 512),
    (1, 512),
    (1, 512),
    (1, 512),
    (1, 512),
    (1, 512),
    (2, 1024),
    (1, 1024),
)
# stride and channels at alpha 1 of the small net's 3x3 convolutions
_TINY = ((2, 16), (2, 24), (1, 24), (2, 48), (1, 48), (2, 96), (1, 96), (2, 160), (1, 160))


# how many of these a detector has whose map has a cell for so many pixels
_BLOCKS: dict[tuple[Net, int], int] = {
    ("mobilenet", 32): 12,
    ("mobilenet", 16): 11,
    ("tiny", 32): len(_TINY),
    ("tiny", 16): len(_TINY) - 2,
}
_NO_OBJECT = -4.0  # objectness before training: nearly every cell is empty (Lin et al. 2017, section 3.3)


@dataclass(frozen=True, kw_only=True)
class Normalisation:
    """A net sees (pixel / scale - mean) / std."""

    scale: float = 255.0
    mean: float = 0.5
    std: float = 0.5


NORMALISATION = Normalisation()


def check_size(size: InputSize) -> None:
    """The camera's window moves in steps of 8 pixels, and the layers need room (both said with the value received)."""
    for name, value, most in (("width", size.width, 320), ("height", size.height, 240)):
        if value % 8 or not 32 <= value <= most:
            raise InputError(
                f"The input's {name} is {value}; the camera's window needs a multiple of 8 from 32 to {most}. "
                "Common sizes: 96x96, 128x128, 160x160, 224x224, 320x240."
            )
    if size.channels not in (1, 3):
        raise InputError(f"The input has {size.channels} channels; 3 (colour) or 1 (grey) were expected.")


def classifier(net: Net, size: InputSize, alpha: float, classes: int) -> Any:
    """A Keras model: normalised [n, h, w, c] to logits [n, classes]; its layer "features" is the pooled vector."""
    _, keras = engine()
    inputs, x = _backbone(net, size, alpha)
    x = keras.layers.GlobalAveragePooling2D(name="features")(x)
    x = keras.layers.Dropout(0.1, name="dropout")(x)
    x = keras.layers.Dense(classes, name="logits")(x)
    return keras.Model(inputs, x, name="classifier")


def detector(net: Net, size: InputSize, alpha: float, classes: int, anchors: int, *, stride: int = 32) -> Any:
    """A Keras model: normalised [n, h, w, c] to the YOLOv2 map [n, h/stride, w/stride, anchors * (5 + classes)].

    stride: pixels of the input per cell: 32, or 16 for small things, whose net ends before its last halving.
    """
    _, keras = engine()
    outputs = anchors * (5 + classes)
    if outputs > 1024:
        raise UnsupportedError(
            f"{classes} classes need {outputs} output channels; the KPU takes at most 1024, which is "
            f"{1024 // anchors - 5} classes. Merge classes."
        )
    # without its last block, which is the heaviest, MobileNet leaves room in RAM for a full 3x3 convolution
    inputs, x = _backbone(net, size, alpha, blocks=_BLOCKS[net, stride])
    channels = max(int(256 * alpha), 64)
    if net == "mobilenet":
        x = _conv(x, channels, 1, 1, "head_in")
    x = _conv(x, channels, 3, 1, "head")
    nothing = np.zeros((anchors, 5 + classes), np.float32)
    nothing[:, 4] = _NO_OBJECT
    x = keras.layers.Conv2D(
        outputs,
        1,
        name="yolo",
        bias_initializer=keras.initializers.Constant(nothing.ravel()),
        kernel_initializer="glorot_uniform",
    )(x)
    return keras.Model(inputs, x, name="detector")


def _backbone(net: Net, size: InputSize, alpha: float, blocks: int | None = None) -> tuple[Any, Any]:
    if alpha not in ALPHAS:
        raise InputError(f"alpha is {alpha}; one of {', '.join(map(str, ALPHAS))} was expected.")
    check_size(size)
    _, keras = engine()
    inputs = keras.Input((size.height, size.width, size.channels), name="image")
    if net == "tiny":
        x = inputs
        for number, (stride, channels) in enumerate(_TINY[:blocks], 1):
            x = _conv(x, max(int(channels * alpha), 8), 3, stride, f"conv_{number}")
        return inputs, x
    x = _conv(inputs, int(32 * alpha), 3, 2, "conv1")
    for number, (stride, channels) in enumerate(_MOBILENET[:blocks], 1):
        x = _depthwise(x, stride, f"conv_dw_{number}")
        x = _conv(x, int(channels * alpha), 1, 1, f"conv_pw_{number}")
    return inputs, x


def _conv(x: Any, channels: int, kernel: int, stride: int, name: str) -> Any:
    _, keras = engine()
    layers = keras.layers
    if stride == 2:
        x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
    padding = "valid" if stride == 2 else "same"
    x = layers.Conv2D(
        channels, kernel, stride, padding=padding, use_bias=False, kernel_initializer="he_normal", name=name
    )(x)
    return _normalised(x, name)


def _depthwise(x: Any, stride: int, name: str) -> Any:
    _, keras = engine()
    layers = keras.layers
    if stride == 2:
        x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
    padding = "valid" if stride == 2 else "same"
    x = layers.DepthwiseConv2D(
        3, stride, padding=padding, use_bias=False, depthwise_initializer="he_normal", name=name
    )(x)
    return _normalised(x, name)


def _normalised(x: Any, name: str) -> Any:
    _, keras = engine()
    x = keras.layers.BatchNormalization(name=f"{name}_bn", momentum=0.95)(x)
    return keras.layers.ReLU(6.0, name=f"{name}_relu")(x)
