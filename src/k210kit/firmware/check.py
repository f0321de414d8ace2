"""Find what is wrong in a configuration before an hour of building shows it, and compare two of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from k210kit.firmware.catalogue import FALLBACK_GC_HEAP_BYTES, Firmware, from_settings
from k210kit.firmware.config import Line, malformed_lines, parse_lines, resolve_settings
from k210kit.firmware.heap import chunk_size
from k210kit.firmware.options import COMPONENT_SWITCH, OPTIONS, PREFIX, Option, option
from k210kit.firmware.script_needs import Need, needs_of
from k210kit.firmware.sizes import Size, predict
from k210kit.firmware.variants import VARIANTS, settings_of
from k210kit.hardware import FIRST_MODEL_ADDRESS, FLASH_BYTES, PROGRAM_DIGEST_BYTES, PROGRAM_HEAD_BYTES

__all__ = ["Checked", "Difference", "Finding", "check_configuration", "differences"]

ALIGNED_GC_HEAP = 8
_MOST_SILENT = 4  # features that a file may well leave to their defaults


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is not as it looks: an "error" makes the build or the script fail, a "warning" surprises."""

    level: Literal["error", "warning"]
    rule: str
    line: int | None
    message: str


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A configuration: findings, effective settings, what the build will be, and what is nearest to it."""

    ok: bool
    findings: tuple[Finding, ...]
    settings: Mapping[str, str]
    size: Size
    firmware: Firmware
    nearest: str
    needs: tuple[Need, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One option of which two configurations, once resolved, differ."""

    key: str
    before: str
    after: str
    meaning: str
    image_bytes: int
    free_bytes: int


def check_configuration(text: str, *, name: str = "configuration", script: str | None = None) -> Checked:
    """Resolve a .mk file's text by Kconfig's rules and report what is not as its author will think."""
    lines = parse_lines(text)
    resolved = resolve_settings(text)
    settings = resolved.settings
    firmware = from_settings(name, f"built from {name}", settings)
    size = predict(settings)
    needs = needs_of(script) if script is not None else ()
    findings = (
        *_component(settings),
        *_malformed(text),
        *_unknown_keys(lines),
        *_repeated(lines),
        *_bad_values(lines),
        *_overridden(lines, settings),
        *_gc_heap(settings, firmware),
        *_flash(settings, size),
        *_not_linked(settings),
        *_surprising_defaults(lines, settings),
        *_lost_lines(lines, settings),
        *_missing_features(needs, firmware),
    )
    return Checked(
        ok=not any(row.level == "error" for row in findings),
        findings=findings,
        settings=settings,
        size=size,
        firmware=firmware,
        nearest=_nearest(settings),
        needs=needs,
    )


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Difference, ...]:
    """Options whose effective values differ, with what each costs in the .bin and gives or takes in free memory."""
    rows = []
    for row in OPTIONS:
        old, new = before.get(row.key, ""), after.get(row.key, "")
        if old == new or {old, new} <= {"", "n"}:
            continue
        sign = (new == "y") - (old == "y")
        image = sign * row.cost.image
        free = -(image + sign * (row.cost.bss + row.cost.heap))
        if row.key == "MAIXPY_GC_HEAP_SIZE":
            free = int(old or "0", 0) - int(new or "0", 0)
        rows.append(
            Difference(
                key=row.key,
                before=old or "n",
                after=new or "n",
                meaning=row.meaning,
                image_bytes=image,
                free_bytes=free,
            )
        )
    return tuple(rows)


def _error(rule: str, message: str, line: int | None = None) -> Finding:
    return Finding(level="error", rule=rule, line=line, message=message)


def _warning(rule: str, message: str, line: int | None = None) -> Finding:
    return Finding(level="warning", rule=rule, line=line, message=message)


def _component(settings: Mapping[str, str]) -> Iterator[Finding]:
    if settings.get(COMPONENT_SWITCH) != "y":
        yield _error(
            "component",
            f"{PREFIX}{COMPONENT_SWITCH}=y is missing. Without it Kconfig silently drops every MAIXPY_ and "
            "MICROPYTHON_ option of the file. Add it.",
        )


