"""What each Keras layer becomes: a table of functions, one per layer or family of layers.

Source of the semantics: the Keras 2 and Keras 3 documentation of each layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler.graph import elements
from k210kit.compiler.importers.keras import LayerCall
from k210kit.compiler.importers.layout import padding_of
from k210kit.compiler.ops import (
    Add,
    AveragePool,
    Bilinear,
    Concat,
    Conv,
    ConvTranspose,
    Curve,
    Dense,
    GlobalAveragePool,
    GlobalMaxPool,
    MaxPool,
    Mul,
    Op,
    Pad,
    Padding,
    PRelu,
    Resize,
    Softmax,
    Sub,
)
from k210kit.compiler.refusals import Inexpressible

__all__ = ["LAYERS", "WEIGHT_NAMES"]

Json = Any  # what a JSON text holds
Reads = Callable[[LayerCall], None]
LAYERS: dict[str, Reads] = {}
_INFINITY = float("inf")


def _with_bias(*names: str) -> Callable[[Mapping[str, Json]], list[str]]:
    return lambda config: [*names, *(["bias"] if config.get("use_bias", True) else [])]


# The order in which a .keras file numbers a layer's arrays.
WEIGHT_NAMES: dict[str, Callable[[Mapping[str, Json]], list[str]]] = {
    "Conv2D": _with_bias("kernel"),
    "DepthwiseConv2D": _with_bias("kernel"),
    "SeparableConv2D": _with_bias("depthwise_kernel", "pointwise_kernel"),
    "Conv2DTranspose": _with_bias("kernel"),
    "Dense": _with_bias("kernel"),
    "PReLU": lambda _: ["alpha"],
    "BatchNormalization": lambda config: [
        *(["gamma"] if config.get("scale", True) else []),
        *(["beta"] if config.get("center", True) else []),
        "moving_mean",
        "moving_variance",
    ],
    "Normalization": lambda config: [] if config.get("mean") is not None else ["mean", "variance"],
}


def _reads(*kinds: str) -> Callable[[Reads], Reads]:
    def join(function: Reads) -> Reads:
        LAYERS.update(dict.fromkeys(kinds, function))
        return function

    return join


def _two(value: Json) -> tuple[int, int]:
    return (int(value), int(value)) if isinstance(value, int) else (int(value[0]), int(value[1]))


def _bias(call: LayerCall, count: int) -> NDArray[np.float32]:
    return call.weight("bias") if call.config.get("use_bias", True) else np.zeros(count, np.float32)


def _window(
    call: LayerCall, kernel: tuple[int, int], dilation: tuple[int, int] = (1, 1)
) -> tuple[tuple[int, int], Padding]:
    height, width, _ = call.picture()
    stride = _two(call.config.get("strides") or kernel)
    kind = str(call.config.get("padding", "valid")).lower()
    if kind not in ("same", "valid"):
        raise Inexpressible("padding", f"its padding is '{kind}'")
    return stride, padding_of((height, width), kernel, stride, dilation) if kind == "same" else Padding()


@_reads("Conv2D")
def _conv(call: LayerCall) -> None:
    weights = call.weight("kernel").transpose(3, 2, 0, 1)
    dilation = _two(call.config.get("dilation_rate", 1))
    stride, padding = _window(call, (weights.shape[2], weights.shape[3]), dilation)
    op = Conv(
        weights=np.ascontiguousarray(weights), bias=_bias(call, weights.shape[0]), stride=stride, padding=padding,
        dilation=dilation, groups=int(call.config.get("groups", 1)),
    )  # fmt: skip
    call.emit(op)
    _activate(call)


def _depthwise_op(call: LayerCall, kernel: NDArray[np.float32], bias: NDArray[np.float32]) -> Conv:
    channels = call.picture()[2]
    weights = kernel.transpose(2, 3, 0, 1).reshape(-1, 1, *kernel.shape[:2])
    dilation = _two(call.config.get("dilation_rate", 1))
    stride, padding = _window(call, (kernel.shape[0], kernel.shape[1]), dilation)
    return Conv(
        weights=np.ascontiguousarray(weights), bias=bias, stride=stride, padding=padding, dilation=dilation,
        groups=channels,
    )  # fmt: skip


@_reads("DepthwiseConv2D")
def _depthwise(call: LayerCall) -> None:
    kernel = call.weight("kernel", "depthwise_kernel")
    call.emit(_depthwise_op(call, kernel, _bias(call, kernel.shape[2] * kernel.shape[3])))
    _activate(call)


@_reads("SeparableConv2D")
def _separable(call: LayerCall) -> None:
    kernel = call.weight("depthwise_kernel")
    call.emit(_depthwise_op(call, kernel, np.zeros(kernel.shape[2] * kernel.shape[3], np.float32)))
    weights = call.weight("pointwise_kernel").transpose(3, 2, 0, 1)
    call.emit(Conv(weights=np.ascontiguousarray(weights), bias=_bias(call, weights.shape[0])))
    _activate(call)


@_reads("Conv2DTranspose")
def _conv_transpose(call: LayerCall) -> None:
    call.picture()
    weights = call.weight("kernel").transpose(3, 2, 0, 1)
    stride, kernel = _two(call.config.get("strides", 1)), weights.shape[2:]
    if call.config.get("output_padding") is not None or _two(call.config.get("dilation_rate", 1)) != (1, 1):
        raise Inexpressible("output padding", "it has output padding or dilation")
    cut = Padding()
    if call.config.get("padding", "valid") == "same":
        total = [max(k - s, 0) for k, s in zip(kernel, stride, strict=True)]
        cut = Padding(
            top=total[0] // 2, bottom=total[0] - total[0] // 2, left=total[1] // 2, right=total[1] - total[1] // 2
        )
    if any(k < s for k, s in zip(kernel, stride, strict=True)):
        raise Inexpressible("transposed convolution", f"its kernel {tuple(kernel)} is smaller than its stride {stride}")
    op = ConvTranspose(
        weights=np.ascontiguousarray(weights), bias=_bias(call, weights.shape[1]), stride=stride, padding=cut
    )
    call.emit(op)
    _activate(call)


@_reads("Dense")
def _dense(call: LayerCall) -> None:
    weights = call.weight("kernel").T
    shape = call.shape()
    if elements(shape) != weights.shape[1]:
        raise Inexpressible("rows at once", f"it is applied to the rows of {list(shape)}, each of {weights.shape[1]}")
    if len(shape) == 4:
        call.emit_gather(call.build.natural(shape).reshape(1, -1))
    call.emit(
        Dense(weights=np.ascontiguousarray(weights), bias=_bias(call, weights.shape[0])),
        shape=(*shape[:-1], weights.shape[0]) if len(shape) != 4 else None,
    )
    _activate(call)


@_reads("BatchNormalization")
def _batch_norm(call: LayerCall) -> None:
    shape, axis = call.shape(), call.config.get("axis", -1)
    axis = axis[0] if isinstance(axis, list) else axis
    if int(axis) % len(shape) != len(shape) - 1:
        raise Inexpressible("layout", f"it normalises axis {axis} of {list(shape)}")
    variance = call.weight("moving_variance").astype(np.float64)
    scale = 1 / np.sqrt(variance + float(call.config.get("epsilon", 1e-3)))
    if call.config.get("scale", True):
        scale = scale * call.weight("gamma")
    shift = -call.weight("moving_mean") * scale
    if call.config.get("center", True):
        shift = shift + call.weight("beta")
    _affine(call, scale, shift)


def _affine(call: LayerCall, scale: Any, shift: Any) -> None:  # Any: a number or an array per channel
    """Scale and shift of the last axis, or of everything."""
    shape = call.current_shape
    full = [
        call.build.per_channel(np.broadcast_to(np.asarray(v, np.float32), shape[-1:]), shape) for v in (scale, shift)
    ]
    assert full[0] is not None
    assert full[1] is not None
    call.emit(call.build.affine(full[0], full[1], shape), shape=shape)


_ACTIVATIONS: dict[str, Curve] = {
    "relu": Curve(kind="clip", alpha=0.0, beta=_INFINITY),
    "relu6": Curve(kind="clip", alpha=0.0, beta=6.0),
    "sigmoid": Curve(kind="sigmoid"),
    "tanh": Curve(kind="tanh"),
    "elu": Curve(kind="elu", alpha=1.0),
    "silu": Curve(kind="silu"),
    "swish": Curve(kind="silu"),
    "mish": Curve(kind="mish"),
    "softplus": Curve(kind="softplus"),
    "gelu": Curve(kind="gelu"),
    "hard_swish": Curve(kind="hard_swish"),
    "hard_silu": Curve(kind="hard_swish"),
    "leaky_relu": Curve(kind="leaky", alpha=0.2),
    "exponential": Curve(kind="exp"),
}


def _activate(call: LayerCall, given: Json = None) -> None:
    """The activation that a layer names."""
    name = call.config.get("activation") if given is None else given
    if isinstance(name, dict):
        name = name.get("config", {}).get("name") or name.get("config") or name.get("class_name")
    if name in (None, "linear"):
        return
    if name == "softmax":
        _softmax(call)
    elif name == "hard_sigmoid":  # Keras 3 divides by 6; Keras 2 multiplied by 0.2
        new = "module" in (call.config.get("dtype") or {}) if isinstance(call.config.get("dtype"), dict) else False
        alpha = 1 / 6 if new else 0.2
        call.emit(Curve(kind="hard_sigmoid", alpha=alpha, beta=0.5), shape=call.current_shape)
    elif str(name) in _ACTIVATIONS:
        call.emit(_ACTIVATIONS[str(name)], shape=call.current_shape)
    else:
        raise Inexpressible("activation", f"its activation is '{name}'")


@_reads("Activation")
def _activation(call: LayerCall) -> None:
    _activate(call)


@_reads("ReLU")
def _relu(call: LayerCall) -> None:
    slope = float(call.config.get("negative_slope") or 0.0)
    top, threshold = call.config.get("max_value"), float(call.config.get("threshold") or 0.0)
    if threshold or (slope and top is not None):
        raise Inexpressible("activation", "it is a ReLU with a threshold, or with a slope and a limit")
    curve = (
        Curve(kind="leaky", alpha=slope)
        if slope
        else Curve(kind="clip", alpha=0.0, beta=_INFINITY if top is None else float(top))
    )
    call.emit(curve, shape=call.shape())


@_reads("LeakyReLU")
def _leaky(call: LayerCall) -> None:
    slope = call.config.get("negative_slope", call.config.get("alpha", 0.3))
    slope = slope.get("value", 0.3) if isinstance(slope, dict) else slope
    call.emit(Curve(kind="leaky", alpha=float(slope)), shape=call.shape())


@_reads("ELU")
def _elu(call: LayerCall) -> None:
    call.emit(Curve(kind="elu", alpha=float(call.config.get("alpha", 1.0))), shape=call.shape())


@_reads("PReLU")
def _prelu(call: LayerCall) -> None:
    slopes = call.build.per_channel(call.weight("alpha"), call.shape())
    if slopes is None:
        raise Inexpressible("per pixel", f"its slopes are {list(call.weight('alpha').shape)} for {list(call.shape())}")
    call.emit(PRelu(slopes=slopes), shape=call.shape())


@_reads("Softmax")
def _softmax(call: LayerCall) -> None:
    shape = call.current_shape
    axis = call.config.get("axis", -1)
    if not isinstance(axis, int) or axis % len(shape) != len(shape) - 1:
        raise Inexpressible("softmax", f"its axis is {axis} of {list(shape)}")
    if len(shape) != 4:
        call.emit(Softmax(length=shape[-1]), shape=shape)
        return
    call.emit_gather(call.build.natural(shape).reshape(-1))
    call.emit(Softmax(length=shape[-1]), shape=(elements(shape),))
    call.emit_gather(np.arange(elements(shape), dtype=np.int64).reshape(shape))


@_reads("MaxPooling2D", "AveragePooling2D")
def _pool(call: LayerCall) -> None:
    kernel = _two(call.config["pool_size"])
    stride, padding = _window(call, kernel)
    kind = MaxPool if call.kind == "MaxPooling2D" else AveragePool
    call.emit(kind(kernel=kernel, stride=stride, padding=padding))


@_reads("GlobalAveragePooling2D", "GlobalMaxPooling2D")
def _global_pool(call: LayerCall) -> None:
    channels = call.picture()[2]
    call.emit(GlobalAveragePool() if call.kind == "GlobalAveragePooling2D" else GlobalMaxPool())
    if not call.config.get("keepdims", False):
        call.emit_gather(np.arange(channels, dtype=np.int64).reshape(1, -1))


@_reads("ZeroPadding2D")
def _zero_padding(call: LayerCall) -> None:
    call.picture()
    rows, columns = (_two(side) for side in call.config["padding"])
    call.emit(Pad(padding=Padding(top=rows[0], bottom=rows[1], left=columns[0], right=columns[1])))


@_reads("Cropping2D")
def _cropping(call: LayerCall) -> None:
    height, width, _ = call.picture()
    rows, columns = (_two(side) for side in call.config["cropping"])
    index = call.build.natural(call.shape())
    call.emit_gather(index[:, rows[0] : height - rows[1], columns[0] : width - columns[1]])


@_reads("UpSampling2D")
def _upsampling(call: LayerCall) -> None:
    height, width, _ = call.picture()
    down, across = _two(call.config["size"])
    mode = call.config.get("interpolation", "nearest")
    if mode == "bilinear" and (down, across) == (2, 2) and (height, width) != (1, 1):
        call.emit(Bilinear())
        return
    if mode != "nearest" and (height, width) != (1, 1):  # one pixel is everywhere, however it is interpolated
        raise Inexpressible("interpolation", f"it interpolates {height}x{width} by {down}x{across} ({mode})")
    call.emit(Resize(height=height * down, width=width * across))


@_reads("Flatten")
def _flatten(call: LayerCall) -> None:
    call.emit_gather(call.build.natural(call.shape()).reshape(1, -1))


@_reads("Reshape")
def _reshape(call: LayerCall) -> None:
    call.emit_gather(call.build.natural(call.shape()).reshape(1, *call.config["target_shape"]))


@_reads("Permute")
def _permute(call: LayerCall) -> None:
    call.emit_gather(call.build.natural(call.shape()).transpose(0, *call.config["dims"]))


@_reads("Concatenate")
def _concatenate(call: LayerCall) -> None:
    shapes = [call.shape(k) for k in range(len(call.inputs))]
    axis = int(call.config.get("axis", -1)) % len(shapes[0])
    if len(shapes[0]) == 4 and axis == 3:
        call.emit(Concat(), *call.inputs)
        return
    starts = np.cumsum([0, *(elements(s) for s in shapes)])
    parts = [call.build.natural(s) + start for s, start in zip(shapes, starts, strict=False)]
    call.emit_gather(np.concatenate(parts, axis), *call.inputs)


_PAIRS: dict[str, Op] = {"Add": Add(), "Subtract": Sub(), "Multiply": Mul()}


@_reads(*_PAIRS)
def _pair(call: LayerCall) -> None:
    """Two values, or more one after the other; the smaller of a product may hold one number per channel."""
    for value in call.inputs[1:]:
        first, second = call.current, value
        shapes = [call.build.source_shapes[v] for v in (first, second)]
        if call.kind == "Multiply" and elements(shapes[0]) < elements(shapes[1]):
            first, second = second, first
        small, large = sorted(shapes, key=elements)
        factors = [large]
        if call.kind == "Multiply" and len(large) == 4:
            factors += [(1, 1, 1, large[3]), (*large[:3], 1)]
        if small not in factors:
            raise Inexpressible("shapes", f"its inputs are {list(shapes[0])} and {list(shapes[1])}")
        call.emit(_PAIRS[call.kind], first, second, shape=call.build.source_shapes[first])


@_reads("Rescaling")
def _rescaling(call: LayerCall) -> None:
    _affine(call, call.config["scale"], call.config.get("offset", 0.0))


@_reads("Normalization")
def _normalization(call: LayerCall) -> None:
    mean = call.config["mean"] if call.config.get("mean") is not None else call.weight("mean").reshape(-1)
    given = call.config.get("variance")
    variance = given if given is not None else call.weight("variance").reshape(-1)
    scale = 1 / np.maximum(np.sqrt(np.asarray(variance, np.float64)).reshape(-1), 1e-7)
    _affine(call, scale, -np.asarray(mean, np.float64).reshape(-1) * scale)


_OPERATIONS: dict[str, Callable[[float], tuple[float, float]]] = {
    "truediv": lambda y: (1 / y, 0.0),
    "divide": lambda y: (1 / y, 0.0),
    "multiply": lambda y: (y, 0.0),
    "subtract": lambda y: (1.0, -y),
    "add": lambda y: (1.0, y),
}


@_reads("TFOpLambda", "TrueDivide", "Divide", "Subtract", "__operators__")
def _operation(call: LayerCall) -> None:
    """Arithmetic with one number that was written into the model: `x / 127.5 - 1`."""
    if len(call.inputs) == 2 and call.kind in _PAIRS:
        _pair(call)
        return
    name = str(call.config.get("function", call.kind)).rsplit(".", 1)[-1].lower()
    number = call.extra.get("y")
    if number is None:
        number = next((a for a in call.extra.get("args", []) if isinstance(a, int | float)), None)
    name = {"truedivide": "truediv", "__truediv__": "truediv", "sub": "subtract", "mul": "multiply"}.get(name, name)
    if name not in _OPERATIONS or not isinstance(number, int | float):
        raise Inexpressible("python", f"it calls {name}")
    _affine(call, *_OPERATIONS[name](float(number)))


@_reads(
    "Dropout", "SpatialDropout2D", "GaussianNoise", "GaussianDropout", "AlphaDropout", "ActivityRegularization",
    "RandomFlip", "RandomRotation", "RandomZoom", "RandomContrast", "RandomBrightness", "RandomTranslation",
)  # fmt: skip
def _only_in_training(call: LayerCall) -> None:
    """Nothing happens here outside of training."""
