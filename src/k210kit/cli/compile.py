"""`k210kit compile`: a float model to a kmodel V3."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from k210kit.cli.numbers import numbers, real
from k210kit.cli.output import Force, Json, note, progress, show
from k210kit.cli.outputs import InputSize, Outputs, input_size, names
from k210kit.files import refuse_existing, write_whole

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_MODELS = frozenset((".tflite", ".onnx", ".h5", ".hdf5", ".keras"))
_EPILOG = (
    "Example: `k210kit compile model.tflite -o model.kmodel --images photos --limit 20 "
    "--mean 0.5 --std 0.5 --report report.html`"
)


@app.command(
    epilog=_EPILOG,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": False},
)
def compile(
    context: typer.Context,
    model: Annotated[Path, typer.Argument(help="A .tflite, .onnx, .h5 or .keras file.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT.kmodel", help="The file to write.")],
    images: Annotated[
        list[Path],
        typer.Option(help="Pictures like those that the camera will see, or folders of them; or .npy arrays."),
    ],
    limit: Annotated[
        int | None, typer.Option(min=1, max=1_000_000, help="Use at most so many pictures, spread over all.")
    ] = None,
    mean: Annotated[str, typer.Option(metavar="M[,M,M]", help="Pixels become (x/scale - mean)/std.")] = "0",
    std: Annotated[str, typer.Option(metavar="S[,S,S]", help="One for all channels, or one each.")] = "1",
    scale: Annotated[
        float, typer.Option(parser=real(0, 1e6, above=True), metavar="NUMBER", help="What a pixel is divided by first.")
    ] = 255.0,
    letterbox: Annotated[bool, typer.Option("--letterbox", help="Keep the pictures' shape, with grey bars.")] = False,
    effort: Annotated[
        Literal["fast", "normal", "best"], typer.Option(help="How long to search for better integers.")
    ] = "normal",
    outputs: Outputs = None,
    input: InputSize = None,
    report: Annotated[
        Path | None, typer.Option(metavar="R.json|R.html|R.csv", help="Write the report; the name tells the form.")
    ] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Compile a TFLite, ONNX or Keras model to a kmodel V3, which stock MaixPy loads."""
    from k210kit.compiler import Normalisation, Options
    from k210kit.compiler import compile as compiled
    from k210kit.compiler.report import as_file, as_text

    for target in filter(None, (output, report)):
        refuse_existing(target, force=force)
    options = Options(
        normalisation=Normalisation(scale=scale, mean=numbers(mean, "--mean"), std=numbers(std, "--std")),
        letterbox=letterbox,
        limit=limit,
        effort=effort,
        outputs=names(outputs),
        size=input_size(input),
    )
    places = [*images, *map(Path, context.args)]  # --images takes several, as a shell's * gives them
    if model.suffix.lower() not in _MODELS:  # ... and swallows what stands behind them
        swallowed = [place for place in places if place.suffix.lower() in _MODELS]
        if swallowed:
            places = [model, *(place for place in places if place != swallowed[0])]
            model = swallowed[0]
    with progress(f"compiling {model.name}") as tell:
        result = compiled(model, places, options, progress=tell)
    if report is not None:
        written = as_file(result.report, report.suffix)
        write_whole(report, written, force=force)
    write_whole(output, result.to_bytes(), force=force)
    for warning in result.report.warnings:
        note(f"warning: {warning}")
    show(result.report, as_json=json, text=as_text(result.report, output))
