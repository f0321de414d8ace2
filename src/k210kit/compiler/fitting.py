"""Maps that do not fit into KPU memory are made in groups of channels, as few as it takes.

    Before   x ─ conv ─ depthwise ─ pool ─ y                      the maps between are as wide as y
    After    x ─┬─ conv, first half ─ depthwise ─ pool ─┐
                └─ conv, second half ─ depthwise ─ pool ─ concat ─ y

What a depthwise layer makes of a channel depends on that channel alone, so the maps between are only as wide as a
group; nothing is computed twice, and no byte changes but where channels share a range. Each group costs the starts of
its layers, less than 0.1 ms. The chain that lowers the peak most is cut first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from k210kit.compiler.allocate import alive_lines, allocate
from k210kit.compiler.graph import Graph, Node
from k210kit.compiler.lowering import lower
from k210kit.compiler.ops import Concat
from k210kit.compiler.passes.pick_by_shift import EVERY_PIXEL
from k210kit.compiler.program import Program
from k210kit.compiler.stages import PICK_LEFT_TOP, KpuConv
from k210kit.hardware import KPU_LINES
from k210kit.kmodel import memory

__all__ = ["fitted", "in_groups"]

_GROUPS = (2, 4, 8, 16)
_MOST_CUTS = 12


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
    return graph, program


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
