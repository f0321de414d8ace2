"""The budget: what a script allocates, in its order, on the heap of the board.

Every `malloc` is made on `SystemHeap`, which follows the board's own allocator; nothing is added up by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from k210kit.errors import InputError
from k210kit.firmware import STACKS_BYTES, Boot, Firmware, SystemHeap
from k210kit.firmware.heap import HEADER, chunk_size
from k210kit.hardware import GENERAL_MEMORY_END, GENERAL_MEMORY_START, KPU_MEMORY_BYTES
from k210kit.planner.sizes import ModelSizes
from k210kit.timing import Load

__all__ = ["FRAME_SIZES", "Budget", "Item", "Setup", "budget", "frame_size", "model_mallocs"]

FRAME_SIZES: dict[str, tuple[int, int]] = {
    "QQVGA": (160, 120),
    "QVGA": (320, 240),
    "VGA": (640, 480),
    "QQCIF": (88, 72),
    "QCIF": (176, 144),
    "CIF": (352, 288),
    "HQVGA": (240, 160),
    "HQQVGA": (160, 80),
    "B64X64": (64, 64),
    "B128X128": (128, 128),
    "B240X240": (240, 240),
    "LCD": (128, 160),
    "QQVGA2": (128, 160),
    "SVGA": (800, 600),
}
MISCELLANEOUS_BYTES = 27_552
MISCELLANEOUS_UNCERTAINTY = 30_000
_GC_TABLES = 0.012  # of the GC heap: 3 bytes of tables per 8 blocks of 32 bytes
_SCRIPT_BYTES = 48_000
_SCRIPT_UNCERTAINTY = 24_000
_COMPRESS_FULL, _COMPRESS_MINIMUM = 700 * 1024, 300 * 1024
_FIRST_BUFFER = "buffer for the largest layer"
_ENDLESS = 64 << 20
_HANDLE, _CONTEXT, _HEADER_BUFFER, _SLACK = 1, 192, 4352, 256

Where = Literal["program", "system heap", "GC heap", "KPU memory"]


@dataclass(frozen=True, kw_only=True)
class Setup:
    """A board and a script, as far as memory goes."""

    firmware: Firmware
    load: Load = "ram"
    camera: tuple[int, int] | None = (320, 240)
    dual_buffer: bool = False
    lcd: tuple[int, int] | None = None
    gc_heap_bytes: int | None = None  # None: the firmware's own
    model_first: bool = False
    streaming: bool = False  # the script calls img.compress, to send pictures
    beside: tuple[ModelSizes, ...] = ()  # models that the script keeps loaded, in the same way and before this one
    resized_to: tuple[int, int] | None = None  # the script makes a picture of that size and calls pix_to_ai

    @property
    def gc_heap(self) -> int:
        return self.firmware.gc_heap_bytes if self.gc_heap_bytes is None else self.gc_heap_bytes


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing that takes memory; `fits` is False where its allocation fails, and `error` is what the script sees."""

    name: str
    where: Where
    bytes: int
    source: str
    uncertainty_bytes: int = 0
    fits: bool = True
    error: str = ""
    passing: str = ""  # the call that takes it and gives it back, "" for what is kept


@dataclass(frozen=True, kw_only=True)
class Budget:
    """All items in order, and the verdict.

    `free_bytes` is what the system heap has left when the model's turn comes and `needed_bytes` what the model asks of
    it. `spare_bytes` is how much less memory would still do, negative where that much more is needed.
    """

    items: tuple[Item, ...]
    fits: bool
    free_bytes: int
    needed_bytes: int
    spare_bytes: int
    uncertainty_bytes: int
    gc_heap_bytes: int
    gc_fell_back: bool

    @property
    def certain(self) -> bool:
        """Whether the verdict holds whatever the uncertain items are."""
        return abs(self.spare_bytes) > self.uncertainty_bytes

    @property
    def failed(self) -> tuple[Item, ...]:
        return tuple(item for item in self.items if not item.fits)


@dataclass
class _Tally:
    heap: SystemHeap
    items: list[Item] = field(default_factory=list)
    free_for_model: int = 0


def frame_size(text: str) -> tuple[int, int] | None:
    """A size in pixels from "QVGA", "320x240" or "none"."""
    word = text.strip().upper()
    if word in ("NONE", "NO", "OFF"):
        return None
    if word in FRAME_SIZES:
        return FRAME_SIZES[word]
    width, mark, height = word.partition("X")
    if mark and width.isdigit() and height.isdigit() and 8 <= int(width) <= 2048 and 8 <= int(height) <= 2048:
        return int(width), int(height)
    raise InputError(
        f"{text!r} is no picture size. Give one of {', '.join(FRAME_SIZES)}, or WIDTHxHEIGHT such as 320x240, or none."
    )


