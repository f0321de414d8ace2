"""What would make it fit. Each remedy is a changed setup or model that has been through the budget again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from k210kit.firmware import Firmware, catalogue
from k210kit.hardware import FIRST_MODEL_ADDRESS
from k210kit.kmodel import Kmodel
from k210kit.planner.hazards import best_batch, hazards
from k210kit.planner.memory import Setup, budget
from k210kit.planner.sizes import ModelSizes, scaled
from k210kit.timing import Load

__all__ = ["Remedy", "load_flash_call", "remedies"]

FLASH_SPI_HZ = 60_000_000
_SMALLEST_GC_HEAP = 0x20000
_GC_STEP = 0x20000
_FIRMWARES_SHOWN = 4
_WIDTHS = (0.75, 0.5, 0.25)
_SIDES = (192 / 224, 160 / 224, 128 / 224)


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """One way out: what to change, the line to write, whether it fits then and how many bytes are to spare."""

    kind: str
    what: str
    how: str
    fits: bool
    spare_bytes: int
    certain: bool


def load_flash_call(sizes: ModelSizes, *, dual: bool, address: int = FIRST_MODEL_ADDRESS) -> str:
    """The exact call for a model that lies in flash with its words swapped."""
    return f"kpu.load_flash({address:#x}, {int(dual)}, {best_batch(sizes):#x}, {FLASH_SPI_HZ})"


def remedies(
    setup: Setup, sizes: ModelSizes, model: Kmodel | None = None, needs: frozenset[str] = frozenset()
) -> tuple[Remedy, ...]:
    """Single changes of settings or network that make it fit; where none does, pairs of settings.

    `needs` are features that another firmware must have.
    """
    changes = list(_changes(setup, sizes, needs))
    found = _working(changes, setup, sizes)
    if model is not None:
        found += _smaller_models(setup, sizes, model)
    if not any(row.fits for row in found):
        found += _pairs(changes, setup, sizes)
    return tuple(row for row in found if row.fits)


@dataclass(frozen=True)
class _Change:
    kind: str
    what: str
    how: str
    apply: Callable[[Setup], Setup]


def _working(changes: list[_Change], setup: Setup, sizes: ModelSizes) -> list[Remedy]:
    rows = [row for row in (_tried(change, change.apply(setup), sizes) for change in changes) if row.fits]
    rows.sort(key=lambda row: not row.certain)
    rows = _first_of_kind(rows, "smaller GC heap", 1)
    return _first_of_kind(rows, "other firmware", _FIRMWARES_SHOWN)


def _first_of_kind(rows: list[Remedy], kind: str, count: int) -> list[Remedy]:
    kept = [row for row in rows if row.kind == kind][:count]
    return [row for row in rows if row.kind != kind or row in kept]


def _tried(change: _Change, setup: Setup, sizes: ModelSizes) -> Remedy:
    made = budget(setup, sizes)
    stopped = any(row.level == "stops" for row in hazards(setup, sizes, batch_bytes=best_batch(sizes)))
    return Remedy(
        kind=change.kind,
        what=change.what,
        how=change.how,
        fits=made.fits and not stopped,
        spare_bytes=made.spare_bytes,
        certain=made.certain,
    )


def _changes(setup: Setup, sizes: ModelSizes, needs: frozenset[str]) -> Iterator[_Change]:
    yield from _loads(setup, sizes)
    size = (setup.gc_heap - 1) // _GC_STEP * _GC_STEP
    while size >= _SMALLEST_GC_HEAP:
        yield _gc_heap(size)
        size -= _GC_STEP
    if setup.dual_buffer:
        yield _Change(
            "single buffer",
            "one camera buffer instead of two",
            "sensor.reset(dual_buff=False)",
            lambda before: replace(before, dual_buffer=False),
        )
    if setup.lcd is not None:
        yield _Change("no LCD", "no screen", "leave out lcd.init()", lambda before: replace(before, lcd=None))
    smaller = _smaller_camera(setup, sizes)
    if smaller:
        yield smaller
    for firmware in _other_firmware(setup, needs):
        file = firmware.release_file
        how = f"k210kit flash {file}" if file else f"k210kit firmware config {firmware.name} and build it"
        yield _Change("other firmware", f"firmware {firmware.name}", how, _with_firmware(firmware))


def _loads(setup: Setup, sizes: ModelSizes) -> Iterator[_Change]:
    ways: tuple[tuple[Load, str], ...] = (("flash-dual", "two buffers"), ("flash", "one buffer"))
    for load, buffers in ways:
        if setup.load != load:
            call = load_flash_call(sizes, dual=load == "flash-dual")
            yield _Change(
                f"load_{load.replace('-', '_')}",
                f"run the model out of the flash, {buffers}",
                f"k210kit swap it, flash it at {FIRST_MODEL_ADDRESS:#x}, then {call}",
                _with_load(load),
            )


def _gc_heap(size: int) -> _Change:
    return _Change(
        "smaller GC heap",
        f"GC heap of {size // 1024} KiB",
        f"from Maix import utils; utils.gc_heap_size({size:#x}), once, then reset the board",
        lambda before: replace(before, gc_heap_bytes=size),
    )


def _smaller_camera(setup: Setup, sizes: ModelSizes) -> _Change | None:
    if setup.camera is None or len(sizes.input_shape) != 3:
        return None
    _, height, width = sizes.input_shape
    fitting = [
        (name, size)
        for name, size in (("QQVGA", (160, 120)), ("QVGA", (320, 240)))
        if size[0] >= width and size[1] >= height and size[0] * size[1] < setup.camera[0] * setup.camera[1]
    ]
    if not fitting:
        return None
    name, size = fitting[0]
    return _Change(
        "smaller camera picture",
        f"camera at {name}",
        f"sensor.set_framesize(sensor.{name})",
        lambda before: replace(before, camera=size),
    )


def _other_firmware(setup: Setup, needs: frozenset[str]) -> list[Firmware]:
    """Builds that have what is needed; measured ones first, then by how little they take away."""
    lost = setup.firmware.features
    rows = [
        row for row in catalogue() if row.name != setup.firmware.name and needs <= row.features and _for_any_board(row)
    ]
    return sorted(rows, key=lambda row: (row.memory_uncertainty_bytes > 4096, len(lost - row.features)))


def _for_any_board(firmware: Firmware) -> bool:
    return firmware.project in ("maixpy_k210", "maixpy_k210_minimum")


def _with_firmware(firmware: Firmware) -> Callable[[Setup], Setup]:
    return lambda before: replace(before, firmware=firmware)


def _with_load(load: Load) -> Callable[[Setup], Setup]:
    return lambda before: replace(before, load=load)


def _smaller_models(setup: Setup, sizes: ModelSizes, model: Kmodel) -> list[Remedy]:
    rows = []
    for width in _WIDTHS:
        change = _Change(
            "smaller alpha", f"{width:g} times the channels", f"train with alpha times {width:g}", lambda s: s
        )
        rows.append(_tried(change, setup, scaled(model, sizes, width=width)))
    for side in _SIDES:
        small = scaled(model, sizes, side=side)
        if len(small.input_shape) == 3:
            text = f"{small.input_shape[2]}x{small.input_shape[1]}"
            change = _Change("smaller input", f"an input of {text}", f"k210kit train --input {text}", lambda s: s)
            rows.append(_tried(change, setup, small))
    rows = [row for row in rows if row.fits]
    return _first_of_kind(_first_of_kind(rows, "smaller alpha", 1), "smaller input", 1)


def _pairs(changes: list[_Change], setup: Setup, sizes: ModelSizes) -> list[Remedy]:
    rows: list[Remedy] = []
    for i, one in enumerate(changes):
        for other in changes[i + 1 :]:
            if one.kind == other.kind or {one.kind, other.kind} <= {"load_flash", "load_flash_dual"}:
                continue
            both = _Change(
                f"{one.kind} and {other.kind}", f"{one.what}, and {other.what}", f"{one.how}; {other.how}", lambda s: s
            )
            row = _tried(both, other.apply(one.apply(setup)), sizes)
            if row.fits and all(row.kind != known.kind for known in rows):
                rows.append(row)
    return rows[:_FIRMWARES_SHOWN]
