"""K210_CONV: the one layer that the KPU itself runs. Convolution, batch norm, activation table and pooling in one."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from k210kit import wire
from k210kit.errors import FormatError
from k210kit.hardware import SEGMENTS
from k210kit.kmodel import memory
from k210kit.kmodel.arithmetic.kpu import Convolution
from k210kit.kmodel.layers.base import Layer, layer
from k210kit.kmodel.layers.machine import Machine, Tensor
from k210kit.kmodel.registers import POOLS, Registers
from k210kit.wire import bits, u32

if TYPE_CHECKING:
    from k210kit.kmodel.arithmetic.prepared import Prepared

__all__ = ["ActivationTable", "BatchNorm", "Conv"]

_ALIGN = {"registers": 8, "weights": 128, "batch_norm": 128, "activation": 256}  # of file offsets; the vendor's writer


@dataclass(frozen=True, kw_only=True)
class ConvWords:
    """The words at the start of a convolution's body."""

    flags: int = u32("bit 0: the result goes to main memory too")
    main_out: int = u32("address of the result in main memory")
    registers_offset: int = u32("file offset of the registers, 96 bytes")
    weights_offset: int = u32("file offset of the weights")
    batch_norm_offset: int = u32("file offset of the batch norm, 8 bytes per output channel")
    activation_offset: int = u32("file offset of the activation table, 144 bytes")


@dataclass(frozen=True, kw_only=True)
class BatchNormWord:
    """Batch norm of one output channel: `((x * mul) >> shift) + add`."""

    mul: int = bits(0, 0, 23, "factor", signed=True)
    add: int = bits(0, 24, 55, "summand, after the shift", signed=True)
    shift: int = bits(0, 56, 59, "right shift, a floor")
    reserved: int = bits(0, 60, 63, "0 in every known file")


@dataclass(frozen=True, kw_only=True)
class ActivationWord:
    """One segment of the activation table; its bias is a byte behind the sixteen segments."""

    shift: int = bits(0, 0, 7, "right shift, rounding to nearest, ties to even")
    y_mul: int = bits(0, 8, 23, "slope", signed=True)
    x_start: int = bits(0, 24, 59, "the segment holds above this", signed=True)
    reserved: int = bits(0, 60, 63, "0 in every known file")


def _zeros(count: int) -> NDArray[np.int64]:
    return np.zeros(count, np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class BatchNorm:
    """`((x * mul) >> shift) + add` per output channel; arrays of int64, one value per channel."""

    mul: NDArray[np.int64]  # signed 24 bit
    add: NDArray[np.int64]  # signed 32 bit
    shift: NDArray[np.int64]  # 0 to 15
    reserved: NDArray[np.int64] | None = None  # top 4 bits of each word, where not all 0

    @classmethod
    def read(cls, data: memoryview, count: int, offset: int, *, where: str) -> BatchNorm:
        columns = wire.read_columns(BatchNormWord, data, count, offset, where=where)
        return cls(**_without_zero_reserved(columns))

    def to_bytes(self) -> bytes:
        columns = {f.name: getattr(self, f.name) for f in fields(self)}
        columns["reserved"] = _zeros(len(self.mul)) if self.reserved is None else self.reserved
        return wire.write_columns(BatchNormWord, columns)


@dataclass(frozen=True, kw_only=True, eq=False)
class ActivationTable:
    """Sixteen straight pieces that lead from 36-bit sums to bytes; arrays of int64, one value per segment.

    The last segment with `x > x_start` holds: `((x - x_start) * y_mul) / 2**shift`, rounded to nearest with ties to
    even, plus `bias`, clamped to 0 to 255.
    """

    x_start: NDArray[np.int64]  # signed 36 bit
    y_mul: NDArray[np.int64]  # signed 16 bit; negative ones are unproven on hardware
    shift: NDArray[np.int64]  # 0 to 255
    bias: NDArray[np.int64]  # 0 to 255
    reserved: NDArray[np.int64] | None = None  # top 4 bits of each word, where not all 0

    BYTES: ClassVar[int] = 9 * SEGMENTS

    @classmethod
    def read(cls, data: memoryview, offset: int, *, where: str) -> ActivationTable:
        columns = wire.read_columns(ActivationWord, data, SEGMENTS, offset, where=where)
        bias = np.frombuffer(data, np.uint8, SEGMENTS, offset + 8 * SEGMENTS).astype(np.int64)
        return cls(bias=bias, **_without_zero_reserved(columns))

    def to_bytes(self) -> bytes:
        columns = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "bias"}
        columns["reserved"] = _zeros(SEGMENTS) if self.reserved is None else self.reserved
        if self.bias.min() < 0 or self.bias.max() > 255:
            raise FormatError("a bias does not fit into a byte", field="activation.bias", expected="0 to 255")
        return wire.write_columns(ActivationWord, columns) + self.bias.astype(np.uint8).tobytes()


