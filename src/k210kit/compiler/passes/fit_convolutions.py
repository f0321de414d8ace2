"""Convolutions become what the KPU has: 1x1 or 3x3, stride 1 on a map of the same size, then a pick of pixels.

A convolution reads, for output row i, the input rows stride * i + offset. What the KPU can do:

    offsets -1 to 1, stride 1                         itself
    offsets -1 to 1, stride 2                         itself, picking the left top
    offsets 0 to 2, stride 2, even size               itself one pixel later, picking the lower, the right, or both
    farther offsets; and 0 to 2 of few channels       over copies moved by some pixels, with stride 2 of half the size;
                                                      see `moved_copies.py`
    stride 4, even sizes                              all pixels dealt out to channels, then stride 2
    any other stride                                  itself at every pixel, of which the CPU picks some
    a result smaller or larger than the KPU's         pixels cut off behind, or zeros added before, by the CPU

Groups become blocks of a dense layer. `support.py` has said no to everything else before this runs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler.graph import Graph, Node, Shape, window_count
from k210kit.compiler.ops import AveragePool, Conv, Gather, Pad, Padding
from k210kit.compiler.passes.moved_copies import DEAL_AT_ONCE, MOST_MOVES, over_all, over_each, taps_over_copies
from k210kit.compiler.refusals import LayerRefused
from k210kit.compiler.stages import PICK_LEFT_TOP, POOL_NONE, KpuConv
from k210kit.hardware import MOST_CHANNELS

__all__ = ["fit_convolutions", "is_large", "large_part"]

Floats = NDArray[np.float32]
Taps = dict[int, int]  # offset -> index into the kernel
DENSE_PART, MOST_DENSE = 16, 64  # channels: of at most so many, a large depthwise layer becomes dense ones of 16


def fit_convolutions(graph: Graph) -> Graph:
    """Fit every Conv, and every AveragePool that is a small depthwise convolution."""
    nodes: list[Node] = []
    for node in graph.nodes:
        if isinstance(node.op, AveragePool):
            node = _average_as_conv(node, node.op, graph.shapes[node.inputs[0]])
        if isinstance(node.op, Conv):
            nodes.extend(_fitted(node, node.op, graph.shapes[node.inputs[0]], graph.shapes[node.output]))
        else:
            nodes.append(node)
    return graph.with_nodes(nodes)


def _average_as_conv(node: Node, op: AveragePool, shape: Shape) -> Node:
    small = max(op.kernel) <= 3 and op.stride in ((1, 1), (2, 2)) and op.kernel != shape[1:]
    if not small or (op.padding and not op.counts_padding):
        return node
    count = op.kernel[0] * op.kernel[1]
    weights = np.full((shape[0], 1, *op.kernel), 1 / count, np.float32)
    conv = Conv(
        weights=weights, bias=np.zeros(shape[0], np.float32), stride=op.stride, padding=op.padding, groups=shape[0]
    )
    return replace(node, op=conv)


@dataclass(frozen=True)
class _Axis:
    """One axis of a convolution: sizes, stride and which offset reads which row (or column) of the kernel."""

    size: int
    out: int
    stride: int
    taps: Taps

    @property
    def lowest(self) -> int:
        return min(self.taps)

    @property
    def highest(self) -> int:
        return max(self.taps)


def _axes(op: Conv, shape: Shape, out: Shape) -> tuple[_Axis, _Axis]:
    first = (op.padding.top, op.padding.left)
    made = []
    for k in (0, 1):
        taps = {tap * op.dilation[k] - first[k]: tap for tap in range(op.weights.shape[2 + k])}
        made.append(_Axis(shape[1 + k], out[1 + k], op.stride[k], taps))
    return made[0], made[1]


def _picked(node: Node, op: Conv, shape: Shape, out: Shape) -> list[Node]:
    """Any other stride: every pixel on the KPU, of which the CPU takes those that are wanted."""
    pad = op.padding
    reach = [(size - 1) * step for size, step in zip(op.weights.shape[2:], op.dilation, strict=True)]
    rows = shape[1] + pad.top + pad.bottom - reach[0]
    columns = shape[2] + pad.left + pad.right - reach[1]
    every = (op.weights.shape[0], rows, columns)
    name = f"{node.output}/stride 1"
    positions = np.arange(every[0] * rows * columns, dtype=np.int64).reshape(every)
    kept = positions[:, :: op.stride[0], :: op.stride[1]][:, : out[1], : out[2]]
    pick = Gather(index=kept.reshape(-1), shape=out)
    made = _fitted(replace(node, output=name), replace(op, stride=(1, 1)), shape, every)
    return [*made, replace(node, op=pick, inputs=(name,))]


def _halved(node: Node, op: Conv, shape: Shape, out: Shape) -> list[Node]:
    """Stride 4 on even sides: all pixels dealt out to channels of half the size, then stride 2; else nothing."""
    channels, *sides = shape
    if op.stride != (4, 4) or sides[0] % 2 or sides[1] % 2 or 4 * channels > MOST_CHANNELS:
        return []
    op = _ungrouped(op) if op.groups > 1 else op
    offsets = [[tap * op.dilation[k] - (op.padding.top, op.padding.left)[k] for tap in range(op.weights.shape[2 + k])]
               for k in (0, 1)]  # fmt: skip
    before = [-(offsets[k][0] // 2) for k in (0, 1)]
    kernel = [offsets[k][-1] // 2 + before[k] + 1 for k in (0, 1)]
    behind = [max(0, 2 * out[1 + k] - 2 + kernel[k] - before[k] - sides[k] // 2) for k in (0, 1)]
    padding = Padding(top=before[0], left=before[1], bottom=behind[0], right=behind[1])
    weights = np.zeros((len(op.weights), 2, 2, channels, *kernel), np.float32)
    for row, down in enumerate(offsets[0]):
        for column, across in enumerate(offsets[1]):
            place = (slice(None), down % 2, across % 2, slice(None), down // 2 + before[0], across // 2 + before[1])
            weights[place] = op.weights[:, :, row, column]
    small = (4 * channels, sides[0] // 2, sides[1] // 2)
    made = Conv(weights=weights.reshape(len(weights), -1, *kernel), bias=op.bias, stride=(2, 2), padding=padding)
    counts = [window_count(small[1 + k], kernel[k], 2, before[k], behind[k]) for k in (0, 1)]
    if min(before) < 0 or counts != list(out[1:]):
        return []
    deal = np.eye(4 * channels, dtype=np.float32).reshape(4 * channels, 2, 2, channels).transpose(0, 3, 1, 2)
    dealt = replace(node, output=f"{node.output}/quarters")
    spread = Conv(weights=np.ascontiguousarray(deal), bias=np.zeros(4 * channels, np.float32), stride=(2, 2))
    return [*_fitted(dealt, spread, shape, small), *_fitted(replace(node, inputs=(dealt.output,)), made, small, out)]


def _fitted(node: Node, op: Conv, shape: Shape, out: Shape) -> list[Node]:
    if op.stride not in ((1, 1), (2, 2)) and shape[1:] != (1, 1):
        return _halved(node, op, shape, out) or _picked(node, op, shape, out)
    depthwise = op.groups > 1 and op.groups == shape[0] == op.weights.shape[0]
    if depthwise and is_large(op) and shape[0] <= DENSE_PART:
        depthwise = False
    if op.groups > 1 and not depthwise:
        op = _ungrouped(op)
    rows, columns = _axes(op, shape, out)
    if shape[1:] == (1, 1):  # one pixel: whatever the kernel, only its centre sees anything
        kernel = op.weights[:, :, rows.taps[0], columns.taps[0]]
        weights = kernel[:, 0, None, None] if depthwise else kernel[:, :, None, None]
        return [replace(node, op=KpuConv(weights=np.ascontiguousarray(weights), bias=op.bias, depthwise=depthwise))]
    dealt = _direct(op, rows, columns, depthwise) is None
    before, node, (rows, columns) = _grown(node, (rows, columns), dealt)
    sizes = (shape[0], rows.size, columns.size)
    direct = _direct(op, rows, columns, depthwise)
    if direct is not None:
        return [*before, *_cut(replace(node, op=direct), direct, rows, columns, sizes)]
    shifted = _shifted(node, op, (rows, columns), sizes, depthwise)
    if shifted is not None:
        return [*before, *shifted]
    if rows.stride == 2:
        return [*before, *_dealt(node, op, rows, columns, sizes)]
    return [*before, *_copied(node, op, rows, columns, sizes)]


def is_large(op: Conv) -> bool:
    """Whether a kernel reaches further than 3x3."""
    return any((size - 1) * step > 2 for size, step in zip(op.weights.shape[2:], op.dilation, strict=True))


def large_part(channels: int) -> int:
    """How many channels of a depthwise layer with a large kernel become one dense layer, at most."""
    return DENSE_PART if channels <= MOST_DENSE else MOST_CHANNELS


def _ungrouped(op: Conv) -> Conv:
    outs, per_group = op.weights.shape[:2]
    weights = np.zeros((outs, per_group * op.groups, *op.weights.shape[2:]), np.float32)
    for out in range(outs):
        first = out // (outs // op.groups) * per_group
        weights[out, first : first + per_group] = op.weights[out]
    return replace(op, weights=weights, groups=1)


def _grown(node: Node, axes: tuple[_Axis, _Axis], dealt: bool) -> tuple[list[Node], Node, tuple[_Axis, _Axis]]:
    """Add zeros behind (by the CPU) where the KPU would make too few pixels, or deal out too few."""
    behind = [max(0, a.out * a.stride - a.size) for a in axes]
    for k, a in enumerate(axes):
        if dealt and a.stride == 2 and a.size % 2 and a.highest > 1:
            behind[k] = max(behind[k], 1)
    if not any(behind):
        return [], node, axes
    pad = Pad(padding=Padding(bottom=behind[0], right=behind[1]))
    grown = replace(node, op=pad, output=f"{node.output}/grown")
    new = [replace(a, size=a.size + more) for a, more in zip(axes, behind, strict=True)]
    return [grown], replace(node, inputs=(grown.output,)), (new[0], new[1])


def _placed(weights: Floats, rows: dict[int, int], columns: dict[int, int]) -> Floats:
    """A 3x3 kernel from taps at offsets -1 to 1; 1x1 if only the centre is used."""
    if set(rows) == {0} and set(columns) == {0}:
        return np.ascontiguousarray(weights[:, :, rows[0], columns[0]][:, :, None, None])
    made = np.zeros((*weights.shape[:2], 3, 3), np.float32)
    for down, row in rows.items():
        for across, column in columns.items():
            made[:, :, 1 + down, 1 + across] = weights[:, :, row, column]
    return made


def _direct(op: Conv, rows: _Axis, columns: _Axis, depthwise: bool) -> KpuConv | None:
    """The convolution as one layer of the KPU, if its offsets allow that."""
    if (rows.stride, columns.stride) not in ((1, 1), (2, 2)):
        return None
    first, taps = [], []
    for a in (rows, columns):
        later = a.lowest < -1 or a.highest > 1
        if later and (a.stride == 1 or a.lowest < 0 or a.highest > 2 or a.size < 2 * a.out):
            return None
        first.append(int(later))
        taps.append({offset - int(later): tap for offset, tap in a.taps.items()})
    even = rows.size % 2 == columns.size % 2 == 0
    if any(first) and even and not depthwise and op.weights.shape[1] <= DEAL_AT_ONCE:
        return None  # dealing needs much less memory than every pixel of the result
    weights = _placed(op.weights, taps[0], taps[1])
    return KpuConv(
        weights=weights[:, 0] if depthwise else weights,
        bias=op.bias,
        depthwise=depthwise,
        pool_type=POOL_NONE if rows.stride == 1 else PICK_LEFT_TOP,
        first=(first[0], first[1]),
    )


def _cut(node: Node, op: KpuConv, rows: _Axis, columns: _Axis, sizes: Shape) -> list[Node]:
    """Cut off what the KPU makes too much, behind."""
    stride = rows.stride
    made = (op.out_channels, sizes[1] // stride, sizes[2] // stride)
    if made[1:] == (rows.out, columns.out):
        return [node]
    return _cropped(node, made, (0, 0), (rows.out, columns.out))


def _cropped(node: Node, made: Shape, first: tuple[int, int], size: tuple[int, int]) -> list[Node]:
    positions = np.arange(made[0] * made[1] * made[2], dtype=np.int64).reshape(made)
    kept = positions[:, first[0] : first[0] + size[0], first[1] : first[1] + size[1]]
    full = replace(node, output=f"{node.output}/full")
    crop = Gather(index=kept.reshape(-1), shape=(made[0], *size))
    return [full, replace(node, op=crop, inputs=(full.output,))]


def _shifted(node: Node, op: Conv, axes: tuple[_Axis, _Axis], sizes: Shape, depthwise: bool) -> list[Node] | None:
    """A layer of stride 1 without padding in front: made with padding, then cut; None if its kernel is too large."""
    taps, first = [], []
    for a in axes:
        later = a.lowest + 1 if a.lowest < -1 or a.highest > 1 else 0
        if a.stride != 1 or later < 0 or a.highest - later > 1 or a.out + later > a.size:
            return None
        taps.append({offset - later: tap for offset, tap in a.taps.items()})
        first.append(later)
    weights = _placed(op.weights, taps[0], taps[1])
    full = KpuConv(weights=weights[:, 0] if depthwise else weights, bias=op.bias, depthwise=depthwise)
    made = (op.weights.shape[0], *sizes[1:])
    return _cropped(replace(node, op=full), made, (first[0], first[1]), (axes[0].out, axes[1].out))


def _refusal(node: Node, op: Conv, sizes: Shape) -> LayerRefused:
    kernel, stride = "x".join(map(str, op.weights.shape[2:])), "x".join(map(str, op.stride))
    dilated = "" if op.dilation == (1, 1) else f", dilation {op.dilation[0]}x{op.dilation[1]}"
    kind = "is depthwise" if op.groups > 1 else "is dense"
    found = f"it {kind} with a {kernel} kernel, stride {stride}{dilated} and padding {op.padding or 'none'}"
    part = ", a part of its channels" if "/part " in node.output else ""
    return LayerRefused(node, "convolution", f"{found}, on {'x'.join(map(str, sizes))}{part}")


def _dealt(node: Node, op: Conv, rows: _Axis, columns: _Axis, sizes: Shape) -> list[Node]:
    """Stride 2: deal the pixels around every second one out to maps of half the size, and convolve those."""
    if columns.stride != 2:
        raise _refusal(node, op, sizes)
    return _over_copies(node, op, (rows, columns), sizes)


def _copied(node: Node, op: Conv, rows: _Axis, columns: _Axis, sizes: Shape) -> list[Node]:
    """Stride 1: copies moved by some pixels reach the outer taps."""
    if rows.stride != 1 or columns.stride != 1:
        raise _refusal(node, op, sizes)
    axes, first = [rows, columns], [0, 0]
    for k, a in enumerate(axes):  # a kernel that looks down more than up is centred, and its result cut in front
        if a.lowest >= 0 and a.highest > 1:
            first[k] = (a.highest + 1) // 2 if a.out + (a.highest + 1) // 2 <= a.size else 0
            axes[k] = replace(a, taps={offset - first[k]: tap for offset, tap in a.taps.items()})
    return _over_copies(node, op, (axes[0], axes[1]), sizes, (first[0], first[1]))


def _over_copies(
    node: Node, op: Conv, axes: tuple[_Axis, _Axis], sizes: Shape, first: tuple[int, int] = (0, 0)
) -> list[Node]:
    rows, columns = axes
    spread = min(op.dilation) > 1
    split = (taps_over_copies(rows.taps, rows.stride, spread), taps_over_copies(columns.taps, columns.stride, spread))
    moves = sorted({(split[0][r][0], split[1][c][0]) for r in rows.taps for c in columns.taps})
    if max(abs(by) for move in moves for by in move) > MOST_MOVES:
        raise _refusal(node, op, sizes)
    outs, stride, depthwise = op.weights.shape[0], rows.stride, op.groups > 1
    kernels = np.zeros((len(moves), *op.weights.shape[:2], 3, 3), np.float32)
    for row, (row_move, down) in split[0].items():
        for column, (column_move, across) in split[1].items():
            place = moves.index((row_move, column_move))
            kernels[place, :, :, 1 + down, 1 + across] = op.weights[:, :, rows.taps[row], columns.taps[column]]
    pool_type = POOL_NONE if stride == 1 else PICK_LEFT_TOP
    nodes = (over_each if depthwise else over_all)(node, op.bias, kernels, moves, pool_type, sizes)
    small = (outs, sizes[1] // stride, sizes[2] // stride)
    if small[1:] == (rows.out, columns.out):
        return nodes
    return [*nodes[:-1], *_cropped(nodes[-1], small, first, (rows.out, columns.out))]
