"""report.html: one file that opens anywhere, offline; every figure says on which part it was measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from k210kit import __version__
from k210kit.firmware import catalogue
from k210kit.planner import Fit, fit
from k210kit.timing import Load

from .cameras import CameraPlan
from .charts import Line, line_chart
from .datasets import Examined, Split
from .deploying import Deployed
from .fit import EpochReport
from .metrics import ClassMetrics, DetectMetrics
from .mistakes import hits, worst_and_good

__all__ = ["Told", "confusion_table", "mix_ups", "report_html"]

_MOST_FINDINGS = 300
_NAMED_COLUMNS = 8  # more classes than these have numbers over their columns
_WORST_PAIRS = 8


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the report is written from."""

    title: str
    made: Deployed
    examined: Examined
    parts: Split
    plan: CameraPlan
    history: Sequence[EpochReport]
    result: dict[str, Any]


def report_html(told: Told) -> str:
    """The whole page."""
    sections = [
        _headline(told),
        _curves(told),
        _classes(told) if told.made.description.task == "classify" else _detection(told),
        _pictures(told),
        _boards(told),
        _data(told),
        _run(told),
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(told.title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body><main>'
        f"<h1>{escape(told.title)}</h1>{''.join(sections)}"
        f"<footer>k210kit {__version__}</footer></main></body></html>\n"
    )


def _headline(told: Told) -> str:
    made, plan = told.made, told.plan
    name = "accuracy" if isinstance(made.metrics_float, ClassMetrics) else "AP at 0.5"
    values = [_figure(m) for m in (made.metrics_float, made.metrics_kmodel)]
    drop = values[0] - values[1]
    bad = drop > (0.01 if name == "accuracy" else 0.02)
    count = len(told.parts.test)
    uncounted = ", the decoding in boot.py not counted" if made.description.decoder == "script" else ""
    buffers = "two camera buffers" if plan.dual_buffer else "one camera buffer"
    tiles = [
        _tile(f"{values[0]:.3f}", f"{name}, float, {count} test pictures"),
        _tile(f"{values[1]:.3f}", f"{name}, kmodel, {count} test pictures", bad=bad),
        _tile(
            "fits" if plan.fit.fits else "does not fit",
            f"{plan.camera.title}, {plan.firmware.name}",
            bad=not plan.fit.fits,
        ),
        _tile(_milliseconds(plan.fit), f"per picture, estimated{uncounted}"),
        _tile(_fps(plan.fit), f"pictures per second without a stream, {buffers}, estimated{uncounted}"),
    ]
    notes = []
    if bad:
        notes.append(
            f'<p class="bad">Quantisation costs {drop:.3f} of {name}, more than is usual. More '
            "training pictures, a larger alpha, or more epochs with the KPU's rounding (--kpu-epochs) help.</p>"
        )
    if not plan.fit.fits:
        cures = "".join(f"<li>{escape(f'{r.what}: {r.how}')}</li>" for r in plan.fit.remedies[:4])
        notes.append(f'<p class="bad">{escape(plan.fit.verdict)}</p><ul>{cures}</ul>')
    notes += [f'<p class="bad">{escape(text)}</p>' for text in made.warnings]
    if told.result.get("stopped"):
        notes.append('<p class="bad">This run was stopped early; the best state until then is packaged.</p>')
    return f'<div class="tiles">{"".join(tiles)}</div>{"".join(notes)}'


def _figure(metrics: ClassMetrics | DetectMetrics) -> float:
    return metrics.accuracy if isinstance(metrics, ClassMetrics) else metrics.ap50


def _tile(value: str, what: str, *, bad: bool = False) -> str:
    return f'<div class="tile{" bad" if bad else ""}"><b>{escape(value)}</b>{escape(what)}</div>'


def _milliseconds(made: Fit) -> str:
    return "unknown" if made.milliseconds_estimate is None else f"{made.milliseconds_estimate:.0f} ms"


def _fps(made: Fit) -> str:
    return "unknown" if made.fps_estimate is None else f"{made.fps_estimate:.1f}"


def _curves(told: Told) -> str:
    if not told.history:
        return "<h2>Training</h2><p>Only the last layer was trained, on features computed once.</p>"
    steps = list(range(1, len(told.history) + 1))
    names = list(told.history[0].figures)
    loss = [Line(name="training", x=steps, y=[h.loss for h in told.history])]
    if "loss" in names:
        loss.append(Line(name="validation", x=steps, y=[h.figures["loss"] for h in told.history], dashed=True))
    scores = [Line(name=n, x=steps, y=[h.figures[n] for h in told.history]) for n in names if n != "loss"]
    charts = [
        line_chart(loss, x_title="epoch", y_title="loss"),
        line_chart(scores, x_title="epoch", y_title="validation part", y_limits=(0, 1)),
    ]
    gain = told.result.get("kpu_gain")
    learnt = "" if gain is None else f" The epochs with the KPU's rounding added {gain:.4f} to the validation score."
    return f"<h2>Training</h2>{_side_by_side(charts)}<p>Kept: {escape(told.result['kept'])}.{learnt}</p>"


def _side_by_side(parts: Iterable[str]) -> str:
    return '<div class="pair">' + "".join(f"<div>{part}</div>" for part in parts) + "</div>"


def _classes(told: Told) -> str:
    labels = told.made.description.labels
    parts = []
    for name, metrics in (("float", told.made.metrics_float), ("kmodel", told.made.metrics_kmodel)):
        assert isinstance(metrics, ClassMetrics)
        parts.append(f"<h3>{name}, test part</h3>{confusion_table(metrics, labels)}")
    assert isinstance(told.made.metrics_kmodel, ClassMetrics)
    few = len(labels) <= _NAMED_COLUMNS
    return f"<h2>Which class is taken for which</h2>{mix_ups(told.made.metrics_kmodel, labels)}" + (
        _side_by_side(parts) if few else "".join(f'<div class="scroll">{part}</div>' for part in parts)
    )


def confusion_table(metrics: ClassMetrics, labels: Sequence[str]) -> str:
    """The truth in rows, what the net says in columns; many classes are numbered, so that all columns can be seen."""
    few = len(labels) <= _NAMED_COLUMNS
    rows = ""
    for number, (label, row) in enumerate(zip(labels, metrics.confusion, strict=True)):
        total = max(sum(row), 1)
        cells = "".join(_cell(count, total, number == other) for other, count in enumerate(row))
        name = escape(label) if few else f"{number} {escape(label)}"
        recall, precision = _percent(metrics.recall[label]), _percent(metrics.precision[label])
        rows += f"<tr><th>{name}</th><td>{recall}</td><td>{precision}</td>{cells}</tr>"
    head = "".join(
        f'<th title="{escape(label)}">{escape(label) if few else number}</th>' for number, label in enumerate(labels)
    )
    kind = "confusion" if few else "confusion many"
    return f"<table class='{kind}'><tr><th>is \\ said</th><th>recall</th><th>precision</th>{head}</tr>{rows}</table>"


def mix_ups(metrics: ClassMetrics, labels: Sequence[str]) -> str:
    """The pairs of classes that are mixed up most often, in words."""
    pairs = [
        (count, labels[is_], labels[said])
        for is_, row in enumerate(metrics.confusion)
        for said, count in enumerate(row)
        if count and is_ != said
    ]
    if not pairs:
        return "<p>No test picture is taken for another class.</p>"
    worst = sorted(pairs, key=lambda pair: -pair[0])[:_WORST_PAIRS]
    told = "; ".join(f"{escape(is_)} for {escape(said)} ({count})" for count, is_, said in worst)
    return f"<p>What the kmodel takes for what, most often first, with pictures: {told}.</p>"


def _cell(count: int, total: int, right: bool) -> str:
    colour = "0,121,107" if right else "198,40,40"
    return f'<td style="background:rgba({colour},{count / total:.2f})">{count or ""}</td>'


def _percent(value: float) -> str:
    return "–" if value != value else f"{value:.1%}"


def _detection(told: Told) -> str:
    floating, compiled = told.made.metrics_float, told.made.metrics_kmodel
    assert isinstance(floating, DetectMetrics)
    assert isinstance(compiled, DetectMetrics)
    charts = []
    for name, metrics in (("float", floating), ("kmodel", compiled)):
        lines = [Line(name=label, x=c.recall, y=c.precision) for label, c in metrics.curves.items() if c.recall]
        chart = line_chart(
            lines, x_title="recall", y_title=f"precision, {name}, test part", y_limits=(0, 1.0), x_limits=(0, 1.0)
        )
        charts.append(chart)
    rows = [
        (
            label,
            _ap(floating.ap50_per_class[label]),
            _ap(compiled.ap50_per_class[label]),
            _ap(floating.ap_per_class[label]),
            _ap(compiled.ap_per_class[label]),
        )
        for label in told.made.description.labels
    ]
    rows.append(("all", _ap(floating.ap50), _ap(compiled.ap50), _ap(floating.ap), _ap(compiled.ap)))
    head = ("class", "AP 0.5 float", "AP 0.5 kmodel", "AP 0.5:0.95 float", "AP 0.5:0.95 kmodel")
    iou = told.result.get("anchors_mean_iou")
    made = told.made
    precision, recall = hits(told.parts.test, made.outputs_kmodel, made.description)
    decoder = (
        "run_yolo2 decodes the map; it has room for ten objects a picture."
        if made.description.decoder == "run_yolo2"
        else "boot.py decodes the map itself, since run_yolo2 has room for ten objects a picture only."
    )
    return (
        f"<h2>Finding objects</h2>{_side_by_side(charts)}{_table(head, rows)}"
        f"<p>Threshold {made.description.threshold:g}, where F1 on the validation part is best. With it the kmodel has "
        f"a precision of {_percent(precision)} and a recall of {_percent(recall)} on the test part. The anchors fit "
        f"the training boxes with a mean IoU of {iou:.3f}. {decoder}</p>"
    )


def _ap(value: float) -> str:
    return "no boxes" if value != value else f"{value:.3f}"


def _pictures(told: Told) -> str:
    made = told.made
    shown = worst_and_good(told.parts.test, made.outputs_kmodel, made.description)
    figures = "".join(
        f'<figure class="{"wrong" if s.wrong else "right"}"><img src="{s.picture}" alt="">'
        f"<figcaption>{escape(s.caption)}</figcaption></figure>"
        for s in shown
    )
    wrong = sum(s.wrong for s in shown)
    key = " Truth green, found red." if made.description.task == "detect" else ""
    what = f"The {wrong} worst mistakes of the kmodel" if wrong else "No mistakes of the kmodel"
    return f"<h2>{what}, and some it has right (test part)</h2><p>{key}</p><div class='pictures'>{figures}</div>"


def _boards(told: Told) -> str:
    rows = []
    loads: tuple[Load, ...] = ("ram", "flash-dual", "flash")
    lcd, frame = told.plan.camera.lcd_size, told.plan.frame
    for firmware in catalogue():
        tried = [fit(told.made.compiled.kmodel, firmware=firmware, load=load, camera=frame, lcd=lcd) for load in loads]
        best = next((f for f in tried if f.fits), tried[-1])
        rows.append(
            (
                firmware.name,
                firmware.title,
                best.call if best.fits else "does not fit",
                f"{best.spare_bytes:,}",
                _milliseconds(best),
                _fps(best),
            )
        )
    head = ("firmware", "what it is", "way of loading", "bytes to spare", "model", "pictures per second")
    report = told.made.compiled.report
    return (
        "<h2>Memory and speed</h2>"
        f"<p>The kmodel has {report.kmodel_bytes:,} bytes, works in {report.main_memory_bytes:,} bytes of main memory "
        f"and at most {report.kpu_memory_peak_bytes:,} of the KPU's 2,097,152. With the camera at {frame} and the "
        f"screen {lcd}, one camera buffer; times are estimates.</p>{_table(head, rows)}"
    )


def _data(told: Told) -> str:
    health = told.examined.health
    counts = [(name, count) for name, count in health.per_class.items()]
    counts += [("(background pictures)", health.backgrounds)] if told.examined.task == "detect" else []
    found = list(health.findings)
    rows = [(f.level, f.file, f.what) for f in found[:_MOST_FINDINGS]]
    more = f"<p>and {len(found) - _MOST_FINDINGS} more in findings.json</p>" if len(found) > _MOST_FINDINGS else ""
    parts = told.parts
    findings = _table(("level", "file", "what"), rows) + more if rows else "<p>Nothing is wrong with any file.</p>"
    return (
        f"<h2>Data set</h2><p>{escape(told.examined.form)}: {health.pictures} pictures, {health.left_out} left out. "
        f"{len(parts.train)} train, {len(parts.validation)} validation, {len(parts.test)} test; {parts.grouped} look "
        f"like another one and stay in one part with it.</p>"
        f"{_table(('class', 'objects or pictures'), counts)}{findings}"
    )


def _run(told: Told) -> str:
    result = told.result
    names = ("net", "alpha", "backbone", "epochs", "seconds", "processor_seconds")
    return "<h2>Run</h2>" + _table(("setting", "value"), [(name, result.get(name)) for name in names])


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><tr>{top}</tr>{body}</table></div>'


_STYLE = """
:root{color-scheme:light dark;--line:#8884;--bad:#c62828;--good:#00796b}
body{font:15px/1.5 system-ui,sans-serif;margin:0}
main{max-width:1000px;margin:auto;padding:1rem}
h1{font-size:1.5rem}h2{margin-top:2rem;border-bottom:1px solid var(--line)}
.tiles{display:flex;flex-wrap:wrap;gap:.6rem}
.tile{border:1px solid var(--line);border-radius:8px;padding:.6rem .9rem;flex:1 1 150px;font-size:.85rem}
.tile b{display:block;font-size:1.5rem;color:var(--good)}.tile.bad b,.bad{color:var(--bad)}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:1rem}
.pair>div{overflow-x:auto;min-width:0}
svg{width:100%;font-size:11px}svg text{fill:currentColor}.grid{stroke:var(--line)}
.legend{display:flex;flex-wrap:wrap;gap:.3rem .9rem;font-size:.8rem}
.legend i{display:inline-block;width:.8em;height:.8em;margin-right:.3em;border-radius:2px}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.85rem;margin:.5rem 0}
td,th{border:1px solid var(--line);padding:.2rem .6rem;text-align:left}
.confusion td{text-align:right}.confusion th{max-width:14em;overflow:hidden;text-overflow:ellipsis}
.many{font-size:.72rem}.many th:first-child{white-space:nowrap}
.many td,.many th+th{padding:0 .1rem;min-width:1.1em;text-align:right}
.pictures{display:grid;grid-template-columns:repeat(auto-fill,minmax(170px,1fr));gap:.8rem}
figure{margin:0;font-size:.78rem;overflow-wrap:anywhere}figure img{width:100%;border:3px solid var(--good)}
figure.wrong img{border-color:var(--bad)}
footer{margin-top:3rem;opacity:.6;font-size:.8rem}
"""
