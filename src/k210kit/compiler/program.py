"""The model as a list of steps on named buffers: what a kmodel's layers do, before numbers and addresses are known.

Three kinds of buffers: maps in KPU memory, bytes in main memory, floats in main memory. A buffer is written by one
step, or by several steps in parts; `Slice` names a part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler.graph import Node, Shape, elements
from k210kit.compiler.ops import Dense
from k210kit.compiler.stages import KpuConv

__all__ = [
    "AddPaddingStep",
    "AveragePoolStep",
    "Buffer",
    "ConcatStep",
    "ConvStep",
    "DenseStep",
    "DequantizeStep",
    "FlattenStep",
    "JoinStep",
    "LastByteStep",
    "MaxPoolStep",
    "Piece",
    "Program",
    "QuantizeStep",
    "RemovePaddingStep",
    "RequantizeStep",
    "ResizeStep",
    "Slice",
    "Step",
    "SumStep",
    "UploadStep",
    "VectorKind",
    "VectorStep",
    "ViewStep",
]

Kind = Literal["kpu", "bytes", "floats"]
VectorKind = Literal["softmax", "logistic", "l2"]


@dataclass(frozen=True, kw_only=True)
class Buffer:
    """A place for one value. `shape` is that of the value; a map of one pixel is held as 4x4 in KPU memory."""

    name: str
    kind: Kind
    shape: Shape
    padded: bool = False  # bytes of a one-pixel map as the KPU sends them: 4x4 per channel

    @property
    def bytes(self) -> int:
        """Size in main memory."""
        return elements(self.shape) * (16 if self.padded else 1) * (4 if self.kind == "floats" else 1)


@dataclass(frozen=True, kw_only=True)
class Slice:
    """`size` elements of a buffer from `first` on."""

    buffer: str
    first: int = 0
    size: int


@dataclass(frozen=True, kw_only=True)
class Step:
    """One layer of the kmodel; `node` is the graph's node that it belongs to, `reason` why the CPU does it."""

    node: Node
    reason: str = ""

    def reads(self) -> tuple[str, ...]:
        """Names of the buffers that it reads."""
        raise AssertionError(type(self).__name__)

    def writes(self) -> tuple[str, ...]:
        """Names of the buffers that it writes."""
        raise AssertionError(type(self).__name__)


@dataclass(frozen=True, kw_only=True)
class ConvStep(Step):
    """A KPU layer; `main` is the buffer of bytes that the result goes to as well."""

    op: KpuConv
    inputs: tuple[str, ...]
    output: str
    main: str | None = None
    first: int = 0  # channel of the node's result that is the first of this layer's
    extra: bool = False  # a copy that no node asked for
    tiled: bool = False  # it makes some rows of the node's result; the layers of the other rows have the same integers

    def reads(self) -> tuple[str, ...]:
        return self.inputs

    def writes(self) -> tuple[str, ...]:
        return (self.output, self.main) if self.main else (self.output,)


