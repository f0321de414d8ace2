"""Configurations to start from: the known builds, answers to a few questions, single changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from k210kit.errors import InputError, unknown
from k210kit.firmware.options import OPTIONS, PREFIX, option
from k210kit.firmware.variants import VARIANTS, settings_of

__all__ = ["QUESTIONS", "Question", "answered", "changed", "preset_settings"]


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question of `firmware config`: yes or no, or one of `choices`."""

    name: str
    text: str
    default: str
    choices: tuple[str, ...] = ()


QUESTIONS: tuple[Question, ...] = (
    Question(name="board", text="Which board?", default="unitv", choices=("unitv", "maix", "m5stickv", "twatch")),
    Question(name="ide", text="Will you use MaixPy IDE?", default="y"),
    Question(
        name="openmv", text="Does a script use find_blobs, binary, histograms, QR codes or the like?", default="n"
    ),
    Question(name="thread", text="Does a script use _thread?", default="y"),
    Question(name="ws2812", text="Does a script use ws2812 lamps?", default="y"),
    Question(name="ulab", text="Does a script use ulab?", default="n"),
    Question(name="kmodel_v4", text="Do you have models of version 4 (nncase 0.2)?", default="n"),
    Question(name="video", text="Does a script play or record video?", default="n"),
    Question(name="lvgl", text="Does a script use lvgl?", default="n"),
    Question(name="gc_heap", text="KiB for Python's own heap?", default="512", choices=("128", "256", "512", "1024")),
)
_BASES = {"unitv": "unitv", "maix": "minimum_with_ide", "m5stickv": "m5stickv", "twatch": "twatch"}
_YES_NO: dict[str, tuple[str, ...]] = {
    "ide": ("MAIXPY_IDE_SUPPORT",),
    "thread": ("MAIXPY_THREAD_ENABLE", "FREERTOS_ENABLE", "STATIC_TASK_CLEAN_UP_ENABLE"),
    "ws2812": ("MAIXPY_WS2812_ENABLE", "WS2812_ENABLE"),
    "ulab": ("MICROPYTHON_ULAB_ENALBE",),
    "kmodel_v4": ("MICROPYTHON_KMODEL_V4_SUPPORT",),
    "video": ("MAIXPY_VIDEO_ENABLE",),
    "lvgl": ("MAIXPY_LVGL_ENABLE", "MAIXPY_LODEPNG_ENABLE"),
}


def preset_settings(name: str) -> dict[str, str]:
    """Effective settings of a known build; an unknown name is an `InputError`."""
    wanted = name.strip().lower().replace("-", "_").removesuffix("_support")
    for variant in VARIANTS:
        if variant.name == wanted:
            return settings_of(variant)
    raise unknown("preset", name, (variant.name for variant in VARIANTS))


def answered(answers: Mapping[str, str]) -> dict[str, str]:
    """Settings from the answers to QUESTIONS; the camera clock is 24 MHz whatever the board's own file says."""
    for question in QUESTIONS:
        given = answers[question.name]
        if question.choices and given not in question.choices:
            raise InputError(f"{given!r} is no answer to '{question.text}'. Give one of {', '.join(question.choices)}.")
    settings = preset_settings(_BASES[answers["board"]])
    settings["SENSOR_FREQ"] = "24000000"
    settings["MAIXPY_NES_ENABLE"] = "n"
    for name, keys in _YES_NO.items():
        settings.update(dict.fromkeys(keys, answers[name]))
    settings["MAIXPY_OMV_MINIMUM"] = "n" if answers["openmv"] == "y" else "y"
    settings["MAIXPY_OMV_CONV_YUV_FAST"] = "n"
    settings["MAIXPY_GC_HEAP_SIZE"] = hex(int(answers["gc_heap"]) * 1024)
    return settings


def changed(settings: Mapping[str, str], changes: Iterable[str]) -> dict[str, str]:
    """The settings with changes such as "SENSOR_FREQ=12000000" or "CONFIG_MAIXPY_IDE_SUPPORT=n"."""
    made = dict(settings)
    for change in changes:
        key, mark, value = change.partition("=")
        key = key.strip().removeprefix(PREFIX)
        row = option(key)
        if not mark or row is None:
            near = get_close_matches(key, [known.key for known in OPTIONS], n=1, cutoff=0.6)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise InputError(f"{change!r} is no KEY=VALUE with an option of MaixPy.{hint}")
        if row.kind == "bool" and value not in ("y", "n"):
            raise InputError(f"{key} is y or n, not {value!r}.")
        made[key] = value.strip().strip('"')
        if made[key] == "y":
            made.update({chosen: "y" for chosen in row.selects if option(chosen)})
    return made