def _without_zero_reserved(columns: dict[str, NDArray[np.int64]]) -> dict[str, NDArray[np.int64]]:
    return {k: v for k, v in columns.items() if k != "reserved" or v.any()}


@layer(10240, "K210_CONV")
@dataclass(frozen=True, kw_only=True, eq=False)
class Conv(Layer):
    """A convolution on the KPU.

    Weights are uint8, or uint16 in a 16-bit model: [output channel, input channel, row, column]; depthwise
    [channel, row, column]. The result is always written to KPU memory, to main memory too if flags bit 0 is set.
    """

    flags: int = 0
    main_out: int = 0
    registers: Registers
    weights: NDArray[np.uint8] | NDArray[np.uint16]
    batch_norm: BatchNorm
    activation: ActivationTable
    offsets: tuple[int, int, int, int] | None = None  # as read, where they are not those that the writer chooses

    @property
    def to_main_memory(self) -> bool:
        """Whether the result goes to main memory too."""
        return bool(self.flags & 1)

    @classmethod
    def read(cls, data: memoryview, start: int, end: int, *, where: str, eight_bit_weights: bool) -> Conv:
        words = wire.read(ConvWords, data[:end], start, where=where)
        registers = wire.read(Registers, data, words.registers_offset, where=f"{where}.registers")
        _check_registers(registers, where, words.registers_offset)
        dtype = np.dtype(np.uint8 if eight_bit_weights else "<u2")
        count, at = registers.weight_count, words.weights_offset
        if at + count * dtype.itemsize > len(data):
            raise FormatError(
                "the weights lie outside of the file", field=f"{where}.weights", offset=at,
                found=f"{max(0, len(data) - at)} bytes", expected=f"{count * dtype.itemsize} bytes",
            )  # fmt: skip
        kernel, outputs = registers.kernel_size, registers.output_channels
        shape = (
            (outputs, kernel, kernel) if registers.depthwise else (outputs, registers.input_channels, kernel, kernel)
        )
        weights: NDArray[Any] = np.frombuffer(data, dtype, count, at).reshape(shape)
        offsets = (words.registers_offset, words.weights_offset, words.batch_norm_offset, words.activation_offset)
        made = cls(
            flags=words.flags,
            main_out=words.main_out,
            registers=registers,
            weights=weights,
            batch_norm=BatchNorm.read(data, outputs, words.batch_norm_offset, where=f"{where}.batch_norm"),
            activation=_read_activation(data, words.activation_offset, where),
            offsets=offsets,
        )
        _check_apart(made._blobs(), offsets, where)
        return made if made._own_offsets(start) != offsets else made._without_offsets()

    def _without_offsets(self) -> Conv:
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "offsets"}
        return Conv(**values)

    def _blobs(self) -> tuple[bytes, bytes, bytes, bytes]:
        weights = np.ascontiguousarray(self.weights, self.weights.dtype.newbyteorder("<"))
        return wire.write(self.registers), weights.tobytes(), self.batch_norm.to_bytes(), self.activation.to_bytes()

    def _own_offsets(self, start: int) -> tuple[int, int, int, int]:
        sizes = (wire.size(Registers), self.weights.nbytes, 8 * len(self.batch_norm.mul), ActivationTable.BYTES)
        place, made = start + wire.size(ConvWords), []
        for size, align in zip(sizes, _ALIGN.values(), strict=True):
            place = -(-place // align) * align
            made.append(place)
            place += size
        return made[0], made[1], made[2], made[3]

    def parts(self, start: int) -> list[tuple[int, bytes]]:
        offsets = self.offsets or self._own_offsets(start)
        words = ConvWords(
            flags=self.flags,
            main_out=self.main_out,
            registers_offset=offsets[0],
            weights_offset=offsets[1],
            batch_norm_offset=offsets[2],
            activation_offset=offsets[3],
        )
        return [(start, wire.write(words)), *zip(offsets, self._blobs(), strict=True)]

    @cached_property
    def convolution(self) -> Convolution:
        """The layer's arithmetic."""
        r, table = self.registers, self.activation
        return Convolution(
            weights=self.weights,
            depthwise=bool(r.depthwise),
            pad_value=r.pad_value,
            arg_x=r.arg_x,
            shr_x=r.shr_x,
            arg_w=r.arg_w,
            shr_w=r.shr_w,
            arg_add=r.arg_add,
            bn_mul=self.batch_norm.mul,
            bn_shift=self.batch_norm.shift,
            bn_add=self.batch_norm.add,
            x_start=table.x_start,
            y_mul=table.y_mul,
            shift=table.shift,
            bias=table.bias,
            pool_type=r.pool_type,
        )

    @cached_property
    def _prepared(self) -> Prepared:
        from k210kit.kmodel.arithmetic.prepared import Prepared  # only for what is run, not for what is only read

        return Prepared(self.convolution)

    @cached_property
    def _layout_doubts(self) -> tuple[str, ...]:
        return tuple(self.registers.doubts())

    def run(self, machine: Machine) -> Tensor:
        r = self.registers
        x = memory.read_map(machine.kpu, r.input_line, r.input_layout, r.input_shape)
        y, doubts = self._prepared.run(x, accelerate=machine.accelerate, split=machine.split)
        for doubt in (*doubts, *self._layout_doubts):
            machine.doubt(doubt)
        memory.write_map(machine.kpu, r.output_line, r.output_layout, y)
        if self.to_main_memory:
            self._send(machine, y)
        return y

    def _send(self, machine: Machine, y: NDArray[np.uint8]) -> None:
        """Write the result to main memory, dense.

        MaixPy copies a width that fills its lines as it lies there, and takes a register for the count: one too few.
        """
        r = self.registers
        if not machine.runtime.copies_with_the_cpu or r.output_width % memory.KPU_LINE_BYTES:
            machine.bytes(self.main_out, y.size)[:] = y.reshape(-1)
            return
        count, start = r.total_bytes_minus_1, r.output_line * memory.KPU_LINE_BYTES
        copied = machine.kpu[start : start + count]
        machine.bytes(self.main_out, copied.size)[:] = copied
        machine.doubt(
            f"MaixPy copies {count} of the result's {y.size} bytes to main memory when it is called without dma, "
            "as KPU.forward does: the rest keeps what main memory held, here zeros or an earlier layer's bytes"
        )


def _check_registers(registers: Registers, where: str, offset: int) -> None:
    if not registers.kernel_size:
        raise FormatError(
            "an unknown kernel type", field=f"{where}.registers.kernel_type", offset=offset,
            found=registers.kernel_type, expected="0 (1x1) or 1 (3x3)",
        )  # fmt: skip
    if registers.pool_type >= len(POOLS):
        raise FormatError(
            "an unknown pool type", field=f"{where}.registers.pool_type", offset=offset,
            found=registers.pool_type, expected="0 to 9",
        )  # fmt: skip
    if registers.depthwise and registers.input_channels != registers.output_channels:
        raise FormatError(
            "a depthwise layer has as many output as input channels", field=f"{where}.registers", offset=offset,
            found=f"{registers.input_channels} in, {registers.output_channels} out",
        )  # fmt: skip
    stride = POOLS[registers.pool_type].stride
    wanted = registers.input_height // stride, registers.input_width // stride
    found = registers.output_height, registers.output_width
    if found != wanted:
        raise FormatError(
            f"pool type {registers.pool_type} makes another output size", field=f"{where}.registers", offset=offset,
            found=f"{found[1]}x{found[0]}", expected=f"{wanted[1]}x{wanted[0]}",
        )  # fmt: skip


def _read_activation(data: memoryview, offset: int, where: str) -> ActivationTable:
    if offset + ActivationTable.BYTES > len(data):
        raise FormatError(
            "the activation table lies outside of the file", field=f"{where}.activation", offset=offset,
            found=f"{max(0, len(data) - offset)} bytes", expected=f"{ActivationTable.BYTES} bytes",
        )  # fmt: skip
    return ActivationTable.read(data, offset, where=f"{where}.activation")


def _check_apart(blobs: tuple[bytes, ...], offsets: tuple[int, ...], where: str) -> None:
    names = tuple(_ALIGN)
    placed = sorted(
        (offset, offset + len(blob), name) for blob, offset, name in zip(blobs, offsets, names, strict=True)
    )
    for (_, end, before), (start, _, after) in itertools.pairwise(placed):
        if start < end:
            raise FormatError(
                f"{before} and {after} overlap", field=where, offset=start, expected=f"{after} at byte {end} or later"
            )
