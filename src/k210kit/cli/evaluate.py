"""`k210kit evaluate`: how good a model is on pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from k210kit.cli.output import Json, note, progress, show, table

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: `k210kit evaluate run photos.zip`")
def evaluate(
    model: Annotated[Path, typer.Argument(metavar="RUN|KMODEL", help="A run, a bundle, or a kmodel in a bundle.")],
    dataset: Annotated[Path, typer.Argument(help="Pictures with labels or boxes, in any form that `train` reads.")],
    description: Annotated[
        Path | None, typer.Option(metavar="model.json", help="Labels, anchors and input, if not beside the kmodel.")
    ] = None,
    all_pictures: Annotated[
        bool, typer.Option("--all", help="Also the pictures that the run was trained on; the figures then flatter.")
    ] = False,
    json: Json = False,
) -> None:
    """Accuracy and confusion matrix, or average precision per class, of the float model and of the kmodel."""
    from k210kit.training import evaluate as run_evaluation
    from k210kit.training import figure_rows

    with progress(f"evaluating {model.name}") as bar:
        result = run_evaluation(model, dataset, description=description, all_pictures=all_pictures, progress=bar)
    if result.left_out:
        note(f"{result.left_out} pictures that the run was trained on are left out; --all takes them in.")
    rows = figure_rows(result.metrics_float, result.metrics_kmodel)
    show(
        result,
        as_json=json,
        text=[table(f"{result.pictures} pictures", ("", "float>", "kmodel>"), rows), *_confusion(result)],
    )


def _confusion(result: object) -> list[object]:
    metrics = getattr(result, "metrics_kmodel", None)
    confusion = getattr(metrics, "confusion", None)
    if confusion is None:
        return []
    labels = list(metrics.recall)  # type: ignore[union-attr]
    rows = [(label, *row) for label, row in zip(labels, confusion, strict=True)]
    return [table("is \\ said (kmodel)", ("", *(f"{label}>" for label in labels)), rows)]
