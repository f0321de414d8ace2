"""What the passes lower the float graph to: operations that are one layer, or a fixed few, of a kmodel.

KpuConv        one layer of the KPU
ops.Gather, Resize, MaxPool between KPU layers      bytes in main memory, by the CPU
ops.GlobalAveragePool, Dense, Softmax, Gather, ...  floats in main memory, by the CPU
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from k210kit.compiler.curves import IDENTITY
from k210kit.compiler.graph import Shape
from k210kit.compiler.ops import Curve, Floats, SelfShaped
from k210kit.errors import FormatError
from k210kit.kmodel import POOLS

__all__ = ["PICK_LEFT_TOP", "POOL_MAX_2X2", "POOL_MAX_STRIDE_1", "POOL_NONE", "Border", "KpuConv"]

# Of the ten pools of the KPU those that boards are known to have; see docs/reference/kpu-arithmetic.md.
POOL_NONE, POOL_MAX_2X2, PICK_LEFT_TOP, POOL_MAX_STRIDE_1 = 0, 1, 5, 9

Border = Literal["zero", "lowest", "unseen"]
"""What a 3x3 kernel sees outside of the picture: 0; the lowest value that there is; it makes no difference."""


@dataclass(frozen=True, kw_only=True, eq=False)
class KpuConv(SelfShaped):
    """Inputs side by side, a stride-1 'same' convolution with zero padding, an elementwise curve, a pool.

    weights: [out, in, k, k] or, depthwise, [channel, k, k], k 1 or 3; bias: [out]; `slopes`, if not None, are those
    of a PReLU in place of the curve; `pool_type` is a row of `kmodel.POOLS`. `first`: which pixel of each 2x2 square
    PICK_LEFT_TOP keeps; the KPU has (0, 0) alone, and `passes/pick_by_shift.py` makes the others of it. A `border` that
    is not "zero" is for layers that copy.
    """

    inputs = None
    weights: Floats
    bias: Floats
    depthwise: bool = False
    curve: Curve = IDENTITY
    slopes: Floats | None = None
    pool_type: int = POOL_NONE
    first: tuple[int, int] = (0, 0)  # row, column
    border: Border = "zero"

    @property
    def kernel(self) -> int:
        return int(self.weights.shape[-1])

    @property
    def out_channels(self) -> int:
        return int(self.weights.shape[0])

    @property
    def in_channels(self) -> int:
        return int(self.weights.shape[0] if self.depthwise else self.weights.shape[1])

    def shape_after(self, node: object, inputs: list[Shape]) -> Shape:
        """The shape of the result; a `FormatError` if the inputs do not fit."""
        channels = sum(shape[0] for shape in inputs)
        if channels != self.in_channels or len({shape[1:] for shape in inputs}) != 1:
            raise FormatError(
                f"{node} does not fit its inputs", found=str(inputs), expected=f"{self.in_channels} channels"
            )
        stride = POOLS[self.pool_type].stride
        return (self.out_channels, inputs[0][1] // stride, inputs[0][2] // stride)
