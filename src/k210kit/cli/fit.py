"""`k210kit fit`: does a model fit on a board, and how fast is it?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from k210kit.cli.output import Force, Json, console, show, styled, table
from k210kit.errors import InputError, RefusedError

__all__ = ["app"]

app = typer.Typer(add_completion=False)
_BLOCKS = 72  # characters of a bar
_LEGEND = 78  # characters of a line below it


@app.command(epilog="Example: `k210kit fit m.kmodel --firmware m5stickv --load flash`")
def fit(
    model: Annotated[Path, typer.Argument(help="A kmodel V3.")],
    firmware: Annotated[str, typer.Option(help="Name of the catalogue, .bin file or .mk configuration.")] = "full",
    load: Annotated[
        Literal["ram", "flash", "flash-dual"], typer.Option(help="kpu.load, or kpu.load_flash with one or two buffers.")
    ] = "ram",
    camera: Annotated[str, typer.Option(help="QVGA, QQVGA, VGA, WIDTHxHEIGHT, or none.")] = "QVGA",
    dual_buffer: Annotated[bool, typer.Option("--dual-buffer", help="sensor.reset(dual_buff=True)")] = False,
    lcd: Annotated[str, typer.Option(help="WIDTHxHEIGHT, none, or default for the firmware's own.")] = "default",
    gc_heap: Annotated[str, typer.Option(help="Bytes of MicroPython's heap, as 524288, 0x80000 or 512K.")] = "",
    needs: Annotated[str, typer.Option(help="Features that another firmware must have, as thread,ws2812.")] = "",
    beside: Annotated[
        list[Path] | None, typer.Option(help="A model that the script keeps loaded too; may be given again.")
    ] = None,
    model_first: Annotated[bool, typer.Option("--model-first", help="The script loads before camera and LCD.")] = False,
    resize: Annotated[str, typer.Option(help="The script resizes pictures to WIDTHxHEIGHT.")] = "none",
    streaming: Annotated[bool, typer.Option("--stream", help="The script sends pictures on a UART.")] = False,
    baud: Annotated[
        int, typer.Option(min=1200, max=5_000_000, help="Of the UART stream in the table of speeds.")
    ] = 115_200,
    html: Annotated[Path | None, typer.Option(help="Write the report as a page.")] = None,
    png: Annotated[Path | None, typer.Option(help="Write the picture of the memory.")] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Say whether a model fits beside a script on a firmware, what would make it fit, and how fast the loop runs."""
    from k210kit.firmware import parse_needs
    from k210kit.planner import Stream
    from k210kit.planner import fit as plan

    result = plan(
        model,
        firmware=firmware,
        load=load,
        camera=camera,
        dual_buffer=dual_buffer,
        lcd=lcd,
        gc_heap=_size(gc_heap) if gc_heap else None,
        needs=parse_needs(needs),
        model_first=model_first,
        beside=beside or (),
        resized_to=resize,
        stream=Stream(baud=baud),
        streaming=streaming,
    )
    if html is not None:
        from k210kit.planner.page import write_html

        write_html(result, html, force=force)
    if png is not None:
        from k210kit.planner.picture import write_png

        write_png(result, png, force=force)
    show(result, as_json=json, text=_text(result) if not json else [])
    if not result.fits:
        raise typer.Exit(RefusedError.exit_code)


def _size(text: str) -> int:
    word = text.strip().upper().removesuffix("IB").removesuffix("B")
    factor = {"K": 1024, "M": 1024 * 1024}.get(word[-1:], 1)
    try:
        value = int(word[:-1] if factor > 1 else word, 0) * factor
    except ValueError:
        raise InputError(f"{text!r} is no size. Give bytes, as 524288, 0x80000 or 512K.") from None
    if not 0 < value < 1 << 31:
        raise InputError(f"A GC heap of {value:,} bytes is impossible; the K210 has 6,291,456 in all.")
    return value


def _text(result: Any) -> list[Any]:  # Any: rich renderables
    from k210kit.planner.bars import bars

    colour = "green" if result.fits else "red"
    parts: list[Any] = [
        styled((result.model.name, "bold"), " on ", (result.firmware, "bold"), f" ({result.firmware_title})"),
        styled((result.verdict, colour)),
        styled((result.next_step, "bold")),
        "",
    ]
    for bar in bars(result):
        parts += [*_bar(bar), ""]
    parts.append(
        table(
            "In the order in which it is allocated",
            ["where", "what", "bytes>", "±>", "known from"],
            (_row(item) for item in result.items),
        )
    )
    parts += [styled((f"{row.rule}: {row.message}", "yellow")) for row in result.hazards]
    if result.remedies:
        rows = ((r.what, r.how, f"{r.spare_bytes:,}", "sure" if r.certain else "close") for r in result.remedies)
        parts.append(table("What would make it fit", ["change", "how", "to spare>", ""], rows))
    if result.speeds:
        parts.append(_speed_table(result))
    return parts


def _row(item: Any) -> list[str]:  # Any: an Item
    doubt = f"{item.uncertainty_bytes:,}" if item.uncertainty_bytes else ""
    return [item.where, item.name + ("" if item.fits else f" - {item.error}"), f"{item.bytes:,}", doubt, item.source]


def _speed_table(result: Any) -> Any:  # Any: a Fit; a rich table
    rows = (
        (
            r.load,
            f"{r.sensor_hz / 1e6:g} MHz",
            "yes" if r.stream else "no",
            f"{r.model_milliseconds:.1f}",
            f"{r.loop_milliseconds:.0f}",
            f"{r.fps:.1f}",
        )
        for r in result.speeds
    )
    return table("How fast", ["loaded", "camera", "UART stream", "model, ms>", "loop, ms>", "fps>"], rows)


def _bar(bar: Any) -> list[Any]:  # Any: a Bar; rich texts
    from rich.text import Text

    from k210kit.planner.bars import COLOURS

    plain = not console().is_terminal
    line, legend = Text(), [Text()]
    for number, segment in enumerate(bar.segments):
        cells = max(1, round(_BLOCKS * segment.bytes / bar.drawn)) if segment.bytes > bar.drawn / 500 else 0
        letter = "·" if segment.group == "free" else "!" if segment.group == "too much" else chr(ord("a") + number % 26)
        style = COLOURS[segment.group]
        line.append((letter if plain else "█") * cells, style=style)
        if not cells:
            continue
        words = f"{segment.name} {segment.bytes:,}   "
        if len(legend[-1]) + len(words) > _LEGEND:
            legend.append(Text())
        legend[-1].append(f"{letter if plain else '■'} ", style=style)
        legend[-1].append(words)
    return [f"{bar.title}, {bar.total:,} bytes", line, *legend]
