"""The bundle's camera script and its README, written from the compiled model and the plan for the chosen board."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from string import Template

from k210kit import __version__
from k210kit.package import FIRST_MODEL_ADDRESS

from .cameras import CameraPlan, released_builds_that_hold_it
from .description import Description

__all__ = ["Written", "boot_script", "readme"]

_FOLDER = Path(__file__).resolve().parent.parent / "templates" / "bundle"
_BAUD = 115200


@dataclass(frozen=True, kw_only=True)
class Written:
    """What script and README are written from."""

    title: str
    summary: str
    description: Description
    plan: CameraPlan
    kmodel: bytes
    stream: bool = False
    bundle: str = "bundle"


def boot_script(made: Written) -> str:
    """A script that runs as it is on stock MaixPy; every blank of its template is filled, or this fails."""
    d, plan = made.description, made.plan
    detect = ("boot_yolo2.txt" if d.decoder == "run_yolo2" else "boot_decode.txt", "boot_detect.txt")
    parts = ["boot_top.txt", *(("boot_classify.txt",) if d.task == "classify" else detect)]
    parts += ["boot_stream.txt"] if made.stream else []
    text = "".join(_template(name) for name in [*parts, "boot_end.txt"])
    return Template(text).substitute(
        title=made.title,
        version=__version__,
        board=plan.camera.title,
        sha=hashlib.sha256(made.kmodel).hexdigest()[:16],
        imports=("import math\n" if d.decoder == "script" else "") + (_STREAM_IMPORTS if made.stream else ""),
        labels=_tuple(d.labels),
        shown=_shown_labels(d.labels),
        address=f"0x{FIRST_MODEL_ADDRESS:06X}",
        card_name="model.kmodel",
        width=d.size.width,
        height=d.size.height,
        window_width=plan.window[0],
        window_height=plan.window[1],
        has_screen=plan.camera.lcd is not None,
        reset="dual_buff=True" if plan.dual_buffer else "",
        pixel_format="GRAYSCALE" if d.size.channels == 1 else "RGB565",
        frame=plan.frame,
        lcd=plan.camera.lcd or "",
        load=Template(_template("load_ram.txt" if plan.load == "ram" else "load_flash.txt")).substitute(
            flash_call=plan.call.removeprefix("kpu.")
        ),
        anchors=_tuple(d.anchors),
        threshold=d.threshold,
        nms=d.nms,
        columns=d.grid[0],
        rows=d.grid[1],
        transmit_pin=plan.camera.transmit_pin,
        receive_pin=plan.camera.receive_pin,
        baud=_BAUD,
        sender="\n        sender = Sender()" if made.stream else "",
        send="\n            sender.send(img, boxes)\n            gc.collect()" if made.stream else "",
    )


_STREAM_IMPORTS = """import ubinascii
import ustruct
from fpioa_manager import fm
from machine import UART
"""


def _shown_labels(labels: tuple[str, ...]) -> str:
    drawn = tuple(shown(label, number) for number, label in enumerate(labels))
    return "LABELS" if drawn == labels else _tuple(drawn)


def shown(label: str, number: int) -> str:
    """The label as the camera's font can draw it: ASCII, else its number."""
    return label if label.isascii() and label.isprintable() else f"#{number}"


def readme(made: Written) -> str:
    """The README of a bundle, in English, Japanese and Chinese."""
    d, plan = made.description, made.plan
    ram = plan.load == "ram"
    n = d.normalisation
    return Template(_template("README.txt")).substitute(
        title=made.title,
        summary=made.summary,
        kfpkg=f"{made.bundle}.kfpkg",
        card_en="Or copy `model.kmodel` to the SD card; the script looks there first." if ram else _FLASH_ONLY[0],
        card_ja="または `model.kmodel` を SD カードに置きます(こちらが優先されます)。" if ram else _FLASH_ONLY[1],
        card_zh="或者把 `model.kmodel` 放到 SD 卡上(脚本优先使用)。" if ram else _FLASH_ONLY[2],
        **_firmware_words(plan),
        board_name=plan.camera.name,
        address=f"0x{FIRST_MODEL_ADDRESS:06X}",
        flash_file="model.kmodel" if ram else "model_be.kmodel",
        scale=f"{n.scale:g}",
        mean=f"{n.mean:g}",
        std=f"{n.std:g}",
    )


def _firmware_words(plan: CameraPlan) -> dict[str, str]:
    """Which firmware the plan is for, where it comes from, whether the model fits, and which released ones do too."""
    name, file = plan.firmware.name, plan.firmware.release_file
    others = ", ".join(f"`{other}`" for other in released_builds_that_hold_it(plan))
    needed, free = f"{plan.fit.needed_bytes:,}", f"{plan.fit.free_bytes:,}"
    if file:
        source = (
            f"MaixPy 0.6.2, `{name}` (`{file}`).",
            f"MaixPy 0.6.2 の `{name}`(`{file}`)。",
            f"MaixPy 0.6.2 `{name}`(`{file}`)。",
        )
    else:
        source = (
            f"`{name}`, which MaixPy does not release: build it, or take one of the builds below.",
            f"`{name}`(MaixPy の配布物にはありません。自分でビルドするか、下のビルドを使います)。",
            f"`{name}`(MaixPy 官方不提供此固件:请自行编译,或使用下面列出的固件)。",
        )
    also = (
        f" Released builds that do as well: {others}." if others else "",
        f" ほかに使える配布ビルド: {others}。" if others else "",
        f" 也可使用的官方固件: {others}。" if others else "",
    )
    return {
        "firmware_en": f"{source[0]} {plan.fit.verdict}{also[0]}",
        "firmware_ja": f"{source[1]}メモリの見積もり: 必要 {needed}、空き {free} バイト。{also[1]}",
        "firmware_zh": f"{source[2]}内存估计: 需要 {needed},可用 {free} 字节。{also[2]}",
    }


_FLASH_ONLY = (
    "The model is read from the flash while it runs, so it cannot lie on a card.",
    "モデルは実行中にフラッシュから読まれるため、SD カードには置けません。",
    "模型在运行时直接从闪存读取,不能放在 SD 卡上。",
)


def _template(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _tuple(values: tuple[object, ...]) -> str:
    """A Python tuple as source text; text is kept readable, in any script."""
    inner = ", ".join(_quoted(v) if isinstance(v, str) else repr(v) for v in values)
    return f"({inner},)" if len(values) == 1 else f"({inner})"


def _quoted(text: str) -> str:
    body = "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in text)
    return f'"{body}"'
