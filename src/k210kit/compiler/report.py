"""What there is to say about a compiled model: one dataclass, shown as text, JSON, CSV or a page.

Cycles and milliseconds are estimates of `timing`; everything else is counted.
"""

from __future__ import annotations

import csv
import dataclasses
import html
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from k210kit.compiler.advice import advice
from k210kit.compiler.allocate import Placement, alive_lines
from k210kit.compiler.emit import Emitted
from k210kit.compiler.graph import Graph
from k210kit.compiler.program import ConvStep, Program
from k210kit.errors import InputError
from k210kit.hardware import KPU_LINE_BYTES
from k210kit.kmodel import layers
from k210kit.timing import inference

__all__ = ["LayerRow", "OutputRow", "Report", "as_file", "as_text", "make_report"]

_MACS_PER_CYCLE = 64 * 9  # 64 units of 3x3 products
_KPU_LAYERS = (layers.Conv,)


@dataclass(frozen=True, kw_only=True)
class LayerRow:
    """One layer of the kmodel."""

    name: str  # of the layer type
    origin: str  # the user's own name of what it comes from
    where: str  # KPU or CPU
    reason: str  # why the CPU does it; empty for the KPU
    cycles: int
    milliseconds: float
    macs: int
    utilisation: float  # of the KPU's multipliers, 0 to 1
    bytes: int  # in the kmodel
    shape: tuple[int, ...]  # of the result
    kpu_memory_bytes: int  # alive in KPU memory while it runs
    alive_until: int  # the layer that reads the result last
    snr_db: float | None  # quantised against float on the calibration pictures, where measured


@dataclass(frozen=True, kw_only=True)
class OutputRow:
    """One result of the model."""

    name: str
    shape: tuple[int, ...]
    address: int
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything about one compilation."""

    model: str
    effort: str
    pictures: int
    input_shape: tuple[int, ...]
    outputs: tuple[OutputRow, ...]
    kmodel_bytes: int
    main_memory_bytes: int
    kpu_memory_peak_bytes: int
    milliseconds_estimate: float
    macs: int
    layers: tuple[LayerRow, ...]
    warnings: tuple[str, ...]


def make_report(
    path: Path,
    source: Graph,
    program: Program,
    placement: Placement,
    emitted: Emitted,
    *,
    pictures: int,
    effort: str,
    snr: Mapping[str, float],
    warnings: tuple[str, ...],
) -> Report:
    """Count and estimate everything."""
    kmodel = emitted.kmodel
    time = inference(kmodel)
    last = _last_layers(program, emitted)
    places = {id(step): k for k, step in enumerate(program.steps)}
    rows = []
    for layer, step, size, cost in zip(kmodel.layers, emitted.steps, kmodel.body_sizes, time.layers, strict=True):
        on_kpu = isinstance(layer, _KPU_LAYERS)
        target = step.writes()[0]
        rows.append(
            LayerRow(
                name=layer.name,
                origin=step.node.origin,
                where="KPU" if on_kpu else "CPU",
                reason="" if on_kpu else step.reason,
                cycles=cost.cycles,
                milliseconds=round(cost.milliseconds, 4),
                macs=cost.macs,
                utilisation=round(cost.macs / (cost.cycles * _MACS_PER_CYCLE), 4) if on_kpu and cost.cycles else 0.0,
                bytes=size,
                shape=program.buffers[target].shape,
                kpu_memory_bytes=alive_lines(program, placement, places[id(step)]) * KPU_LINE_BYTES,
                alive_until=last.get(target, len(kmodel.layers)),
                snr_db=round(snr[target], 2) if isinstance(step, ConvStep) and target in snr else None,
            )
        )
    outputs = tuple(
        OutputRow(name=o.name, shape=source.shapes[o.value], address=place.address, bytes=place.size)
        for o, place in zip(source.outputs, kmodel.outputs, strict=True)
    )
    return Report(
        model=path.name,
        effort=effort,
        pictures=pictures,
        input_shape=source.input_shape,
        outputs=outputs,
        kmodel_bytes=kmodel.file_bytes,
        main_memory_bytes=kmodel.main_memory_bytes,
        kpu_memory_peak_bytes=placement.kpu_lines * KPU_LINE_BYTES,
        milliseconds_estimate=round(time.milliseconds, 3),
        macs=sum(row.macs for row in rows),
        layers=tuple(rows),
        warnings=(*warnings, *advice(program, placement, emitted, time)),
    )


def _last_layers(program: Program, emitted: Emitted) -> dict[str, int]:
    numbers: dict[str, int] = {}
    for k, step in enumerate(emitted.steps):
        for name in step.reads():
            numbers[name] = k
    return numbers


def as_text(report: Report, written: Path) -> list[str]:
    """The summary for a person."""
    on_cpu: dict[str, int] = {}
    for row in report.layers:
        if row.where == "CPU" and row.reason:
            on_cpu[row.reason] = on_cpu.get(row.reason, 0) + 1
    kpu = sum(row.where == "KPU" for row in report.layers)
    worst = max(report.layers, key=lambda row: row.kpu_memory_bytes, default=None)
    lines = [
        f"{written}: {report.kmodel_bytes:,} bytes, {kpu} layers on the KPU, {len(report.layers) - kpu} on the CPU",
        f"main memory {report.main_memory_bytes:,} bytes, KPU memory {report.kpu_memory_peak_bytes:,} of 2,097,152"
        + (f" (most at '{worst.origin}')" if worst else ""),
        f"about {report.milliseconds_estimate:.1f} ms per picture (an estimate)",
    ]
    lines += [f"CPU: {reason} ({count} layer{'s' * (count > 1)})" for reason, count in on_cpu.items()]
    lines += [f"output {k}: {row.name} {'x'.join(map(str, row.shape))}" for k, row in enumerate(report.outputs)]
    return lines


def as_file(report: Report, suffix: str) -> str:
    """The report as the text of a .json, .csv or .html file."""
    if suffix.lower() == ".json":
        return json.dumps(_plain(report), indent=1) + "\n"
    if suffix.lower() == ".csv":
        return _as_csv(report)
    if suffix.lower() in (".html", ".htm"):
        return _as_page(report)
    raise InputError(f"--report ends in '{suffix}'; .json, .html and .csv are known.")


def _plain(report: Report) -> dict[str, Any]:  # Any: JSON
    return dataclasses.asdict(report)


_COLUMNS = tuple(field.name for field in dataclasses.fields(LayerRow))


def _as_csv(report: Report) -> str:
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(("layer", *_COLUMNS))
    for k, row in enumerate(report.layers):
        cells = [getattr(row, name) for name in _COLUMNS]
        table.writerow([k, *("x".join(map(str, c)) if isinstance(c, tuple) else c for c in cells)])
    return out.getvalue()


_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:1200px;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;width:100%;font-size:13px}
th,td{padding:3px 8px;text-align:left;border-bottom:1px solid #ddd}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.cpu{background:#fff4e5}
.bar{display:inline-block;height:9px;background:#4a7db5;vertical-align:middle}
.facts{display:flex;flex-wrap:wrap;gap:1em;margin:1em 0}
.facts div{border:1px solid #ddd;border-radius:6px;padding:.6em 1em}.facts b{display:block;font-size:1.3em}
.warn{background:#fdecea;border-left:4px solid #c0392b;padding:.5em 1em;margin:.5em 0}
"""


