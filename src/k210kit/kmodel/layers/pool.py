"""Pooling in main memory."""

from __future__ import annotations

from dataclasses import dataclass

from k210kit.kmodel.arithmetic import cpu
from k210kit.kmodel.layers.base import Layer, layer
from k210kit.kmodel.layers.machine import Machine, Tensor
from k210kit.wire import u32

__all__ = ["AveragePool", "GlobalAveragePool", "QuantizedMaxPool"]


@layer(5, "GLOBAL_AVERAGE_POOL2D")
@dataclass(frozen=True, kw_only=True)
class GlobalAveragePool(Layer):
    """The mean of each channel, float32."""

    flags: int = u32("0", default=0)
    input: int = u32("address of the maps")
    output: int = u32("address of the means")
    kernel_size: int = u32("pixels per channel: width times height")
    channels: int = u32("channels")

    def run(self, machine: Machine) -> Tensor:
        x = machine.floats(self.input, self.channels * self.kernel_size).reshape(self.channels, self.kernel_size)
        made = cpu.global_average(x, machine.runtime)
        machine.floats(self.output, self.channels)[:] = made
        return made


@dataclass(frozen=True, kw_only=True)
class _Window(Layer):
    flags: int = u32("0", default=0)
    input: int = u32("address of the input")
    output: int = u32("address of the output")
    in_width: int = u32("input width")
    in_height: int = u32("input height")
    in_channels: int = u32("input channels")
    out_width: int = u32("output width")
    out_height: int = u32("output height")
    out_channels: int = u32("output channels")
    kernel_width: int = u32("window width")
    kernel_height: int = u32("window height")
    stride_width: int = u32("step to the right")
    stride_height: int = u32("step down")
    pad_width: int = u32("columns padded on the left")
    pad_height: int = u32("rows padded at the top")

    @property
    def window(self) -> cpu.Window:
        """Size and steps of the window."""
        return cpu.Window(
            input=(self.in_width, self.in_height),
            output=(self.out_width, self.out_height),
            kernel=(self.kernel_width, self.kernel_height),
            stride=(self.stride_width, self.stride_height),
            pad=(self.pad_width, self.pad_height),
        )


@layer(8, "QUANTIZED_MAX_POOL2D")
@dataclass(frozen=True, kw_only=True)
class QuantizedMaxPool(_Window):
    """The largest byte of each window, at least 0."""

    def run(self, machine: Machine) -> Tensor:
        window, channels = self.window, self.out_channels
        made = cpu.max_pool(machine.bytes(self.input, window.reach(channels)), window, channels)
        machine.bytes(self.output, made.size)[:] = made.reshape(-1)
        return made


@layer(9, "AVERAGE_POOL2D")
@dataclass(frozen=True, kw_only=True)
class AveragePool(_Window):
    """The mean of each window's pixels that lie in the picture, float32."""

    activation: int = u32("ignored by the SDK and by MaixPy", default=0)

    def run(self, machine: Machine) -> Tensor:
        window, channels = self.window, self.out_channels
        made = cpu.average_pool(machine.floats(self.input, window.reach(channels)), window, channels)
        machine.floats(self.output, made.size)[:] = made.reshape(-1)
        return made
