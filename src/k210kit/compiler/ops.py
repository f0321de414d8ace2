"""What a node of the graph computes: one frozen dataclass per operation.

Batch is gone and layout is settled: a picture-like value has the shape (channels, height, width), every other
value is flat, (elements,), in the order of the source model. Weights are float32.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Add",
    "Affine",
    "AveragePool",
    "Bilinear",
    "Concat",
    "Conv",
    "ConvTranspose",
    "Curve",
    "Dense",
    "Foreign",
    "Gather",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "L2Normalize",
    "Masked",
    "MaxPool",
    "Measured",
    "Mul",
    "Op",
    "PRelu",
    "Pad",
    "Padding",
    "Resize",
    "Seen",
    "SelfShaped",
    "Softmax",
    "Sub",
]

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Padding:
    """Rows and columns added on each side."""

    top: int = 0
    left: int = 0
    bottom: int = 0
    right: int = 0

    def __bool__(self) -> bool:
        return bool(self.top or self.left or self.bottom or self.right)

    def __str__(self) -> str:
        return f"top {self.top}, left {self.left}, bottom {self.bottom}, right {self.right}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Op:
    """The root of all operations; `inputs` is how many values it takes, None for any number."""

    inputs: ClassVar[int | None] = 1


class SelfShaped(Op):
    """An operation of a later stage, which tells its result's shape itself."""

    def shape_after(self, node: object, inputs: list[tuple[int, ...]]) -> tuple[int, ...]:
        """The shape of the result; a `FormatError` names `node` if the inputs do not fit."""
        raise AssertionError(f"{type(self).__name__} tells no shape")


@dataclass(frozen=True, kw_only=True, eq=False)
class Conv(Op):
    """Cross-correlation with zero padding.

    weights: [out, in / groups, kernel height, kernel width]; bias: [out]; depthwise is groups == in.
    """

    weights: Floats
    bias: Floats
    stride: tuple[int, int] = (1, 1)  # down, across
    padding: Padding = field(default_factory=Padding)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class ConvTranspose(Op):
    """The transpose of a strided convolution. weights: [in, out / groups, kernel height, kernel width]; bias: [out]."""

    weights: Floats
    bias: Floats
    stride: tuple[int, int] = (1, 1)
    padding: Padding = field(default_factory=Padding)  # what is cut off the full result
    groups: int = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Dense(Op):
    """Fully connected on a flat value. weights: [out, in]; bias: [out]."""

    weights: Floats
    bias: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Affine(Op):
    """x * scale + shift, per channel of a picture-like value or per element of a flat one."""

    scale: Floats
    shift: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve(Op):
    """An elementwise function: `kind` is a row of the table in `curves.py`, `alpha` and `beta` are its parameters.

    Of the kind "formula", `formula` is the function, nested: ("x",), ("curve", Curve, inner),
    ("affine", scale, shift, inner), or ("add" | "sub" | "mul", left, right).
    """

    kind: str
    alpha: float = 0.0
    beta: float = 0.0
    formula: tuple[Any, ...] = ()  # Any: nested


@dataclass(frozen=True, kw_only=True, eq=False)
class PRelu(Op):
    """x where x > 0, x * slopes[channel] elsewhere."""

    slopes: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Add(Op):
    """The sum of two values of one shape."""

    inputs = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Sub(Op):
    """The first value minus the second."""

    inputs = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """What the calibration pictures show of a value, per channel."""

    low: Floats
    high: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured(Op):
    """An operation that is lowered by what its inputs reach; `seen` is empty until that is measured."""

    seen: tuple[Seen, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Mul(Measured):
    """The elementwise product; the second value may be (channels, 1, 1) or (1, height, width)."""

    inputs = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Masked(Measured):
    """The pixels of the kept rows and columns, 0 elsewhere. rows: [height], columns: [width], of truth values."""

    rows: NDArray[np.bool_]
    columns: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Concat(Op):
    """Picture-like values side by side along the channels."""

    inputs = None


@dataclass(frozen=True, kw_only=True, eq=False)
class MaxPool(Op):
    """The largest value of each window; what lies outside the picture is ignored."""

    kernel: tuple[int, int]  # height, width
    stride: tuple[int, int]
    padding: Padding = field(default_factory=Padding)


@dataclass(frozen=True, kw_only=True, eq=False)
class AveragePool(Op):
    """The mean of each window; `counts_padding` says whether padded zeros count as elements."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: Padding = field(default_factory=Padding)
    counts_padding: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class GlobalAveragePool(Op):
    """(c, h, w) to (c, 1, 1), the mean."""


@dataclass(frozen=True, kw_only=True, eq=False)
class GlobalMaxPool(Op):
    """(c, h, w) to (c, 1, 1), the largest."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Resize(Op):
    """Nearest neighbour, index = floor(o * in / out)."""

    height: int
    width: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Bilinear(Op):
    """Twice the height and width by interpolation; `half_pixel`: pixels are their middles, else their upper left."""

    half_pixel: bool = True


@dataclass(frozen=True, kw_only=True, eq=False)
class Pad(Op):
    """A constant border around a picture-like value, and `channels_after` channels of it behind."""

    padding: Padding
    value: float = 0.0
    channels_after: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Gather(Op):
    """Any rearrangement: reshape, transpose, slice, split, flatten, concatenation along other axes.

    index: positions in the inputs, each flattened (channel, height, width) and put one behind the other;
    `shape` is that of the result.
    """

    inputs = None
    index: Indices
    shape: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Softmax(Op):
    """Softmax over runs of `length` elements of a flat value."""

    length: int


@dataclass(frozen=True, kw_only=True, eq=False)
class L2Normalize(Op):
    """x / sqrt(max(sum x^2, 1e-10)) over the whole flat value."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Foreign(Op):
    """An operation of the source model that nothing here can express; `check` reports it, `compile` refuses it."""

    inputs = None
    shape: tuple[int, ...]
    why: str
    instead: str
