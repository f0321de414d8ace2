"""Command lines that stand on pages and in templates: does the command take them? Nothing is run."""

from __future__ import annotations

import importlib
from typing import Any

import typer

from k210kit.cli.main import WrongCommandLine
from k210kit.cli.table import COMMANDS
from k210kit.errors import InputError


def refusal(name: str, words: list[str]) -> str:
    """What the command says to these words; empty if it takes them."""
    (row,) = (row for row in COMMANDS if row.name == name)
    command: Any = typer.main.get_command(importlib.import_module(row.module).app)
    children = getattr(command, "commands", {})
    if children and words:
        if words[0] not in children:
            return f"no subcommand {words[0]}"
        command, words = children[words[0]], words[1:]
    try:
        command.make_context(name, list(words))
    except (WrongCommandLine, InputError) as error:
        return str(getattr(error, "message", error))
    return ""
