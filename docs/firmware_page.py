"""The reference page of the MaixPy builds and of their options."""

from __future__ import annotations

from collections.abc import Iterable

from k210kit.firmware import FEATURES, Firmware, catalogue
from k210kit.firmware.options import OPTIONS, PREFIX, Option

__all__ = ["page"]

_HEAD = """# MaixPy firmware

Written from the kit's own tables; `k210kit firmware list` shows the first one. Which to take:

* a **UnitV**: `unitv` is IDE, `_thread`, `ws2812`, a camera clock of 24 MHz and kmodel V3. It is not shipped;
  `k210kit firmware config unitv` writes its configuration, `k210kit firmware build` builds it.
* **ERR_NO_MEM** with a larger build: `minimum_with_ide` leaves twice the memory of `full`.
* **find_blobs and a model**: `openmv_kmodel_v4_with_ide`.

## The builds

*free* is what lies behind a GC heap of 512 KiB. The figures of a *measured* build come from its published image; the
others are predicted from their options, with the uncertainty given. "Before the GC heap" is what FreeRTOS (53,680) and
the C++ runtime of kmodel V4 (72,720) take.

"""

_OPTIONS = """
## The options

A configuration (`.mk`) says `KEY=y` or `# KEY is not set`, exactly so: Kconfig passes over a line with spaces around
the `=`. **What a file leaves out takes its default, which is often on.** A key that is repeated takes its last value, a
key that MaixPy does not know is ignored without a word, and a select beats "is not set". `k210kit firmware check` tells
all of this. Some names are misspelt in MaixPy itself and must be written so.

The cost is what switching the option on adds: to the `.bin` and to the memory behind it. *exact*: counted in the
source; *solved*: from the sizes of published images; *built*: two builds, with and without it (GCC 12.2); *estimate*: a
guess from the source.

"""

_INSPECT = """
## How an image is recognised

Nothing is taken from a file's name.

| what | from |
|---|---|
| it is a K210 program | bytes `EF BE AD DE` behind the first jump |
| version, date | `MicroPython v… on …` |
| where the heap begins | the start-up code: `auipc tp`, `addi tp, tp`, `andi tp, tp, -64` compute the program's end, \
and the heap begins 64 KiB behind it |
| kmodel versions | the text of error 2002: "only support kmodel V3" or "V3/V4 now" |
| features | names of modules and methods that only builds with them hold; IDE: `IDE interrupt`; \
NES: more than 700,000 bytes of variables |
| camera clock | the one whole number of megahertz that is loaded as a constant at exactly four places |
| a build that will hang | a function that, before any branch, calls itself: strlen or memset as some newer \
compilers make them |

The rules were tried on nine published images of MaixPy: v0.6.2-27, -72, -84, -85 in the variants `full`, `with_lvgl`,
`openmv_kmodel_v4_with_ide`, `minimum_with_ide` and a custom build for the UnitV; the package that M5Stack names 5.1.2
and that holds 0.5.0; and another K210 program. All come out right, and the file system in that package is read. Those
images are not ours to pass on; the tests make images of their own from the same rules. Whether
`sensor.reset(dual_buff=True)` was built in is in no image's texts, and is reported as unknown.
"""


def page() -> str:
    """The page."""
    return _HEAD + _builds() + _features() + _OPTIONS + _options() + _INSPECT


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(columns)
    lines = ["| " + " | ".join(name.rstrip(">") for name in names) + " |"]
    lines.append("|" + "|".join("---:" if name.endswith(">") else "---" for name in names) + "|")
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _builds() -> str:
    columns = ["name", "for", "free>", "±>", ".bin>", "before the GC heap>", "kmodel", "camera", "LCD", "memory is"]
    return _table(columns, (_build(row) for row in catalogue()))


def _build(row: Firmware) -> list[str]:
    return [
        f"`{row.name}`",
        row.title.replace("<", "&lt;"),
        f"{row.free_after_gc_bytes:,}",
        f"{row.memory_uncertainty_bytes:,}",
        f"{row.image_bytes:,}" if row.image_bytes else "?",
        f"{row.pre_gc_bytes:,}",
        " ".join(f"V{number}" for number in row.kmodel_versions),
        f"{row.sensor_hz / 1e6:g} MHz" if row.sensor_hz else "?",
        f"{row.lcd_width}x{row.lcd_height}",
        "measured" if row.memory_source.startswith("measured") else "predicted",
    ]


def _features() -> str:
    rows = [row for row in catalogue() if row.config_file or row.name == "unitv"]
    columns = ["feature", "what it is", "builds that have it"]

    def builds(word: str) -> str:
        has = [f"`{row.name}`" for row in rows if word in row.features]
        return "all" if len(has) == len(rows) else ", ".join(has) or "none"

    return "\n## What they have\n\n" + _table(columns, ([f"`{w}`", FEATURES[w], builds(w)] for w in sorted(FEATURES)))


def _options() -> str:
    parts = []
    for group in dict.fromkeys(row.group for row in OPTIONS):
        rows = [row for row in OPTIONS if row.group == group]
        columns = ["key", "type", "default", "meaning", "needs, switches on", "in the .bin>", "behind it>"]
        parts.append(f"### {group}\n\n" + _table(columns, (_option(row) for row in rows)))
    return "\n".join(parts)


def _option(row: Option) -> list[str]:
    bounds = f", {row.low} to {row.high}" if row.low is not None else ""
    links = [f"needs {row.depends}"] if row.depends and row.depends != "COMPONENT_MICROPYTHON_ENABLE" else []
    links += [f"one of {row.choice}"] if row.choice else []
    links += [f"switches on {', '.join(row.selects)}"] if row.selects else []
    cost = row.cost
    behind = cost.bss + cost.heap
    return [
        f"`{PREFIX}{row.key}`",
        row.kind + bounds,
        f"`{row.default}`" if row.default else "",
        row.meaning,
        "; ".join(links),
        f"{cost.image:+,} {cost.known}" if cost.image else "",
        f"{behind:+,}" if behind else "",
    ]
