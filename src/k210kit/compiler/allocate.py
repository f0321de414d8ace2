"""Where each buffer lies: KPU memory in lines of 64 bytes, main memory in bytes, by how long each is alive.

A buffer is alive from the step that first writes it to the step that last reads it. Several orders of placing are
tried, each into the lowest gap that is free for the whole life; the one with the lowest peak is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from k210kit.compiler.program import Buffer, ConcatStep, JoinStep, Program, ViewStep
from k210kit.kmodel import memory

__all__ = ["Block", "Placement", "alive_lines", "allocate", "kpu_lines", "place"]

_MAIN_ALIGN = 8  # the KPU sends whole 64-bit words


@dataclass(frozen=True, kw_only=True)
class Block:
    """Something to place: its size and the first and last step at which it is alive."""

    name: str
    size: int
    first: int
    last: int


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Addresses of all buffers: lines in KPU memory, bytes in main memory; and the peaks of both.

    `lives`: the first and last step at which each buffer is alive, parts of other buffers left out.
    """

    kpu: dict[str, int]
    main: dict[str, int]
    kpu_lines: int
    main_bytes: int
    lives: dict[str, tuple[int, int]]


def kpu_lines(buffer: Buffer) -> int:
    """Lines of KPU memory that a map takes; one pixel is held as 4x4."""
    channels, height, width = buffer.shape
    if (height, width) == (1, 1):
        height = width = 4
    return memory.lines(width, height, channels)


def alive_lines(program: Program, placement: Placement, step: int) -> int:
    """Lines of KPU memory that are in use while a step runs."""
    return sum(
        kpu_lines(program.buffers[name])
        for name, (first, last) in placement.lives.items()
        if first <= step <= last and program.buffers[name].kind == "kpu"
    )


def allocate(program: Program) -> Placement:
    """Place every buffer of a program."""
    lives = _lives(program)
    inner = list(_inner(program))
    for name, _, _ in inner:
        del lives[name]
    aliases = _aliases(program)
    kpu_blocks, inside = _runs(program, lives)
    kpu, kpu_peak = place(kpu_blocks)
    main_blocks = [
        Block(name=name, size=-(-buffer.bytes // _MAIN_ALIGN) * _MAIN_ALIGN, first=lives[name][0], last=lives[name][1])
        for name, buffer in program.buffers.items()
        if buffer.kind != "kpu" and name in lives and name not in aliases
    ]
    main, main_peak = place(main_blocks)
    for name, source in aliases.items():
        main[name] = main[source]
    addresses = {name: kpu[run] + offset for name, (run, offset) in inside.items()}
    while inner:  # a part of a part is placed after it
        known = [part for part in inner if part[1] in addresses]
        addresses |= {name: addresses[whole] + offset for name, whole, offset in known}
        inner = [part for part in inner if part not in known]
    return Placement(kpu=addresses, main=main, kpu_lines=kpu_peak, main_bytes=main_peak, lives=lives)


def _inner(program: Program) -> Iterator[tuple[str, str, int]]:
    """Maps that are parts of others: name, name of the other, and lines from its start."""
    for step in program.steps:
        if isinstance(step, ViewStep):
            yield step.target, step.source, _offset(program.buffers[step.source], step.first, step.top)
        elif isinstance(step, JoinStep):
            for piece in step.pieces:
                yield piece.buffer, step.target, _offset(program.buffers[step.target], piece.first, piece.top)


def _offset(whole: Buffer, first: int, top: int) -> int:
    _, height, width = whole.shape
    group = first // memory.channels_per_line(width)
    return group * memory.channel_lines(width, height) + top * memory.row_lines(width)


def _aliases(program: Program) -> dict[str, str]:
    """Buffers that are other buffers under another name (a reshape leaves no layer), resolved."""
    found: dict[str, str] = {}
    for step in program.steps:
        if isinstance(step, ConcatStep) and not len(step.pieces):
            found[step.target.buffer] = found.get(step.sources[0], step.sources[0])
    return found


def _lives(program: Program) -> dict[str, tuple[int, int]]:
    first: dict[str, int] = {program.input: 0}
    last: dict[str, int] = {program.input: 0}
    for k, step in enumerate(program.steps):
        for name in (*step.reads(), *step.writes()):
            first.setdefault(name, k)
            last[name] = k
    for name in program.outputs:
        last[name] = len(program.steps)
    aliases = _aliases(program)
    for name, source in aliases.items():
        last[source] = max(last[source], last.get(name, 0))
    for step in reversed(program.steps):
        if isinstance(step, ViewStep):
            last[step.source] = max(last[step.source], last[step.target])
    for step in program.steps:
        if isinstance(step, JoinStep):
            first[step.target] = min(first[name] for name in step.reads())
    return {name: (first[name], last[name]) for name in first}


def _runs(program: Program, lives: dict[str, tuple[int, int]]) -> tuple[list[Block], dict[str, tuple[str, int]]]:
    """KPU blocks (a run of maps that lie side by side is one), and where in its block each map lies."""
    grouped = {name: run for run in program.runs for name in run}
    blocks: list[Block] = []
    inside: dict[str, tuple[str, int]] = {}
    for name, buffer in program.buffers.items():
        if buffer.kind != "kpu" or name in inside or name not in lives:
            continue
        run = grouped.get(name, (name,))
        size = 0
        for member in run:
            inside[member] = (run[0], size)
            size += kpu_lines(program.buffers[member])
        alive = [lives[member] for member in run]
        blocks.append(Block(name=run[0], size=size, first=min(a for a, _ in alive), last=max(b for _, b in alive)))
    return blocks, inside


_ORDERS: tuple[Callable[[Block], tuple[float, ...]], ...] = (
    lambda block: (-block.size, block.first),
    lambda block: (block.first, -block.size),
    lambda block: (-block.size * (block.last - block.first + 1), block.first),
    lambda block: (-(block.last - block.first), -block.size),
    lambda block: (block.last, -block.size),
)


def place(blocks: Sequence[Block]) -> tuple[dict[str, int], int]:
    """Addresses of the blocks and the peak; the best of several orders."""
    best: tuple[dict[str, int], int] | None = None
    for key in _ORDERS:
        addresses, peak = _placed(sorted(blocks, key=key))
        if best is None or peak < best[1]:
            best = (addresses, peak)
    return best if best is not None else ({}, 0)


def _placed(blocks: Sequence[Block]) -> tuple[dict[str, int], int]:
    done: list[tuple[int, Block]] = []
    addresses: dict[str, int] = {}
    peak = 0
    for block in blocks:
        taken = sorted(
            (at, at + other.size) for at, other in done if other.first <= block.last and block.first <= other.last
        )
        place = 0
        for start, end in taken:
            if start - place >= block.size:
                break
            place = max(place, end)
        done.append((place, block))
        addresses[block.name] = place
        peak = max(peak, place + block.size)
    return addresses, peak
