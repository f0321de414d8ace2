"""How large a build becomes, from its options.

A sum of costs, solved from measured images of v0.6.2-84 (minimum_with_ide, openmv_kmodel_v4_with_ide, full and
with_lvgl), so that it gives their sizes exactly, and from the build of 736,192 bytes with `_thread` and `ws2812`. Where
only the sum of several options is known, how it is shared among them is an estimate. The image of the UnitV custom
build was not used in solving; its .bin is predicted 0.6 % too large.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from k210kit.firmware.options import OPTIONS
from k210kit.hardware import GENERAL_MEMORY_END, GENERAL_MEMORY_START

__all__ = ["STACKS_BYTES", "Size", "heap_start_of", "predict"]

STACKS_BYTES = 0x10000  # two cores, 32 KiB each, between `_end` and `_heap_start`; kendryte.ld
PREVIEW_BUFFER = 23 * 1024  # JPEG preview of the IDE, in every build with IDE or with all image functions
_BASE_IMAGE = 1_351_640  # with all image functions and nothing else
_BASE_BSS = 49_404
_UNCERTAINTY_EXACT = 4_096  # between builds of the same options
_UNCERTAINTY_SHARE = 0.25  # of every cost that is an estimate


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
    """The size of a build whose effective settings (key without CONFIG_: "y", "n" or a value) these are."""
    image, bss, heap, doubt = _BASE_IMAGE, _BASE_BSS, 0, float(_UNCERTAINTY_EXACT)
    for row in OPTIONS:
        if settings.get(row.key, "n") != "y":
            continue
        image += row.cost.image
        bss += row.cost.bss
        heap += row.cost.heap
        if row.cost.known == "estimate":
            doubt += _UNCERTAINTY_SHARE * (abs(row.cost.image) + abs(row.cost.bss))
    if settings.get("MAIXPY_IDE_SUPPORT") == "y" or settings.get("MAIXPY_OMV_MINIMUM") != "y":
        bss += PREVIEW_BUFFER
    return Size(image_bytes=image, ram_bytes=image + bss, pre_gc_bytes=heap, uncertainty_bytes=round(doubt))
