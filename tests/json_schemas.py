"""A command's JSON held to its schema, as the package ships it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

import k210kit
from k210kit.cli.output import to_json

SCHEMAS = Path(k210kit.__file__).parent / "schemas"


def read_schema(name: str) -> dict[str, Any]:
    """The schema in the file `name`.json."""
    found: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def held(name: str, result: object) -> Any:
    """The JSON of `result` (what a command printed, or what a function gave), which must be as the schema says."""
    body = json.loads(result) if isinstance(result, str) else json.loads(json.dumps(to_json(result), allow_nan=False))
    jsonschema.Draft202012Validator(read_schema(name)).validate(body)
    return body
