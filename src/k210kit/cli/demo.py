"""`k210kit demo`: the whole way on drawn number cards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from k210kit.cli.output import Json, note, progress, show, table

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: `k210kit demo -o demo`")
def demo(
    folder: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Where everything goes.")] = Path(
        "demo"
    ),
    short: Annotated[bool, typer.Option("--short", help="Only prove that every step runs: no good model.")] = False,
    json: Json = False,
) -> None:
    """Go the whole way on drawn number cards: train, compile, compare, fit, flash, run and stream, all on the desk."""
    from k210kit.demo import demo as run_demo

    with progress("demo") as bar:
        made = run_demo(folder, short=short, progress=bar, told=note)
    rows = [(step.name, step.result, f"{step.seconds:.1f} s") for step in made.steps]
    show(
        made,
        as_json=json,
        text=[
            table("", ("step", "result", "time>"), rows),
            f"bundle: {made.bundle}",
            f"pictures: {made.pictures[0]}",
            f"in all: {made.seconds:.0f} s",
            "The same with your own photos, and a real board:",
            *(f"  {command}" for command in made.next_commands),
        ],
    )
