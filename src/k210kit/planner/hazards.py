"""What MaixPy's KPU library does not check, and what therefore crashes or corrupts instead of raising."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from k210kit.firmware import Firmware
from k210kit.hardware import LOAD_FLASH_FIRST_LAYER_BYTES, LOAD_FLASH_HEADER_BYTES
from k210kit.kmodel import Conv, FullyConnected, Kmodel, UnknownLayer
from k210kit.planner.memory import Setup
from k210kit.planner.sizes import ModelSizes
from k210kit.timing import BATCH_BYTES, dual_groups

__all__ = ["Hazard", "best_batch", "hazards", "overruns"]

MODEL_STACK_BYTES = 32 * 1024  # of the MicroPython task, on which layers of the CPU recurse
_STACK_OF_TWO, _STACK_OF_EACH_MORE = 2_040, 896
_STACK_OF_PYTHON = 6_000  # what the interpreter and the call have used by then; an estimate
_MOST_DUAL_LAYERS = 255
_MOST_MODELS = 5  # loaded at the same time
_BUFFER_SLACK = 256
_BATCHES = (BATCH_BYTES, 0x10000, 0x8000, 0x4000, 0x2000, 0x1000, 0x800, 0x400, 0x200, 0x100, 0x40, 4)


@dataclass(frozen=True, kw_only=True)
class Hazard:
    """One finding: `stops` if the script cannot work so; otherwise a warning."""

    rule: str
    message: str
    level: Literal["stops", "warning"]


def hazards(
    setup: Setup, sizes: ModelSizes, model: Kmodel | None = None, batch_bytes: int = BATCH_BYTES
) -> list[Hazard]:
    """Everything that the library leaves unchecked, for this model loaded in this way."""
    found = _versions(setup.firmware, sizes) + _gc_heap(setup) + _models_at_once(setup)
    if setup.dual_buffer and "double_buffer" not in setup.firmware.features:
        found.append(_stops("double buffer", f"{setup.firmware.name} is built without sensor.reset(dual_buff=True)."))
    for one in (sizes, *setup.beside):
        if setup.load != "ram":
            found += _flash(one)
        if setup.load == "flash-dual":
            found += _dual(one, batch_bytes if one is sizes else best_batch(one))
        found += _stack(one)
    return found + (_layers(model, setup) if model else [])


def overruns(body_sizes: tuple[int, ...], batch_bytes: int) -> int:
    """Bytes by which the worst group of dual mode overruns its buffer; 0 or less if none does."""
    largest = max(body_sizes, default=0)
    return max((group.size for group in dual_groups(body_sizes, batch_bytes)), default=0) - largest - _BUFFER_SLACK


def best_batch(sizes: ModelSizes) -> int:
    """The batch size to write into `kpu.load_flash`: MaixPy's own if it is safe, else the largest that is."""
    for batch in _BATCHES:
        if batch <= max(4, sizes.largest_body_bytes) and (
            not sizes.body_sizes or overruns(sizes.body_sizes, batch) <= 0
        ):
            return batch
    return _BATCHES[-1]


def _stops(rule: str, message: str) -> Hazard:
    return Hazard(rule=rule, message=message, level="stops")


def _warns(rule: str, message: str) -> Hazard:
    return Hazard(rule=rule, message=message, level="warning")


def _versions(firmware: Firmware, sizes: ModelSizes) -> list[Hazard]:
    if sizes.version in firmware.kmodel_versions:
        return []
    runs = " and ".join(f"V{number}" for number in firmware.kmodel_versions)
    return [_stops("kmodel version", f"{firmware.name} loads kmodel {runs}, this is V{sizes.version}: error 2002.")]


def _gc_heap(setup: Setup) -> list[Hazard]:
    boot = setup.firmware.boot(setup.gc_heap)
    if not boot.fell_back:
        return []
    return [
        _warns(
            "GC heap",
            f"A GC heap of {setup.gc_heap:,} bytes does not fit on {setup.firmware.name}; MaixPy takes "
            f"{boot.gc_heap_bytes:,} instead and says so at boot. The plan counts with that.",
        )
    ]


def _models_at_once(setup: Setup) -> list[Hazard]:
    count = len(setup.beside) + 1
    if count <= _MOST_MODELS:
        return []
    return [_stops("models at once", f"MaixPy keeps {_MOST_MODELS} models, these are {count}: error 2009.")]


def _flash(sizes: ModelSizes) -> list[Hazard]:
    found = []
    reach = sizes.table_bytes + LOAD_FLASH_FIRST_LAYER_BYTES
    if reach > LOAD_FLASH_HEADER_BYTES:
        found.append(
            _stops(
                "4 KiB header",
                f"load_flash reads 4,096 bytes once; header, layer table and the first layer's registers end at "
                f"{reach:,} ({sizes.layer_count} layers). It would run on garbage: use kpu.load.",
            )
        )
    odd = [i for i, size in enumerate(sizes.body_sizes) if size % 4]
    if odd:
        found.append(
            _stops(
                "body sizes", f"The body of layer {odd[0]} is no multiple of 4 bytes; load_flash shifts it and crashes."
            )
        )
    return found


def _dual(sizes: ModelSizes, batch_bytes: int) -> list[Hazard]:
    found = []
    if sizes.layer_count > _MOST_DUAL_LAYERS:
        found.append(
            _stops(
                "255 layers",
                f"Dual mode counts layers in a byte: {sizes.layer_count} layers give wrong results or a crash. "
                "Use single mode: load_flash(addr, 0, ...).",
            )
        )
    over = overruns(sizes.body_sizes, batch_bytes)
    if over > 0:
        found.append(
            _warns(
                "batch size",
                f"With batch size {batch_bytes:#x} a group of layers overruns its buffer by {over:,} bytes and damages "
                f"the heap. Use {best_batch(sizes):#x}.",
            )
        )
    return found


def _stack(sizes: ModelSizes) -> list[Hazard]:
    run = sizes.cpu_layer_run
    used = 0 if run < 2 else _STACK_OF_TWO + _STACK_OF_EACH_MORE * (run - 2)
    if used + _STACK_OF_PYTHON <= MODEL_STACK_BYTES:
        return []
    text = (
        f"{run} layers of the CPU follow each other and recurse: {used:,} bytes of a stack of {MODEL_STACK_BYTES:,}, "
        f"of which Python has used about {_STACK_OF_PYTHON:,}."
    )
    return [_stops("stack", text) if used > MODEL_STACK_BYTES else _warns("stack", text)]


def _layers(model: Kmodel, setup: Setup) -> list[Hazard]:
    found = []
    first, last = model.layers[0], model.layers[-1]
    if not isinstance(first, Conv | FullyConnected):
        found.append(_stops("first layer", f"The first layer is {first.name}; forward then fails with 2008."))
    for i, layer in enumerate(model.layers):
        if isinstance(layer, UnknownLayer):
            found.append(
                _stops("unknown layer", f"Layer {i}, {layer.name}, stops the board: 'Layer is not supported.'")
            )
    if isinstance(last, Conv):
        if not last.flags & 1:
            found.append(_stops("last layer", "The last convolution does not send its result to main memory."))
        elif last.registers.output_width % 64 == 0:
            found.append(
                _warns(
                    "last byte",
                    f"The output is {last.registers.output_width} wide, a multiple of 64: forward(...) leaves its last "
                    "byte unwritten unless it is called with dma=5.",
                )
            )
    return found
