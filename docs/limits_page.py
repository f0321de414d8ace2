"""The reference page of limits: the chip's, the firmware's and the kit's, read from where they are used."""

from __future__ import annotations

from k210kit import hardware as chip
from k210kit.compiler.support import LIMITS
from k210kit.inspection.inspect import MOST_BYTES as MOST_INSPECTED
from k210kit.kmodel.model import MOST_BYTES as MOST_KMODEL
from k210kit.training.models import ALPHAS
from k210kit.training.yolo import ANCHORS, MOST_BOXES

__all__ = ["page"]

_HEAD = """# Limits

What the chip, MaixPy and the kit can hold. What the compiler reads is on a page of its own: [operators](operators.md).
"""


def page() -> str:
    """The whole page as Markdown."""
    return "\n".join([_HEAD, _table("The chip", _chip()), _table("MaixPy", _maixpy()), _table("The kit", _kit())])


def _chip() -> list[tuple[str, str, str]]:
    return [
        ("KPU memory", _bytes(chip.KPU_MEMORY_BYTES), f"input and output of a layer together; lines of "
         f"{chip.KPU_LINE_BYTES} bytes"),
        *((limit.name, f"{limit.least} to {limit.most:,}", limit.instead) for limit in LIMITS),
        ("parts of an activation table", str(chip.SEGMENTS), "other curves are drawn with so many straight lines"),
        ("kernels", "1x1 and 3x3, stride 1 and 2", "others are taken apart, or run on the CPU: the report says which"),
        ("general memory", _bytes(chip.GENERAL_MEMORY_BYTES), "firmware, its heaps, pictures, the model"),
        ("flash", _bytes(chip.FLASH_BYTES), f"erased in sectors of {chip.FLASH_SECTOR_BYTES:,} bytes"),
    ]  # fmt: skip


def _maixpy() -> list[tuple[str, str, str]]:
    return [
        ("kmodel", "V3", "V4 in some builds: `k210kit firmware list --needs kmodel-v4`; V5 in none"),
        ("models loaded at a time", "5", "then error 2009; `kpu.deinit` frees one"),
        ("`kpu.load_flash`", "V3; header and layer table in the first 4,096 bytes", "words swapped: `k210kit swap`"),
        (
            "boxes of `run_yolo2`",
            str(MOST_BOXES),
            "it does not check; `boot.py` decodes the map itself if there are more",
        ),
        ("detectors", "YOLOv2", "nothing later is decoded; other outputs are read with `fmap[:]`"),
        ("file system", _bytes(chip.FILE_SYSTEM_BYTES), f"at 0x{chip.FILE_SYSTEM_ADDRESS:X}"),
    ]


def _kit() -> list[tuple[str, str, str]]:
    return [
        ("kmodel", "V3 read, run and written", "V4 and V5 are recognised, not run and not made"),
        ("weights that are written", "8 bits", "16-bit weights and negative slopes are unproven on hardware"),
        ("size of a kmodel", _bytes(MOST_KMODEL), "larger files are refused"),
        ("size of a file for `inspect`", _bytes(MOST_INSPECTED), ""),
        ("`train`: input", "steps of 8 pixels", "up to 320x240"),
        ("`train`: width of a MobileNet", ", ".join(f"{alpha:g}" for alpha in ALPHAS), "as ImageNet weights have"),
        ("`train`: anchors", str(ANCHORS), ""),
        ("`run`", "Python's syntax of MicroPython 1.11", "native and viper code, LVGL, network: [the list](maixpy.md)"),
        ("times and rates", "estimates", "within 15 % of all published figures that are known: "
         "[timing](../design/timing.md)"),
    ]  # fmt: skip


def _table(title: str, rows: list[tuple[str, str, str]]) -> str:
    lines = [f"| {what} | {limit} | {remark} |" for what, limit, remark in rows]
    return "\n".join([f"## {title}\n", "| what | limit | |", "|---|---|---|", *lines, ""])


def _bytes(count: int) -> str:
    mebi = 1024 * 1024
    return f"{count // mebi} MiB" if count % mebi == 0 else f"{count:,} bytes"
