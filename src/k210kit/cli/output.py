"""The one door through which the kit talks: results to stdout, everything else to stderr."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn, Protocol

import typer

from k210kit.errors import KitError

__all__ = ["Force", "Json", "Progress", "console", "fail", "note", "progress", "show", "table", "to_json"]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Force = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]


@dataclass(frozen=True, kw_only=True)
class Said:
    """The kind of an error, by its name in k210kit.errors, and the message for a person."""

    kind: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What is printed in place of a result."""

    error: Said


def console(*, stderr: bool = False) -> Any:  # Any: rich is imported only when something is printed
    """A rich console: colour and tables on a terminal, plain text elsewhere."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, soft_wrap=True, highlight=False, width=None if stream.isatty() else 200)


def show(result: object, *, as_json: bool, text: Any) -> None:  # Any: whatever rich can render
    """Print a command's result: `result` as JSON, or the renderables of `text` for a person."""
    if as_json:
        sys.stdout.write(json.dumps(to_json(result), ensure_ascii=False, allow_nan=False) + "\n")
        return
    out = console()
    for part in text if isinstance(text, list | tuple) else [text]:
        out.print(part)


def to_json(value: object) -> Any:  # Any: JSON
    """Dataclasses, paths, arrays and NumPy numbers as plain JSON values; NaN and infinities as null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return to_json(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Any:  # Any: a rich table
    """The kit's one look for a table; a column whose name ends in `>` is right-aligned."""
    from rich import box
    from rich.table import Table

    made = Table(title=title or None, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for name in columns:
        made.add_column(name.rstrip(">"), justify="right" if name.endswith(">") else "left")
    for row in rows:
        made.add_row(*(str(cell) for cell in row))
    return made


def note(message: str) -> None:
    """A line for the person at the terminal, on stderr."""
    console(stderr=True).print(message, markup=False)


def fail(error: KitError) -> NoReturn:
    """Print one message and leave with the error's exit code; with --json a JSON object on stdout too."""
    console(stderr=True).print(f"[bold red]error:[/] {_escape(str(error))}")
    if "--json" in sys.argv:
        show(Failure(error=Said(kind=type(error).__name__, message=str(error))), as_json=True, text="")
    sys.exit(error.exit_code)


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


class Progress(Protocol):
    """Called with how much is done (0 to 1) and a word on what is being done."""

    def __call__(self, fraction: float, what: str = "") -> None: ...


@contextmanager
def progress(title: str) -> Iterator[Progress]:
    """A progress bar on a terminal, a plain line every ten per cent elsewhere."""
    err = console(stderr=True)
    if err.is_terminal:
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        with Bar(TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=err) as bar:
            task = bar.add_task(title, total=1.0)
            yield lambda fraction, what="": bar.update(task, completed=fraction, description=what or title)
        return
    last = -1

    def line(fraction: float, what: str = "") -> None:
        nonlocal last
        if int(fraction * 10) > last:
            last = int(fraction * 10)
            err.print(f"{title}: {fraction:4.0%} {what}".rstrip(), markup=False)

    yield line
