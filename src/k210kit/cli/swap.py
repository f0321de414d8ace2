"""`k210kit swap`: a model's words reversed for `kpu.load_flash`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from k210kit.cli.output import Force, Json, note, show
from k210kit.package import swap

__all__ = ["app"]

_BECAME = {
    "big-endian": "a kmodel V3 for kpu.load_flash",
    "little-endian": "a kmodel V3 for kpu.load and the tools of this kit",
    "unknown": "the file does not begin as a kmodel V3, the only version that every load_flash takes",
}

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: `k210kit swap model.kmodel model_be.kmodel`")
def swap_file(
    source: Annotated[Path, typer.Argument(metavar="IN", help="The kmodel to read.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write.")],
    force: Force = False,
    json: Json = False,
) -> None:
    """Reverse every 32-bit word of a file, as `kpu.load_flash` wants it; swapping again gives the file back."""
    result = swap(source, target, force=force)
    if result.padded_bytes:
        note(f"The size was no multiple of 4; it was filled up with {result.padded_bytes} x ASCII '0', as MaixPy does.")
    written = result.files[0]
    show(result, as_json=json, text=f"{target}: {written.size:,} bytes, {_BECAME[result.became]}")
