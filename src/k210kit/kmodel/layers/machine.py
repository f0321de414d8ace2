"""What a layer needs of the machine that runs it."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from k210kit.kmodel.arithmetic.runtimes import Runtime

__all__ = ["Machine", "Tensor"]

Tensor = NDArray[Any]  # uint8 or float32, whichever the layer makes


class Machine(Protocol):
    """The memories and the rules; views are writable, addresses are in bytes."""

    runtime: Runtime
    kpu: NDArray[np.uint8]  # all of KPU memory, flat
    accelerate: bool  # take numba's machine code, not NumPy; the bytes are the same
    split: bool  # share a layer among the cores

    def bytes(self, address: int, count: int) -> NDArray[np.uint8]:
        """`count` bytes of main memory."""
        ...

    def floats(self, address: int, count: int) -> NDArray[np.float32]:
        """`count` float32 of main memory."""
        ...

    def doubt(self, text: str) -> None:
        """Say in what this layer's result is not known to be that of the hardware."""
        ...
