"""`k210kit simulate`: run a kmodel bit for bit."""

from __future__ import annotations

import io
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from k210kit.cli.output import Force, Json, note, progress, show, table
from k210kit.files import refuse_existing, write_whole

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_WORTH_COMPILING = 32  # inputs: importing numba takes as long as NumPy takes for so many

Array = Any  # a NumPy array; NumPy is imported only once the command runs


@app.command(epilog="Example: `k210kit simulate model.kmodel photo.jpg -o result.npz --layers`")
def simulate(
    model: Annotated[Path, typer.Argument(help="A kmodel V3.")],
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT...", help="Pictures, or .npy: uint8 CHW, or float32.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT.npz", help="Arrays output_<input>_<output>.")
    ] = None,
    runtime: Annotated[Literal["maixpy", "sdk"], typer.Option(help="Whose rules the CPU layers follow.")] = "maixpy",
    float_mode: Annotated[
        Literal["fma", "strict"], typer.Option("--float", help="SDK only: fused, as a board, or plain IEEE floats.")
    ] = "fma",
    trace: Annotated[
        Path | None, typer.Option(metavar="FILE.npz", help="Keep what every layer made: <input>_layer_<n>_<name>.")
    ] = None,
    layers: Annotated[bool, typer.Option("--layers", help="Range and saturation of every layer.")] = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Run a kmodel on pictures or arrays: every byte as a K210 gives it, with MaixPy's or the SDK's runtime."""
    from k210kit.kmodel import load
    from k210kit.simulator import Machine, named, read_input, statistics

    for target in filter(None, (output, trace)):
        refuse_existing(target, force=force)
    accelerate = len(inputs) >= _WORTH_COMPILING
    machine = Machine(load(model), runtime=runtime, float_mode=float_mode, accelerate=accelerate)
    results, traced, told, milliseconds, warnings = [], {}, [], [], []
    with progress(f"simulating {model.name}") if len(inputs) > 1 else nullcontext(_ignore) as report:
        for number, path in enumerate(inputs):
            pixels = read_input(path, machine.model)
            start = time.perf_counter()
            run, made = machine.trace(pixels) if trace or layers else (machine.run(pixels), [])
            milliseconds.append(round((time.perf_counter() - start) * 1000, 3))
            results.append(run.outputs)
            traced.update(
                {f"{number}_{name}": array for name, array in named(machine.model, made).items()} if trace else {}
            )
            told += [statistics(machine.model, made)] if layers else []
            warnings += [text for text in run.warnings if text not in warnings]
            report((number + 1) / len(inputs))
    arrays = {f"output_{i}_{j}": array for i, run in enumerate(results) for j, array in enumerate(run)}
    _write_arrays(output, arrays, force=force)
    _write_arrays(trace, traced, force=force)
    for text in warnings:
        note(f"warning: {text}")
    written = [path for path in (output, trace) if path]
    show(
        {
            "model": model,
            "runtime": machine.runtime.name,
            "inputs": inputs,
            "outputs": [_described(name, array) for name, array in arrays.items()],
            "milliseconds": milliseconds,
            "warnings": warnings,
            **({"layers": told} if layers else {}),
            "written": written,
        },
        as_json=json,
        text=[*_layer_tables(inputs, told), _result_table(inputs, results, milliseconds), *_named(written)],
    )


def _named(written: list[Path]) -> list[str]:
    return [f"{path} written" for path in written]


def _write_arrays(path: Path | None, arrays: dict[str, Array], *, force: bool) -> None:
    if path is None:
        return
    import numpy as np

    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_whole(path, buffer.getvalue(), force=force)


def _ignore(fraction: float, what: str = "") -> None: ...


def _described(name: str, array: Array) -> dict[str, object]:
    return {"name": name, "shape": array.shape, "dtype": str(array.dtype), "min": array.min(), "max": array.max()}


def _layer_tables(inputs: list[Path], told: list[list[Any]]) -> list[Any]:
    columns = ("#>", "layer", "shape", "min>", "max>", "mean>", "at 0>", "at 255>", "values>")
    made = []
    for path, rows in zip(inputs, told, strict=False):
        cells = [
            (
                row.number,
                row.name,
                "x".join(map(str, row.shape)),
                f"{row.minimum:.6g}",
                f"{row.maximum:.6g}",
                f"{row.mean:.4g}",
                f"{row.at_lowest:.1%}" if row.dtype == "uint8" else "",
                f"{row.at_highest:.1%}" if row.dtype == "uint8" else "",
                row.distinct,
            )
            for row in rows
        ]
        made.append(table(f"{path.name}: what every layer made", columns, cells))
    return made


def _result_table(inputs: list[Path], results: list[list[Array]], milliseconds: list[float]) -> Any:
    columns = ("input", "output>", "shape", "type", "min>", "max>", "largest at>", "ms>")
    rows = []
    for path, outputs, spent in zip(inputs, results, milliseconds, strict=True):
        for j, array in enumerate(outputs):
            shape = "x".join(map(str, array.shape))
            place = f"{array.reshape(-1).argmax()}"
            rows.append(
                (path.name, j, shape, array.dtype, f"{array.min():.6g}", f"{array.max():.6g}", place, f"{spent:.1f}")
            )
    return table("", columns, rows)
