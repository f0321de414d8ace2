"""Sums of two tensors, element by element."""

from __future__ import annotations

from dataclasses import dataclass

from k210kit.kmodel.arithmetic import cpu
from k210kit.kmodel.layers.base import Layer, layer
from k210kit.kmodel.layers.machine import Machine, Tensor
from k210kit.wire import i32, u32

__all__ = ["Add", "QuantizedAdd"]


@layer(1, "ADD")
@dataclass(frozen=True, kw_only=True)
class Add(Layer):
    """`a + b` on float32."""

    flags: int = u32("0", default=0)
    input_a: int = u32("address of the first tensor")
    input_b: int = u32("address of the second tensor")
    output: int = u32("address of the sum")
    count: int = u32("elements")

    def run(self, machine: Machine) -> Tensor:
        total = cpu.add(machine.floats(self.input_a, self.count), machine.floats(self.input_b, self.count))
        machine.floats(self.output, self.count)[:] = total
        return total


@layer(2, "QUANTIZED_ADD")
@dataclass(frozen=True, kw_only=True)
class QuantizedAdd(Layer):
    """A sum of bytes of different scales, in 64-bit integers; `count` is rounded up to 8, and so much is written."""

    flags: int = u32("0", default=0)
    input_a: int = u32("address of the first tensor")
    input_b: int = u32("address of the second tensor")
    output: int = u32("address of the sum")
    count: int = u32("elements")
    offset_a: int = i32("added to a byte of the first tensor")
    mul_a: int = i32("factor of the first tensor")
    shift_a: int = i32("right shift of the first tensor")
    offset_b: int = i32("added to a byte of the second tensor")
    mul_b: int = i32("factor of the second tensor")
    shift_b: int = i32("right shift of the second tensor")
    offset_out: int = i32("added to the result")
    mul_out: int = i32("factor of the sum")
    shift_out: int = i32("right shift of the sum, with rounding")

    def run(self, machine: Machine) -> Tensor:
        count = -(-self.count // 8) * 8
        total = cpu.quantized_add(
            machine.bytes(self.input_a, count),
            machine.bytes(self.input_b, count),
            cpu.Requantization(offset=self.offset_a, mul=self.mul_a, shift=self.shift_a),
            cpu.Requantization(offset=self.offset_b, mul=self.mul_b, shift=self.shift_b),
            cpu.Requantization(offset=self.offset_out, mul=self.mul_out, shift=self.shift_out),
        )
        machine.bytes(self.output, count)[:] = total
        return total[: self.count]
