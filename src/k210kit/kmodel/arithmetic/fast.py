"""A planned layer on NumPy: float matrix products, then batch norm, activation and pooling in float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from k210kit.kmodel.arithmetic.kpu import picked, pool
from k210kit.kmodel.arithmetic.plan import Plan
from k210kit.kmodel.registers import POOLS

__all__ = ["patches", "run"]

Bytes = NDArray[np.uint8]
Sums = NDArray[np.floating]

_BLOCK = 1 << 15  # elements that go through all steps before the next do, so that they stay in the cache


def run(plan: Plan, x: Bytes) -> Bytes:
    """Pixels [c, h, w] to pixels [out, h / stride, w / stride]."""
    sums = depthwise_sums(plan, x) if plan.depthwise else product_sums(plan, x, patches(plan, x))
    if plan.pools_sums:
        return finish(plan, pool_sums(plan, sums))
    made = finish(plan, sums)
    return made if picked(plan.pool_type)[0] > 1 else pool(made[None], plan.pool_type)[0]


def product_sums(plan: Plan, x: Bytes, seen: Sums) -> Sums:
    """Sums of pixel x weight, [out, rows, columns], of the pixels that a picking pool keeps; `seen`: its `patches`."""
    stride, _ = picked(plan.pool_type)
    sums = plan.taps[:, plan.parts[0]] @ seen[plan.parts[0]]
    for part in plan.parts[1:]:
        sums = np.add(sums, plan.taps[:, part] @ seen[part], dtype=np.float64)
    return sums.reshape(-1, x.shape[1] // stride, x.shape[2] // stride)


def patches(plan: Plan, x: Bytes) -> Sums:
    """What the kernel sees at each pixel that is kept, [in x k x k, pixels], as floats."""
    stride, column = picked(plan.pool_type)
    channels, height, width = x.shape
    rows, columns = height // stride, width // stride
    seen = np.empty((channels, plan.kernel**2, rows, columns), plan.taps.dtype)
    padded = padded_floats(plan, x)
    for tap in range(plan.kernel**2):
        down, right = divmod(tap, plan.kernel)
        part = padded[:, down : down + height, right : right + width]
        seen[:, tap] = part[:, ::stride, column::stride][:, :rows, :columns]
    return seen.reshape(channels * plan.kernel**2, -1)


def padded_floats(plan: Plan, x: Bytes) -> Sums | Bytes:
    """`x` with a border of the pad value where the kernel hangs over; `x` itself for 1x1."""
    if plan.kernel == 1:
        return x
    channels, height, width = x.shape
    padded = np.full((channels, height + 2, width + 2), plan.pad_value, np.uint8)
    padded[:, 1:-1, 1:-1] = x
    return padded


def depthwise_sums(plan: Plan, x: Bytes) -> Sums:
    """Sums of each channel's own taps, [channel, rows, columns], of the pixels that a picking pool keeps."""
    stride, column = picked(plan.pool_type)
    channels, height, width = x.shape
    border = plan.kernel // 2
    pitch = width + 2 * border
    area = height * pitch  # rows lie one behind the other, borders included: long runs, and a few sums for nothing
    padded = np.full((channels, height + 3 * border, pitch), plan.pad_value, np.float32)
    padded[:, border : border + height, border : border + width] = x
    flat = padded.reshape(channels, -1)
    sums = np.empty((channels, area), np.float32)
    step = max(1, _BLOCK // area)
    term = np.empty((step, area), np.float32)
    for first in range(0, channels, step):
        block = slice(first, min(first + step, channels))
        total, part = sums[block], term[: block.stop - first]
        for tap in range(plan.kernel**2):
            shift = (tap // plan.kernel) * pitch + tap % plan.kernel
            np.multiply(flat[block, shift : shift + area], plan.taps[block, tap, None], out=part if tap else total)
            if tap:
                total += part
    kept = sums.reshape(channels, height, pitch)[:, ::stride, column:width:stride]
    return kept[:, : height // stride, : width // stride]


def pool_sums(plan: Plan, sums: Sums) -> Sums:
    """The largest sum of each window, or the smallest where the scale is negative."""
    kind = POOLS[plan.pool_type]
    sign = np.where(plan.scale < 0, -1, 1).astype(sums.dtype)[:, None, None]
    signed = sums * sign if (plan.scale < 0).any() else sums
    if kind.stride == 1:
        signed = np.pad(signed, ((0, 0), (0, 1), (0, 1)), mode="edge")
    height, width = ((n - kind.size) // kind.stride + 1 for n in signed.shape[1:])
    largest: Sums | None = None
    for place in range(kind.size**2):
        row, column = divmod(place, kind.size)
        part = signed[:, row :: kind.stride, column :: kind.stride][:, :height, :width]
        largest = part if largest is None else np.maximum(largest, part)
    assert largest is not None
    return largest * sign if (plan.scale < 0).any() else largest


def finish(plan: Plan, sums: Sums) -> Bytes:
    """Batch norm and activation of sums [out, rows, columns]."""
    channels, rows, columns = sums.shape
    made = np.empty((channels, rows, columns), np.uint8)
    step = max(1, _BLOCK // max(1, rows * columns))
    for first in range(0, channels, step):
        block = slice(first, min(first + step, channels))
        per_channel = (block, None, None)
        b = np.add(sums[block], plan.constant[per_channel], dtype=np.float64)
        b *= plan.scale[per_channel]
        np.floor(b, out=b)
        b += plan.add[per_channel]
        made[block] = _look_up(plan, b) if plan.table is not None else _on_lines(plan, b)
    return made


def _look_up(plan: Plan, b: NDArray[np.float64]) -> Bytes:
    assert plan.table is not None
    b -= plan.table_start
    np.clip(b, 0, len(plan.table) - 1, out=b)
    return plan.table[b.astype(np.int32)]


def _on_lines(plan: Plan, b: NDArray[np.float64]) -> NDArray[np.float64]:
    lines = plan.lines
    if len(lines) > 1:
        return lines.at(b)
    b -= lines.start[0]
    b *= lines.slope[0]
    np.rint(b, out=b)
    if lines.bias[0]:
        b += lines.bias[0]
    return np.clip(b, 0, 255, out=b)
