"""`k210kit explain`: what a pasted message means."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import typer

from k210kit.cli.output import Json, note, show, styled
from k210kit.errors import InputError
from k210kit.explain import LANGUAGES, Explanation, explain

__all__ = ["app"]

app = typer.Typer(add_completion=False)
_ANSWER_IS_NO = 3


@dataclass(frozen=True, kw_only=True)
class Explained:
    """Every cause that shows in the text, in the order in which they show."""

    causes: tuple[Explanation, ...]


@app.command(
    epilog='Examples: `k210kit explain "load error:2006, ERR_NO_MEM"` · `k210kit explain --language ja < log.txt`'
)
def explain_text(
    text: Annotated[list[str] | None, typer.Argument(help="The message; standard input if not given.")] = None,
    language: Annotated[Literal["en", "ja", "zh", "all"], typer.Option(help="Which of the languages to show.")] = "all",
    json: Json = False,
) -> None:
    """Say what a message of MaixPy, the KPU, a converter or a flashing program means, and what to do."""
    if not text and sys.stdin.isatty():
        raise InputError('There is nothing to explain. Paste the message: k210kit explain "load error:2006"')
    pasted = " ".join(text) if text and text != ["-"] else sys.stdin.read()
    found = explain(pasted)
    languages = LANGUAGES if language == "all" else (language,)
    show(Explained(causes=found), as_json=json, text=[line for one in found for line in _lines(one, languages)])
    if not found:
        note(
            "No known message is in this text. Paste the whole output, with the lines before the error; "
            "k210kit inspect FILE and k210kit doctor may tell more."
        )
        raise typer.Exit(_ANSWER_IS_NO)


def _lines(one: Explanation, languages: tuple[str, ...]) -> list[Any]:  # Any: what rich renders
    lines = [styled((one.matched, "bold"))]
    for language in languages:
        detail = f" {one.detail.of(language)}" if one.detail else ""
        lines += [f"  {one.cause.of(language)}{detail}", f"  → {one.cure.of(language)}"]
    return [*lines, ""]
