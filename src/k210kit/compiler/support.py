"""What the KPU and the format cannot do: one table that is the check, the message and the documentation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from k210kit.compiler.allocate import Placement, alive_lines
from k210kit.compiler.graph import Graph, Shape
from k210kit.compiler.ops import Foreign
from k210kit.compiler.program import ConvStep, Program
from k210kit.compiler.refusals import LayerRefused
from k210kit.compiler.scaling import input_that_fits, share_that_fits
from k210kit.errors import UnsupportedError
from k210kit.hardware import (
    GENERAL_MEMORY_BYTES,
    KPU_LINE_BYTES,
    KPU_LINES,
    KPU_MEMORY_BYTES,
    MOST_CHANNELS,
    MOST_HEIGHT,
    MOST_WIDTH,
)

__all__ = [
    "LIMITS",
    "Finding",
    "Limit",
    "end_there",
    "findings",
    "memory_findings",
    "refuse",
    "refused",
    "step_findings",
]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that cannot be done: `layer` is the user's own name, `instead` what to use."""

    layer: str
    operator: str
    message: str
    instead: str

    def __str__(self) -> str:
        name = f"{self.operator} '{self.layer}': " if self.layer else ""
        return f"{name}{self.message}. {self.instead}"


@dataclass(frozen=True, kw_only=True)
class Limit:
    """One limit: what is measured of a map's shape (channels, height, width), the most, and what to do about more."""

    name: str
    of: Callable[[Shape], int]
    least: int
    most: int
    instead: str
    told_by_placement: bool = False  # `memory_findings` knows more about it

    def broken(self, shape: Shape) -> bool:
        return not self.least <= self.of(shape) <= self.most


LIMITS: tuple[Limit, ...] = (
    Limit(
        name="channels of a map", of=lambda shape: shape[0], least=1, most=MOST_CHANNELS,
        instead="Make the layer narrower, or split it into two layers side by side.",
    ),
    Limit(
        name="width of a map in pixels", of=lambda shape: shape[2], least=1, most=MOST_WIDTH,
        instead="Use a smaller input, or turn it so that the longer side stands upright.",
    ),
    Limit(
        name="height of a map in pixels", of=lambda shape: shape[1], least=1, most=MOST_HEIGHT,
        instead="Use a smaller input.",
    ),
    Limit(
        name="bytes of one map in KPU memory",
        of=lambda shape: KPU_LINE_BYTES * _lines(shape), least=1, most=KPU_MEMORY_BYTES,
        instead="Use a smaller input, or fewer channels before the first stride.", told_by_placement=True,
    ),
)  # fmt: skip


def _lines(shape: Shape) -> int:
    from k210kit.kmodel import memory

    return memory.lines(shape[2], shape[1], shape[0])


def findings(graph: Graph) -> list[Finding]:
    """What of the source model has no counterpart, and an input that the KPU cannot take."""
    found = []
    for node in graph.nodes:
        if isinstance(node.op, Foreign):
            sizes = " and ".join("x".join(map(str, graph.shapes[name])) for name in node.inputs)
            message = f"on {sizes}, {node.op.why}" if sizes else node.op.why
            one = Finding(layer=node.origin, operator=node.kind, message=message, instead=f"Use {node.op.instead}.")
            if one not in found:
                found.append(one)
    if len(graph.input_shape) == 3:
        found += _broken("input", graph.input, graph.input_shape)
    elif len(graph.input_shape) != 1:
        found.append(Finding(layer="", operator="", message="the input is no picture", instead="Give it one."))
    return found


def refused(error: LayerRefused) -> Finding:
    """What lowering said no to."""
    node = error.node
    return Finding(layer=node.origin, operator=node.kind, message=error.why, instead=f"Use {error.instead}.")


