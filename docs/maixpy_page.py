"""The page that says which of MaixPy's names the emulator has, read from the stubs."""

from __future__ import annotations

from k210kit.emulator.modules.table import ABSENT
from k210kit.emulator.stubs import ALIASES, stub_modules, stub_names

__all__ = ["page"]

_HEAD = """# MaixPy's modules on the desk

What `k210kit run` offers to scripts, counted from the stubs in `src/k210kit/emulator/api`, which a test compares with
the modules. Names count with the methods of their classes; constants count too. Which of them a firmware has depends on
how it was built: `find_blobs` and others are missing in OMV_MINIMUM builds, `_thread` in builds without it.

| module | names | emulated | only on a board |
|---|---:|---:|---|
"""


def page() -> str:
    """The whole page as Markdown."""
    rows = []
    for module in stub_modules():
        names = stub_names(module)
        missing = [f"`{entry.name}`" for entry in names if not entry.emulated]
        second = ", ".join(f"`{alias}`" for alias, first in ALIASES.items() if first == module)
        title = f"`{module}`" + (f", {second}" if second else "")
        rows.append(f"| {title} | {len(names)} | {len(names) - len(missing)} | {', '.join(missing)} |")
    absent = ", ".join(f"`{name}`" for name in sorted(ABSENT))
    return _HEAD + "\n".join(rows) + f"\n\nModules of some firmware that are not emulated at all: {absent}.\n"
