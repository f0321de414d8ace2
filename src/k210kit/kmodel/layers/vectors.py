"""Functions of one whole vector of float32."""

from __future__ import annotations

from dataclasses import dataclass

from k210kit.kmodel.arithmetic import cpu
from k210kit.kmodel.layers.base import Layer, layer
from k210kit.kmodel.layers.machine import Machine, Tensor
from k210kit.wire import u32

__all__ = ["L2Normalize", "Logistic", "Softmax"]


@dataclass(frozen=True, kw_only=True)
class _Vector(Layer):
    flags: int = u32("0", default=0)
    input: int = u32("address of the input")
    output: int = u32("address of the output")
    channels: int = u32("elements")

    def run(self, machine: Machine) -> Tensor:
        made = self._function(machine.floats(self.input, self.channels), machine)
        machine.floats(self.output, self.channels)[:] = made
        return made

    def _function(self, x: Tensor, machine: Machine) -> Tensor:
        raise TypeError(f"{type(self).__name__} is no function")


@layer(14, "L2_NORMALIZATION")
@dataclass(frozen=True, kw_only=True)
class L2Normalize(_Vector):
    """`x / sqrt(max(sum(x * x), 1e-10))`."""

    def _function(self, x: Tensor, machine: Machine) -> Tensor:
        return cpu.l2_normalize(x, machine.runtime)


@layer(15, "SOFTMAX")
@dataclass(frozen=True, kw_only=True)
class Softmax(_Vector):
    """`exp(x - m) / sum(exp(x - m))`, where `m` is the largest x or, if all are negative, nearly 0."""

    def _function(self, x: Tensor, machine: Machine) -> Tensor:
        return cpu.softmax(x, machine.runtime)


@layer(25, "LOGISTIC")
@dataclass(frozen=True, kw_only=True)
class Logistic(_Vector):
    """`1 / (1 + exp(-x))`."""

    def _function(self, x: Tensor, machine: Machine) -> Tensor:
        return cpu.logistic(x, machine.runtime)
