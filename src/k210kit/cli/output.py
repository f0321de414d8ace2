"""The one door through which the kit talks: results to stdout, everything else to stderr."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn, Protocol

import typer

from k210kit.errors import KitError
from k210kit.streams import leave_output

__all__ = ["Force", "Json", "Progress", "console", "fail", "note", "progress", "show", "styled", "table", "to_json"]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Force = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]


_ROOMY = 120  # columns of a terminal from which tables have wider gaps
_FOLDED = 6  # letters that a word is broken into at the least


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
    """A rich console: colour and tables on a terminal, plain text elsewhere; words are shown as they are."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else 200
    return Console(stderr=stderr, soft_wrap=True, highlight=False, markup=False, emoji=False, width=width)


def styled(*parts: str | tuple[str, str]) -> Any:  # Any: a rich text
    """A line of words, some of them with a style: `styled("as ", (name, "bold"))`."""
    from rich.text import Text

    return Text.assemble(*parts)


def show(result: object, *, as_json: bool, text: Any) -> None:  # Any: whatever rich can render
    """Print a command's result: `result` as JSON (ASCII, whatever the locale), or `text`'s parts for a person."""
    if as_json:
        _print(json.dumps(to_json(result), allow_nan=False) + "\n")
        return
    out = console()
    parts = text if isinstance(text, list | tuple) else [text]
    if out.is_terminal:
        for part in parts:
            out.print(part)
        return
    with out.capture() as captured:
        for part in parts:
            out.print(part)
    _print("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def _print(text: str) -> None:
    """To stdout; a reader who has left, as `| head` does, does not change the exit code."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        leave_output()


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
    """The kit's one look for a table; a column whose name ends in `>` is right-aligned.

    On a narrow terminal words are broken and nothing is left out; figures, which are to the right, stay whole.
    """
    from rich import box
    from rich.table import Table

    cells = [[str(cell) for cell in row] for row in rows]
    gap = (0, 1, 0, 0) if console().width >= _ROOMY else 0
    made = Table(title=title or None, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False, padding=gap)
    for number, name in enumerate(columns):
        is_figure = name.endswith(">")
        longest = max((len(row[number]) for row in cells), default=0)
        made.add_column(
            name.rstrip(">"), overflow="fold", justify="right" if is_figure else "left",
            min_width=longest if is_figure else min(longest, _FOLDED),
        )  # fmt: skip
    for row in cells:
        made.add_row(*row)
    return made


def note(message: str) -> None:
    """A line for the person at the terminal, on stderr."""
    console(stderr=True).print(message)


def fail(error: KitError) -> NoReturn:
    """Print one message and leave with the error's exit code; with --json a JSON object on stdout too."""
    with suppress(OSError):  # where nobody can be told, the exit code still tells
        console(stderr=True).print(styled(("error:", "bold red"), f" {error}"))
    if "--json" in sys.argv:
        show(Failure(error=Said(kind=type(error).__name__, message=str(error))), as_json=True, text="")
    sys.exit(error.exit_code)


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

        with Bar(
            TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn(), console=err
        ) as bar:
            task = bar.add_task(title, total=1.0)
            yield lambda fraction, what="": bar.update(task, completed=fraction, description=what or title)
        return
    last = -1

    def line(fraction: float, what: str = "") -> None:
        nonlocal last
        if int(fraction * 10) > last:
            last = int(fraction * 10)
            err.print(f"{title}: {fraction:4.0%} {what}".rstrip())

    yield line
