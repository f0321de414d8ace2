"""A matrix times a vector, in float32."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from k210kit.kmodel.arithmetic import cpu
from k210kit.kmodel.layers.base import Layer, layer
from k210kit.kmodel.layers.machine import Machine, Tensor
from k210kit.wire import u32, vector

__all__ = ["FullyConnected"]


@layer(18, "FULLY_CONNECTED")
@dataclass(frozen=True, kw_only=True, eq=False)
class FullyConnected(Layer):
    """`weights @ x + bias`. MaixPy ignores `activation`; the SDK obeys it from version 0.5.7 on."""

    flags: int = u32("0", default=0)
    input: int = u32("address of the input")
    output: int = u32("address of the output")
    in_channels: int = u32("input elements")
    out_channels: int = u32("output elements")
    activation: int = u32("0: none, 1: ReLU, 2: ReLU6")
    weights: NDArray[np.float32] = vector("float32", lambda r: (r.out_channels, r.in_channels), "[output, input]")
    bias: NDArray[np.float32] = vector("float32", lambda r: (r.out_channels,), "of each output")

    def run(self, machine: Machine) -> Tensor:
        x = machine.floats(self.input, self.in_channels)
        made = cpu.fully_connected(x, self.weights, self.bias, self.activation, machine.runtime)
        machine.floats(self.output, self.out_channels)[:] = made
        return made
