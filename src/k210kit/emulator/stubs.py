"""The stubs of `api/`: what MaixPy offers, for editors, for the coverage page, and for errors that say what is missing.

A name that only a board has carries the remark `# not emulated` on its first line.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from k210kit.errors import FileError
from k210kit.files import write_whole

__all__ = ["ALIASES", "StubName", "is_only_on_the_board", "stub_modules", "stub_names", "write_stubs"]

_FOLDER = Path(__file__).resolve().parent / "api"
_MARK = "# not emulated"

# The second name of a module -> the name of its stub
ALIASES: dict[str, str] = {
    "binascii": "ubinascii",
    "collections": "ucollections",
    "errno": "uerrno",
    "hashlib": "uhashlib",
    "heapq": "uheapq",
    "io": "uio",
    "json": "ujson",
    "os": "uos",
    "random": "urandom",
    "re": "ure",
    "struct": "ustruct",
    "time": "utime",
    "zlib": "uzlib",
}


# Python's own stubs do for these, and checkers need theirs to be found.
_LEFT_TO_PYTHON = frozenset(
    (
        "_thread",
        "array",
        "binascii",
        "cmath",
        "collections",
        "errno",
        "hashlib",
        "heapq",
        "io",
        "json",
        "math",
        "random",
        "re",
        "struct",
        "sys",
        "zlib",
    )
)


@dataclass(frozen=True, kw_only=True)
class StubName:
    """A function, class, method or value of a module; methods are named `Class.method`."""

    name: str
    kind: str  # "function", "class", "value"
    emulated: bool
    parameters: tuple[str, ...] = ()


def stub_modules() -> tuple[str, ...]:
    """The modules that have a stub."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.pyi")))


@cache
def stub_names(module: str) -> tuple[StubName, ...]:
    """Everything that a module's stub lists, or nothing for a module without one."""
    path = _FOLDER / f"{ALIASES.get(module, module)}.pyi"
    if not path.exists():
        return ()
    text = path.read_text(encoding="utf-8")
    return tuple(_read(ast.parse(text).body, text.splitlines(), ""))


def _read(body: list[ast.stmt], lines: list[str], owner: str) -> list[StubName]:
    made = []
    for node in body:
        emulated = _MARK not in lines[node.end_lineno - 1] if node.end_lineno else True
        if isinstance(node, ast.FunctionDef):
            names = tuple(a.arg for a in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs])
            made.append(StubName(name=owner + node.name, kind="function", emulated=emulated, parameters=names))
        elif isinstance(node, ast.ClassDef):
            made.append(StubName(name=owner + node.name, kind="class", emulated=_MARK not in lines[node.lineno - 1]))
            made.extend(_read(node.body, lines, f"{owner}{node.name}."))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            made.append(StubName(name=owner + node.target.id, kind="value", emulated=emulated))
    return made


def is_only_on_the_board(module: str, name: str) -> bool:
    """Whether the firmware has this name of a module and the emulator has not."""
    return any(entry.name == name and not entry.emulated for entry in stub_names(module))


def write_stubs(folder: Path, *, force: bool = False) -> list[Path]:
    """Write the stubs, and one for each second name, into a folder for an editor to look into.

    Modules that Python has too are left out where its own stubs do.
    """
    if folder.exists() and not folder.is_dir():
        raise FileError(f"{folder} is a file; the stubs need a folder.")
    texts = {name: (_FOLDER / f"{name}.pyi").read_text(encoding="utf-8") for name in stub_modules()}
    texts |= {second: f"from {first} import *\n" for second, first in ALIASES.items()}
    made = []
    for name, text in sorted(texts.items()):
        if name in _LEFT_TO_PYTHON:
            continue
        path = folder / f"{name}.pyi"
        write_whole(path, text, force=force)
        made.append(path)
    return made
