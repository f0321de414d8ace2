"""The reference page of every command, read from the commands themselves."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import typer

from k210kit.cli.table import COMMANDS

__all__ = ["page"]

_HEAD = """# Commands

Every command takes `--help`, and `--json` prints one JSON object on stdout and nothing else there.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | our own fault: please report it |
| 2 | what was given is wrong: one message says what, and what to do |
| 3 | the answer is no: it does not fit, a threshold is missed, a check failed |
"""


def page() -> str:
    """The whole page as Markdown."""
    parts = [_HEAD]
    panel = ""
    for row in COMMANDS:
        if row.panel != panel:
            panel = row.panel
            parts.append(f"## {panel}\n")
        command = typer.main.get_command(importlib.import_module(row.module).app)
        parts.extend(_sections(f"k210kit {row.name}", command))
    return "\n".join(parts)


def _sections(name: str, command: Any) -> list[str]:  # Any: a command of typer's own click
    children = getattr(command, "commands", {})
    made = [_section(name, command, bool(children))]
    for child_name, child in children.items():
        made.extend(_sections(f"{name} {child_name}", child))
    return made


def _section(name: str, command: Any, is_group: bool) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
    usage = " ".join([name, *(_usage(a) for a in arguments), *(["[OPTIONS]"] if options else [])])
    lines = [f"### `{name}`", "", inspect.cleandoc(command.help or ""), ""]
    if not is_group:
        lines += ["```text", usage, "```", ""]
    if options:
        lines += ["| option | meaning | default |", "|---|---|---|"]
        lines += [f"| {_names(o)} | {_cell(o.help)} | {_default(o)} |" for o in options]
        lines.append("")
    if command.epilog:
        lines += [inspect.cleandoc(command.epilog), ""]
    return "\n".join(lines)


def _usage(argument: Any) -> str:
    name = (argument.metavar or argument.name).upper()
    name = name + "..." if argument.nargs != 1 and not name.endswith("...") else name
    return name if argument.required else f"[{name}]"


def _names(option: Any) -> str:
    return ", ".join(f"`{text}`" for text in [*option.opts, *option.secondary_opts])


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|").replace("\n", " ")


def _default(option: Any) -> str:
    value = option.default
    if value is None or value is False or callable(value) or type(value).__name__ == "Sentinel":
        return ""
    return f"`{getattr(value, 'value', value)}`"
