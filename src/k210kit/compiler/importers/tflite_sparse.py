"""Sparse constants of TensorFlow Lite files, as dense arrays.

Source: the comments of `SparsityParameters` in TensorFlow Lite's schema. A tensor of n axes is walked in
`traversal_order`; axes from n on are blocks, and `block_map` says of which axis. An axis is dense, or its indices are
listed per parent (CSR).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler.graph import elements
from k210kit.errors import FormatError

__all__ = ["densified"]

Places = NDArray[np.int64]


def densified(raw: bytes, dtype: np.dtype[Any], shape: tuple[int, ...], sparsity: Any, name: str) -> NDArray[Any]:
    """The whole array; a `FormatError` if indices and values do not fit. sparsity: flatbuffers' untyped table."""
    order = [int(k) for k in sparsity.TraversalOrderAsNumpy()]
    blocks = [int(k) for k in sparsity.BlockMapAsNumpy()] if sparsity.BlockMapLength() else []
    rank = len(shape)
    if sorted(order) != list(range(rank + len(blocks))) or sparsity.DimMetadataLength() != len(order):
        raise FormatError(
            f"'{name}' is sparse in the order {order}", expected=f"its {rank} axes and {len(blocks)} blocks"
        )
    values = np.frombuffer(raw, dtype)
    places, sizes = _walked(sparsity, order, len(values), elements(shape), name)
    at = []
    for axis in range(rank):
        place = places[order.index(axis)]
        for k, blocked in enumerate(blocks):
            if blocked == axis:
                inner = order.index(rank + k)
                place = place * sizes[inner] + places[inner]
        if place.size and not 0 <= int(place.min()) <= int(place.max()) < shape[axis]:
            raise FormatError(
                f"'{name}' is sparse with a place outside of axis {axis}", expected=f"below {shape[axis]}"
            )
        at.append(place)
    dense = np.zeros(elements(shape), dtype).reshape(shape)
    dense[tuple(at)] = values
    return dense


def _walked(sparsity: Any, order: list[int], count: int, most: int, name: str) -> tuple[list[Places], list[int]]:
    """The place along each level of every value, and the sizes of the dense levels."""
    places: list[Places] = []
    sizes: list[int] = []
    for level in range(len(order)):
        axis = sparsity.DimMetadata(level)
        parents = len(places[0]) if places else 1
        if axis.Format() == 0:
            size = int(axis.DenseSize())
            if size < 1 or parents * size > most:
                raise FormatError(f"'{name}' is sparse with an axis of {size}", expected=f"{most} elements in all")
            owner, own = np.repeat(np.arange(parents), size), np.tile(np.arange(size), parents)
        else:
            size = 0
            segments, indices = _indices(axis.ArraySegmentsType(), axis.ArraySegments()), _indices(
                axis.ArrayIndicesType(), axis.ArrayIndices()
            )  # fmt: skip
            lengths = np.diff(segments)
            if len(lengths) != parents or (lengths < 0).any() or len(indices) != lengths.sum() or len(indices) > count:
                raise FormatError(f"'{name}' is sparse with {len(indices)} indices", expected=f"{count} at most")
            owner, own = np.repeat(np.arange(parents), lengths), indices
        places = [place[owner] for place in places]
        places.append(own.astype(np.int64))
        sizes.append(size)
    if not places or len(places[0]) != count:
        raise FormatError(f"'{name}' is sparse with {count} values", expected=str(len(places[0]) if places else 1))
    return places, sizes


def _indices(kind: int, table: Any) -> Places:
    from tflite.Int32Vector import Int32Vector
    from tflite.Uint8Vector import Uint8Vector
    from tflite.Uint16Vector import Uint16Vector

    vectors = {1: Int32Vector, 2: Uint16Vector, 3: Uint8Vector}
    if kind not in vectors or table is None:
        raise FormatError(f"sparse indices of type number {kind}", expected=f"one of {list(vectors)}")
    vector = vectors[kind]()
    vector.Init(table.Bytes, table.Pos)
    found = vector.ValuesAsNumpy()
    return np.asarray(found if isinstance(found, np.ndarray) else [], np.int64)
