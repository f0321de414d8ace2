"""`k210kit compare`: float against simulated."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from k210kit.cli.numbers import numbers, real
from k210kit.cli.output import Json, note, show, table
from k210kit.cli.outputs import Outputs, names
from k210kit.errors import FormatError, RefusedError
from k210kit.files import read_whole

if TYPE_CHECKING:
    from k210kit.comparison import Comparison

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command(
    epilog="Example: `k210kit compare model.tflite model.kmodel --images photos --layers`",
    context_settings={"allow_extra_args": True},
)
def compare(
    context: typer.Context,
    model: Annotated[Path, typer.Argument(help="The float model: .tflite, .onnx, .h5 or .keras.")],
    kmodel: Annotated[Path, typer.Argument(help="The kmodel that was made from it.")],
    images: Annotated[list[Path], typer.Option(help="Pictures or folders of them; .npy arrays for other inputs.")],
    layers: Annotated[bool, typer.Option("--layers", help="Each KPU layer too: where does it break?")] = False,
    min_snr: Annotated[
        float | None, typer.Option(parser=real(-300, 300), metavar="DB", help="Exit 3 if an output is below this.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, max=1_000_000, help="Use at most so many pictures, spread over all.")
    ] = None,
    mean: Annotated[str | None, typer.Option(metavar="M[,M,M]", help="Pixels become (x/scale - mean)/std.")] = None,
    std: Annotated[str | None, typer.Option(metavar="S[,S,S]", help="One for all channels, or one each.")] = None,
    scale: Annotated[
        float | None,
        typer.Option(parser=real(0, 1e6, above=True), metavar="NUMBER", help="What a pixel is divided by first."),
    ] = None,
    letterbox: Annotated[bool, typer.Option("--letterbox", help="Keep the pictures' shape, with grey bars.")] = False,
    outputs: Outputs = None,
    json: Json = False,
) -> None:
    """Compare a float model, run by its own engine, with the kmodel, run as the chip does, on the same pictures.

    Without --mean, --std and --scale the model.json beside the kmodel tells the normalisation, if there is one.
    """
    from k210kit.comparison import compare as compared
    from k210kit.compiler import Normalisation

    told = {} if None not in (scale, mean, std) else _beside(kmodel)
    normalisation = Normalisation(
        scale=scale if scale is not None else float(told.get("scale", 255.0)),
        mean=numbers(mean, "--mean") if mean is not None else _tuple(told.get("mean", 0.0)),
        std=numbers(std, "--std") if std is not None else _tuple(told.get("std", 1.0)),
    )
    found = compared(
        model, kmodel, [*images, *map(Path, context.args)], normalisation=normalisation, letterbox=letterbox,
        limit=limit, layers=layers, outputs=names(outputs),
    )  # fmt: skip
    show(found, as_json=json, text=_text(found))
    low = [x for x in found.outputs if min_snr is not None and x.snr_db is not None and x.snr_db < min_snr]
    if low:
        note(
            str(RefusedError(f"Output '{low[0].name}' has {low[0].snr_db:.1f} dB; at least {min_snr} were asked for."))
        )
        raise typer.Exit(3)


def _text(found: Comparison) -> list[Any]:  # Any: what rich renders
    rows = [
        (x.name, _db(x.snr_db), f"{x.cosine:.4f}", _share(x.top1_agreement), f"{x.largest_error:.3g}")
        for x in found.outputs
    ]
    parts: list[Any] = [
        f"{found.pictures} pictures; the float side by {found.engine}",
        table("", ("output", "SNR dB>", "cosine>", "top-1 agrees>", "largest error>"), rows),
    ]
    if found.layers:
        lines = [
            (
                x.number,
                x.name,
                x.operator,
                "x".join(map(str, x.shape)),
                _db(x.snr_db),
                f"{x.at_lowest:.1%}",
                f"{x.at_highest:.1%}",
            )
            for x in found.layers
        ]
        parts.append(table("KPU layers", ("#>", "name", "operator", "shape", "SNR dB>", "at 0>", "at 255>"), lines))
    return parts


def _beside(kmodel: Path) -> dict[str, Any]:
    """The normalisation that the bundle's model.json tells."""
    path = kmodel.parent / "model.json"
    if not path.is_file():
        return {}
    try:
        told = json_text.loads(read_whole(path))["normalisation"]
        return {name: told[name] for name in ("scale", "mean", "std")}
    except (ValueError, KeyError, TypeError):
        raise FormatError(
            f"{path} tells no normalisation", expected="scale, mean and std; or give --scale, --mean and --std"
        ) from None


def _tuple(value: Any) -> tuple[float, ...]:
    return tuple(float(v) for v in value) if isinstance(value, list) else (float(value),)


def _db(value: float | None) -> str:
    return "exact" if value is None else f"{value:.1f}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
