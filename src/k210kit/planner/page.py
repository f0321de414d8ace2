"""The whole plan as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from pathlib import Path

from k210kit.files import write_whole
from k210kit.planner.bars import COLOURS, Bar, bars
from k210kit.planner.plan import Fit

__all__ = ["page", "write_html"]

_STYLE = """
:root { color-scheme: light dark; --ink: #0f172a; --pale: #475569; --paper: #fff; --line: #e2e8f0; --free: #e2e8f0;
  --good: #15803d; --bad: #b91c1c; --box: #f8fafc }
@media (prefers-color-scheme: dark) { :root { --ink: #e2e8f0; --pale: #94a3b8; --paper: #0f172a; --line: #334155;
  --free: #1e293b; --good: #4ade80; --bad: #f87171; --box: #1e293b } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem;
  margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem; margin-bottom: .2rem } h2 { font-size: 1.15rem; margin-top: 2rem }
.verdict { font-size: 1.1rem } .good { color: var(--good) } .bad { color: var(--bad) } .pale { color: var(--pale) }
.bar { display: flex; height: 2.8rem; border-radius: .4rem; overflow: hidden; background: var(--free) }
.bar div { border-right: 1px solid var(--paper); min-width: 2px }
.head { display: flex; justify-content: space-between; margin: 1.2rem 0 .3rem }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; font-size: .85rem; margin-top: .5rem }
.legend i { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .4em }
.wide { overflow-x: auto } .wide table { min-width: 44rem } td:first-child { min-width: 6rem }
table { border-collapse: collapse; width: 100%; font-size: .9rem }
td, th { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
code { background: var(--box); padding: .1em .3em; border-radius: 3px; overflow-wrap: anywhere }
"""


def write_html(result: Fit, path: Path, *, force: bool = False) -> None:
    """Write the page of `result`."""
    write_whole(path, page(result), force=force)


def page(result: Fit) -> str:
    """The page."""
    name = escape(result.model.name)
    parts = [
        f"<h1>{name} on {escape(result.firmware)}</h1>",
        f'<p class="pale">{escape(result.firmware_title)}</p>',
        f'<p class="verdict {"good" if result.fits else "bad"}">{escape(result.verdict)}</p>',
        f"<p>{escape(result.next_step)}</p>",
        *(_bar(bar) for bar in bars(result)),
        *_remedies(result),
        *_hazards(result),
        *_speed(result),
        _items(result),
    ]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Does {name} fit?</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style><body>'
        + "\n".join(parts)
        + "</body></html>\n"
    )


def _bar(bar: Bar) -> str:
    pieces, legend = [], []
    for segment in bar.segments:
        colour = "var(--free)" if segment.group == "free" else COLOURS[segment.group]
        label = escape(f"{segment.name}: {segment.bytes:,} bytes")
        pieces.append(f'<div title="{label}" style="flex:{segment.bytes};background:{colour}"></div>')
        if segment.bytes >= 1024:
            legend.append(f'<span><i style="background:{colour}"></i>{label}</span>')
    head = f'<div class="head"><b>{escape(bar.title)}</b><span class="pale">{bar.total:,} bytes</span></div>'
    return f'{head}<div class="bar">{"".join(pieces)}</div><div class="legend">{"".join(legend)}</div>'


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table; a column whose name ends in `>` is right-aligned. Cells are HTML."""
    names = list(columns)
    classes = [' class="n"' if name.endswith(">") else "" for name in names]
    head = "".join(f"<th{c}>{escape(n.rstrip('>'))}</th>" for n, c in zip(names, classes, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{c}>{cell}</td>" for cell, c in zip(row, classes, strict=True)) + "</tr>" for row in rows
    )
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def _remedies(result: Fit) -> list[str]:
    if result.fits:
        return []
    if not result.remedies:
        return ["<h2>What would make it fit</h2><p>No change of settings that was tried does.</p>"]
    rows = [
        (escape(row.what), f"<code>{escape(row.how)}</code>", f"{row.spare_bytes:,}", "yes" if row.certain else "close")
        for row in result.remedies
    ]
    return ["<h2>What would make it fit</h2>", _table(["change", "how", "to spare>", "sure"], rows)]


def _hazards(result: Fit) -> list[str]:
    if not result.hazards:
        return []
    rows = [(escape(row.rule), escape(row.message)) for row in result.hazards]
    return ["<h2>What the board does not check</h2>", _table(["rule", "finding"], rows)]


def _speed(result: Fit) -> list[str]:
    if not result.speeds:
        return []
    rows = [
        (
            row.load,
            f"{row.sensor_hz / 1e6:g} MHz",
            "yes" if row.stream else "no",
            f"{row.model_milliseconds:.1f}",
            f"{row.loop_milliseconds:.0f}",
            f"{row.fps:.1f}",
        )
        for row in result.speeds
    ]
    columns = ["loaded", "camera", "UART stream", "model, ms>", "loop, ms>", "fps>"]
    return ["<h2>How fast</h2>", _table(columns, rows)]


def _items(result: Fit) -> str:
    rows = [
        (
            escape(item.where),
            escape(item.name) + (f'<br><span class="bad">{escape(item.error)}</span>' if item.error else ""),
            f"{item.bytes:,}",
            f"±{item.uncertainty_bytes:,}" if item.uncertainty_bytes else "",
            escape(item.source),
        )
        for item in result.items
    ]
    return "<h2>Every item, in the order in which it is allocated</h2>" + _table(
        ["where", "what", "bytes>", "uncertainty>", "known from"], rows
    )
