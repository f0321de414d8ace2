"""What would fit: the largest input, or share of the channels, at which a net's maps find room in KPU memory.

The same layers are placed again with every map scaled; a side is rounded up, as strides over odd sizes do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TypeVar

from k210kit.compiler.allocate import allocate
from k210kit.compiler.graph import Shape
from k210kit.compiler.lowering.values import LAST_ROWS
from k210kit.compiler.program import Program, ViewStep
from k210kit.hardware import KPU_LINES

__all__ = ["input_that_fits", "share_that_fits"]

T = TypeVar("T")
_STEP = 8  # pixels
_SHARES = 20  # steps of 5 %


def input_that_fits(program: Program, shape: Shape) -> tuple[int, int] | None:
    """Height and width, multiples of 8, of the largest input of about this shape that fits; None if none does."""
    _, height, width = shape
    sizes = []
    for across in range(_STEP, width, _STEP):
        down = round(height * across / width / _STEP) * _STEP
        if down:
            sizes.append((down, across))

    def fits(size: tuple[int, int]) -> bool:
        def scaled(one: Shape) -> Shape:
            if one[1:] == (1, 1):
                return one
            return (one[0], -(-one[1] * size[0] // height), -(-one[2] * size[1] // width))

        return _lines(program, scaled) <= KPU_LINES

    return _largest(sizes, fits)


def share_that_fits(program: Program) -> float | None:
    """The largest share of all channels but the input's and the results', in steps of 5 %, that fits; None if none."""
    read = {
        name
        for step in program.steps
        for name in step.reads()
        if not (isinstance(step, ViewStep) and LAST_ROWS in step.target)
    }
    kept = {program.input} | (program.buffers.keys() - read)

    def fits(share: int) -> bool:
        return _lines(program, lambda one: (-(-one[0] * share // _SHARES), *one[1:]), kept) <= KPU_LINES

    found = _largest(list(range(1, _SHARES)), fits)
    return None if found is None else found / _SHARES


def _lines(program: Program, scaled: Callable[[Shape], Shape], kept: Collection[str] = ()) -> int:
    buffers = {
        name: replace(buffer, shape=scaled(buffer.shape)) if buffer.kind == "kpu" and name not in kept else buffer
        for name, buffer in program.buffers.items()
    }
    return allocate(replace(program, buffers=buffers)).kpu_lines


def _largest(sizes: list[T], fits: Callable[[T], bool]) -> T | None:
    """The last of `sizes`, which ascend, that fits, found by halves."""
    low, high = 0, len(sizes)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if fits(sizes[middle]) else (low, middle)
    return sizes[low - 1] if low else None
