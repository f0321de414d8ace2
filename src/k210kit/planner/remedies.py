"""What would make it fit. Each remedy is a changed setup or model that has been through the budget again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

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
# the least trouble first: what costs neither speed, nor a function, nor a new training
_ORDER = (
    "single buffer",
    "smaller GC heap",
    "other firmware",
    "load_flash_dual",
    "load_flash",
    "smaller camera picture",
    "no LCD",
    "smaller input",
    "smaller alpha",
)


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """One way out: what to change, the line to write, whether it fits then and how many bytes are to spare.

    `settings` are the arguments of `k210kit.fit` that differ then; empty where the network itself must be another.
    """

    kind: str
    what: str
    how: str
    fits: bool
    spare_bytes: int
    certain: bool
    settings: Mapping[str, object] = field(default_factory=dict)


def load_flash_call(sizes: ModelSizes, *, dual: bool, address: int = FIRST_MODEL_ADDRESS) -> str:
    """The exact call for a model that lies in flash with its words swapped."""
    return f"kpu.load_flash({address:#x}, {int(dual)}, {best_batch(sizes):#x}, {FLASH_SPI_HZ})"


def remedies(
    setup: Setup, sizes: ModelSizes, model: Kmodel | None = None, needs: frozenset[str] = frozenset()
) -> tuple[Remedy, ...]:
    """Single changes of settings or network that make it fit, the least trouble first; where none does, pairs.

    `needs` are features that another firmware must have.
    """
    changes = list(_changes(setup, sizes, needs))
    found = _working(changes, setup, sizes, model)
    if model is not None:
        found += _smaller_models(setup, sizes, model)
    if not found:
        return tuple(_pairs(changes, setup, sizes, model))
    return tuple(sorted(found, key=lambda row: (not row.certain, _ORDER.index(row.kind))))


@dataclass(frozen=True)
class _Change:
    kind: str
    what: str
    how: str
    setup: Mapping[str, object] = field(default_factory=dict)  # fields of Setup
    settings: Mapping[str, object] = field(default_factory=dict)  # arguments of `k210kit.fit`

    def apply(self, before: Setup) -> Setup:
        return replace(before, **self.setup)  # type: ignore[arg-type]  # each change names fields with their types

    def then(self, other: _Change) -> _Change:
        return _Change(
            f"{self.kind} and {other.kind}",
            f"{self.what}, and {other.what}",
            f"{self.how}; {other.how}",
            {**other.setup, **self.setup},
            {**other.settings, **self.settings},  # "no LCD" beats the screen that another firmware keeps
        )


def _working(changes: list[_Change], setup: Setup, sizes: ModelSizes, model: Kmodel | None) -> list[Remedy]:
    rows = [row for change in changes if (row := _tried(change, setup, sizes, model))]
    rows.sort(key=lambda row: not row.certain)
    rows = _first_of_kind(rows, "smaller GC heap", 1)
    return _first_of_kind(rows, "other firmware", _FIRMWARES_SHOWN)


def _first_of_kind(rows: list[Remedy], kind: str, count: int) -> list[Remedy]:
    kept = [row for row in rows if row.kind == kind][:count]
    return [row for row in rows if row.kind != kind or row in kept]


def _tried(change: _Change, setup: Setup, sizes: ModelSizes, model: Kmodel | None) -> Remedy | None:
    """The change as a remedy, or None if it is none."""
    changed = change.apply(setup)
    made = budget(changed, sizes)
    if not made.fits or any(row.level == "stops" for row in hazards(changed, sizes, model, best_batch(sizes))):
        return None
    return Remedy(
        kind=change.kind,
        what=change.what,
        how=change.how,
        fits=True,
        spare_bytes=made.spare_bytes,
        certain=made.certain,
        settings=change.settings,
    )


def _changes(setup: Setup, sizes: ModelSizes, needs: frozenset[str]) -> Iterator[_Change]:
    yield from _loads(setup, sizes)
    size = (setup.gc_heap - 1) // _GC_STEP * _GC_STEP
    while size >= _SMALLEST_GC_HEAP:
        yield _gc_heap(size)
        size -= _GC_STEP
    if setup.dual_buffer:
        what, how = "one camera buffer instead of two", "sensor.reset(dual_buff=False)"
        yield _Change("single buffer", what, how, {"dual_buffer": False}, {"dual_buffer": False})
    if setup.lcd is not None:
        yield _Change("no LCD", "no screen", "leave out lcd.init()", {"lcd": None}, {"lcd": "none"})
    yield from _smaller_camera(setup, sizes)
    for firmware in _other_firmware(setup, needs):
        yield _with_firmware(firmware, setup)


def _loads(setup: Setup, sizes: ModelSizes) -> Iterator[_Change]:
    ways: tuple[tuple[Load, str], ...] = (("flash-dual", "two buffers"), ("flash", "one buffer"))
    for load, buffers in ways:
        if setup.load != load:
            call = load_flash_call(sizes, dual=load == "flash-dual")
            yield _Change(
                f"load_{load.replace('-', '_')}",
                f"run the model out of the flash, {buffers}",
                f"k210kit swap it, flash it at {FIRST_MODEL_ADDRESS:#x}, then {call}",
                {"load": load},
                {"load": load},
            )


def _gc_heap(size: int) -> _Change:
    return _Change(
        "smaller GC heap",
        f"GC heap of {size // 1024} KiB",
        f"from Maix import utils; utils.gc_heap_size({size:#x}), once, then reset the board",
        {"gc_heap_bytes": size},
        {"gc_heap": size},
    )


def _smaller_camera(setup: Setup, sizes: ModelSizes) -> Iterator[_Change]:
    if setup.camera is None or len(sizes.input_shape) != 3:
        return
    _, height, width = sizes.input_shape
    for name, size in (("QQVGA", (160, 120)), ("QVGA", (320, 240))):
        if size[0] >= width and size[1] >= height and size[0] * size[1] < setup.camera[0] * setup.camera[1]:
            how = f"sensor.set_framesize(sensor.{name})"
            yield _Change("smaller camera picture", f"camera at {name}", how, {"camera": size}, {"camera": name})
            return


def _other_firmware(setup: Setup, needs: frozenset[str]) -> list[Firmware]:
    """Builds that have what is needed; measured ones first, then by how little they take away."""
    lost = setup.firmware.features
    rows = [
        row for row in catalogue() if row.name != setup.firmware.name and needs <= row.features and _for_any_board(row)
    ]
    return sorted(rows, key=lambda row: (row.memory_uncertainty_bytes > 4096, len(lost - row.features)))


def _for_any_board(firmware: Firmware) -> bool:
    return firmware.project in ("maixpy_k210", "maixpy_k210_minimum")


def _with_firmware(firmware: Firmware, setup: Setup) -> _Change:
    file = firmware.release_file
    how = f"k210kit flash {file}" if file else f"k210kit firmware config {firmware.name} and build it"
    kept: dict[str, object] = {"firmware": firmware.name}
    if setup.lcd is not None:  # the screen stays what it is, whatever the other build would take for its default
        kept["lcd"] = f"{setup.lcd[0]}x{setup.lcd[1]}"
    return _Change("other firmware", f"firmware {firmware.name}", how, {"firmware": firmware}, kept)


def _smaller_models(setup: Setup, sizes: ModelSizes, model: Kmodel) -> list[Remedy]:
    rows: list[Remedy | None] = []
    for width in _WIDTHS:
        change = _Change("smaller alpha", f"{width:g} times the channels", f"train with alpha times {width:g}")
        rows.append(_tried(change, setup, scaled(model, sizes, width=width), model))
    for side in _SIDES:
        small = scaled(model, sizes, side=side)
        if len(small.input_shape) == 3:
            text = f"{small.input_shape[2]}x{small.input_shape[1]}"
            change = _Change("smaller input", f"an input of {text}", f"k210kit train --input {text}")
            rows.append(_tried(change, setup, small, model))
    found = [row for row in rows if row is not None]
    return _first_of_kind(_first_of_kind(found, "smaller alpha", 1), "smaller input", 1)


def _pairs(changes: list[_Change], setup: Setup, sizes: ModelSizes, model: Kmodel | None) -> Iterable[Remedy]:
    rows: list[Remedy] = []
    for i, one in enumerate(changes):
        for other in changes[i + 1 :]:
            if one.kind == other.kind or {one.kind, other.kind} <= {"load_flash", "load_flash_dual"}:
                continue
            row = _tried(one.then(other), setup, sizes, model)
            if row and all(row.kind != known.kind for known in rows):
                rows.append(row)
    rows.sort(key=lambda row: not row.certain)
    return rows[:_FIRMWARES_SHOWN]
