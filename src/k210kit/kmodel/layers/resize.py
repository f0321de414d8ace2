"""Resizing by the nearest neighbour."""

from __future__ import annotations

from dataclasses import dataclass

from k210kit.kmodel.arithmetic import cpu
from k210kit.kmodel.layers.base import Layer, layer
from k210kit.kmodel.layers.machine import Machine, Tensor
from k210kit.wire import u32

__all__ = ["QuantizedResizeNearest", "ResizeNearest"]


@dataclass(frozen=True, kw_only=True)
class _Resize(Layer):
    flags: int = u32("0", default=0)
    input: int = u32("address of the input")
    output: int = u32("address of the output")
    in_width: int = u32("input width")
    in_height: int = u32("input height")
    channels: int = u32("channels")
    out_width: int = u32("output width")
    out_height: int = u32("output height")
    align_corners: int = u32("ignored by the SDK and by MaixPy", default=0)

    def run(self, machine: Machine) -> Tensor:
        count = self.channels * self.in_height * self.in_width
        x = self._tensor(machine, self.input, count).reshape(self.channels, self.in_height, self.in_width)
        made = cpu.resize_nearest(x, self.out_height, self.out_width)
        self._tensor(machine, self.output, made.size)[:] = made.reshape(-1)
        return made

    def _tensor(self, machine: Machine, address: int, count: int) -> Tensor:
        return machine.bytes(address, count)


@layer(22, "RESIZE_NEAREST_NEIGHBOR")
@dataclass(frozen=True, kw_only=True)
class ResizeNearest(_Resize):
    """On float32."""

    def _tensor(self, machine: Machine, address: int, count: int) -> Tensor:
        return machine.floats(address, count)


@layer(23, "QUANTIZED_RESIZE_NEAREST_NEIGHBOR")
@dataclass(frozen=True, kw_only=True)
class QuantizedResizeNearest(_Resize):
    """On bytes."""
