"""`k210kit simulate`: run a kmodel bit for bit."""

from __future__ import annotations

import io
import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from k210kit.cli.output import Force, Json, Progress, note, progress, show, table
from k210kit.files import refuse_existing, write_whole

if TYPE_CHECKING:
    from k210kit.simulator import Machine
    from k210kit.simulator.trace import LayerStatistics

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_WORTH_COMPILING = 32  # inputs: importing numba takes as long as NumPy takes for so many

Array = Any  # a NumPy array; NumPy is imported only once the command runs


@dataclass(frozen=True, kw_only=True)
class OutputTold:
    """One output of one input, by the name that its array has in OUT.npz."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    min: float | None
    max: float | None


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """What the kmodel answered; `layers` holds a list per input with --layers, and is empty without."""

    model: Path
    runtime: str
    inputs: list[Path]
    outputs: list[OutputTold]
    milliseconds: list[float]  # on this computer, per input
    warnings: list[str]
    layers: list[list[LayerStatistics]]
    written: list[Path]


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
    from k210kit.simulator import Machine

    for target in filter(None, (output, trace)):
        refuse_existing(target, force=force)
    machine = Machine(
        load(model), runtime=runtime, float_mode=float_mode, accelerate=len(inputs) >= _WORTH_COMPILING
    )  # fmt: skip
    with progress(f"simulating {model.name}") if len(inputs) > 1 else nullcontext(_ignore) as report:
        done = _run(machine, inputs, report, keep=trace is not None, tell=layers)
    _write_arrays(output, done.arrays, force=force)
    _write_arrays(trace, done.traced, force=force)
    for text in done.warnings:
        note(f"warning: {text}")
    written = [path for path in (output, trace) if path]
    result = Simulated(
        model=model,
        runtime=machine.runtime.name,
        inputs=inputs,
        outputs=[_described(name, array) for name, array in done.arrays.items()],
        milliseconds=done.milliseconds,
        warnings=done.warnings,
        layers=done.told,
        written=written,
    )
    tables = [*_layer_tables(inputs, done.told), _result_table(inputs, done.results, done.milliseconds)]
    show(result, as_json=json, text=[*tables, *_named(written)])


@dataclass
class _Done:
    """What a machine made of every input."""

    results: list[list[Array]] = field(default_factory=list)
    traced: dict[str, Array] = field(default_factory=dict)
    told: list[list[LayerStatistics]] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def arrays(self) -> dict[str, Array]:
        return {f"output_{i}_{j}": array for i, run in enumerate(self.results) for j, array in enumerate(run)}


def _run(machine: Machine, inputs: list[Path], report: Progress, *, keep: bool, tell: bool) -> _Done:
    """Run every input; `keep` each layer's arrays, `tell` each layer's statistics."""
    from k210kit.simulator import named, read_input, statistics

    done = _Done()
    for number, path in enumerate(inputs):
        pixels = read_input(path, machine.model)
        start = time.perf_counter()
        run, made = machine.trace(pixels) if keep or tell else (machine.run(pixels), [])
        done.milliseconds.append(round((time.perf_counter() - start) * 1000, 3))
        done.results.append(run.outputs)
        if keep:
            done.traced.update({f"{number}_{name}": array for name, array in named(machine.model, made).items()})
        if tell:
            done.told.append(statistics(machine.model, made))
        done.warnings += [text for text in run.warnings if text not in done.warnings]
        report((number + 1) / len(inputs))
    return done


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


def _described(name: str, array: Array) -> OutputTold:
    return OutputTold(
        name=name, shape=array.shape, dtype=str(array.dtype), min=float(array.min()), max=float(array.max())
    )  # fmt: skip


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
