"""From channel, height, width to height, width, channel: the order that TensorFlow flattens in."""

from __future__ import annotations

from dataclasses import dataclass

from k210kit.kmodel.layers.base import Layer, layer
from k210kit.wire import u32

__all__ = ["Flatten", "QuantizedFlatten"]


@dataclass(frozen=True, kw_only=True)
class _Flatten(Layer):
    flags: int = u32("0", default=0)
    input: int = u32("address of the input")
    output: int = u32("address of the output")
    width: int = u32("width")
    height: int = u32("height")
    channels: int = u32("channels")


@layer(20, "TENSORFLOW_FLATTEN")
@dataclass(frozen=True, kw_only=True)
class Flatten(_Flatten):
    """On float32."""


@layer(21, "QUANTIZED_TENSORFLOW_FLATTEN")
@dataclass(frozen=True, kw_only=True)
class QuantizedFlatten(_Flatten):
    """On bytes: MaixPy runs it, the SDK refuses it."""
