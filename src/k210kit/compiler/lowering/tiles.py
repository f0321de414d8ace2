"""A chain of layers made some rows at a time, where the maps between do not fit into KPU memory.

Each tile is cut out of the map before the chain, with as many rows more as its kernels see beyond it; the layers run on
it, and the rows of the result that no edge of the tile has touched are copied to their place. All of it is done by the
KPU, see `crops.py`; what neighbouring tiles share is computed twice. No byte is another than without tiles.

    rows of the chain's result    the first half                        the second half
    rows of the tile              those, and what kernels see beyond    what kernels see before, and those
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from k210kit.compiler.graph import Node, Shape
from k210kit.compiler.lowering.crops import line_by_line
from k210kit.compiler.lowering.kpu_steps import layers_of
from k210kit.compiler.lowering.values import Values
from k210kit.compiler.program import JoinStep, Piece
from k210kit.compiler.stages import PICK_LEFT_TOP, POOL_MAX_2X2, POOL_MAX_STRIDE_1, KpuConv
from k210kit.kmodel import POOLS

__all__ = ["Tiling", "in_tiles", "rows_needed"]

_WINDOW = {POOL_MAX_2X2: 2, POOL_MAX_STRIDE_1: 2, PICK_LEFT_TOP: 1}  # rows that a pool looks at


@dataclass(frozen=True, kw_only=True)
class Tiling:
    """A chain, by the names of what its layers make, and how many tiles; only its last value is read elsewhere."""

    chain: tuple[str, ...]
    count: int


def in_tiles(values: Values, tiling: Tiling) -> None:
    """Add the steps of a whole chain."""
    graph = values.graph
    chain = [graph.makers[name] for name in tiling.chain]
    source, out = chain[0].inputs[0], graph.shapes[chain[-1].output]
    pieces: list[Piece] = []
    edges = [out[1] * k // tiling.count for k in range(tiling.count + 1)]
    for first, last in itertools.pairwise(edges):
        top, bottom = rows_needed(chain, (first, last), graph.shapes[source][1])
        made, row = _tile(values, chain, (top, bottom))
        channel = 0
        for part in made:
            for copy in line_by_line(values, chain[-1], part, first - row, (out[0], last - first, out[2])):
                pieces.append(Piece(buffer=copy, first=channel, top=first))
                channel += values.buffers[copy].shape[0]
    target = values.buffer(chain[-1].output, "kpu", out)
    values.add(JoinStep(node=chain[-1], pieces=tuple(pieces), target=target))
    values.parts[chain[-1].output] = (target,)


def rows_needed(chain: list[Node], rows: tuple[int, int], height: int) -> tuple[int, int]:
    """First row, and the one behind the last, of the map before a chain that some rows of its result need.

    The first is a multiple of all strides together, so that every layer keeps the rows that it would keep of the whole.
    """
    first, last, stride = *rows, 1
    for node in reversed(chain):
        op = _layer(node)
        step, border = POOLS[op.pool_type].stride, op.kernel // 2
        first = first * step - border
        last = (last - 1) * step + _WINDOW.get(op.pool_type, 1) + border
        stride *= step
    return max(0, first) // stride * stride, min(height, -(-last // stride) * stride)


def _tile(values: Values, chain: list[Node], rows: tuple[int, int]) -> tuple[tuple[str, ...], int]:
    """The result of a chain on some rows of what is before it, and which row of the whole is its first."""
    source = chain[0].inputs[0]
    channels, _, width = values.graph.shapes[source]
    shape: Shape = (channels, rows[1] - rows[0], width)
    pieces: list[Piece] = []
    channel = 0
    for part in values.parts_to_cut(source):
        for copy in line_by_line(values, chain[0], part, rows[0], shape):
            pieces.append(Piece(buffer=copy, first=channel))
            channel += values.buffers[copy].shape[0]
    tile = values.buffer(f"{source}/kpu", "kpu", shape)
    values.add(JoinStep(node=chain[0], pieces=tuple(pieces), target=tile))
    made: tuple[str, ...] = (tile,)
    row = rows[0]
    for node in chain:
        op, stride = _layer(node), POOLS[_layer(node).pool_type].stride
        shape = (op.out_channels, shape[1] // stride, shape[2] // stride)
        made = layers_of(values, node, op, list(made), shape, tiled=True)
        row //= stride
    return made, row


def _layer(node: Node) -> KpuConv:
    assert isinstance(node.op, KpuConv)
    return node.op
