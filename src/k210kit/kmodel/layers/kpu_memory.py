"""Between main memory and KPU memory."""

from __future__ import annotations

from dataclasses import dataclass

from k210kit.kmodel import memory
from k210kit.kmodel.layers.base import Layer, layer
from k210kit.kmodel.layers.machine import Machine, Tensor
from k210kit.wire import u32

__all__ = ["AddPadding", "RemovePadding", "Upload"]

_PADDED = 4  # side of the map that a byte is padded to


@layer(10241, "K210_ADD_PADDING")
@dataclass(frozen=True, kw_only=True)
class AddPadding(Layer):
    """Bytes to 4x4 maps whose pixel (0, 0) is the byte; the other pixels keep what KPU memory held."""

    flags: int = u32("0", default=0)
    input: int = u32("address of the bytes")
    kpu_out: int = u32("line in KPU memory")
    channels: int = u32("channels")

    def run(self, machine: Machine) -> Tensor:
        pixels = machine.bytes(self.input, self.channels).copy()
        layout = memory.Layout.of_width(1, height=_PADDED)
        memory.write_map(machine.kpu, self.kpu_out, layout, pixels[:, None, None])
        return pixels


@layer(10242, "K210_REMOVE_PADDING")
@dataclass(frozen=True, kw_only=True)
class RemovePadding(Layer):
    """Pixel (0, 0) of each dense 4x4 map."""

    flags: int = u32("0", default=0)
    input: int = u32("address of the maps")
    output: int = u32("address of the bytes")
    channels: int = u32("channels")

    def run(self, machine: Machine) -> Tensor:
        pixels = machine.bytes(self.input, self.channels * _PADDED**2)[:: _PADDED**2].copy()
        machine.bytes(self.output, self.channels)[:] = pixels
        return pixels


@layer(10243, "K210_UPLOAD")
@dataclass(frozen=True, kw_only=True)
class Upload(Layer):
    """A dense map of bytes from main memory to KPU memory."""

    flags: int = u32("0", default=0)
    input: int = u32("address of the map")
    kpu_out: int = u32("line in KPU memory")
    width: int = u32("width")
    height: int = u32("height")
    channels: int = u32("channels")

    def run(self, machine: Machine) -> Tensor:
        shape = (self.channels, self.height, self.width)
        pixels = machine.bytes(self.input, self.channels * self.height * self.width).reshape(shape)
        memory.write_map(machine.kpu, self.kpu_out, memory.Layout.of_width(self.width, height=self.height), pixels)
        return pixels.copy()