def model_mallocs(sizes: ModelSizes, load: Load) -> tuple[tuple[str, int], ...]:
    """The allocations that loading makes, in order, as executed in MaixPy's library: what for, and bytes."""
    if load == "ram":
        return (
            ("handle", _HANDLE),
            ("file", sizes.file_bytes + _SLACK),
            ("context", _CONTEXT),
            ("main memory", sizes.main_memory_bytes),
        )
    body = sizes.largest_body_bytes + _SLACK
    second = (("second buffer", body),) if load == "flash-dual" else ()
    return (
        ("handle", _HANDLE),
        ("context", _CONTEXT),
        ("header and layer table", _HEADER_BUFFER),
        ("main memory", sizes.main_memory_bytes),
        (_FIRST_BUFFER, body),
        *second,
    )


def budget(setup: Setup, sizes: ModelSizes) -> Budget:
    """Make every allocation of the script and say which of them fail."""
    tally, boot = _run(setup, sizes, GENERAL_MEMORY_END)
    items = tally.items
    return Budget(
        items=tuple(items),
        fits=all(item.fits for item in items),
        free_bytes=tally.free_for_model,
        needed_bytes=sum(chunk_size(size) for _, size in model_mallocs(sizes, setup.load)),
        spare_bytes=_spare(setup, sizes, tally),
        uncertainty_bytes=sum(item.uncertainty_bytes for item in items if item.where in ("program", "system heap")),
        gc_heap_bytes=boot.gc_heap_bytes,
        gc_fell_back=boot.fell_back,
    )


def _run(setup: Setup, sizes: ModelSizes, end: int) -> tuple[_Tally, Boot]:
    firmware = setup.firmware
    boot = firmware.boot(setup.gc_heap)
    boot.heap.end = end
    tally = _Tally(boot.heap)
    tally.items += _program(firmware, boot.gc_heap_bytes)
    fits = boot.heap.malloc(MISCELLANEOUS_BYTES - HEADER) is not None
    tally.items.append(
        Item(
            name="scripts, file systems, drivers",
            where="system heap",
            bytes=MISCELLANEOUS_BYTES,
            uncertainty_bytes=MISCELLANEOUS_UNCERTAINTY,
            source="heap_free() printed on MaixPy's own pages, less what is known",
            fits=fits,
            error="" if fits else "MemoryError before the script's first line",
        )
    )
    parts = [_load_model, _start_camera, _start_lcd] if setup.model_first else [_start_camera, _start_lcd, _load_model]
    for part in parts:
        part(tally, setup, sizes)
    _passing_buffers(tally, setup, sizes)
    tally.items += _gc_items(setup, boot.gc_heap_bytes)
    tally.items += _kpu_items(sizes)
    return tally, boot


def _spare(setup: Setup, sizes: ModelSizes, tally: _Tally) -> int:
    """How far the end of the memory could move down (positive) or would have to move up.

    Where the break goes does not depend on where the memory ends as long as nothing fails, so its highest place in a
    memory without an end is what is needed.
    """
    if all(item.fits for item in tally.items if item.where == "system heap"):
        return GENERAL_MEMORY_END - tally.heap.highest_break
    unlimited, _ = _run(setup, sizes, GENERAL_MEMORY_END + _ENDLESS)
    return GENERAL_MEMORY_END - unlimited.heap.highest_break


def _program(firmware: Firmware, gc_heap: int) -> Iterator[Item]:
    before = firmware.heap_start - GENERAL_MEMORY_START
    yield Item(
        name="firmware and its variables",
        where="program",
        bytes=before - STACKS_BYTES,
        uncertainty_bytes=firmware.memory_uncertainty_bytes,
        source=firmware.memory_source,
    )
    yield Item(name="stacks of the two cores", where="program", bytes=STACKS_BYTES, source="linker script of MaixPy")
    if firmware.pre_gc_bytes:
        yield Item(
            name="tasks and C++ runtime",
            where="system heap",
            bytes=firmware.pre_gc_bytes,
            source="addresses in boot logs of v0.6.2",
        )
    yield Item(
        name="GC heap of MicroPython",
        where="system heap",
        bytes=chunk_size(gc_heap),
        source="configured" if gc_heap == firmware.gc_heap_bytes else "as asked for",
    )


def _allocate(tally: _Tally, name: str, size: int, error: str, source: str) -> bool:
    fits = tally.heap.malloc(size) is not None
    tally.items.append(
        Item(
            name=name,
            where="system heap",
            bytes=chunk_size(size),
            source=source,
            fits=fits,
            error="" if fits else error,
        )
    )
    return fits


