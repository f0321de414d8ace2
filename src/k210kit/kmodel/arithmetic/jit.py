"""The steps of `fast` as machine code, by numba. Importing this module imports numba; `fast` gives the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from k210kit.kmodel.arithmetic.fast import product_sums
from k210kit.kmodel.arithmetic.kpu import picked, pool
from k210kit.kmodel.arithmetic.plan import Plan
from k210kit.kmodel.registers import POOLS

__all__ = ["patches", "run"]

Bytes = NDArray[np.uint8]
Sums = NDArray[np.floating]


def _compiled(function: Callable[..., None]) -> Any:  # Any: numba's dispatcher has no types
    """`function` as machine code, kept on disk where numba finds a folder that it may write to."""
    try:
        return njit(nogil=True, error_model="numpy", cache=True)(function)
    except RuntimeError:  # no such folder
        return njit(nogil=True, error_model="numpy")(function)


def run(plan: Plan, x: Bytes, seen: Sums | None = None) -> Bytes:
    """Pixels [c, h, w] to pixels [out, h / stride, w / stride]; `seen`: `patches` of them, where known already."""
    if plan.depthwise:
        sums = _depthwise_sums(plan, x)
    else:
        sums = product_sums(plan, x, patches(plan, x) if seen is None else seen)
    if plan.pools_sums:
        return _finish(plan, _pool_sums(plan, sums))
    made = _finish(plan, sums)
    return made if picked(plan.pool_type)[0] > 1 else pool(made[None], plan.pool_type)[0]


def patches(plan: Plan, x: Bytes) -> Sums:
    """What the kernel sees at each pixel that is kept, [in x k x k, pixels], as floats."""
    stride, column = picked(plan.pool_type)
    channels, height, width = x.shape
    rows, columns = height // stride, width // stride
    seen = np.empty((channels, plan.kernel**2, rows, columns), plan.taps.dtype)
    _write_patches(x, plan.kernel, stride, column, float(plan.pad_value), seen)
    return seen.reshape(channels * plan.kernel**2, -1)


@_compiled
def _write_patches(x, kernel, stride, first, pad, seen):  # type: ignore[no-untyped-def]
    channels, height, width = x.shape
    rows, columns = seen.shape[2], seen.shape[3]
    border = kernel // 2
    for c in range(channels):
        for down in range(kernel):
            for right in range(kernel):
                plane = seen[c, down * kernel + right]
                shift = first + right - border
                for y in range(rows):
                    row, line = y * stride + down - border, plane[y]
                    if row < 0 or row >= height:
                        line[:] = pad
                        continue
                    source = x[c, row]
                    low = 0 if shift >= 0 else 1
                    high = columns
                    while high > low and (high - 1) * stride + shift >= width:
                        high -= 1
                    line[:low] = pad
                    line[high:] = pad
                    if stride == 1:
                        part, target = source[low + shift : high + shift], line[low:high]
                        for i in range(target.size):
                            target[i] = part[i]
                    else:
                        for i in range(low, high):
                            line[i] = source[i * stride + shift]


def _depthwise_sums(plan: Plan, x: Bytes) -> Sums:
    stride, column = picked(plan.pool_type)
    channels, height, width = x.shape
    sums = np.empty((channels, height // stride, width // stride), np.float32)
    kernel = _sum_3x3 if plan.kernel == 3 else _sum_1x1
    kernel(x, plan.taps, np.float32(plan.pad_value), stride, column, sums)
    return sums


@_compiled
def _sum_1x1(x, taps, pad, stride, first, sums):  # type: ignore[no-untyped-def]
    channels, rows, columns = sums.shape
    for c in range(channels):
        for y in range(rows):
            for i in range(columns):
                sums[c, y, i] = taps[c, 0] * np.float32(x[c, y * stride, i * stride + first])


@_compiled
def _sum_3x3(x, taps, pad, stride, first, sums):  # type: ignore[no-untyped-def]
    channels, height, width = x.shape
    pitch = width + 2
    area = height * pitch  # rows lie one behind the other, borders included: long runs, and a few sums for nothing
    padded = np.full((height + 3) * pitch, pad, np.float32)
    total = np.empty(area, np.float32)
    for c in range(channels):
        for y in range(height):
            source, target = x[c, y], padded[(y + 1) * pitch + 1 : (y + 1) * pitch + 1 + width]
            for i in range(width):
                target[i] = source[i]
        t0, t1, t2, t3, t4, t5, t6, t7, t8 = (
            taps[c, 0], taps[c, 1], taps[c, 2], taps[c, 3], taps[c, 4], taps[c, 5], taps[c, 6], taps[c, 7], taps[c, 8],
        )  # fmt: skip
        above, here, below = padded[:-2], padded[pitch:], padded[2 * pitch :]
        for i in range(area):
            total[i] = (
                t0 * above[i] + t1 * above[i + 1] + t2 * above[i + 2]
                + t3 * here[i] + t4 * here[i + 1] + t5 * here[i + 2]
                + t6 * below[i] + t7 * below[i + 1] + t8 * below[i + 2]
            )  # fmt: skip
        rows, columns = sums.shape[1], sums.shape[2]
        for y in range(rows):
            kept, line = sums[c, y], total[y * stride * pitch + first :]
            for i in range(columns):
                kept[i] = line[i * stride]


def _pool_sums(plan: Plan, sums: Sums) -> Sums:
    kind = POOLS[plan.pool_type]
    channels, height, width = sums.shape
    shape = (channels, height, width) if kind.stride == 1 else (channels, height // kind.size, width // kind.size)
    pooled = np.empty(shape, sums.dtype)
    _largest(sums, plan.scale, kind.size, kind.stride, pooled)
    return pooled


@_compiled
def _largest(sums, scale, size, stride, pooled):  # type: ignore[no-untyped-def]
    channels, rows, columns = pooled.shape
    height, width = sums.shape[1], sums.shape[2]
    line = np.empty(width, sums.dtype)
    for c in range(channels):
        sign = sums.dtype.type(-1 if scale[c] < 0 else 1)  # the smallest sum is the largest of their negatives
        for y in range(rows):
            top, target = y * stride, pooled[c, y]
            source = sums[c, top]
            for i in range(width):
                line[i] = sign * source[i]
            for row in range(top + 1, min(top + size, height)):
                other = sums[c, row]
                for i in range(width):
                    line[i] = max(line[i], sign * other[i])
            if size == 2 and stride == 2:
                for i in range(columns):
                    target[i] = sign * max(line[2 * i], line[2 * i + 1])
                continue
            for i in range(columns):
                best = line[i * stride]
                for column in range(i * stride + 1, min(i * stride + size, width)):
                    best = max(best, line[column])
                target[i] = sign * best


def _finish(plan: Plan, sums: Sums) -> Bytes:
    made = np.empty(sums.shape, np.uint8)
    flat, out = sums.reshape(len(sums), -1), made.reshape(len(sums), -1)
    lines = plan.lines
    if plan.table is not None:
        _look_up(flat, plan.constant, plan.scale, plan.add - plan.table_start, plan.table, out)
    elif len(lines) == 1:
        _on_one_line(flat, plan.constant, plan.scale, plan.add - lines.start[0], lines.slope[0], lines.bias[0], out)
    else:
        _on_lines(flat, plan.constant, plan.scale, plan.add, lines.above, lines.start, lines.slope, lines.bias, out)
    return made


@_compiled
def _on_one_line(sums, constant, scale, add, slope, bias, out):  # type: ignore[no-untyped-def]
    for c in range(out.shape[0]):
        row, made = sums[c], out[c]
        k, s, a = constant[c], scale[c], add[c]
        for i in range(made.size):
            value = np.rint((np.floor((np.float64(row[i]) + k) * s) + a) * slope) + bias
            made[i] = np.uint8(min(max(value, 0.0), 255.0))


@_compiled
def _look_up(sums, constant, scale, add, table, out):  # type: ignore[no-untyped-def]
    last = np.float64(table.size - 1)
    for c in range(out.shape[0]):
        row, made = sums[c], out[c]
        k, s, a = constant[c], scale[c], add[c]
        for i in range(made.size):
            place = np.floor((np.float64(row[i]) + k) * s) + a
            made[i] = table[np.uint32(min(max(place, 0.0), last))]


@_compiled
def _on_lines(sums, constant, scale, add, above, start, slope, bias, out):  # type: ignore[no-untyped-def]
    block = 512
    b, value = np.empty(block), np.empty(block)
    for c in range(out.shape[0]):
        k, s, a = constant[c], scale[c], add[c]
        for first in range(0, out.shape[1], block):
            row, made = sums[c, first : first + block], out[c, first : first + block]
            for i in range(made.size):
                b[i] = np.floor((np.float64(row[i]) + k) * s) + a
            for line in range(above.size):
                x0, m, y0, low = start[line], slope[line], bias[line], above[line]
                for i in range(made.size):
                    here = np.rint((b[i] - x0) * m) + y0
                    value[i] = here if line == 0 or b[i] > low else value[i]
            for i in range(made.size):
                made[i] = np.uint8(min(max(value[i], 0.0), 255.0))
