"""How long a board takes for one `kpu.forward`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from k210kit.kmodel import Kmodel
from k210kit.kmodel.layers import Conv, FullyConnected
from k210kit.timing.cpu import cpu_cycles, input_cycles
from k210kit.timing.flash import BATCH_BYTES, dual_groups, flash_read_seconds, spi_hz_granted
from k210kit.timing.kpu import layer_cycles

__all__ = ["CPU_HZ", "KPU_HZ", "SPI_HZ", "InferenceTime", "LayerTime", "Load", "inference"]

CPU_HZ = 403e6  # what 400 MHz become
KPU_HZ = 398.67e6
SPI_HZ = 80e6  # the fastest that MaixPy's page allows; 67.2 MHz come of it at 403 MHz

Load = Literal["ram", "flash", "flash-dual"]


@dataclass(frozen=True, kw_only=True)
class LayerTime:
    """One layer: time without reading its body, cycles of KPU and CPU together, products, and bytes of its body."""

    name: str
    milliseconds: float
    cycles: int
    macs: int
    bytes: int


@dataclass(frozen=True, kw_only=True)
class InferenceTime:
    """One forward: in all, for the input, in the layers, and what waiting for the flash adds."""

    milliseconds: float
    input_milliseconds: float
    compute_milliseconds: float
    flash_milliseconds: float
    layers: tuple[LayerTime, ...]


def inference(
    model: Kmodel,
    *,
    cpu_hz: float = CPU_HZ,
    kpu_hz: float = KPU_HZ,
    load: Load = "ram",
    spi_hz: float = SPI_HZ,
    batch_bytes: int = BATCH_BYTES,
) -> InferenceTime:
    """Estimate one forward of `model`, loaded by `kpu.load` ("ram") or `kpu.load_flash` ("flash", "flash-dual").

    `spi_hz` is the clock asked for; the chip takes the next lower one that it can make.
    """
    layers = _layers(model, cpu_hz, kpu_hz)
    shape = model.input_shape
    size = 4 * shape[0] if model.input_is_float else shape[0] * shape[1] * shape[2]
    feed = 1e3 * input_cycles(size) / cpu_hz
    compute = sum(row.milliseconds for row in layers)
    waiting = _flash_milliseconds(layers, load, spi_hz_granted(spi_hz, cpu_hz), batch_bytes)
    return InferenceTime(
        milliseconds=feed + compute + waiting,
        input_milliseconds=feed,
        compute_milliseconds=compute,
        flash_milliseconds=waiting,
        layers=layers,
    )


def _layers(model: Kmodel, cpu_hz: float, kpu_hz: float) -> tuple[LayerTime, ...]:
    rows = []
    for layer, size in zip(model.layers, model.body_sizes, strict=True):
        kpu = layer_cycles(layer, weight_bytes=1 if model.eight_bit_weights else 2)
        cpu = cpu_cycles(layer)
        macs = 0
        if isinstance(layer, Conv):
            macs = layer.registers.multiply_adds
        elif isinstance(layer, FullyConnected):
            macs = layer.in_channels * layer.out_channels
        milliseconds = 1e3 * (kpu / kpu_hz + cpu / cpu_hz)
        rows.append(LayerTime(name=layer.name, milliseconds=milliseconds, cycles=kpu + cpu, macs=macs, bytes=size))
    return tuple(rows)


def _flash_milliseconds(layers: Sequence[LayerTime], load: Load, spi_hz: float, batch_bytes: int) -> float:
    if load == "ram":
        return 0.0
    if load == "flash":
        return 1e3 * flash_read_seconds(sum(row.bytes for row in layers), spi_hz)
    groups = dual_groups([row.bytes for row in layers], batch_bytes)
    reads = [1e3 * flash_read_seconds(group.size, spi_hz) for group in groups]
    works = [sum(row.milliseconds for row in layers[group.start : group.stop]) for group in groups]
    waiting = reads[0] if reads else 0.0
    return waiting + sum(max(0.0, read - work) for work, read in zip(works, reads[1:], strict=False))
