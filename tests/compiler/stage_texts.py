"""What each stage of the compiler makes of a model, as text that a person can review.

No number is in it that hangs on the last bits of floats: those differ from one processor to another.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from k210kit.compiler.allocate import Placement
from k210kit.compiler.graph import Graph
from k210kit.compiler.ops import Curve, Op, Padding
from k210kit.compiler.program import JoinStep, Program, Slice, Step
from k210kit.kmodel import Kmodel
from k210kit.kmodel.text import layer_rows, output_rows


def of_graph(graph: Graph) -> str:
    lines = [f"input {graph.input}: {_size(graph.input_shape)}"]
    for node in graph.nodes:
        shape, inputs = _size(graph.shapes[node.output]), ", ".join(node.inputs)
        lines.append(f"{node.output}: {shape} = {type(node.op).__name__}({inputs}){_settings(node.op)}  <- {node}")
    lines += [f"output {output.name}: {output.value}" for output in graph.outputs]
    return "\n".join(lines) + "\n"


def of_program(program: Program) -> str:
    lines = []
    for k, step in enumerate(program.steps):
        made = ", ".join(f"{name} {_buffer(program, name)}" for name in step.writes())
        reason = f"  ({step.reason})" if step.reason else ""
        lines.append(
            f"{k}: {type(step).__name__} {', '.join(step.reads())} -> {made}{_details(step)}{reason}  <- {step.node}"
        )
    lines += [f"side by side: {', '.join(run)}" for run in program.runs]
    lines += [f"output: {name}" for name in program.outputs]
    return "\n".join(lines) + "\n"


def of_placement(program: Program, placement: Placement) -> str:
    lines = [f"KPU memory {placement.kpu_lines} lines, main memory {placement.main_bytes} bytes"]
    for name, (first, last) in placement.lives.items():
        where = f"line {placement.kpu[name]}" if name in placement.kpu else f"byte {placement.main[name]}"
        lines.append(f"{name}: {_buffer(program, name)} at {where}, steps {first} to {last}")
    lines += [f"{name}: part of another map, at line {placement.kpu[name]}" for name in _parts(program, placement)]
    return "\n".join(lines) + "\n"


def of_kmodel(kmodel: Kmodel) -> str:
    lines = [f"main memory {kmodel.main_memory_bytes} bytes"]
    for row in layer_rows(kmodel):
        places = f" lines {row.input_lines} -> {row.output_lines}" if row.output_lines else ""
        sent = f" to main memory {row.main_memory}" if row.main_memory else ""
        size = f"{row.multiply_adds} multiply-adds, {row.bytes} bytes"
        lines.append(f"{row.number}: {row.name} {row.detail} {row.input} -> {row.output}{places}{sent}  {size}")
    lines += [f"output {row.number}: {row.bytes} bytes at {row.address}, by {row.layer}" for row in output_rows(kmodel)]
    return "\n".join(lines) + "\n"


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _buffer(program: Program, name: str) -> str:
    buffer = program.buffers[name]
    return f"[{buffer.kind} {_size(buffer.shape)}{' as 4x4' if buffer.padded else ''}]"


def _parts(program: Program, placement: Placement) -> list[str]:
    return [name for name in placement.kpu if name not in placement.lives and name in program.buffers]


def _settings(op: Op) -> str:
    said = [text for field in dataclasses.fields(op) if (text := _said(field.name, getattr(op, field.name)))]
    return f" {{{', '.join(said)}}}" if said else ""


def _said(name: str, value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{name} {_size(value.shape)}"
    if isinstance(value, Curve):
        return "" if value.kind == "linear" else f"{name} {value.kind} {value.alpha:.3g} {value.beta:.3g}"
    if isinstance(value, Padding):
        return f"padding {value.top} {value.left} {value.bottom} {value.right}" if value else ""
    if value in (None, False, (), 0, (0, 0), "zero"):
        return ""
    return f"{name} {value}"


def _details(step: Step) -> str:
    return "".join(f" {{{text}}}" for text in _all_details(step))


def _all_details(step: Step) -> Iterator[str]:
    if isinstance(step, JoinStep):
        yield ", ".join(f"{piece.buffer} at channel {piece.first}, row {piece.top}" for piece in step.pieces)
        return
    for field in dataclasses.fields(step):
        value = getattr(step, field.name)
        if field.name in ("node", "reason", "inputs", "output", "main", "source", "sources", "what"):
            continue
        if isinstance(value, Slice):
            if value.first:
                yield f"from {value.first}, {value.size} elements"
        elif isinstance(value, Op):
            yield f"{type(value).__name__}{_settings(value)}"
        elif isinstance(value, np.ndarray):
            yield f"{len(value)} {field.name}"
        elif value and not isinstance(value, str):
            yield f"{field.name} {value}"