@dataclass(frozen=True, kw_only=True)
class ViewStep(Step):
    """Part of a map in KPU memory under a name of its own; no layer of the kmodel.

    The part begins at channel `first`, the first of a line, and row `top`, and is as large as `target`. It has channels
    of several lines only if it has all rows, and its rows take as many lines as those of the map. Rows that the map
    does not have are whatever lies behind it.
    """

    source: str
    target: str
    first: int = 0
    top: int = 0

    def reads(self) -> tuple[str, ...]:
        return (self.source,)

    def writes(self) -> tuple[str, ...]:
        return (self.target,)


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A map in KPU memory that is part of another: where in that it begins, see `ViewStep`."""

    buffer: str
    first: int = 0
    top: int = 0


@dataclass(frozen=True, kw_only=True)
class JoinStep(Step):
    """A map in KPU memory that several layers make, each a piece; no layer. Later pieces lie over earlier ones."""

    pieces: tuple[Piece, ...]
    target: str

    def reads(self) -> tuple[str, ...]:
        return tuple(piece.buffer for piece in self.pieces)

    def writes(self) -> tuple[str, ...]:
        return (self.target,)


@dataclass(frozen=True, kw_only=True)
class _OneToOne(Step):
    source: str
    target: Slice

    def reads(self) -> tuple[str, ...]:
        return (self.source,)

    def writes(self) -> tuple[str, ...]:
        return (self.target.buffer,)


@dataclass(frozen=True, kw_only=True)
class UploadStep(_OneToOne):
    """Bytes to KPU memory."""


@dataclass(frozen=True, kw_only=True)
class AddPaddingStep(_OneToOne):
    """Bytes to maps of one pixel."""


@dataclass(frozen=True, kw_only=True)
class RemovePaddingStep(_OneToOne):
    """Maps of one pixel to bytes."""


@dataclass(frozen=True, kw_only=True)
class LastByteStep(_OneToOne):
    """The last byte of the source to the target, over what is there: MaixPy may not have written it."""


@dataclass(frozen=True, kw_only=True)
class QuantizeStep(_OneToOne):
    """Floats to bytes; `part`: "coarse" and "fine" are the two bytes of a ReLU of floats, see lowering/float_steps."""

    part: Literal["whole", "coarse", "fine"] = "whole"


@dataclass(frozen=True, kw_only=True)
class DequantizeStep(_OneToOne):
    """Bytes to floats: as many as the target takes, whole channels, from element `first` of the source on."""

    first: int = 0


@dataclass(frozen=True, kw_only=True)
class RequantizeStep(_OneToOne):
    """A constant byte (the zero of the source) in every place of the target."""


@dataclass(frozen=True, kw_only=True)
class FlattenStep(_OneToOne):
    """Floats from channel-height-width to height-width-channel."""


@dataclass(frozen=True, kw_only=True)
class ResizeStep(_OneToOne):
    """Nearest neighbour, on bytes or floats."""

    height: int
    width: int


@dataclass(frozen=True, kw_only=True)
class MaxPoolStep(_OneToOne):
    """The largest of each window, on bytes; what is padded below and right is implied by the sizes."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    before: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class AveragePoolStep(_OneToOne):
    """The mean of each window, on floats; `kernel` None is the whole map."""

    kernel: tuple[int, int] | None
    stride: tuple[int, int] = (1, 1)
    before: tuple[int, int] = (0, 0)


@dataclass(frozen=True, kw_only=True)
class DenseStep(_OneToOne):
    """A matrix times a vector, on floats."""

    op: Dense


@dataclass(frozen=True, kw_only=True)
class VectorStep(_OneToOne):
    """A function of `size` floats from `first` on."""

    what: VectorKind
    first: int
    size: int


@dataclass(frozen=True, kw_only=True)
class SumStep(Step):
    """Two vectors of floats added."""

    sources: tuple[str, str]
    target: Slice

    def reads(self) -> tuple[str, ...]:
        return self.sources

    def writes(self) -> tuple[str, ...]:
        return (self.target.buffer,)


@dataclass(frozen=True, kw_only=True, eq=False)
class ConcatStep(Step):
    """Pieces of buffers, one behind the other: rows of (source, first element, elements)."""

    sources: tuple[str, ...]
    pieces: NDArray[np.int64]
    target: Slice

    def reads(self) -> tuple[str, ...]:
        return self.sources

    def writes(self) -> tuple[str, ...]:
        return (self.target.buffer,)


@dataclass(frozen=True, kw_only=True)
class Program:
    """Steps in order, all buffers, the KPU buffers that must lie side by side, and the outputs' buffers in order."""

    name: str
    input: str
    steps: tuple[Step, ...]
    buffers: dict[str, Buffer]
    runs: tuple[tuple[str, ...], ...]
    outputs: tuple[str, ...]

    def convs(self) -> Iterator[ConvStep]:
        """The KPU layers, in order."""
        return (step for step in self.steps if isinstance(step, ConvStep))
