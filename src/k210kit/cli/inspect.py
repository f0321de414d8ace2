"""`k210kit inspect`: what a file is, what is in it, what loads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from k210kit.cli.output import Json, show, table
from k210kit.inspection import Inspection, inspect

if TYPE_CHECKING:
    from k210kit.kmodel.text import Difference

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What differs between two kmodels, field by field."""

    first: Path
    second: Path
    differences: list[Difference]


@app.command(epilog="Example: `k210kit inspect model.kmodel`")
def inspect_file(
    file: Annotated[Path, typer.Argument(help="Any file: kmodel, kfpkg, .bin, flash image, network, data set.")],
    diff: Annotated[Path | None, typer.Option(metavar="OTHER", help="A second kmodel: show what differs.")] = None,
    json: Json = False,
) -> None:
    """Say what a file is and what is in it: layers, shapes, memory, outputs, and which firmware loads it."""
    if diff is not None:
        _show_difference(file, diff, as_json=json)
        return
    found = inspect(file)
    show(found, as_json=json, text=_text(found))


def _show_difference(first: Path, second: Path, *, as_json: bool) -> None:
    from k210kit.kmodel import load
    from k210kit.kmodel.text import differences

    found = differences(load(first), load(second))
    rows = [(d.where, d.first, d.second) for d in found]
    text = table("", ("where", first.name, second.name), rows) if rows else "The two models say the same."
    show(Compared(first=first, second=second, differences=found), as_json=as_json, text=text)


def _text(found: Inspection) -> list[Any]:  # Any: what rich renders
    parts: list[Any] = []
    title = f"{found.kind} {found.version}".strip()
    if found.file:
        parts += [f"{found.file}: {title}, {found.bytes:,} bytes, SHA-256 {found.sha256[:16]}…"]
    parts += [f"loads on: {found.loads_on}"] if found.loads_on else []
    if found.layers and found.kind.startswith("kmodel"):
        parts += [_kmodel_table(found), _outputs_table(found), _totals(found)]
    elif found.layers:
        rows = [(x["number"], x["name"], x["detail"], x["input"], x["output"]) for x in found.layers]
        parts += [
            f"input: {', '.join(found.inputs) or 'not told'}",
            table("", ("#>", "operator", "name", "input", "output"), rows),
        ]
    elif found.inputs:
        parts += [f"input: {', '.join(found.inputs)}"]
    parts += [f"{name}: {value}" for name, value in found.facts.items()]
    parts += [f"warning: {text}" for text in found.warnings]
    for name, part in found.parts:
        parts += ["", f"{name}: {part.kind} {part.version}".rstrip(), *_text(part)]
    return parts


def _kmodel_table(found: Inspection) -> Any:
    columns = (
        "#>",
        "layer",
        "kind",
        "input",
        "output",
        "KPU lines in>",
        "KPU lines out>",
        "main memory>",
        "MAC>",
        "bytes>",
    )
    return table("", columns, map(_row, found.layers))


def _row(x: Any) -> tuple[object, ...]:
    main = f"{x['main_memory'][0]:,}+{x['main_memory'][1]:,}" if x["main_memory"] else ""
    return (
        x["number"], x["name"], x["detail"], x["input"], x["output"], _lines(x["input_lines"]),
        _lines(x["output_lines"]), main, f"{x['multiply_adds']:,}" if x["multiply_adds"] else "", f"{x['bytes']:,}",
    )  # fmt: skip


def _lines(span: tuple[int, int] | None) -> str:
    return f"{span[0]}+{span[1]}" if span else ""


def _outputs_table(found: Inspection) -> Any:
    outputs: Any = found.outputs
    rows = [
        (x["number"], "x".join(map(str, x["shape"])), x["dtype"], f"{x['address']:,}", f"{x['bytes']:,}", x["layer"])
        for x in outputs
    ]
    return table("outputs", ("#>", "shape", "type", "address>", "bytes>", "written by layer"), rows)


def _totals(found: Inspection) -> str:
    return (
        f"input {', '.join(found.inputs)} · main memory {found.main_memory_bytes or 0:,} B · "
        f"KPU memory {found.kpu_memory_bytes or 0:,} B of 2,097,152 · {found.multiply_adds or 0:,} multiply-adds"
    )