def _malformed(text: str) -> Iterator[Finding]:
    for number in malformed_lines(text):
        yield _error(
            "spelling",
            "Kconfig passes over this line: it takes CONFIG_KEY=value from the line's start without spaces, and "
            "'# CONFIG_KEY is not set' word for word.",
            number,
        )


def _unknown_keys(lines: Sequence[Line]) -> Iterator[Finding]:
    keys = [row.key for row in OPTIONS]
    for line in lines:
        if option(line.key) is None:
            near = get_close_matches(line.key, keys, n=1, cutoff=0.75)
            hint = f" Did you mean {PREFIX}{near[0]}?" if near else ""
            yield _error(
                "unknown key",
                f"MaixPy has no {PREFIX}{line.key}; Kconfig ignores it without a word.{hint}",
                line.number,
            )


def _repeated(lines: Sequence[Line]) -> Iterator[Finding]:
    seen: dict[str, Line] = {}
    for line in lines:
        before = seen.get(line.key)
        if before is not None:
            kept = f"Line {line.number} counts: {line.value or 'empty'}."
            if before.value == line.value:
                kept = "Both say the same."
            yield _warning(
                "repeated", f"{PREFIX}{line.key} is set in line {before.number} already. {kept}", line.number
            )
        seen[line.key] = line


def _bad_values(lines: Sequence[Line]) -> Iterator[Finding]:
    for line in lines:
        row = option(line.key)
        if row is None or (problem := _value_problem(row, line.value)) is None:
            continue
        yield _error("value", f"{PREFIX}{line.key}={line.value}: {problem} Kconfig takes {row.default}.", line.number)


def _value_problem(row: Option, value: str) -> str | None:
    if row.kind == "bool":
        return None if value in ("y", "n") else "y or n was expected."
    if row.kind == "string":
        return None
    try:
        number = int(value, 16 if row.kind == "hex" else 10)
    except ValueError:
        return f"a {'hexadecimal' if row.kind == 'hex' else 'decimal'} number was expected."
    if row.low is not None and row.high is not None and not row.low <= number <= row.high:
        return f"{row.low} to {row.high} was expected."
    return None


def _overridden(lines: Sequence[Line], settings: Mapping[str, str]) -> Iterator[Finding]:
    """Lines of which Kconfig makes something else: a select beats them, a choice or a dependency takes them away."""
    last = {line.key: line for line in lines}
    for key, line in last.items():
        row = option(key)
        if row is None or row.kind != "bool" or line.value not in ("y", "n") or settings.get(key) in (line.value, ""):
            continue
        if settings[key] == "y":
            culprits = [other.key for other in OPTIONS if key in other.selects and settings.get(other.key) == "y"]
            if culprits:
                yield _warning("select", f"{PREFIX}{key} stays on: {PREFIX}{culprits[0]}=y selects it.", line.number)
        elif row.depends and settings.get(row.depends) != "y":
            if row.depends != COMPONENT_SWITCH:
                yield _warning(
                    "dependency", f"{PREFIX}{key}=y has no effect: {PREFIX}{row.depends} is off.", line.number
                )
        elif row.choice:
            yield _warning(
                "choice", f"{PREFIX}{key}=y has no effect: another option of {row.choice} wins.", line.number
            )


def _gc_heap(settings: Mapping[str, str], firmware: Firmware) -> Iterator[Finding]:
    size = firmware.gc_heap_bytes
    room = firmware.heap_bytes - firmware.pre_gc_bytes
    if not size:
        return
    if size % ALIGNED_GC_HEAP:
        yield _error("GC heap", f"A GC heap of {size:#x} bytes is not a multiple of 8.")
    if chunk_size(size) > room:
        yield _error(
            "GC heap",
            f"A GC heap of {size:,} bytes does not fit: this build will have about {room:,} bytes of heap. MaixPy then "
            f"prints 'GC heap size ... is too large' and takes {FALLBACK_GC_HEAP_BYTES:,}.",
        )
    elif chunk_size(size) > room - 600_000:
        yield _warning(
            "GC heap", f"A GC heap of {size:,} bytes leaves {room - size:,} bytes for camera, LCD and models together."
        )


