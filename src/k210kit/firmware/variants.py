"""The builds that MaixPy-v1 ships, and the kit's own preset, by what is switched on in them.

These are the settings *after* Kconfig has resolved the shipped files, not the lines of the files: a key that a file
leaves out takes its default, and one that it repeats takes the last value.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from k210kit.firmware.options import OPTIONS

__all__ = ["VARIANTS", "Variant", "settings_of"]

# on in every build of MaixPy
_ALWAYS = (
    "COMPONENT_DRIVERS_ENABLE",
    "SPI_SD_CARD_FORCE_HIGH_SPEED",
    "COMPONENT_KENDRYTE_SDK_ENABLE",
    "COMPONENT_MICROPYTHON_ENABLE",
    "MAIXPY_BUILTIN_PY_BOARD",
    "MAIXPY_BUILTIN_PY_FPIOA_MANAGER",
    "COMPONENT_SPIFFS_ENABLE",
    "SPIFFS_CACHE",
    "SPIFFS_CACHE_WR",
    "SPIFFS_USE_MAGIC",
    "SPIFFS_USE_MAGIC_LENGTH",
    "COMPONENT_UTILS_ENABLE",
)
_THREAD = ("MAIXPY_THREAD_ENABLE", "FREERTOS_ENABLE", "STATIC_TASK_CLEAN_UP_ENABLE")
_WS2812 = ("MAIXPY_WS2812_ENABLE", "WS2812_ENABLE")
_MIC_ARRAY = ("MAIXPY_MIC_ARRAY_ENABLE", "MIC_ARRAY_ENABLE")
_MULTIMEDIA = ("MAIXPY_OMV_CONV_YUV_FAST", "MAIXPY_NES_ENABLE", "MAIXPY_VIDEO_ENABLE")
_IDE, _MINIMUM, _DOUBLE = "MAIXPY_IDE_SUPPORT", "MAIXPY_OMV_MINIMUM", "MAIXPY_OMV_DOUBLE_BUFF"
_V4, _ULAB = "MICROPYTHON_KMODEL_V4_SUPPORT", "MICROPYTHON_ULAB_ENALBE"
_PYE, _WIZNET = "MAIXPY_BUILTIN_PY_PYE", "MAIXPY_WIZNET5K_ENABLE"
_TOUCH, _SPEECH = "MAIXPY_TOUCH_SCREEN_ENABLE", "MAIXPY_SPEECH_RECOGNIZER_ENABLE"
_LVGL = ("MAIXPY_LVGL_ENABLE", "MAIXPY_LODEPNG_ENABLE", "MAIXPY_LVGL_DEBUG")
_HTPA = ("MAIXPY_HTPA_ENABLE", "HTPA_ENABLE")
_FULL = (_IDE, _DOUBLE, *_THREAD, *_WS2812, *_MIC_ARRAY, *_MULTIMEDIA, _ULAB, _PYE, _WIZNET, _TOUCH)
_NS2009 = "MAIXPY_TOUCH_SCREEN_DRIVER_NS2009"
_OWN_PY = "${PROJECT_PATH}/builtin_py"


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One build: what it is for, where MaixPy keeps its file, and what it switches on."""

    name: str
    title: str
    project: str
    file: str
    on: tuple[str, ...]
    board: str = "MAIX"
    lcd: tuple[int, int] = (320, 240)
    lcd_hz: int = 15_000_000
    sensor_hz: int = 24_000_000
    builtin_py: str = ""
    values: dict[str, str] = field(default_factory=dict)