def _start_camera(tally: _Tally, setup: Setup, sizes: ModelSizes) -> None:
    if setup.camera is None:
        return
    width, height = setup.camera
    error, source = "OSError: [Errno 12] ENOMEM from sensor.set_framesize", "sensor.c of MaixPy"
    for number in ("", " 2")[: 2 if setup.dual_buffer else 1]:
        pixels = -(-width * height * 2 // 128) * 128
        planes = -(-width * height * 3 // 64) * 64
        _allocate(tally, f"camera picture{number} {width}x{height}", pixels, error, source)
        _allocate(tally, f"camera planes for the KPU{number}", planes, error, source)


def _start_lcd(tally: _Tally, setup: Setup, sizes: ModelSizes) -> None:
    if setup.lcd is not None:
        width, height = setup.lcd
        error = "no exception: lcd.display then shows nothing"
        _allocate(tally, f"LCD {width}x{height}", width * height * 2, error, "lcd_mcu.c of MaixPy")


def _load_model(tally: _Tally, setup: Setup, sizes: ModelSizes) -> None:
    for number, other in enumerate(setup.beside, 1):
        _load(tally, setup.load, other, f"model beside it, {number}")
    tally.free_for_model = tally.heap.end - tally.heap.last_block_end
    _load(tally, setup.load, sizes, "model")


def _load(tally: _Tally, load: Load, sizes: ModelSizes, who: str) -> None:
    call = "load" if load == "ram" else "load_flash"
    error = f"ValueError: [MAIXPY]kpu: {call} error:2006, ERR_NO_MEM: memory not enough"
    for name, size in model_mallocs(sizes, load):
        fits = _allocate(tally, f"{who}: {name}", size, error, "executed in MaixPy's library")
        if not fits and name != _FIRST_BUFFER:  # of two buffers the library tries the second too
            return


def _passing_buffers(tally: _Tally, setup: Setup, sizes: ModelSizes) -> None:
    """What a call takes and gives back: run_yolo2 for its boxes, img.compress for its work."""
    boxes, classes = sizes.yolo_boxes, sizes.yolo_classes
    if boxes:
        error, source = "ValueError: region_layer_init err!", "sipeed_yolo2.c of MaixPy"
        arrays = (("boxes", 16 * boxes), ("probabilities", 4 * boxes * (classes + 1)), ("order", 8 * boxes))
        _pass(tally, "run_yolo2", arrays, error, source)
    if setup.streaming:
        size = _COMPRESS_FULL if "find_blobs" in setup.firmware.features else _COMPRESS_MINIMUM
        error = "MemoryError: Out of Memory! Please reduce the resolution"
        _pass(tally, "img.compress", (("work", size),), error, "fb_alloc.c of MaixPy")


def _pass(tally: _Tally, call: str, parts: tuple[tuple[str, int], ...], error: str, source: str) -> None:
    held = []
    for what, size in parts:
        address = tally.heap.malloc(size)
        fits = address is not None
        tally.items.append(
            Item(
                name=f"{call}: {what}",
                where="system heap",
                bytes=chunk_size(size),
                source=source,
                fits=fits,
                error="" if fits else error,
                passing=call,
            )
        )
        if address is not None:
            held.append(address)
    for address in held:
        tally.heap.free(address)


def _gc_items(setup: Setup, gc_heap: int) -> list[Item]:
    tables = round(_GC_TABLES * gc_heap)
    items = [
        Item(name="tables of the collector", where="GC heap", bytes=tables, source="gc.c of MicroPython"),
        Item(
            name="script, modules, small objects",
            where="GC heap",
            bytes=_SCRIPT_BYTES,
            uncertainty_bytes=_SCRIPT_UNCERTAINTY,
            source="estimate",
        ),
    ]
    if setup.resized_to:
        width, height = setup.resized_to
        planes = -(-width // 64) * 64 * height * 3
        for name, size in ((f"picture {width}x{height}", width * height * 2), ("its planes, pix_to_ai", planes)):
            items.append(Item(name=name, where="GC heap", bytes=size, source="xalloc.c of MaixPy"))
    used = 0
    for i, item in enumerate(items):
        used += item.bytes
        if used > gc_heap:
            items[i] = replace(item, fits=False, error="MemoryError: Out of normal MicroPython Heap Memory!")
    return items


def _kpu_items(sizes: ModelSizes) -> list[Item]:
    if not sizes.kpu_peak_bytes:
        return []
    fits = sizes.kpu_peak_bytes <= KPU_MEMORY_BYTES
    item = Item(
        name=f"input and output of {sizes.kpu_peak_layer}, the largest",
        where="KPU memory",
        bytes=sizes.kpu_peak_bytes,
        source="registers of the model",
        fits=fits,
        error="" if fits else "no runtime checks this: the output is garbage",
    )
    return [item]
