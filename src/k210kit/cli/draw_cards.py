"""`k210kit draw-cards`: a data set of drawn cards, and the cards to print."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from k210kit.cli.output import Force, Json, progress, show
from k210kit.errors import InputError

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What was drawn."""

    folder: Path | None
    pictures: int
    files: int
    labels: tuple[str, ...]
    pdf: Path | None
    sheets: int  # A4 pages of the PDF


@app.command(epilog="Example: `k210kit draw-cards -o cards --count 600 --pdf cards.pdf`")
def draw_cards(
    folder: Annotated[Path | None, typer.Option("--output", "-o", metavar="DIR", help="Where the pictures go.")] = None,
    count: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many pictures.")] = 600,
    task: Annotated[
        Literal["detect", "classify"], typer.Option(help="Boxes (Pascal VOC), or a folder per class.")
    ] = "detect",
    cards: Annotated[Literal["numbers", "symbols", "all"], typer.Option(help="Which cards.")] = "numbers",
    labels: Annotated[str | None, typer.Option(metavar="A,B,...", help="Only these cards of them.")] = None,
    near: Annotated[bool, typer.Option("--near", help="One card a picture, held up to the camera.")] = False,
    size: Annotated[str, typer.Option(metavar="WxH", help="Of the pictures.")] = "320x240",
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="The same seed, the same pictures.")] = 0,
    pdf: Annotated[Path | None, typer.Option(metavar="FILE.pdf", help="The cards to print and cut out.")] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Draw number and symbol cards as a camera would see them, with exact boxes, and a PDF of the cards to print."""
    if folder is None and pdf is None:
        raise InputError("Nothing to do: give -o DIR for pictures, --pdf FILE.pdf for cards to print, or both.")
    from k210kit.training.cards import DECKS, write_cards, write_sheets
    from k210kit.training.options import parse_size

    chosen = tuple(labels.split(",")) if labels else None
    written: tuple[Path, ...] = ()
    if folder is not None:
        with progress("drawing") as bar:
            written = write_cards(
                folder,
                task=task,
                count=count,
                deck=cards,
                labels=chosen,
                near=near,
                size=parse_size(size),
                seed=seed,
                force=force,
                progress=bar,
            )
    sheets = write_sheets(pdf, deck=cards, force=force) if pdf else 0
    show(
        Drawn(
            folder=folder,
            pictures=count if folder else 0,
            files=len(written),
            labels=chosen or tuple(DECKS[cards]),
            pdf=pdf,
            sheets=sheets,
        ),
        as_json=json,
        text=[
            *([f"{folder}: {count} pictures of {len(chosen or DECKS[cards])} cards"] if folder else []),
            *([f"{pdf}: {sheets} A4 sheets; print them at 100 %"] if pdf else []),
        ],
    )
