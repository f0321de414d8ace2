"""How large a build becomes, from its options.

A sum of costs. What pairs of public images tell apart is solved from them: minimum_with_ide, full, with_lvgl and
openmv_kmodel_v4_with_ide of v0.6.2-84, minimum_with_kmodel_v4 of -72, minimum_speech_with_ide of -83, minimum and
m5stickv of v0.6.0 (from which v0.6.2-84 has grown by 10,816 bytes, as three other variants show), and the build of
736,192 bytes with `_thread` and `ws2812`. Smaller options were built with and without, by GCC 12.2. Two images
that were not used come out within 0.7 %: the UnitV custom build and Lilygo's T-Watch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from k210kit.firmware.options import OPTIONS
from k210kit.firmware.variants import VARIANTS, settings_of
from k210kit.hardware import GENERAL_MEMORY_END, GENERAL_MEMORY_START

__all__ = ["MEASURED", "STACKS_BYTES", "Size", "heap_start_of", "predict"]

STACKS_BYTES = 0x10000  # two cores, 32 KiB each, between `_end` and `_heap_start`; kendryte.ld
PREVIEW_BUFFER = 23 * 1024  # JPEG preview of the IDE, in every build with IDE or with all image functions
_BASE_IMAGE = 1_157_048  # with all image functions and nothing else
_BASE_BSS = 39_936
_UNCERTAINTY_EXACT = 4_096  # between builds of the same options
_DOUBT = {"exact": 0.02, "solved": 0.1, "built": 0.2, "estimate": 0.35}  # share of the cost of an option
MEASURED = (
    "full",
    "with_lvgl",
    "openmv_kmodel_v4_with_ide",
    "minimum_with_ide",
    "minimum_with_kmodel_v4",
    "minimum_speech_with_ide",
)


@dataclass(frozen=True, kw_only=True)
class Size:
    """What a build is predicted to take, in bytes."""

    image_bytes: int
    ram_bytes: int
    pre_gc_bytes: int
    uncertainty_bytes: int

    @property
    def heap_start(self) -> int:
        return heap_start_of(self.ram_bytes)

    @property
    def heap_bytes(self) -> int:
        return GENERAL_MEMORY_END - self.heap_start


def heap_start_of(ram_bytes: int) -> int:
    """Where the heap begins for `ram_bytes` of image and bss: behind the stacks, on a multiple of 64."""
    return GENERAL_MEMORY_START + -(-ram_bytes // 64) * 64 + STACKS_BYTES


def predict(settings: Mapping[str, str]) -> Size:
    """The size of a build whose effective settings (key without CONFIG_: "y", "n" or a value) these are.

    The uncertainty is that of the options in which it differs from the measured build nearest to it.
    """
    image, bss, heap = _BASE_IMAGE, _BASE_BSS, 0
    for row in OPTIONS:
        if settings.get(row.key, "n") == "y":
            image += row.cost.image
            bss += row.cost.bss
            heap += row.cost.heap
    if settings.get("MAIXPY_IDE_SUPPORT") == "y" or settings.get("MAIXPY_OMV_MINIMUM") != "y":
        bss += PREVIEW_BUFFER
    doubt = min(_doubt(settings, settings_of(row)) for row in VARIANTS if row.name in MEASURED)
    return Size(
        image_bytes=image,
        ram_bytes=image + bss,
        pre_gc_bytes=heap,
        uncertainty_bytes=round(_UNCERTAINTY_EXACT + doubt),
    )


def _doubt(settings: Mapping[str, str], measured: Mapping[str, str]) -> float:
    return sum(
        _DOUBT[row.cost.known] * (abs(row.cost.image) + abs(row.cost.bss))
        for row in OPTIONS
        if (settings.get(row.key) == "y") != (measured.get(row.key) == "y")
    )
