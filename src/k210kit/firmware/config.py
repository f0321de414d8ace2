"""Configurations of a MaixPy build: written, read, and resolved as the build itself will resolve them.

Kconfig's rules come from kconfiglib, the library that MaixPy's own build calls; the options come from `options`.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from k210kit.firmware.options import CHOICES, OPTIONS, PREFIX, Option
from k210kit.firmware.variants import Variant, settings_of

__all__ = [
    "Line",
    "Resolved",
    "configuration_text",
    "kconfig_text",
    "malformed_lines",
    "parse_lines",
    "resolve_settings",
    "variant_text",
]

_SET = re.compile(r"^CONFIG_(\w+)=(.*?)\s*$")
_NOT_SET = re.compile(r"^# CONFIG_(\w+) is not set\s*$")
_MEANT_AS_SET = re.compile(r"^\s*(?:export\s+)?CONFIG_\w+\s*[:=]|^\s*#\s*CONFIG_\w+\s+is\s+not\s+set")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One assignment of a file: key without CONFIG_, value without quotes ("n" for "is not set"), line from 1."""

    key: str
    value: str
    number: int


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """Effective value of every option, "" where none applies, and what kconfiglib had to say."""

    settings: Mapping[str, str]
    messages: tuple[str, ...]


def parse_lines(text: str) -> tuple[Line, ...]:
    """The assignments of a .mk file, in order."""
    lines = []
    for number, row in enumerate(text.splitlines(), 1):
        if found := _SET.match(row):
            value = found.group(2)
            if len(value) >= 2 and value[0] == value[-1] == '"':
                value = value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
            lines.append(Line(key=found.group(1), value=value, number=number))
        elif found := _NOT_SET.match(row):
            lines.append(Line(key=found.group(1), value="n", number=number))
    return tuple(lines)


def malformed_lines(text: str) -> tuple[int, ...]:
    """Numbers of lines that look like an assignment, but not to Kconfig, which passes over them."""
    return tuple(
        number
        for number, row in enumerate(text.splitlines(), 1)
        if _MEANT_AS_SET.match(row) and not _SET.match(row) and not _NOT_SET.match(row)
    )


def configuration_text(settings: Mapping[str, str], title: str) -> str:
    """A .mk file that states every option, so that no default of Kconfig can surprise."""
    rows = [f"# {title}", "# Made by k210kit firmware config. Every option is stated: what is left out is often on."]
    group, groups = "", list(dict.fromkeys(row.group for row in OPTIONS))
    for row in sorted(OPTIONS, key=lambda row: groups.index(row.group)):
        value = settings.get(row.key, row.default)
        if value == "" and row.kind in ("int", "hex"):
            continue
        if row.group != group:
            group = row.group
            rows += ["", f"# {group}"]
        rows.append(_assignment(row, value))
    return "\n".join(rows) + "\n"


def variant_text(variant: Variant) -> str:
    """The configuration of one of the known builds."""
    return configuration_text(settings_of(variant), f"MaixPy, {variant.name}: {variant.title}")


def _assignment(row: Option, value: str) -> str:
    if row.kind == "bool":
        return f"{PREFIX}{row.key}=y" if value == "y" else f"# {PREFIX}{row.key} is not set"
    if row.kind == "string":
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{PREFIX}{row.key}="{escaped}"'
    return f"{PREFIX}{row.key}={value}"


def kconfig_text(options: Iterable[Option] = OPTIONS) -> str:
    """The option table in Kconfig's own language."""
    rows: list[str] = []
    inside: dict[str, list[Option]] = {}
    for row in options:
        inside.setdefault(row.choice, []).append(row)
    for row in inside.get("", []):
        rows += _kconfig_entry(row)
    for choice in CHOICES:
        rows += [f"choice {choice.name}", f'\tbool "{choice.prompt}"', f"\tdefault {choice.default}"]
        if choice.depends:
            rows.append(f"\tdepends on {choice.depends}")
        for row in inside.get(choice.name, []):
            rows += [f"\tconfig {row.key}", f'\t\tbool "{row.key}"']
        rows.append("endchoice")
    return "\n".join(rows) + "\n"


def _kconfig_entry(row: Option) -> list[str]:
    default = f'"{row.default}"' if row.kind == "string" else row.default
    rows = [f"config {row.key}", f'\t{row.kind} "{row.key}"', f"\tdefault {default}"]
    if row.depends:
        rows.append(f"\tdepends on {row.depends}")
    if row.low is not None and row.high is not None:
        rows.append(f"\trange {row.low} {row.high}")
    known = {option.key for option in OPTIONS}
    return rows + [f"\tselect {key}" for key in row.selects if key in known]


def resolve_settings(text: str) -> Resolved:
    """Let kconfiglib resolve the text of a .mk file against the option table."""
    import kconfiglib

    with tempfile.TemporaryDirectory() as folder:
        table, file = Path(folder, "Kconfig"), Path(folder, "config.mk")
        table.write_text(kconfig_text(), encoding="utf-8")
        file.write_text(text, encoding="utf-8")
        made = kconfiglib.Kconfig(str(table), warn_to_stderr=False)
        made.warn_assign_override = made.warn_assign_redun = True
        made.load_config(str(file), replace=False)
        settings = {symbol.name: symbol.str_value for symbol in made.unique_defined_syms}
        messages = tuple(str(message).replace(str(file), "the file") for message in made.warnings)
    return Resolved(settings={row.key: settings.get(row.key, "") for row in OPTIONS}, messages=messages)