VARIANTS: tuple[Variant, ...] = (
    Variant(
        name="full",
        title="everything but LVGL; the plain maixpy_<version>.bin",
        project="maixpy_k210",
        file="config_defaults.mk",
        on=(*_FULL, _NS2009, _V4),
        builtin_py="${SDK_PATH}/components/micropython/port/builtin_py",
    ),
    Variant(
        name="with_lvgl",
        title="everything and LVGL, without kmodel V4",
        project="maixpy_k210",
        file="config_with_lvgl.mk",
        on=(*_FULL, _NS2009, *_LVGL, *_HTPA),
        builtin_py="${SDK_PATH}/components/micropython/port/builtin_py",
    ),
    Variant(
        name="minimum",
        title="the smallest: no IDE, few image functions",
        project="maixpy_k210_minimum",
        file="config_defaults.mk",
        on=(_MINIMUM, _DOUBLE),
    ),
    Variant(
        name="minimum_with_kmodel_v4",
        title="the smallest, with kmodel V4",
        project="maixpy_k210_minimum",
        file="config_defaults_kmodel_v4_support.mk",
        on=(_MINIMUM, _DOUBLE, _V4),
    ),
    Variant(
        name="openmv_kmodel_v4_with_ide",
        title="all image functions, IDE and kmodel V4",
        project="maixpy_k210_minimum",
        file="config_defaults_openmv_kmodel_v4_with_ide_support.mk",
        on=(_IDE, _DOUBLE, _V4),
    ),
    Variant(
        name="minimum_speech_with_ide",
        title="small, with IDE, speech recognition and kmodel V4",
        project="maixpy_k210_minimum",
        file="config_defaults_speech_with_ide_support.mk",
        on=(_IDE, _MINIMUM, _DOUBLE, _V4, _SPEECH),
    ),
    Variant(
        name="minimum_with_ide",
        title="small, with IDE; the usual cure for ERR_NO_MEM",
        project="maixpy_k210_minimum",
        file="config_with_ide_support.mk",
        on=(_IDE, _MINIMUM, _DOUBLE),
    ),
    Variant(
        name="m5stickv",
        title="M5StickV, and what M5Stack's page tells UnitV owners to take; camera clock 12 MHz",
        project="maixpy_m5stickv",
        file="config_defaults.mk",
        on=(_IDE, _DOUBLE, *_THREAD, *_MIC_ARRAY, *_MULTIMEDIA, _ULAB, _PYE, _V4),
        board="M5STICK",
        lcd=(240, 135),
        lcd_hz=40_000_000,
        sensor_hz=12_000_000,
        builtin_py=_OWN_PY,
    ),
    Variant(
        name="twatch",
        title="T-Watch",
        project="maixpy_twatch",
        file="config_defaults.mk",
        on=(
            *(_IDE, _DOUBLE, *_THREAD, *_MIC_ARRAY, *_MULTIMEDIA, _ULAB, _PYE, _TOUCH),
            "MAIXPY_TOUCH_SCREEN_DRIVER_FT52XX",
        ),
        board="TWATCH",
        lcd=(240, 240),
        sensor_hz=12_000_000,
        builtin_py=_OWN_PY,
    ),
    Variant(
        name="amigo_ips",
        title="Maix Amigo with IPS screen",
        project="maixpy_amigo_ips",
        file="config_defaults.mk",
        on=(_IDE, _DOUBLE, *_MULTIMEDIA, _ULAB, _V4, _SPEECH),
        lcd=(480, 320),
        builtin_py=_OWN_PY,
    ),
    Variant(
        name="amigo_ips_minimum",
        title="Maix Amigo with IPS screen, smaller; no double buffering",
        project="maixpy_amigo_ips",
        file="config_minimum.mk",
        on=(_IDE, _ULAB, _V4),
        builtin_py=_OWN_PY,
    ),
    Variant(
        name="amigo_tft",
        title="Maix Amigo with TFT screen",
        project="maixpy_amigo_tft",
        file="config_defaults.mk",
        on=(_IDE, _DOUBLE, *_THREAD, *_WS2812, *_MIC_ARRAY, *_MULTIMEDIA, _ULAB, _PYE, _V4),
        lcd=(480, 320),
        builtin_py=_OWN_PY,
    ),
    Variant(
        name="amigo_tft_minimum",
        title="Maix Amigo with TFT screen, smaller; no double buffering",
        project="maixpy_amigo_tft",
        file="config_minimum.mk",
        on=(_IDE, _ULAB, _V4),
        builtin_py=_OWN_PY,
    ),
    Variant(
        name="unitv",
        title="for the UnitV: IDE, _thread, ws2812, camera clock 24 MHz, kmodel V3; to be built with `firmware build`",
        project="maixpy_k210",
        file="",
        on=(_IDE, _MINIMUM, _DOUBLE, *_THREAD, *_WS2812),
        lcd=(240, 135),
    ),
)


def settings_of(variant: Variant) -> dict[str, str]:
    """Effective value of every option of a variant: "y" or "n", the value, or "" where a number does not apply."""
    settings = {row.key: "n" if row.kind == "bool" else row.default for row in OPTIONS}
    settings.update(dict.fromkeys((*_ALWAYS, *variant.on, f"BOARD_{variant.board}"), "y"))
    settings["LCD_DEFAULT_WIDTH"], settings["LCD_DEFAULT_HEIGHT"] = map(str, variant.lcd)
    settings["LCD_DEFAULT_FREQ"] = str(variant.lcd_hz)
    settings["SENSOR_FREQ"] = str(variant.sensor_hz)
    settings["BUILTIN_PY_DIR"] = variant.builtin_py
    settings.update(variant.values)
    settings.update({row.key: "" for row in OPTIONS if row.kind != "bool" and settings.get(row.depends, "y") != "y"})
    return settings
