"""`k210kit pack`: files and their flash addresses into one kfpkg."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from k210kit.cli.output import Force, Json, note, show, table
from k210kit.package import Placed, pack

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command(
    epilog="Example: `k210kit pack -o camera.kfpkg --firmware maixpy.bin model_be.kmodel@0x300000`",
)
def pack_files(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT.kfpkg", help="The package to write.")],
    files: Annotated[
        list[str] | None, typer.Argument(metavar="FILE@ADDRESS", help="Files and where they go: model.kmodel@0x300000.")
    ] = None,
    firmware: Annotated[Path | None, typer.Option(metavar="BIN", help="The program for address 0.")] = None,
    file_system: Annotated[bool, typer.Option(help="Keep 0xD00000 and up free for MaixPy's files.")] = True,
    force: Force = False,
    json: Json = False,
) -> None:
    """Pack files and their flash addresses into a kfpkg; overlaps and addresses off the 4 KiB grid are refused."""
    placed = [Placed.parse(text) for text in files or ()]
    result = pack(output, placed, firmware=firmware, file_system=file_system, force=force)
    for warning in result.warnings:
        note(f"warning: {warning}")
    flash_map = result.flash_map
    show(result, as_json=json, text=[table("", flash_map.COLUMNS, flash_map.rows()), f"written: {output}"])