def _flash(settings: Mapping[str, str], size: Size) -> Iterator[Finding]:
    if size.image_bytes + PROGRAM_HEAD_BYTES + PROGRAM_DIGEST_BYTES > FIRST_MODEL_ADDRESS:
        yield _warning(
            "flash",
            f"The .bin of about {size.image_bytes:,} bytes reaches beyond {FIRST_MODEL_ADDRESS:#x}, where models lie.",
        )
    start, length = (int(settings.get(key) or "0", 0) for key in ("SPIFFS_START_ADDR", "SPIFFS_SIZE"))
    if start + length > FLASH_BYTES:
        yield _error("flash", f"The file system ends at {start + length:#x}, behind the flash's {FLASH_BYTES:#x}.")
    block = int(settings.get("SPIFFS_LOGICAL_BLOCK_SIZE") or "0", 0)
    if block and start % block:
        yield _error("flash", f"The file system begins at {start:#x}, not on the boundary of a block of {block:#x}.")


def _not_linked(settings: Mapping[str, str]) -> Iterator[Finding]:
    """What Kconfig allows and the linker does not, as a real build showed."""
    speech, v4 = "MAIXPY_SPEECH_RECOGNIZER_ENABLE", "MICROPYTHON_KMODEL_V4_SUPPORT"
    if settings.get(speech) == "y" and settings.get(v4) != "y":
        yield _error(
            "linker",
            f"{PREFIX}{speech}=y calls nncase, which only {PREFIX}{v4}=y brings: the build ends with 'undefined "
            f"reference to nncase_run_kmodel'. Write {PREFIX}{v4}=y.",
        )


def _surprising_defaults(lines: Sequence[Line], settings: Mapping[str, str]) -> Iterator[Finding]:
    """Large features that the file does not mention and that are on all the same."""
    named = {line.key for line in lines}
    if not named:
        yield _error("empty", f"The file sets nothing: no line begins with {PREFIX}.")
        return
    for row in OPTIONS:
        weight = row.cost.image + row.cost.bss + row.cost.heap
        if row.default == "y" and row.key not in named and settings.get(row.key) == "y" and weight > 50_000:
            yield _warning(
                "default", f"{PREFIX}{row.key} is not mentioned, so it is on: {row.meaning}; about {weight:,} bytes."
            )


def _lost_lines(lines: Sequence[Line], settings: Mapping[str, str]) -> Iterator[Finding]:
    """A file that switches nothing off, though Kconfig writes a line for all that is off: did it lose its # lines?"""
    if not lines or any(line.value == "n" for line in lines):
        return
    named = {line.key for line in lines}
    silent = [row for row in OPTIONS if row.feature and row.default == "y" and row.key not in named]
    if len(silent) < _MOST_SILENT or settings.get(COMPONENT_SWITCH) != "y":
        return
    off = {row.key: "n" for row in silent} | {key: "n" for row in silent for key in row.selects if key not in named}
    yield _warning(
        "lost lines",
        "No line says '# CONFIG_... is not set', though Kconfig writes one for each option that is off. If the file "
        "was copied from a page that drops lines with #, write these back: "
        + " ".join(f"{PREFIX}{row.key}" for row in silent)
        + f". The .bin would then have about {predict(dict(settings) | off).image_bytes:,} bytes.",
    )


def _missing_features(needs: Sequence[Need], firmware: Firmware) -> Iterator[Finding]:
    for need in needs:
        if need.feature in firmware.features:
            continue
        row = next(row for row in OPTIONS if row.feature == need.feature)
        cure = f"# {PREFIX}{row.key} is not set" if row.absent else f"{PREFIX}{row.key}=y"
        yield _error("script", f"Line {need.line} of the script needs {need.feature} ({need.text}). Write {cure}.")


def _nearest(settings: Mapping[str, str]) -> str:
    def distance(name: str) -> int:
        variant = next(row for row in VARIANTS if row.name == name)
        return len(differences(settings, settings_of(variant)))

    return min((row.name for row in VARIANTS), key=distance)
