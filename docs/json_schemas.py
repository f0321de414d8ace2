"""What `--json` of every command prints, as JSON schemas and as a page, read from the types of the results."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import re
import textwrap
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Union

__all__ = ["RESULTS", "file_name", "files", "late_names", "page", "remarks", "schema"]

# command -> where the type of its result is
RESULTS: dict[str, str] = {
    "demo": "k210kit.demo:Demo",
    "new-project": "k210kit.cli.new_project:Project",
    "draw-cards": "k210kit.cli.draw_cards:Drawn",
    "train": "k210kit.training:TrainResult",
    "evaluate": "k210kit.training.evaluate:Evaluation",
    "check": "k210kit.compiler.pipeline:CheckResult",
    "compare": "k210kit.comparison.compare:Comparison",
    "inspect": "k210kit.inspection:Inspection",
    "inspect --diff": "k210kit.cli.inspect:Compared",
    "compile": "k210kit.compiler.report:Report",
    "simulate": "k210kit.cli.simulate:Simulated",
    "run": "k210kit.emulator:RunResult",
    "stubs": "k210kit.cli.stubs:Written",
    "view": "k210kit.cli.view:Viewed",
    "stream-demo": "k210kit.studio.stream_demo:StreamDemo",
    "flash": "k210kit.device.flasher:Flashed",
    "fit": "k210kit.planner:Fit",
    "firmware list": "k210kit.cli.firmware:Builds",
    "firmware inspect": "k210kit.inspection:Inspection",
    "firmware config": "k210kit.cli.firmware:Configured",
    "firmware check": "k210kit.firmware.check:Checked",
    "firmware diff": "k210kit.firmware.compare:Comparison",
    "firmware build": "k210kit.firmware.build:Built",
    "firmware build --dry-run": "k210kit.firmware.build:Ready",
    "terminal": "k210kit.cli.terminal:Carried",
    "terminal --rescue": "k210kit.cli.terminal:Rescued",
    "terminal --wipe-files": "k210kit.device.flasher:Flashed",
    "swap": "k210kit.package.swap:Swapped",
    "pack": "k210kit.package.pack:Packed",
    "unpack": "k210kit.package.pack:Unpacked",
    "doctor": "k210kit.cli.doctor:Diagnosis",
    "explain": "k210kit.cli.explain:Explained",
    "(an error)": "k210kit.cli.output:Failure",
}

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PLAIN: dict[Any, dict[str, object]] = {  # Any: a type, as annotations name it
    bool: {"type": "boolean"}, int: {"type": "integer"}, float: {"type": "number"}, str: {"type": "string"},
    Path: {"type": "string"}, type(None): {"type": "null"}, Any: {}, object: {},
}  # fmt: skip


def schema(command: str) -> dict[str, Any]:  # Any: JSON
    """The schema of what `k210kit COMMAND --json` prints."""
    module, _, name = RESULTS[command].partition(":")
    definitions: dict[str, Any] = {}
    root = _of(getattr(importlib.import_module(module), name), definitions)
    title = "k210kit: an error" if command == "(an error)" else f"k210kit {command} --json"
    return {"$schema": _DIALECT, "title": title, **root, "$defs": dict(sorted(definitions.items()))}


def _of(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:  # Any: a type, as annotations name it; JSON
    if hint in _PLAIN:
        return dict(_PLAIN[hint])
    if dataclasses.is_dataclass(hint):
        return _dataclass(hint, definitions)
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return {"enum": list(parts)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_of(part, definitions) for part in parts]}
    if origin is tuple and Ellipsis not in parts:
        items = [_of(part, definitions) for part in parts]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
    if origin in (list, tuple, set, frozenset):
        return {"type": "array", "items": _of(parts[0], definitions)}
    if origin in (dict, Mapping):
        values = _of(parts[1], definitions)
        if parts[1] is float:  # the precision of a class that was never said, say, is no number, which JSON has as null
            values = {"anyOf": [values, {"type": "null"}]}
        return {"type": "object", "additionalProperties": values}
    raise TypeError(f"no JSON schema for {hint!r}")


def _dataclass(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:  # Any: a dataclass; JSON
    name = kind.__name__
    if name not in definitions:
        definitions[name] = {}
        hints, said = typing.get_type_hints(kind, localns=late_names(kind)), remarks(kind)
        properties = {
            field.name: _of(hints[field.name], definitions)
            | ({"description": said[field.name]} if field.name in said else {})
            for field in dataclasses.fields(kind)
        }
        definitions[name] = {
            "description": inspect.cleandoc(kind.__doc__ or ""),
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
    return {"$ref": f"#/$defs/{name}"}


def late_names(kind: Any) -> dict[str, Any]:  # Any: a class or a function; types
    """Names that its module imports for type checkers only, as its source tells."""
    source = inspect.getsource(importlib.import_module(kind.__module__))
    block = re.search(r"^if TYPE_CHECKING:\n((?:[ \t]+.*\n|\n)+)", source, re.MULTILINE)
    names: dict[str, Any] = {"__package__": kind.__module__.rpartition(".")[0]}
    if block:
        exec(textwrap.dedent(block.group(1)), names)  # our own import lines
    return names


def remarks(kind: type) -> dict[str, str]:
    """The comments behind the fields of a class and of its bases."""
    found: dict[str, str] = {}
    for one in reversed(kind.__mro__[:-1]):
        for name, remark in re.findall(r"^    (\w+): [^#\n]*?  # (.+)$", inspect.getsource(one), re.MULTILINE):
            found[name] = remark
    return found


def file_name(command: str) -> str:
    """The name of a command's schema in the folder k210kit/schemas."""
    words = "error" if command == "(an error)" else command
    return re.sub(r"[^a-z]+", "-", words) + ".json"


