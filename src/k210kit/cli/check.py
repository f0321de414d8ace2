"""`k210kit check`: what the KPU cannot do with a model, before training or compiling."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from k210kit.cli.output import Json, show
from k210kit.cli.outputs import InputSize, Outputs, input_size, names

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: `k210kit check model.tflite`")
def check(
    model: Annotated[Path, typer.Argument(help="A .tflite, .onnx, .h5 or .keras file.")],
    outputs: Outputs = None,
    input: InputSize = None,
    json: Json = False,
) -> None:
    """Say what the K210 cannot do with a model, by your own layer names, and what to use instead."""
    from k210kit.compiler import check as checked
    from k210kit.compiler.support import end_there

    found = checked(model, names(outputs), input_size(input))
    lines = [str(one) for one in found.findings] or [
        f"{model.name} can become a kmodel: {found.layers} operators, {found.kpu_layers} KPU layers, "
        f"{found.kpu_memory_bytes:,} bytes of KPU memory, {found.main_memory_bytes:,} of main memory."
    ]
    lines += [end_there(found.ends).strip()] if found.ends else []
    show(found, as_json=json, text=lines)
    if not found.ok:
        raise typer.Exit(3)