def _as_page(report: Report) -> str:
    facts = (
        (f"{report.kmodel_bytes:,} B", "kmodel"),
        (f"{report.main_memory_bytes:,} B", "main memory"),
        (f"{report.kpu_memory_peak_bytes:,} B", "peak of KPU memory, of 2,097,152"),
        (f"{report.milliseconds_estimate:.1f} ms", "per picture, an estimate"),
        (f"{report.macs / 1e6:,.1f} M", "multiply-adds"),
        (f"{report.pictures}", "calibration pictures"),
    )
    boxes = "".join(f"<div><b>{html.escape(a)}</b>{html.escape(b)}</div>" for a, b in facts)
    warnings = "".join(f'<p class="warn">{html.escape(text)}</p>' for text in report.warnings)
    outputs = "".join(
        f"<tr><td class=n>{k}</td><td>{html.escape(o.name)}</td><td>{_size(o.shape)}</td>"
        f"<td class=n>{o.address:,}</td><td class=n>{o.bytes:,}</td></tr>"
        for k, o in enumerate(report.outputs)
    )
    most = max((row.cycles for row in report.layers), default=1) or 1
    rows = "".join(_row(k, row, most) for k, row in enumerate(report.layers))
    heads = ("#", "from", "layer", "where", "result", "cycles", "", "ms", "use", "bytes", "KPU memory", "until", "dB")
    numeric = {"#", "cycles", "ms", "use", "bytes", "KPU memory", "until", "dB"}
    head = "".join(f"<th{' class=n' if h in numeric else ''}>{h}</th>" for h in heads)
    return (
        f"<!doctype html><meta charset=utf-8><title>{html.escape(report.model)}</title><style>{_STYLE}</style>"
        f"<h1>{html.escape(report.model)}</h1><p>Input {_size(report.input_shape)}, effort {report.effort}.</p>"
        f"<div class=facts>{boxes}</div>{warnings}"
        "<h2>Outputs</h2><table><tr><th class=n>#</th><th>name</th><th>shape</th><th class=n>address</th>"
        f"<th class=n>bytes</th></tr>{outputs}</table>"
        f"<h2>Layers</h2><table><tr>{head}</tr>{rows}</table>"
        "<p>Cycles and ms are estimates. Use: of the KPU's 576 multipliers. KPU memory: what is alive while the "
        "layer runs. Until: the last layer that reads the result. dB: quantised against float on the "
        "calibration pictures.</p>"
    )


def _row(k: int, row: LayerRow, most: int) -> str:
    where = row.where if not row.reason else f"{row.where}: {row.reason}"
    bar = f"<span class=bar style='width:{80 * row.cycles / most:.0f}px'></span>"
    snr = "" if row.snr_db is None else f"{row.snr_db:.1f}"
    return (
        f"<tr{' class=cpu' if row.where == 'CPU' else ''}><td class=n>{k}</td><td>{html.escape(row.origin)}</td>"
        f"<td>{row.name}</td><td>{html.escape(where)}</td><td>{_size(row.shape)}</td><td class=n>{row.cycles:,}</td>"
        f"<td>{bar}</td><td class=n>{row.milliseconds:.3f}</td><td class=n>{row.utilisation:.0%}</td>"
        f"<td class=n>{row.bytes:,}</td><td class=n>{row.kpu_memory_bytes:,}</td><td class=n>{row.alive_until}</td>"
        f"<td class=n>{snr}</td></tr>"
    )


def _size(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