def files() -> dict[str, Callable[[], str]]:
    """Every schema as a generated file, beside the code, so that an installed kit has it too."""
    return {
        f"../src/k210kit/schemas/{file_name(command)}": (
            lambda command=command: json.dumps(schema(command), indent=2, ensure_ascii=False) + "\n"
        )
        for command in RESULTS
    }


_HEAD = """# What --json prints

Every command takes `--json` and then prints one JSON object on stdout, and everything else on stderr. All fields are
always there. NaN and infinite numbers are `null`. Where a command fails, the object is `{"error": {"kind", "message"}}`
and the [exit code](commands.md) tells whose fault it is; with exit code 3 the object is the command's own if there was
an answer.

The same as JSON schemas (draft 2020-12) lies in the package, in `k210kit/schemas/`, a file per command; the tests hold
every command to them.
"""


def page() -> str:
    """The whole page as Markdown."""
    parts = [_HEAD]
    for command in RESULTS:
        made = schema(command)
        first = made["$ref"].rpartition("/")[2]
        name = "An error" if command == "(an error)" else f"`k210kit {command}`"
        parts.append(f"## {name}\n\n{made['$defs'][first]['description']}\n\nSchema: `schemas/{file_name(command)}`\n")
        order = [first, *(part for part in made["$defs"] if part != first)]
        for part in order:
            if part != first:
                about = made["$defs"][part]["description"].replace("\n", " ")
                parts.append(f"**{part}**: {about}\n")
            parts.append(_table(made["$defs"][part]["properties"]))
    return "\n".join(parts)


def _table(properties: dict[str, Any]) -> str:  # Any: JSON
    rows = [f"| `{name}` | {_words(one)} | {_cell(one.get('description', ''))} |" for name, one in properties.items()]
    return "\n".join(["| field | type | |", "|---|---|---|", *rows, ""])


def _words(one: dict[str, Any]) -> str:  # Any: JSON
    if "$ref" in one:
        return str(one["$ref"].rpartition("/")[2])
    if "anyOf" in one:
        return " or ".join(_words(part) for part in one["anyOf"])
    if "enum" in one:
        return " or ".join(f"`{value}`" for value in one["enum"])
    if "prefixItems" in one:
        return "(" + ", ".join(_words(part) for part in one["prefixItems"]) + ")"
    if "items" in one:
        return f"list of {_words(one['items'])}"
    if one.get("type") == "object":
        return f"object of {_words(one['additionalProperties'])}"
    return str(one.get("type", "any"))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
