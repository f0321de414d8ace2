"""What the importers have in common: the graph as it grows, and how a source shape becomes one of ours.

A source tensor of rank 4 is a picture and becomes (channels, height, width); every other one becomes flat in the
source's own element order. `natural` gives, for a value of ours, the positions of its elements in source order.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler.graph import Node, Output, Shape, elements
from k210kit.compiler.ops import Affine, Gather, Op, Padding, Resize
from k210kit.errors import FormatError, InputError

__all__ = ["Builder", "Order", "found_outputs", "same_padding"]

Order = Literal["NHWC", "NCHW"]
Indices = NDArray[np.int64]
_MOST_ELEMENTS = 1 << 25  # a hundred times what fits on the chip


class Builder:
    """Collects nodes; knows the source shape (batch included, set to 1) of each value."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.nodes: list[Node] = []
        self.source_shapes: dict[str, tuple[int, ...]] = {}
        self._names: set[str] = set()

    def shape(self, source: Sequence[int]) -> Shape:
        """Our shape of a source shape."""
        if len(source) != 4:
            return (elements(tuple(source)),)
        if self.order == "NHWC":
            return (source[3] * source[0], source[1], source[2])
        return (source[1] * source[0], source[2], source[3])

    def natural(self, source: Sequence[int]) -> Indices:
        """Positions in our value, in an array of the source's shape; a `FormatError` if that is absurdly large."""
        count = elements(tuple(source))
        if not 0 <= count <= _MOST_ELEMENTS:
            raise FormatError(f"a value of the shape {list(source)}", expected=f"at most {_MOST_ELEMENTS:,} elements")
        if len(source) == 4 and self.order == "NHWC":
            batch, height, width, channels = source
            inside = np.arange(height * width * channels, dtype=np.int64).reshape(channels, height, width)
            if batch != 1:
                raise FormatError(f"a batch of {batch} pictures", expected="1")
            return inside.transpose(1, 2, 0)[None]
        return np.arange(count, dtype=np.int64).reshape(tuple(source))

    def ours(self, source: Indices) -> Indices:
        """An array of the source's shape, flattened in the order of our value."""
        if source.ndim == 4 and self.order == "NHWC":
            return source.transpose(0, 3, 1, 2).reshape(-1)
        return source.reshape(-1)

    def channel_axis(self, rank: int) -> int:
        return 3 if rank == 4 and self.order == "NHWC" else 1 if rank == 4 else rank - 1

    def fresh(self, wish: str) -> str:
        """A name that no value has yet."""
        name, count = wish, 1
        while name in self._names or name in self.source_shapes:
            count += 1
            name = f"{wish}~{count}"
        self._names.add(name)
        return name

    def add(self, op: Op, inputs: Sequence[str], output: str, *, origin: str, kind: str) -> str:
        self.nodes.append(Node(op=op, inputs=tuple(inputs), output=output, origin=origin, kind=kind))
        return output

    def gather(self, index: Indices, inputs: Sequence[str], output: str, *, origin: str, kind: str) -> str:
        """Add a rearrangement given as an array of the result's source shape."""
        op = Gather(index=np.ascontiguousarray(self.ours(index)), shape=self.shape(index.shape))
        return self.add(op, inputs, output, origin=origin, kind=kind)

    def spread(self, value: str, shape: Sequence[int], out: Sequence[int], wish: str, *, origin: str, kind: str) -> str:
        """A value repeated to a larger shape that it broadcasts to."""
        name = self.fresh(wish)
        self.natural(out)  # refuses what is absurdly large
        if len(shape) == 4 and len(out) == 4 and self.shape(shape)[1:] == (1, 1) and shape[self.channel_axis(4)] != 1:
            _, height, width = self.shape(out)
            self.add(Resize(height=height, width=width), (value,), name, origin=origin, kind=kind)
        else:
            index = self.natural(shape).reshape((1,) * (len(out) - len(shape)) + tuple(shape))
            self.gather(np.broadcast_to(index, tuple(out)).copy(), (value,), name, origin=origin, kind=kind)
        self.source_shapes[name] = tuple(out)
        return name

    def per_channel(self, constant: NDArray[np.float32], source: Sequence[int]) -> NDArray[np.float32] | None:
        """A constant as one number per channel (rank 4) or per element; None if it does not broadcast so."""
        rank = len(source)
        if constant.ndim > rank:
            if elements(constant.shape[: constant.ndim - rank]) != 1:
                return None
            constant = constant.reshape(constant.shape[constant.ndim - rank :])
        padded = constant.reshape((1,) * (rank - constant.ndim) + constant.shape)
        if any(have not in (1, want) for have, want in zip(padded.shape, source, strict=True)):
            return None
        if rank != 4:
            return np.broadcast_to(padded, tuple(source)).reshape(-1).astype(np.float32)
        axis = self.channel_axis(rank)
        if any(size != 1 for k, size in enumerate(padded.shape) if k != axis):
            return None
        return np.broadcast_to(padded.reshape(-1), (source[axis],)).astype(np.float32)

    def affine(
        self, scale: NDArray[np.float32] | float, shift: NDArray[np.float32] | float, source: Sequence[int]
    ) -> Affine:
        count = self.shape(source)[0]
        full = [np.broadcast_to(np.asarray(v, np.float32), (count,)).copy() for v in (scale, shift)]
        return Affine(scale=full[0], shift=full[1])


def found_outputs(wanted: Sequence[str], known: Mapping[str, str]) -> tuple[Output, ...]:
    """The values that the user names; known: values by every name that they have."""
    outputs = []
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, 3, 0.5) or list(known)[-3:]
            raise InputError(f"--outputs: no value or layer is called '{name}'. Like it are {', '.join(near)}.")
        outputs.append(Output(value=known[name], name=name))
    return tuple(outputs)


def same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """TensorFlow's SAME: (before, after), the odd one after."""
    reach = (kernel - 1) * dilation + 1
    total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2


def padding_of(
    size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int]
) -> Padding:
    """TensorFlow's SAME on both axes."""
    top, bottom = same_padding(size[0], kernel[0], stride[0], dilation[0])
    left, right = same_padding(size[1], kernel[1], stride[1], dilation[1])
    return Padding(top=top, left=left, bottom=bottom, right=right)
