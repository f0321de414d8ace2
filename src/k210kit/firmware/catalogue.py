"""The MaixPy builds: what each can do, and what memory it leaves free.

Measured figures were decoded from the start-up code of published v0.6.2 images; what is allocated before the GC heap
comes from boot logs. A build of which no image was found has its size predicted from its options.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from k210kit.errors import InputError, unknown
from k210kit.firmware.heap import HEADER, SystemHeap
from k210kit.firmware.options import OPTIONS
from k210kit.firmware.sizes import Size, heap_start_of, predict
from k210kit.firmware.variants import VARIANTS, Variant, settings_of
from k210kit.hardware import GENERAL_MEMORY_END

__all__ = [
    "FEATURES",
    "Boot",
    "Firmware",
    "catalogue",
    "features_of",
    "find",
    "from_settings",
    "parse_needs",
    "with_features",
]

FEATURES: dict[str, str] = {row.feature: row.meaning for row in OPTIONS if row.feature and not row.absent} | {
    "find_blobs": "all image functions: find_blobs, binary, histogram, QR codes and more"
}
GC_HEAP_BYTES = 0x80000  # of every shipped configuration
FALLBACK_GC_HEAP_BYTES = 0x20000  # what MaixPy takes where the configured GC heap does not fit
KPU_HZ = 398_666_667  # after Maix.freq's defaults; the K210 rounds 400 MHz to this
LATEST = "v0.6.2-84-g8fcd84a58"


@dataclass(frozen=True, kw_only=True)
class Firmware:
    """A build: where its heap begins, what it takes before a script runs, and what it can do."""

    name: str
    title: str
    version: str
    heap_start: int
    pre_gc_bytes: int
    gc_heap_bytes: int = GC_HEAP_BYTES
    image_bytes: int | None = None
    ram_bytes: int | None = None
    sensor_hz: int | None = 24_000_000
    cpu_hz: int = 400_000_000
    kpu_hz: int = KPU_HZ
    lcd_width: int = 320
    lcd_height: int = 240
    lcd_hz: int = 15_000_000
    board: str = "MAIX"
    features: frozenset[str]
    kmodel_versions: tuple[int, ...] = (3,)
    memory_source: str
    memory_uncertainty_bytes: int
    project: str = ""
    config_file: str = ""

    @property
    def heap_bytes(self) -> int:
        """Bytes from the heap's start to the end of the memory."""
        return GENERAL_MEMORY_END - self.heap_start

    @property
    def release_file(self) -> str:
        """What the release page calls the .bin; "" for a build that is not released."""
        if not self.config_file:
            return ""
        suffix = "" if self.name == "full" else f"_{self.name}"
        support = "_support" if suffix.endswith(("_ide", "_v4")) else ""
        return f"maixpy_<version>{suffix}{support}.bin"

    @property
    def free_after_gc_bytes(self) -> int:
        """Bytes behind the GC heap when MicroPython has just started with the built-in GC heap."""
        return GENERAL_MEMORY_END - self.boot(self.gc_heap_bytes).heap.last_block_end

    def boot(self, gc_heap_bytes: int) -> Boot:
        """Start MicroPython with a GC heap of that size, falling back as MaixPy does since January 2021."""
        heap = SystemHeap(self.heap_start)
        if self.pre_gc_bytes and heap.malloc(self.pre_gc_bytes - HEADER) is None:
            raise InputError(f"{self.name} leaves no room for a heap at all; its image is too large for the K210.")
        for size in (gc_heap_bytes, FALLBACK_GC_HEAP_BYTES):
            address = heap.malloc(size)
            if address is not None:
                return Boot(heap=heap, gc_heap_address=address, gc_heap_bytes=size, fell_back=size != gc_heap_bytes)
        raise InputError(f"{self.name} cannot start: not even a GC heap of 131,072 bytes fits behind its image.")


@dataclass(frozen=True, kw_only=True)
class Boot:
    """The system heap as a script finds it, and the GC heap that MicroPython got."""

    heap: SystemHeap
    gc_heap_address: int
    gc_heap_bytes: int
    fell_back: bool


@dataclass(frozen=True, kw_only=True)
class _Measured:
    image_bytes: int
    ram_bytes: int
    version: str = LATEST
    source: str = "measured on the published image"


_MEASURED: dict[str, _Measured] = {
    "full": _Measured(image_bytes=2_115_264, ram_bytes=2_953_152),
    "with_lvgl": _Measured(image_bytes=2_356_416, ram_bytes=3_217_600),
    "openmv_kmodel_v4_with_ide": _Measured(image_bytes=1_521_856, ram_bytes=1_595_200),
    "minimum_with_ide": _Measured(image_bytes=720_640, ram_bytes=783_296),
    "minimum_with_kmodel_v4": _Measured(image_bytes=1_073_280, ram_bytes=1_121_984, version="v0.6.2-72-g22a8555b5"),
    "minimum_speech_with_ide": _Measured(image_bytes=1_133_120, ram_bytes=2_038_400, version="v0.6.2-83-gf0280db50"),
}
_MEASURED_UNCERTAINTY = 2_048  # between builds -15 and -85 of one variant