def step_findings(program: Program) -> list[Finding]:
    """Maps of the lowered model that the KPU cannot take, by the layer that makes or reads them; each layer once."""
    found: dict[str, Finding] = {}
    for step, shape in _maps(program):
        limits = [limit for limit in LIMITS if not limit.told_by_placement]
        for one in _broken(step.node.kind, step.node.origin, shape, limits):
            found.setdefault(step.node.origin, one)
    return list(found.values())


def _maps(program: Program) -> Iterator[tuple[ConvStep, Shape]]:
    for step in program.steps:
        if isinstance(step, ConvStep):
            inputs = [program.buffers[name].shape for name in step.inputs]
            yield step, (sum(shape[0] for shape in inputs), *inputs[0][1:])
            yield step, program.buffers[step.output].shape


def _broken(operator: str, layer: str, shape: Shape, limits: Sequence[Limit] = LIMITS) -> list[Finding]:
    return [
        Finding(
            layer=layer,
            operator=operator,
            message=f"a map of {'x'.join(map(str, shape))} (channels x height x width): {limit.name} is "
            f"{limit.of(shape):,}; the KPU takes {limit.least} to {limit.most:,}",
            instead=limit.instead,
        )
        for limit in limits
        if limit.broken(shape)
    ]


def memory_findings(graph: Graph, program: Program, placement: Placement) -> list[Finding]:
    """KPU memory and main memory: the layer at the peak, its bytes, the limit, and the input that would fit."""
    found = []
    if placement.kpu_lines > KPU_LINES:
        step, lines = _peak(program, placement)
        bytes_there = lines * KPU_LINE_BYTES
        found.append(
            Finding(
                layer=step.node.origin,
                operator=step.node.kind,
                message=f"its input and output and what must be kept beside them take {bytes_there:,} bytes of KPU "
                f"memory, placed up to byte {placement.kpu_lines * KPU_LINE_BYTES:,}; the KPU has {KPU_MEMORY_BYTES:,}",
                instead=_what_fits(graph.input_shape, program),
            )
        )
    if placement.main_bytes > GENERAL_MEMORY_BYTES:
        buffer = max((b for b in program.buffers.values() if b.kind != "kpu"), key=lambda b: b.bytes)
        found.append(
            Finding(
                layer=buffer.name,
                operator="main memory",
                message=f"{placement.main_bytes:,} bytes, the largest value takes {buffer.bytes:,}; the chip has "
                f"{GENERAL_MEMORY_BYTES:,} for everything",
                instead="Use a smaller input, or fewer and smaller outputs.",
            )
        )
    return found


def _peak(program: Program, placement: Placement) -> tuple[ConvStep, int]:
    """The convolution at which most lines are alive, and how many."""
    convs = [(k, step) for k, step in enumerate(program.steps) if isinstance(step, ConvStep)]
    lines, _, step = max(((alive_lines(program, placement, k), -k, step) for k, step in convs), key=lambda row: row[:2])
    return step, lines


def _what_fits(shape: Shape, program: Program) -> str:
    """The input, and the share of the channels, that would fit."""
    size, share = input_that_fits(program, shape), share_that_fits(program)
    ways = []
    if size is not None:
        ways.append(f"an input of {size[1]}x{size[0]} (it has {shape[2]}x{shape[1]})")
    if share is not None:
        ways.append(f"{share:.0%} of the channels at this size")
    return f"{' or '.join(ways).capitalize()} would fit." if ways else "No smaller input would fit."


def refuse(found: list[Finding], name: str, ends: Callable[[], Sequence[str]] = tuple) -> None:
    """Raise `UnsupportedError` with all of `found`, if there is anything; `ends`: where to end the model instead."""
    if not found:
        return
    lines = str(found[0]) if len(found) == 1 else "".join(f"\n  {one}" for one in found)
    separator = "" if len(found) > 1 else " "
    raise UnsupportedError(f"{name} cannot run on the K210:{separator}{lines}{end_there(ends())}")


def end_there(names: Sequence[str]) -> str:
    """The advice to end a model at some values; empty without names."""
    return f"\nWhat is before that can: add --outputs {','.join(names)}" if names else ""
