"""Some channels of a map at a time: a layer that takes each channel with few others is made in groups of channels.

A start is shared by the channels of a group, but the KPU makes each of them of all, so there is a size that is fastest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from k210kit.compiler.graph import Node, Shape
from k210kit.compiler.ops import Gather

__all__ = ["channel_view", "fastest_groups"]

_LEAST = 8


def channel_view(node: Node, source: str, part: slice, shape: Shape) -> Node:
    """Some channels of a value of a shape, read where they lie; `node` is whom it is for."""
    each = shape[1] * shape[2]
    index = np.arange(part.start * each, part.stop * each, dtype=np.int64)
    op = Gather(index=index, shape=(part.stop - part.start, *shape[1:]))
    return replace(node, op=op, inputs=(source,), output=f"{source}/from {part.start} for {node.output}")


def fastest_groups(channels: int, most: int, cycles: Callable[[int], int]) -> int:
    """How many channels to take at a time, in fours; `cycles` tells what a group of so many takes."""
    sizes = range(min(channels, _LEAST), min(channels, most) + 1, 4)
    return min(sizes, key=lambda size: -(-channels // size) * cycles(size))
