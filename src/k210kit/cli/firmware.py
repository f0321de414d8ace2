"""`k210kit firmware`: the MaixPy builds, what is inside a .bin, and configurations to build from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from k210kit.cli.output import Force, Json, note, show, styled, table
from k210kit.errors import InputError, RefusedError, UnsupportedError

if TYPE_CHECKING:
    from k210kit.firmware.check import Checked, Finding
    from k210kit.firmware.sizes import Size
    from k210kit.inspection import Inspection

__all__ = ["app"]

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="MaixPy builds: list, inspect, configure, check, compare, build."
)
_MOST_TEXT = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Builds:
    """The known builds that have all that was asked for."""

    needs: list[str]
    features: Mapping[str, str]  # every feature's name and meaning
    firmware: list[dict[str, object]]


@dataclass(frozen=True, kw_only=True)
class Configured:
    """The configuration that was written, every option stated, and what the build will be."""

    file: Path
    settings: Mapping[str, str]
    size: Size
    findings: tuple[Finding, ...]


@app.command("list", epilog="Example: `k210kit firmware list --needs thread,ws2812,ide`")
def list_builds(
    needs: Annotated[str, typer.Option(help="Only builds that have all of these, as thread,ws2812,kmodel-v4.")] = "",
    json: Json = False,
) -> None:
    """List the builds that are known, with what each has and what memory it leaves free."""
    from k210kit.firmware import FEATURES, parse_needs, with_features

    wanted = parse_needs(needs)
    rows = with_features(wanted)
    body = Builds(needs=sorted(wanted), features=FEATURES, firmware=[_facts(row) for row in rows])
    text: list[Any] = [_list_table(rows), "free: behind the GC heap of 512 KiB; ± where it is not measured on an image"]
    if not rows:
        text = [f"No known build has all of: {', '.join(sorted(wanted))}. Make one: k210kit firmware config"]
    show(body, as_json=json, text=text)
    if not rows:
        raise typer.Exit(RefusedError.exit_code)


def _facts(row: Any) -> dict[str, object]:  # Any: a Firmware
    return dict(row.__dict__) | {
        "features": sorted(row.features),
        "free_after_gc_bytes": row.free_after_gc_bytes,
        "release_file": row.release_file,
    }


def _list_table(rows: list[Any]) -> Any:  # Any: rows of Firmware; a rich table
    columns = ["name", "free, bytes>", "±>", ".bin>", "kmodel", "camera", "LCD", "has"]
    return table("", columns, (_list_row(row) for row in rows))


def _list_row(row: Any) -> list[str]:  # Any: a Firmware
    usual = {"board", "fpioa_manager"}
    return [
        row.name,
        f"{row.free_after_gc_bytes:,}",
        f"{row.memory_uncertainty_bytes:,}",
        f"{row.image_bytes:,}" if row.image_bytes else "?",
        "+".join(f"V{number}" for number in row.kmodel_versions),
        f"{row.sensor_hz / 1e6:g} MHz" if row.sensor_hz else "?",
        f"{row.lcd_width}x{row.lcd_height}",
        " ".join(sorted(row.features - usual)),
    ]


@app.command("inspect", epilog="Example: `k210kit firmware inspect maixpy.bin`")
def inspect_image(
    file: Annotated[Path, typer.Argument(help="A .bin, a whole flash image, or a kfpkg.")],
    json: Json = False,
) -> None:
    """Say which firmware a file really holds: version, variant, features, free memory, camera clock."""
    from k210kit.inspection import inspect

    found = inspect(file)
    if found.kind not in ("firmware", "flash", "kfpkg"):
        raise UnsupportedError(
            f"{file} is a {found.kind}, not a firmware; a .bin, a flash image or a kfpkg was expected. "
            f"See k210kit inspect {file}."
        )
    show(found, as_json=json, text=_image_text(found))


def _image_text(found: Inspection) -> list[Any]:  # Any: what rich renders
    parts: list[Any] = []
    if found.file:
        what = f": {found.kind}, {found.bytes:,} bytes, SHA-256 {found.sha256[:16]}…"
        parts.append(styled((str(found.file), "bold"), what))
    if found.kind == "firmware":
        parts += _program_text(found)
    else:
        parts += [f"{name}: {value}" for name, value in found.facts.items()]
    parts += [styled((text, "yellow")) for text in found.warnings]
    for name, part in found.parts:
        parts += ["", styled((name, "bold"), f": {part.kind} {part.version}".rstrip()), *_image_text(part)]
    return parts


def _program_text(found: Inspection) -> list[str]:
    facts: dict[str, Any] = dict(found.facts)
    if "variant" not in facts:
        return [f"{name}: {value}" for name, value in facts.items()]
    clock = f"{facts['sensor_hz'] / 1e6:g} MHz" if facts["sensor_hz"] else "unknown"
    free = facts["free_after_gc_heap_bytes"]
    return [
        f"version: {found.version} of {facts['date'] or 'an unknown day'}",
        f"variant: {facts['variant']}, board {facts['board']}",
        f"has: {', '.join(facts['features'])}",
        f"has not: {', '.join(facts['features_absent'])}",
        f"loads kmodel: {', '.join(f'V{number}' for number in facts['kmodel_versions']) or 'unknown'}",
        f"camera clock: {clock}",
        f"heap from: {facts['heap_start'] or 'unknown'}; free behind a GC heap of 512 KiB: "
        + (f"{free:,} bytes" if free is not None else "unknown"),
        *(f"unknown: {text}" for text in facts["unknown"]),
    ]


@app.command("config", epilog="Example: `k210kit firmware config unitv -o config_unitv.mk`")
def config(
    preset: Annotated[str, typer.Argument(help="unitv, or a shipped build; leave it out to be asked.")] = "",
    output: Annotated[Path, typer.Option("-o", "--output", help="The .mk file to write.")] = Path("config_k210kit.mk"),
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one option.")] = None,
    toolchain: Annotated[str, typer.Option(help="Folder of the compiler.")] = "",
    force: Force = False,
    json: Json = False,
) -> None:
    """Write a configuration from a preset, or from answers to questions; every option is stated in it."""
    from k210kit.files import write_whole
    from k210kit.firmware.check import check_configuration
    from k210kit.firmware.config import configuration_text
    from k210kit.firmware.presets import changed, preset_settings

    settings = preset_settings(preset) if preset else _asked()
    settings = changed(settings, set_ or [])
    if toolchain:
        settings["TOOLCHAIN_PATH"] = toolchain
    text = configuration_text(settings, f"MaixPy for the K210, {preset or 'from answers'}")
    checked = check_configuration(text, name=output.stem)
    write_whole(output, text, force=force)
    body = Configured(file=output, settings=checked.settings, size=checked.size, findings=checked.findings)
    show(body, as_json=json, text=[f"{output} is written.", *_size_text(checked), *_findings_text(checked)])


def _asked() -> dict[str, str]:
    from k210kit.firmware.presets import QUESTIONS, answered

    if not typer.get_text_stream("stdin").isatty():
        raise InputError("There is nobody to ask. Name a preset: k210kit firmware config unitv")
    answers: dict[str, str] = {}
    for question in QUESTIONS:
        if question.choices:
            note(f"{question.text} ({', '.join(question.choices)})")
            answers[question.name] = typer.prompt("", default=question.default, err=True, prompt_suffix="> ")
        else:
            answers[question.name] = (
                "y" if typer.confirm(question.text, default=question.default == "y", err=True) else "n"
            )
    return answered(answers)


@app.command("check", epilog="Example: `k210kit firmware check config_tiny.mk --script main.py`")
def check(
    file: Annotated[Path, typer.Argument(help="A .mk configuration of MaixPy-v1.")],
    script: Annotated[Path | None, typer.Option(help="The script that shall run: what it needs is compared.")] = None,
    json: Json = False,
) -> None:
    """Resolve a configuration as the build will, find what is wrong with it, and predict size and free memory."""
    checked = _checked(file, script)
    text = [*_size_text(checked), *_findings_text(checked)]
    if checked.ok:
        text.append("Nothing is wrong with it." if not checked.findings else "It will build.")
    show(checked, as_json=json, text=text)
    if not checked.ok:
        raise typer.Exit(RefusedError.exit_code)


def _checked(file: Path, script: Path | None = None) -> Checked:
    from k210kit.firmware.check import check_configuration

    source = _text_of(script) if script else None
    return check_configuration(_text_of(file), name=file.stem, script=source)


def _text_of(path: Path) -> str:
    from k210kit.files import read_whole

    try:
        return read_whole(path, most_bytes=_MOST_TEXT).decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path} is no text file in UTF-8. Give the .mk, or the script, that was meant.") from None


def _size_text(checked: Checked) -> list[str]:
    size, build = checked.size, checked.firmware
    return [
        f"the .bin will have about {size.image_bytes:,} bytes (±{size.uncertainty_bytes:,})",
        f"free behind the GC heap of {build.gc_heap_bytes:,}: about {build.free_after_gc_bytes:,} bytes",
        f"nearest known build: {checked.nearest}; it has: {', '.join(sorted(build.features))}",
    ]


def _findings_text(checked: Checked) -> list[Any]:  # Any: what rich renders
    colours = {"error": "red", "warning": "yellow"}
    return [
        styled((row.level, colours[row.level]), f"{f' in line {row.line}' if row.line else ''}: {row.message}")
        for row in checked.findings
    ]


@app.command("diff", epilog="Example: `k210kit firmware diff minimum_with_ide config_tiny.mk`")
def diff(
    first: Annotated[str, typer.Argument(help="A build of the list, a .mk or a .bin file.")],
    second: Annotated[str, typer.Argument(help="What to compare it with.")],
    json: Json = False,
) -> None:
    """Say in words what one build has that the other has not, and what that costs."""
    from k210kit.firmware.compare import compare

    found = compare(first, second)
    rows = ((row.key, row.before, row.after, row.meaning, f"{row.free_bytes:+,}") for row in found.differences)
    text: list[Any] = list(found.sentences)
    if found.differences:
        columns = ["option", first, second, "what it is", "free bytes>"]
        text.append(table("Options", columns, rows))
    show(found, as_json=json, text=text)


@app.command(
    "build", epilog="Example: `k210kit firmware build config_unitv.mk --maixpy ~/MaixPy-v1 --toolchain /opt/k/bin`"
)
def build(
    file: Annotated[Path, typer.Argument(help="The .mk configuration.")],
    maixpy: Annotated[Path, typer.Option(help="Your checkout of MaixPy-v1, with its submodules.")],
    toolchain: Annotated[
        Path | None, typer.Option(help="Folder of the compiler; else the configuration's own.")
    ] = None,
    project: Annotated[str, typer.Option(help="Folder in MaixPy's projects.")] = "maixpy_k210",
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Copy the .bin here.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look whether all is there.")] = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Build a firmware with your own MaixPy-v1 and compiler, past the trap of stale configurations."""
    from k210kit.cli.output import progress
    from k210kit.firmware.build import Job, build_firmware, prepare

    job = Job(configuration=file, maixpy=maixpy, toolchain=toolchain, project=project, output=output, force=force)
    if dry_run:
        ready = prepare(job)
        facts = [f"{name}: {value}" for name, value in ready.facts.items()]
        warnings = [styled(("warning", "yellow"), f": {text}") for text in ready.warnings]
        show(ready, as_json=json, text=[*facts, *warnings])
        return
    try:
        with progress("build") as report:
            made = build_firmware(job, report)
    except KeyboardInterrupt:
        note("Interrupted. The same command again goes on with what is built already.")
        raise
    show(made, as_json=json, text=list(made.sentences))
