"""From channel, height, width to height, width, channel: the order that TensorFlow flattens in."""

from __future__ import annotations

from dataclasses import dataclass

from k210kit.errors import UnsupportedError
from k210kit.kmodel.arithmetic import cpu
from k210kit.kmodel.layers.base import Layer, layer
from k210kit.kmodel.layers.machine import Machine, Tensor
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

    @property
    def _shape(self) -> tuple[int, int, int]:
        return self.channels, self.height, self.width

    @property
    def _count(self) -> int:
        return self.channels * self.height * self.width


@layer(20, "TENSORFLOW_FLATTEN")
@dataclass(frozen=True, kw_only=True)
class Flatten(_Flatten):
    """On float32."""

    def run(self, machine: Machine) -> Tensor:
        made = cpu.flatten(machine.floats(self.input, self._count).reshape(self._shape))
        machine.floats(self.output, self._count)[:] = made
        return made


@layer(21, "QUANTIZED_TENSORFLOW_FLATTEN")
@dataclass(frozen=True, kw_only=True)
class QuantizedFlatten(_Flatten):
    """On bytes: MaixPy runs it, the SDK refuses it."""

    def run(self, machine: Machine) -> Tensor:
        if not machine.runtime.quantized_flatten:
            raise UnsupportedError(f"{self.name} runs on MaixPy only; the SDK stops with 'Layer is not supported.'.")
        made = cpu.flatten(machine.bytes(self.input, self._count).reshape(self._shape))
        machine.bytes(self.output, self._count)[:] = made
        return made
