"""`k210kit unpack`: what is in a kfpkg, written to a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from k210kit.cli.output import Force, Json, note, show, table
from k210kit.package import unpack

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: `k210kit unpack camera.kfpkg -o camera`")
def unpack_package(
    package: Annotated[Path, typer.Argument(metavar="IN.kfpkg", help="The package to read.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="The folder to write to.")],
    force: Force = False,
    json: Json = False,
) -> None:
    """Write the files of a kfpkg and its flash list, as plain JSON, to a folder, and show the flash map."""
    result = unpack(package, output, force=force)
    for text in (*result.problems, *result.warnings):
        note(f"warning: {text}")
    flash_map = result.flash_map
    show(
        result,
        as_json=json,
        text=[
            table("", flash_map.COLUMNS, flash_map.rows()),
            f"{len(result.files)} files and the flash list: {output}",
        ],
    )
