"""Two builds, compared in words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from k210kit.files import read_whole
from k210kit.firmware.catalogue import FEATURES, Firmware
from k210kit.firmware.check import Difference, differences
from k210kit.firmware.config import resolve_settings
from k210kit.firmware.resolve import resolve
from k210kit.firmware.variants import VARIANTS, settings_of

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What differs: sentences, and the options where both builds' are known."""

    first: str
    second: str
    sentences: tuple[str, ...]
    differences: tuple[Difference, ...]


def compare(first: str, second: str) -> Comparison:
    """Compare two builds, each a name of the catalogue, a .bin or a .mk."""
    one, other = resolve(first), resolve(second)
    before, after = _settings(first, one), _settings(second, other)
    rows = differences(before, after) if before is not None and after is not None else ()
    return Comparison(
        first=one.name, second=other.name, sentences=tuple(_sentences(one, other, bool(rows))), differences=rows
    )


def _settings(given: str, firmware: Firmware) -> dict[str, str] | None:
    """Effective settings, where they are known: of a .mk and of a build of the catalogue."""
    path = Path(given)
    if path.suffix.lower() == ".mk":
        return dict(resolve_settings(read_whole(path).decode("utf-8", errors="replace")).settings)
    return next((settings_of(variant) for variant in VARIANTS if variant.name == firmware.name), None)


def _sentences(one: Firmware, other: Firmware, options_differ: bool) -> list[str]:
    found = []
    for has, lacks in ((one, other), (other, one)):
        words = sorted(has.features - lacks.features)
        if words:
            told = "; ".join(f"{word} ({FEATURES[word]})" for word in words)
            found.append(f"{has.name} has what {lacks.name} has not: {told}.")
    found += _changes(one, other)
    if one.image_bytes and other.image_bytes and one.image_bytes != other.image_bytes:
        more = other.image_bytes - one.image_bytes
        found.append(
            f"The .bin of {other.name} has {abs(more):,} bytes {'more' if more > 0 else 'less'}: "
            f"{other.image_bytes:,} to {one.image_bytes:,}."
        )
    gained = other.free_after_gc_bytes - one.free_after_gc_bytes
    if gained:
        found.append(
            f"{other.name} leaves {abs(gained):,} bytes {'more' if gained > 0 else 'less'} free behind the GC heap."
        )
    return found or (["They differ in options only."] if options_differ else ["No difference is known between them."])


def _changes(one: Firmware, other: Firmware) -> list[str]:
    pairs = (
        ("camera clock", one.sensor_hz, other.sensor_hz, "Hz"),
        ("CPU clock", one.cpu_hz, other.cpu_hz, "Hz"),
        ("GC heap", one.gc_heap_bytes, other.gc_heap_bytes, "bytes"),
        ("LCD width", one.lcd_width, other.lcd_width, "pixels"),
        ("LCD height", one.lcd_height, other.lcd_height, "pixels"),
    )
    found = [
        f"The {what} is {b:,} {unit} on {other.name}, {a:,} on {one.name}."
        for what, a, b, unit in pairs
        if a is not None and b is not None and a != b
    ]
    if one.board != other.board:
        found.append(f"{one.name} is for board {one.board}, {other.name} for {other.board}.")
    return found
