"""`k210kit stubs`: MaixPy's modules for an editor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from k210kit.cli.output import Force, Json, show
from k210kit.emulator.stubs import write_stubs

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, kw_only=True)
class Written:
    """The stubs that were written."""

    folder: Path
    files: list[str]


@app.command(epilog='Example: `k210kit stubs -o typings`, then in VS Code `"python.analysis.stubPath": "typings"`')
def stubs(
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder to write into.")] = Path("typings"),
    force: Force = False,
    json: Json = False,
) -> None:
    """Write type stubs of MaixPy's modules, so that an editor completes and checks camera scripts."""
    written = write_stubs(output, force=force)
    result = Written(folder=output, files=[path.name for path in written])
    show(result, as_json=json, text=f"{len(written)} stubs are in {output}.")
