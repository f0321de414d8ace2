"""`k210kit train`: a data set in, a working camera model out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from k210kit.cli.output import Force, Json, note, progress, show, table

if TYPE_CHECKING:
    from k210kit.training import TrainResult

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: `k210kit train photos.zip -o run --backbone mobilenet_7_5_224_tf_no_top.h5`")
def train(
    dataset: Annotated[Path, typer.Argument(help="A folder or zip: a folder per class, VOC, COCO, YOLO, VoTT, CSV…")],
    run: Annotated[Path, typer.Option("--output", "-o", metavar="RUN", help="Where the run and its bundle go.")],
    task: Annotated[Literal["classify", "detect"] | None, typer.Option(help="Told by the data if left out.")] = None,
    size: Annotated[
        str | None,
        typer.Option("--input", metavar="WxH", help="What the net sees: 224x224, or 320x240 for small things."),
    ] = None,
    grey: Annotated[bool, typer.Option("--grey", help="One channel in place of three colours.")] = False,
    net: Annotated[Literal["mobilenet", "tiny"] | None, typer.Option(help="The net.")] = None,
    alpha: Annotated[float | None, typer.Option(help="Its width: 0.25, 0.5, 0.75 or 1.0.")] = None,
    backbone: Annotated[
        str | None, typer.Option(metavar="FILE.h5|none", help="ImageNet weights, or none to begin with random numbers.")
    ] = None,
    download: Annotated[bool, typer.Option("--download", help="Let Keras download its ImageNet weights.")] = False,
    epochs: Annotated[int | None, typer.Option(help="Chosen by the number of pictures if left out.")] = None,
    rate: Annotated[float | None, typer.Option(help="The highest learning rate.")] = None,
    batch: Annotated[int | None, typer.Option(help="Pictures per step.")] = None,
    kpu_epochs: Annotated[int | None, typer.Option(help="Epochs with the KPU's rounding; 0 for none.")] = None,
    fit: Annotated[
        Literal["cover", "letterbox", "stretch"] | None, typer.Option(help="How pictures are laid into the input.")
    ] = None,
    form: Annotated[str | None, typer.Option("--format", help="The data set's form, if it is not recognised.")] = None,
    validation: Annotated[float, typer.Option(help="Share of pictures that choose the best state.")] = 0.1,
    test: Annotated[float, typer.Option(help="Share of pictures that only measure.")] = 0.2,
    seed: Annotated[int, typer.Option(help="The same seed, the same result.")] = 0,
    board: Annotated[
        str, typer.Option(help="unitv, m5stickv, maixbit, maixdock, maixgo, maixcube, amigo ...")
    ] = "unitv",
    firmware: Annotated[str | None, typer.Option(help="A MaixPy build, in place of the board's usual one.")] = None,
    stream: Annotated[bool, typer.Option("--stream", help="boot.py sends pictures to `k210kit view`.")] = False,
    effort: Annotated[Literal["fast", "normal", "best"], typer.Option(help="Of the compiler.")] = "normal",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")] = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Train a classifier or detector, compile it, measure it, and write the bundle for the board."""
    from k210kit.training import TrainOptions, parse_size
    from k210kit.training import train as run_training

    width, height = parse_size(size) if size else (None, None)
    options = TrainOptions(
        task=task, form=form, width=width, height=height, grey=grey, fit=fit, net=net, alpha=alpha,
        backbone=backbone, download=download, epochs=epochs, rate=rate, batch=batch, kpu_epochs=kpu_epochs,
        validation=validation, test=test, seed=seed, board=board, firmware=firmware, stream=stream,
        effort=effort,
    )  # fmt: skip
    with progress(f"training {run.name}") as bar:
        result = run_training(dataset, run, options, resume=resume, force=force, progress=bar, told=note)
    show(result, as_json=json, text=_text(result))


def _text(result: TrainResult) -> list[Any]:
    from k210kit.training import figure_rows

    shown = result.warnings[:8]
    more = len(result.warnings) - len(shown)
    return [
        table("", ("test part", "float>", "kmodel>"), figure_rows(result.metrics_float, result.metrics_kmodel)),
        *(f"warning: {text}" for text in shown),
        *([f"and {more} more warnings in {result.run}/findings.json"] if more else []),
        f"{result.bundle}: boot.py, model.kmodel, report.html and the rest, in {result.seconds:.0f} s",
    ]