_UNITV_CUSTOM = Firmware(
    name="unitv_custom",
    title="a UnitV build found in public use (2024): all image functions, NES, kmodel V3, no _thread",
    version="v0.6.2-85-g23d09fbcc",
    heap_start=0x8026D140,
    pre_gc_bytes=0,
    image_bytes=1_670_528,
    ram_bytes=2_478_400,
    sensor_hz=12_000_000,
    board="M5STICK",
    lcd_width=240,
    lcd_height=135,
    lcd_hz=40_000_000,
    features=frozenset(["ide", "find_blobs", "double_buffer", "nes", "video", "pye", "board", "fpioa_manager"]),
    memory_source="measured on the published image",
    memory_uncertainty_bytes=_MEASURED_UNCERTAINTY,
)


def _m5stickv_as_shipped() -> Firmware:
    (m5stickv,) = (variant for variant in VARIANTS if variant.name == "m5stickv")
    return Firmware(
        name="m5stickv_5_1_2",
        title="what M5Stack gives as v5.1.2 for M5StickV and UnitV; MaixPy 0.5.0 is inside",
        version="v0.5.0-98-g7ec09ea22-dirty",
        heap_start=0x80278380,
        pre_gc_bytes=126_400,
        image_bytes=1_692_416,
        ram_bytes=2_524_032,
        sensor_hz=12_000_000,
        board="M5STICK",
        lcd_width=240,
        lcd_height=135,
        lcd_hz=40_000_000,
        features=(features_of(settings_of(m5stickv)) | {"ws2812"}) - {"double_buffer"},
        kmodel_versions=(3, 4),
        memory_source="measured on the published package; before the GC heap as on v0.6.2",
        memory_uncertainty_bytes=32_768,
    )


@lru_cache(maxsize=1)
def catalogue() -> tuple[Firmware, ...]:
    """Every build that the kit knows, the shipped ones first."""
    return (*(_firmware(variant) for variant in VARIANTS), _UNITV_CUSTOM, _m5stickv_as_shipped())


def find(name: str) -> Firmware:
    """The build of that name; an unknown one is an `InputError` that says what comes near."""
    wanted = name.strip().lower().replace("-", "_").removeprefix("maixpy_").removesuffix("_support")
    for row in catalogue():
        if row.name == wanted:
            return row
    raise unknown("firmware or file", name, (row.name for row in catalogue()))


def from_settings(name: str, title: str, settings: Mapping[str, str]) -> Firmware:
    """The firmware that a build with these effective settings would be, its size predicted."""
    return _described(name, title, settings, predict(settings))


def features_of(settings: Mapping[str, str]) -> frozenset[str]:
    """Feature words of effective settings."""
    return frozenset(
        row.feature for row in OPTIONS if row.feature and (settings.get(row.key, "n") == "y") != row.absent
    )


def parse_needs(text: str) -> frozenset[str]:
    """Feature words from "thread, WS2812,kmodel-v4"; an unknown one is an `InputError`."""
    words = frozenset(word.strip().lower().lstrip("_").replace("-", "_") for word in text.split(",") if word.strip())
    for word in sorted(words - set(FEATURES)):
        raise unknown("feature", word, sorted(FEATURES))
    return words


def with_features(needs: Iterable[str]) -> list[Firmware]:
    """The builds that have all of `needs`, the one that leaves most memory first."""
    wanted = frozenset(needs)
    return sorted((row for row in catalogue() if wanted <= row.features), key=lambda row: -row.free_after_gc_bytes)


def _firmware(variant: Variant) -> Firmware:
    settings = settings_of(variant)
    made = _described(variant.name, variant.title, settings, predict(settings))
    fields = made.__dict__ | {"project": variant.project, "config_file": variant.file}
    measured = _MEASURED.get(variant.name)
    if measured:
        fields |= {
            "version": measured.version,
            "image_bytes": measured.image_bytes,
            "ram_bytes": measured.ram_bytes,
            "heap_start": heap_start_of(measured.ram_bytes),
            "memory_source": measured.source,
            "memory_uncertainty_bytes": _MEASURED_UNCERTAINTY,
        }
    return Firmware(**fields)


def _described(name: str, title: str, settings: Mapping[str, str], size: Size) -> Firmware:
    features = features_of(settings)
    board = next((b for b in ("M5STICK", "TWATCH") if settings.get(f"BOARD_{b}") == "y"), "MAIX")
    return Firmware(
        name=name,
        title=title,
        version="to be built",
        heap_start=size.heap_start,
        pre_gc_bytes=size.pre_gc_bytes,
        gc_heap_bytes=int(settings["MAIXPY_GC_HEAP_SIZE"] or "0", 0),
        image_bytes=size.image_bytes,
        ram_bytes=size.ram_bytes,
        sensor_hz=int(settings["SENSOR_FREQ"], 0),
        cpu_hz=int(settings["CPU_DEFAULT_FREQ"], 0),
        lcd_width=int(settings["LCD_DEFAULT_WIDTH"], 0),
        lcd_height=int(settings["LCD_DEFAULT_HEIGHT"], 0),
        lcd_hz=int(settings["LCD_DEFAULT_FREQ"], 0),
        board=board,
        features=features,
        kmodel_versions=(3, 4) if "kmodel_v4" in features else (3,),
        memory_source="predicted from the options",
        memory_uncertainty_bytes=size.uncertainty_bytes,
    )
