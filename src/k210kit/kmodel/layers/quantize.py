"""Between floats and bytes, and from bytes to bytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from k210kit.kmodel.arithmetic import cpu
from k210kit.kmodel.layers.base import Layer, layer
from k210kit.kmodel.layers.machine import Machine, Tensor
from k210kit.wire import f32, u32, vector

__all__ = ["ChannelwiseDequantize", "Dequantize", "Quantize", "Requantize"]

_EVERY_BYTE = np.arange(256).astype(np.uint8)


@layer(11, "QUANTIZE")
@dataclass(frozen=True, kw_only=True)
class Quantize(Layer):
    """float32 to uint8: `(x - bias) / scale`."""

    flags: int = u32("0", default=0)
    input: int = u32("address of the floats")
    output: int = u32("address of the bytes")
    count: int = u32("elements")
    scale: float = f32("value of one step")
    bias: float = f32("value of byte 0")

    def run(self, machine: Machine) -> Tensor:
        made = cpu.quantize(machine.floats(self.input, self.count), self.scale, self.bias, machine.runtime)
        machine.bytes(self.output, self.count)[:] = made
        return made


@layer(12, "DEQUANTIZE")
@dataclass(frozen=True, kw_only=True)
class Dequantize(Layer):
    """uint8 to float32: `q * scale + bias`."""

    flags: int = u32("0", default=0)
    input: int = u32("address of the bytes")
    output: int = u32("address of the floats")
    count: int = u32("elements")
    scale: float = f32("value of one step")
    bias: float = f32("value of byte 0")

    def run(self, machine: Machine) -> Tensor:
        values = cpu.dequantize(_EVERY_BYTE, self.scale, self.bias, machine.runtime)
        made = values[machine.bytes(self.input, self.count)]
        machine.floats(self.output, self.count)[:] = made
        return made


@layer(13, "REQUANTIZE")
@dataclass(frozen=True, kw_only=True, eq=False)
class Requantize(Layer):
    """uint8 to uint8 by a table of 256 bytes."""

    flags: int = u32("0", default=0)
    input: int = u32("address of the input")
    output: int = u32("address of the output")
    count: int = u32("elements")
    table: NDArray[np.uint8] = vector("uint8", lambda _: (256,), "output of each input byte")

    def run(self, machine: Machine) -> Tensor:
        made = self.table[machine.bytes(self.input, self.count)]
        machine.bytes(self.output, self.count)[:] = made
        return made


@layer(24, "CHANNELWISE_DEQUANTIZE")
@dataclass(frozen=True, kw_only=True, eq=False)
class ChannelwiseDequantize(Layer):
    """uint8 to float32 with a scale and a bias per channel."""

    flags: int = u32("0", default=0)
    input: int = u32("address of the bytes")
    output: int = u32("address of the floats")
    channels: int = u32("channels")
    channel_size: int = u32("elements per channel")
    scale_bias: NDArray[np.float32] = vector("float32", lambda r: (r.channels, 2), "scale and bias of each channel")

    def run(self, machine: Machine) -> Tensor:
        count = self.channels * self.channel_size
        q = machine.bytes(self.input, count).reshape(self.channels, self.channel_size)
        scale, bias = self.scale_bias[:, :1], self.scale_bias[:, 1:]
        if self.channel_size > len(_EVERY_BYTE):
            values = cpu.dequantize(_EVERY_BYTE[None], scale, bias, machine.runtime)
            made = np.take_along_axis(values, q.astype(np.intp), axis=1)
        else:
            made = cpu.dequantize(q, scale, bias, machine.runtime)
        machine.floats(self.output, count)[:] = made.reshape(-1)
        return made
