"""The KPU's arithmetic as slow and plain as it can be said: Python's integers, one number after the other."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from k210kit.kmodel.arithmetic.kpu import Convolution

Map = list[list[list[int]]]  # channel, row, column


def convolve(x: NDArray[np.uint8], spec: Convolution) -> Map:
    """The whole layer on pixels [c, h, w]."""
    pixels = x.tolist()
    return pool([[[byte(pixels, spec, o, r, c) for c in range(len(pixels[0][0]))] for r in range(len(pixels[0]))]
                 for o in range(len(spec.bn_mul))], spec.pool_type)  # fmt: skip


def byte(pixels: Map, spec: Convolution, channel: int, row: int, column: int) -> int:
    weights = spec.weights.tolist()
    reach = range(-(spec.kernel // 2), spec.kernel // 2 + 1)
    products, pixel_sum, weight_sum = 0, 0, 0
    inputs = [channel] if spec.depthwise else range(len(pixels))
    for i in inputs:
        plane = weights[channel] if spec.depthwise else weights[channel][i]
        for down in reach:
            for right in reach:
                pixel, weight = spec.pad_value, plane[down - reach[0]][right - reach[0]]
                if 0 <= row + down < len(pixels[i]) and 0 <= column + right < len(pixels[i][0]):
                    pixel = pixels[i][row + down][column + right]
                products += pixel * weight
                pixel_sum += pixel
                weight_sum += weight
    acc = products + spec.arg_x * pixel_sum // 2**spec.shr_x + spec.arg_w * weight_sum // 2**spec.shr_w
    acc += spec.arg_add * len(inputs)
    b = acc * int(spec.bn_mul[channel]) // 2 ** int(spec.bn_shift[channel]) + int(spec.bn_add[channel])
    return activate(b, spec)


def activate(b: int, spec: Convolution) -> int:
    segment = 0
    for i in range(16):
        if b > int(spec.x_start[i]):
            segment = i
    product = (b - int(spec.x_start[segment])) * int(spec.y_mul[segment])
    return min(max(divide(product, int(spec.shift[segment])) + int(spec.bias[segment]), 0), 255)


def divide(value: int, shift: int) -> int:
    if value >= 0:
        return round(Fraction(value, 2**shift))  # Python rounds ties to even
    floor, rest = divmod(value, 2**shift)
    steps_down = 2 * rest > 2**shift or (2 * rest == 2**shift and floor % 2 == 1)
    return floor - steps_down


def pool(maps: Map, pool_type: int) -> Map:
    return [_pool(rows, pool_type) for rows in maps]


def _pool(rows: list[list[int]], pool_type: int) -> list[list[int]]:
    height, width = len(rows), len(rows[0])

    def window(top: int, left: int, size: int) -> list[int]:
        return [rows[min(top + r, height - 1)][min(left + c, width - 1)] for r in range(size) for c in range(size)]

    def every(stride: int) -> list[list[tuple[int, int]]]:
        return [[(r * stride, c * stride) for c in range(width // stride)] for r in range(height // stride)]

    made = {
        0: (1, lambda r, c: rows[r][c]),
        1: (2, lambda r, c: max(window(r, c, 2))),
        2: (2, lambda r, c: sum(window(r, c, 2)) // 4),
        3: (4, lambda r, c: max(window(r, c, 4))),
        4: (4, lambda r, c: sum(window(r, c, 4)) // 16),
        5: (2, lambda r, c: rows[r][c]),
        6: (2, lambda r, c: rows[r][c + 1]),
        7: (4, lambda r, c: rows[r][c]),
        8: (1, lambda r, c: sum(window(r, c, 2)) // 4),
        9: (1, lambda r, c: max(window(r, c, 2))),
    }
    stride, value = made[pool_type]
    return [[value(r, c) for r, c in line] for line in every(stride)]
