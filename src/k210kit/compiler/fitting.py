"""Maps that do not fit into KPU memory are made in groups of channels, or some rows at a time; as few as it takes.

    Before   x ─ conv ─ depthwise ─ pool ─ y                      the maps between are as wide as y
    After    x ─┬─ conv, first half ─ depthwise ─ pool ─┐
                └─ conv, second half ─ depthwise ─ pool ─ concat ─ y

What a depthwise layer makes of a channel depends on that channel alone, so the maps between are only as wide as a
group; nothing is computed twice, and no byte changes but where channels share a range. Each group costs the starts of
its layers, less than 0.1 ms. The chain that lowers the peak most is cut first.

Where dense layers follow each other that does not help: each needs all channels before it. A chain of those is made in
tiles, see `lowering/tiles.py`; a layer per line of channels and tile cuts them out and puts them together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from k210kit.compiler.allocate import alive_lines, allocate
from k210kit.compiler.graph import Graph, Node
from k210kit.compiler.lowering import Tiling, lower
from k210kit.compiler.ops import Concat
from k210kit.compiler.passes.pick_by_shift import EVERY_PIXEL
from k210kit.compiler.program import ConvStep, Program, Step
from k210kit.compiler.stages import PICK_LEFT_TOP, KpuConv
from k210kit.hardware import KPU_LINES
from k210kit.kmodel import memory

__all__ = ["fitted", "in_groups"]

_GROUPS = (2, 4, 8, 16)
_MOST_CUTS = 12
_TILES, _MOST_TILINGS, _LONGEST = (2, 3, 4, 6, 8, 12), 3, 6


def fitted(graph: Graph) -> tuple[Graph, Program]:
    """The graph, with chains cut into groups where that makes it fit, and its steps."""
    program = lower(graph)
    peak = allocate(program).kpu_lines
    enough = min(KPU_LINES, _with_direct_picks(graph))
    for _ in range(_MOST_CUTS):
        if peak <= enough:
            break
        best = None
        for chain in _chains(graph):
            if peak <= KPU_LINES and not any(EVERY_PIXEL in node.output for node in chain):
                continue
            found = _best_cut(graph, program, chain, peak, enough)
            if found is not None and (best is None or found[2] < best[2]):
                best = found
        if best is None:
            break
        graph, program, peak = best
    return graph, (program if peak <= KPU_LINES else _tiled(graph, program))


def _tiled(graph: Graph, program: Program) -> Program:
    """The steps with chains in tiles, if that makes it fit; else as they are."""
    tilings: tuple[Tiling, ...] = ()
    best = program
    while len(tilings) < _MOST_TILINGS:
        peak = allocate(best).kpu_lines
        if peak <= KPU_LINES:
            return best
        lower_peaks: list[tuple[int, int, Program, tuple[Tiling, ...]]] = []
        for chain in _at_peak(graph, best, {name for tiling in tilings for name in tiling.chain}):
            for count in _TILES:
                tried = (*tilings, Tiling(chain=chain, count=count))
                made = lower(graph, tried)
                lines = allocate(made).kpu_lines
                if lines <= KPU_LINES:
                    return made
                if lines < peak:
                    lower_peaks.append((lines, len(lower_peaks), made, tried))
        if not lower_peaks:
            break
        _, _, best, tilings = min(lower_peaks)
    return program


def _at_peak(graph: Graph, program: Program, taken: set[str]) -> Iterator[tuple[str, ...]]:
    """Chains of layers that only read each other, with the layer at the peak among them; short ones first."""
    placement = allocate(program)
    convs = [(alive_lines(program, placement, k), -k, step) for k, step in enumerate(program.steps) if _of_kpu(step)]
    peak = max(convs, key=lambda row: row[:2])[2].node
    before, after = [peak.output], [peak.output]
    while (up := _only_before(graph, before[0])) is not None:
        before.insert(0, up)
    while (down := _only_after(graph, after[-1])) is not None:
        after.append(down)
    run = [*before, *after[1:]]
    place = len(before) - 1
    for length in range(2, _LONGEST + 1):
        for first in range(max(0, place - length + 1), min(place, len(run) - length) + 1):
            chain = tuple(run[first : first + length])
            if not taken & set(chain) and all(len(graph.makers[name].inputs) == 1 for name in chain):
                yield chain


def _of_kpu(step: Step) -> bool:
    return isinstance(step, ConvStep) and isinstance(step.node.op, KpuConv)


def _only_before(graph: Graph, name: str) -> str | None:
    """The value that a layer alone reads, and reads alone, if a layer makes it."""
    inputs = graph.makers[name].inputs
    maker = graph.makers.get(inputs[0])
    alone = len(inputs) == 1 and len(graph.readers[inputs[0]]) == 1 and inputs[0] not in graph.output_values
    return inputs[0] if alone and maker is not None and isinstance(maker.op, KpuConv) else None


def _only_after(graph: Graph, name: str) -> str | None:
    readers = graph.readers.get(name, ())
    if len(readers) != 1 or name in graph.output_values:
        return None
    return readers[0].output if isinstance(readers[0].op, KpuConv) and len(readers[0].inputs) == 1 else None


def _with_direct_picks(graph: Graph) -> int:
    """The peak that the net would have if the KPU picked the lower right pixel as it does the upper left."""
    direct: list[Node] = []
    for node in graph.nodes:
        if node.inputs and node.inputs[0].endswith(EVERY_PIXEL):
            before = direct.pop()
            assert isinstance(before.op, KpuConv)
            node = replace(before, op=replace(before.op, pool_type=PICK_LEFT_TOP), output=node.output)
        direct.append(node)
    return allocate(lower(graph.with_nodes(direct))).kpu_lines


def _best_cut(
    graph: Graph, program: Program, chain: list[Node], peak: int, enough: int
) -> tuple[Graph, Program, int] | None:
    """The cut of a chain with the lowest peak, in as few groups as reach it; None if none lowers the peak."""
    placement = allocate(program)
    made = {node.output for node in chain}
    steps = {k for k, step in enumerate(program.steps) if step.node.output in made}
    at_peak = {k for k in steps if alive_lines(program, placement, k) > peak * 9 // 10}
    if not at_peak:
        return None
    best: tuple[Graph, Program, int] | None = None
    for count in _GROUPS:
        cut = in_groups(graph, chain, count)
        if cut is None:
            break
        steps_of_cut = lower(cut)
        lines = allocate(steps_of_cut).kpu_lines
        if lines < (peak if best is None else best[2]):
            best = (cut, steps_of_cut, lines)
        if lines <= enough:
            break
    return best


def _chains(graph: Graph) -> Iterator[list[Node]]:
    """A dense layer and the depthwise layers behind it, as far as each is the only reader; longest only."""
    for node in graph.nodes:
        if not isinstance(node.op, KpuConv) or node.op.depthwise:
            continue
        chain = [node]
        while True:
            readers = graph.readers.get(chain[-1].output, ())
            if len(readers) != 1 or chain[-1].output in graph.output_values:
                break
            after = readers[0]
            if not isinstance(after.op, KpuConv) or not after.op.depthwise or len(after.inputs) != 1:
                break
            chain.append(after)
        if len(chain) > 1:
            yield chain


def in_groups(graph: Graph, chain: list[Node], count: int) -> Graph | None:
    """The graph with a chain made in `count` groups of channels, or fewer, on whole lines; None if that leaves one."""
    first = chain[0].op
    assert isinstance(first, KpuConv)
    channels = first.out_channels
    widths = [graph.shapes[node.output][2] for node in chain]
    line = max(memory.channels_per_line(width) for width in widths)
    size = -(-channels // (count * line)) * line
    if size >= channels:
        return None
    places = {id(node) for node in chain}
    nodes: list[Node] = []
    for node in graph.nodes:
        if node is chain[-1]:
            nodes += _groups(chain, channels, size)
        elif id(node) not in places:
            nodes.append(node)
    return graph.with_nodes(nodes)


def _groups(chain: list[Node], channels: int, size: int) -> list[Node]:
    nodes: list[Node] = []
    ends = []
    for start in range(0, channels, size):
        part = slice(start, min(start + size, channels))
        source = chain[0].inputs
        for node in chain:
            assert isinstance(node.op, KpuConv)
            name = f"{node.output}/channels {part.start} to {part.stop - 1}"
            nodes.append(replace(node, op=_part(node.op, part), inputs=source, output=name))
            source = (name,)
        ends.append(source[0])
    return [*nodes, replace(chain[-1], op=Concat(), inputs=tuple(ends))]


def _part(op: KpuConv, part: slice) -> KpuConv:
    slopes = None if op.slopes is None else op.slopes[part]
    return replace(op, weights=np.ascontiguousarray(op.weights[part]), bias=op.bias[part], slopes=slopes)
