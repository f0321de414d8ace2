"""The page of the picture link: diagrams and tables are written from the declarations."""

from __future__ import annotations

import inspect
from pathlib import Path

from k210kit.link import frames, messages, speed
from k210kit.wire import fields, table

__all__ = ["page"]

_CELL = 5
_TEXT = (Path(__file__).resolve().parent / "reference" / "link-protocol.in.md").read_text(encoding="utf-8")


def page() -> str:
    """The whole page as Markdown; `{name}` in link-protocol.in.md are filled in."""
    records = [messages.PictureRecord, messages.DetectionsRecord, messages.BoxRecord, messages.CommandRecord,
               messages.Answer, messages.CapabilityRecord]  # fmt: skip
    return _TEXT.format(
        diagram=diagram(),
        header=table(frames.Header),
        overhead=frames.OVERHEAD,
        most=f"{frames.MOST_PAYLOAD:,}",
        kinds="\n".join(f"| {kind.value} | {kind.name} |" for kind in frames.Kind),
        records="\n\n".join(f"### {inspect.getdoc(record)}\n\n{table(record)}" for record in records),
        commands=_commands(),
        speed=_speed_diagram(),
        camera_patience=f"{speed.CAMERA_PATIENCE:g}",
        receiver_patience=f"{speed.RECEIVER_PATIENCE:g}",
        speeds=", ".join(f"{rate:,}" for rate in speed.SPEEDS),
    )


def diagram() -> str:
    """One frame, drawn byte by byte from the declaration of its header."""
    words: dict[tuple[int, int], list[str]] = {}
    for f in fields(frames.Header):
        words.setdefault((f.offset, f.unit_bytes), []).append(f.name)
    cells = [(unit, "/".join(names)) for (_, unit), names in sorted(words.items())]
    widths = [max(_CELL * unit - 1, len(name) + 2) for unit, name in cells]
    rule = "+" + "+".join("-" * width for width in widths) + "+"
    names = "|" + "|".join(name.center(width) for (_, name), width in zip(cells, widths, strict=True)) + "|"
    total = sum(unit for unit, _ in cells)
    starts = sorted({offset for offset, _ in words})
    numbers = "".join(f" {start}".ljust(width + 1) for start, width in zip(starts, widths, strict=True))
    tail = f"| payload: `length` bytes ... | CRC-32 over header and payload: {frames.OVERHEAD - total} bytes |"
    return "\n".join([numbers.rstrip() + f" {total}", rule, names, rule, tail, "+" + "-" * (len(tail) - 2) + "+"])


def _speed_diagram() -> str:
    """The drawing in the docstring of `speed`."""
    lines = (speed.__doc__ or "").splitlines()
    return inspect.cleandoc("\n".join(line for line in lines if line.startswith("    ")))


def _commands() -> str:
    """Name, number and comment of each command, read from the enumeration's own source."""
    lines = []
    for line in inspect.getsource(messages.CommandKind).splitlines():
        name, found, rest = line.strip().partition(" = ")
        if found:
            number, _, meaning = rest.partition("  # ")
            lines.append(f"| {number} | {name} | {meaning.replace('|', chr(92) + '|')} |")
    return "\n".join(lines)
