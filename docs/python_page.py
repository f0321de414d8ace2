"""The reference page of the Python interface: the verbs, what they take and what they give, read from the code."""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
import typing
from typing import Any

import k210kit
from docs.json_schemas import late_names, remarks
from k210kit import errors

__all__ = ["page"]

_HEAD = """# The Python interface

`import k210kit` offers the command's verbs as functions with typed results; what is not listed here may change. The
import takes no time: each verb is loaded when it is used. Type checkers see every type (`py.typed`). Errors are those
at the end of the page. Paths may be text or `pathlib.Path`.

```python
import k210kit

model = k210kit.load("model.kmodel")
(outputs,) = k210kit.simulate(model, [picture])  # uint8, channel-height-width
print(k210kit.fit(model, firmware="unitv").verdict)
```
"""


def page() -> str:
    """The whole page as Markdown."""
    parts, kinds = [_HEAD], dict[str, Any]()
    for name in k210kit.__all__:
        verb = getattr(k210kit, name)
        parts.append(f"## `{name}`\n\n```python\n{_call(name, verb)}\n```\n\n{_prose(verb)}\n")
        hints = typing.get_type_hints(verb, localns=late_names(verb))
        for hint in hints.values():
            _collect(hint, kinds)
    parts.append("## Types\n")
    for kind in sorted(kinds.values(), key=lambda one: str(one.__name__)):
        parts.append(_type(kind))
    parts.append(_errors())
    return "\n".join(parts)


def _call(name: str, verb: Any) -> str:  # Any: a function
    signature = inspect.signature(verb)
    lines, marked = [], False
    for one in signature.parameters.values():
        if one.kind is one.KEYWORD_ONLY and not marked:
            lines.append("    *,")
            marked = True
        default = "" if one.default is one.empty else f" = {_value(one.default)}"
        lines.append(f"    {one.name}: {_plain(one.annotation)}{default},")
    return "\n".join([f"k210kit.{name}(", *lines, f") -> {_plain(signature.return_annotation)}"])


def _value(value: object) -> str:
    return "nothing" if callable(value) else repr(value)


def _plain(annotation: object) -> str:
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", text)


def _prose(thing: Any) -> str:  # Any: a function or a class
    text = inspect.cleandoc(thing.__doc__ or "")
    return re.sub(r"((?:^>>> .*\n?(?:^(?!>>>).+\n?)*)+)", r"```python\n\1\n```", text, flags=re.MULTILINE)


def _collect(hint: Any, kinds: dict[str, Any]) -> None:  # Any: a type, as annotations name it
    """Every dataclass of the kit in a hint, and those in its fields."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if hint.__module__.startswith("k210kit.kmodel") or hint.__qualname__ in kinds:
            return
        kinds[hint.__qualname__] = hint
        for part in typing.get_type_hints(hint, localns=late_names(hint)).values():
            _collect(part, kinds)
    elif typing.get_origin(hint) is not None or isinstance(hint, types.UnionType):
        for part in typing.get_args(hint):
            _collect(part, kinds)


def _type(kind: Any) -> str:  # Any: a dataclass
    said = remarks(kind)
    rows = []
    for field in dataclasses.fields(kind):
        default = "" if field.default is dataclasses.MISSING else f"`{_value(field.default)}`"
        remark = said.get(field.name, "").replace("|", "\\|")
        rows.append(f"| `{field.name}` | `{_plain(field.type).replace('|', chr(92) + '|')}` | {default} | {remark} |")
    table = "\n".join(["| field | type | default | |", "|---|---|---|---|", *rows])
    return f"### `{kind.__name__}`\n\n{_prose(kind)}\n\n{table}\n"


def _errors() -> str:
    tree = inspect.cleandoc(errors.__doc__ or "").split("\n", 1)[1].strip("\n")
    return f"## Errors\n\nAll in `k210kit.errors`:\n\n```text\n{tree}\n```\n"
