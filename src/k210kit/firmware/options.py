"""Every option of a MaixPy build, as data: type, default, range, dependencies, meaning, and what it costs.

Types, defaults, ranges and selects are those of MaixPy-v1's Kconfig files (master, d8901fd22). Misspelt names such as
MICROPYTHON_ULAB_ENALBE are MaixPy's own. `Cost` says how the numbers were found; see `sizes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["COMPONENT_SWITCH", "FREE", "OPTIONS", "PREFIX", "Choice", "Cost", "Option", "option"]

PREFIX = "CONFIG_"
COMPONENT_SWITCH = "COMPONENT_MICROPYTHON_ENABLE"  # without it every MAIXPY_ and MICROPYTHON_ option falls silent

Kind = Literal["bool", "int", "hex", "string"]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Bytes that an option adds when it is on.

    `image` to the .bin, `bss` to the memory that follows it, `heap` to what is allocated before the GC heap.
    """

    image: int = 0
    bss: int = 0
    heap: int = 0
    known: Literal["exact", "solved", "built", "estimate"] = "estimate"


FREE = Cost(known="exact")


@dataclass(frozen=True, kw_only=True)
class Option:
    """One key of a configuration; the file spells it with CONFIG_ before it."""

    key: str
    kind: Kind
    default: str
    meaning: str
    group: str
    depends: str = ""
    selects: tuple[str, ...] = ()
    low: int | None = None
    high: int | None = None
    choice: str = ""
    cost: Cost = FREE
    feature: str = ""  # the word that `firmware list --needs` knows it by
    absent: bool = False  # the feature is there when the option is *off*


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A set of options of which exactly one is on."""

    name: str
    prompt: str
    default: str
    depends: str = ""


CHOICES: tuple[Choice, ...] = (
    Choice(name="BOARD", prompt="Board", default="BOARD_MAIX"),
    Choice(
        name="MAIXPY_TOUCH_SCREEN_DRIVER",
        prompt="Touch screen driver",
        default="MAIXPY_TOUCH_SCREEN_DRIVER_NS2009",
        depends="MAIXPY_TOUCH_SCREEN_ENABLE",
    ),
)

_SPIFFS = "COMPONENT_SPIFFS_ENABLE"
_SDK = "COMPONENT_KENDRYTE_SDK_ENABLE"
_DRIVERS = "COMPONENT_DRIVERS_ENABLE"


def _bool(key: str, default: str, meaning: str, group: str, **more: object) -> Option:
    return Option(key=key, kind="bool", default=default, meaning=meaning, group=group, **more)  # type: ignore[arg-type]


def _micropython(key: str, default: str, meaning: str, **more: object) -> Option:
    return _bool(key, default, meaning, "MicroPython", depends=COMPONENT_SWITCH, **more)


def _spiffs(key: str, kind: Kind, default: str, meaning: str, **more: object) -> Option:
    more.setdefault("depends", _SPIFFS)
    return Option(key=key, kind=kind, default=default, meaning=meaning, group="Flash file system", **more)  # type: ignore[arg-type]


def _board(key: str, default: str, meaning: str) -> Option:
    return Option(key=key, kind="int", default=default, meaning=meaning, group="Board")


OPTIONS: tuple[Option, ...] = (
    Option(
        key="TOOLCHAIN_PATH",
        kind="string",
        default="/opt/kendryte-toolchain/bin",
        meaning="folder of the compiler",
        group="Compiler",
    ),
    Option(
        key="TOOLCHAIN_PREFIX",
        kind="string",
        default="riscv64-unknown-elf-",
        meaning="what its programs' names begin with",
        group="Compiler",
    ),
    _bool("BOARD_MAIX", "y", "Maix boards, and the UnitV", "Board", choice="BOARD"),
    _bool(
        "BOARD_M5STICK",
        "n",
        "M5StickV: its pins, its LCD, the AXP192 driver",
        "Board",
        choice="BOARD",
        cost=Cost(image=3_152, known="solved"),
    ),
    _bool("BOARD_TWATCH", "n", "T-Watch", "Board", choice="BOARD"),
    _board("LCD_DEFAULT_WIDTH", "320", "width of lcd.init() and of image.Image() without arguments, in pixels"),
    _board("LCD_DEFAULT_HEIGHT", "240", "height of lcd.init() and of image.Image() without arguments, in pixels"),
    _board("LCD_DEFAULT_FREQ", "15000000", "clock of the LCD, in Hz"),
    _board(
        "SENSOR_FREQ", "24000000", "clock that the camera is given, in Hz: 24000000 has twice the frames of 12000000"
    ),
    _board("CPU_DEFAULT_FREQ", "400000000", "clock of the CPU at boot without a freq.conf, in Hz"),
    _bool(_DRIVERS, "n", "the drivers component", "Components", selects=(_SDK,)),
    _bool("SPI_SD_CARD_FORCE_HIGH_SPEED", "y", "fast SD card", "Components", depends=_DRIVERS),
    _bool("WS2812_ENABLE", "n", "driver of WS2812 lamps", "Components", depends=_DRIVERS),
    _bool("HTPA_ENABLE", "n", "driver of HTPA thermal cameras", "Components", depends=_DRIVERS),
    _bool("AMG88XX_ENABLE", "n", "driver of AMG88xx thermal cameras", "Components", depends=_DRIVERS),
    _bool(_SDK, "y", "the Kendryte SDK component", "Components"),
    Option(
        key="SDK_LOG_LEVEL",
        kind="int",
        default="5",
        meaning="0 nothing to 5 everything; lower saves text",
        group="Components",
        depends=_SDK,
        low=0,
        high=5,
    ),
    Option(
        key="SDK_LOCK_NUM", kind="int", default="64", meaning="locks of 24 bytes each", group="Components", depends=_SDK
    ),
    _bool(
        "FREERTOS_ENABLE",
        "y",
        "FreeRTOS; MicroPython then runs as one of its tasks",
        "Components",
        depends=_SDK,
        cost=Cost(image=14_000, bss=780, heap=53_680, known="solved"),
    ),
    _bool("STATIC_TASK_CLEAN_UP_ENABLE", "n", "clean-up call of ended tasks", "Components", depends="FREERTOS_ENABLE"),
    _bool(
        "FREERTOS_MALLOC_CUSTOM",
        "n",
        "a heap of its own for FreeRTOS",
        "Components",
        depends="FREERTOS_ENABLE",
        cost=Cost(bss=524_288, known="exact"),
    ),
    Option(
        key="FREERTOS_HEAP_TOTAL_SIZE",
        kind="int",
        default="524288",
        meaning="bytes of that heap",
        group="Components",
        depends="FREERTOS_MALLOC_CUSTOM",
    ),
    Option(
        key="FREEROTS_MINIMUM_STACK_SIZE",
        kind="int",
        default="2048",
        meaning="stack of FreeRTOS's idle task, in words",
        group="Components",
        depends="FREERTOS_ENABLE",
    ),
    _bool("MIC_ARRAY_ENABLE", "n", "library of the microphone array", "Components", depends=_SDK),
    _bool(
        COMPONENT_SWITCH,
        "n",
        "MicroPython itself",
        "Components",
        selects=(_SDK, _DRIVERS, _SPIFFS, "COMPONENT_UTILS_ENABLE"),
    ),
    Option(
        key="MAIXPY_GC_HEAP_SIZE",
        kind="hex",
        default="0x80000",
        meaning="MicroPython's own heap, in bytes",
        group="MicroPython",
        depends=COMPONENT_SWITCH,
    ),
    _micropython(
        "MAIXPY_IDE_SUPPORT",
        "y",
        "MaixPy IDE: run scripts and see pictures from the computer",
        feature="ide",
        cost=Cost(image=3_456, bss=64, known="solved"),
    ),
    _micropython(
        "MAIXPY_THREAD_ENABLE",
        "y",
        "module _thread",
        feature="thread",
        selects=("FREERTOS_ENABLE", "STATIC_TASK_CLEAN_UP_ENABLE"),
    ),
    _micropython(
        "MAIXPY_NES_ENABLE", "y", "NES emulator", feature="nes", cost=Cost(image=150_080, bss=744_680, known="solved")
    ),
    _micropython(
        "MAIXPY_VIDEO_ENABLE",
        "y",
        "module video (AVI)",
        feature="video",
        cost=Cost(image=3_904, known="built"),
    ),
    _micropython(
        "MAIXPY_TOUCH_SCREEN_ENABLE",
        "y",
        "module touchscreen",
        feature="touch",
        cost=Cost(image=4_416, known="built"),
    ),
    _micropython("MAIXPY_TOUCH_SCREEN_DRIVER_NS2009", "y", "touch screen NS2009", choice="MAIXPY_TOUCH_SCREEN_DRIVER"),
    _micropython("MAIXPY_TOUCH_SCREEN_DRIVER_FT52XX", "n", "touch screen FT52xx", choice="MAIXPY_TOUCH_SCREEN_DRIVER"),
    _micropython(
        "MAIXPY_OMV_MINIMUM",
        "n",
        "leave out most image functions: find_blobs, binary, histogram, QR codes and more",
        feature="find_blobs",
        absent=True,
        cost=Cost(image=-444_864, bss=-896, known="solved"),
    ),
    _micropython(
        "MAIXPY_OMV_CONV_YUV_FAST",
        "n",
        "colour conversion by two tables of 65,536 x 3 bytes",
        cost=Cost(image=341_760, known="built"),
    ),
    _micropython(
        "MAIXPY_OMV_DOUBLE_BUFF",
        "y",
        "sensor.reset(dual_buff=True); memory is taken only when a script asks for it",
        feature="double_buffer",
    ),
    _micropython(
        "MAIXPY_MIC_ARRAY_ENABLE",
        "y",
        "module Maix.MIC_ARRAY",
        feature="mic_array",
        selects=("MIC_ARRAY_ENABLE",),
        cost=Cost(image=9_728, bss=18_440, known="built"),
    ),
    _micropython(
        "MAIXPY_LVGL_ENABLE",
        "n",
        "module lvgl",
        feature="lvgl",
        selects=("MAIXPY_LODEPNG_ENABLE",),
        cost=Cost(image=504_608, bss=33_088, known="solved"),
    ),
    _micropython("MAIXPY_LODEPNG_ENABLE", "n", "PNG decoder of lvgl", cost=Cost(image=36_000)),
    _micropython(
        "MAIXPY_WS2812_ENABLE",
        "n",
        "module ws2812",
        feature="ws2812",
        selects=("WS2812_ENABLE",),
        cost=Cost(image=1_552, bss=60, known="solved"),
    ),
    _micropython(
        "MAIXPY_HTPA_ENABLE",
        "n",
        "module of HTPA thermal cameras",
        selects=("HTPA_ENABLE",),
        cost=Cost(image=56_896, known="built"),
    ),
    _micropython(
        "MAIXPY_AMG88XX_ENABLE",
        "n",
        "module of AMG88xx thermal cameras",
        selects=("AMG88XX_ENABLE",),
        cost=Cost(image=2_304, known="built"),
    ),
    _micropython(
        "MICROPYTHON_ULAB_ENALBE",
        "y",
        "module ulab, arrays like NumPy's",
        feature="ulab",
        cost=Cost(image=36_416, known="built"),
    ),
    _micropython(
        "MICROPYTHON_KMODEL_V4_SUPPORT",
        "n",
        "kmodels V4 beside V3; brings the C++ runtime of nncase",
        feature="kmodel_v4",
        cost=Cost(image=356_352, bss=9_792, heap=72_720, known="solved"),
    ),
    _micropython(
        "MAIXPY_SPEECH_RECOGNIZER_ENABLE",
        "n",
        "module speech_recognizer",
        feature="speech",
        selects=("SPEECH_RECOGNIZER_ENABLE",),
        cost=Cost(image=56_128, bss=832_832, known="solved"),
    ),
    _micropython("MICROPY_SSL_ENABLE", "n", "TLS for sockets", cost=Cost(image=120_000)),
    _micropython(
        "MAIXPY_WIZNET5K_ENABLE",
        "n",
        "wired network with WIZnet chips",
        feature="wiznet",
        selects=("WIZNET5K_ENABLE",),
        cost=Cost(image=14_592, bss=584, known="built"),
    ),
    _micropython("MAIXPY_BUILTIN_PY_PYE", "y", "the editor pye", feature="pye", cost=Cost(image=16_960, known="built")),
    _micropython("MAIXPY_BUILTIN_PY_BOARD", "y", "module board", feature="board", cost=Cost(image=2_000)),
    _micropython(
        "MAIXPY_BUILTIN_PY_FPIOA_MANAGER",
        "y",
        "module fpioa_manager; without it `from fpioa_manager import fm` fails",
        feature="fpioa_manager",
        cost=Cost(image=3_000),
    ),
    _micropython("MAIXPY_K210_UARTHS_DEBUG", "n", "debug output on UARTHS, REPL on UART2"),
    _bool("MAIXPY_LVGL_DEBUG", "y", "messages of lvgl", "MicroPython", depends="MAIXPY_LVGL_ENABLE"),
    Option(
        key="MAIXPY_LVGL_DEBUG_LEVEL",
        kind="int",
        default="2",
        meaning="0 all to 3 errors only",
        group="MicroPython",
        depends="MAIXPY_LVGL_DEBUG",
    ),
    Option(
        key="BUILTIN_PY_DIR",
        kind="string",
        default="",
        meaning="folder of the built-in Python files",
        group="MicroPython",
        depends=COMPONENT_SWITCH,
    ),
    _bool(
        "COMPONENT_LIB_SIPEED_KPU_SRC_ENABLE",
        "n",
        "KPU library from source, which is not public",
        "Components",
        depends=COMPONENT_SWITCH,
    ),
    _bool(_SPIFFS, "n", "the flash file system component", "Components"),
    _spiffs("SPIFFS_CACHE", "bool", "y", "cache of reads"),
    _spiffs("SPIFFS_CACHE_WR", "bool", "y", "cache of writes", depends="SPIFFS_CACHE"),
    _spiffs("SPIFFS_CACHE_STATS", "bool", "n", "statistics of the cache", depends="SPIFFS_CACHE"),
    _spiffs("SPIFFS_SIZE", "hex", "0x300000", "bytes of the file system"),
    _spiffs("SPIFFS_START_ADDR", "hex", "0xD00000", "where in the flash it begins; on a block's boundary"),
    _spiffs("SPIFFS_EREASE_SIZE", "hex", "0x1000", "bytes that the flash erases at once"),
    _spiffs("SPIFFS_LOGICAL_BLOCK_SIZE", "hex", "0x20000", "bytes of a block"),
    _spiffs("SPIFFS_LOGICAL_PAGE_SIZE", "hex", "0x1000", "bytes of a page"),
    _spiffs(
        "SPIFFS_OBJ_NAME_LEN", "int", "128", "longest file name; a change needs a fresh file system", low=1, high=256
    ),
    _spiffs("SPIFFS_USE_MAGIC", "bool", "y", "mark the file system so that it is recognised"),
    _spiffs("SPIFFS_USE_MAGIC_LENGTH", "bool", "y", "put its length into the mark", depends="SPIFFS_USE_MAGIC"),
    _spiffs("SPIFFS_META_LENGTH", "int", "0", "extra bytes per file"),
    _spiffs("SPIFFS_DBG", "bool", "n", "debug messages"),
    _spiffs("SPIFFS_API_DBG", "bool", "n", "debug messages of calls"),
    _spiffs("SPIFFS_GC_DBG", "bool", "n", "debug messages of the clean-up"),
    _spiffs("SPIFFS_CACHE_DBG", "bool", "n", "debug messages of the cache", depends="SPIFFS_CACHE"),
    _spiffs("SPIFFS_CHECK_DBG", "bool", "n", "debug messages of the check"),
    _bool("COMPONENT_UTILS_ENABLE", "n", "the utils component", "Components"),
    _bool("LIB_NNCASE_SOURCE_CODE_ENABLE", "n", "nncase from source instead of the library", "Components"),
)

_BY_KEY = {row.key: row for row in OPTIONS}


def option(key: str) -> Option | None:
    """The option of that name, without CONFIG_; None if MaixPy has no such option."""
    return _BY_KEY.get(key)
