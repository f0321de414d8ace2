"""Several tensors, one behind the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from k210kit.kmodel.layers.base import Layer, layer
from k210kit.kmodel.layers.machine import Machine, Tensor
from k210kit.wire import u32, vector

__all__ = ["Concat", "QuantizedConcat"]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Concat(Layer):
    flags: int = u32("0", default=0)
    output: int = u32("address of the output")
    input_count: int = u32("inputs")
    inputs: NDArray[np.uint32] = vector("uint32", lambda r: (r.input_count, 2), "address and bytes of each input")

    def run(self, machine: Machine) -> Tensor:
        place = self.output
        for start, size in self.inputs.tolist():
            machine.bytes(place, size)[:] = machine.bytes(start, size).copy()
            place += size
        return self._output(machine, place - self.output)

    def _output(self, machine: Machine, size: int) -> Tensor:
        return machine.bytes(self.output, size).copy()


@layer(16, "CONCAT")
@dataclass(frozen=True, kw_only=True, eq=False)
class Concat(_Concat):
    """float32 tensors, one behind the other."""

    def _output(self, machine: Machine, size: int) -> Tensor:
        return machine.floats(self.output, size // 4).copy()


@layer(17, "QUANTIZED_CONCAT")
@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedConcat(_Concat):
    """uint8 tensors, one behind the other."""
