"""What reading a model from the flash costs, and how `kpu.load_flash` groups the bodies that it reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "BATCH_BYTES",
    "Group",
    "dual_groups",
    "flash_read_seconds",
    "load_seconds",
    "spi_hz_granted",
]

BATCH_BYTES = 0xC000  # the batch size of MaixPy's own examples
_BYTES_PER_CLOCK = 0.445  # four wires, 0.5 byte per clock, of which 89 % was seen (neucrack.com/p/313, three figures)
_LOAD_BYTES_PER_SECOND = 6.3e6  # kpu.load(address): 2.65 MB in 421 ms (bbs.sipeed.com topic 1811)
_SD_BYTES_PER_SECOND = 1.5e6  # kpu.load("/sd/..."); an estimate, cards differ


@dataclass(frozen=True, kw_only=True)
class Group:
    """Layers `start` to `stop` (exclusive) whose bodies one read of the dual mode brings; `size` in bytes."""

    start: int
    stop: int
    size: int


def dual_groups(body_sizes: Sequence[int], batch_bytes: int) -> tuple[Group, ...]:
    """Groups that dual mode reads at once.

    Bodies are added while their sum is below the batch size; if the sum is then larger than the largest body, only the
    last one is dropped again, so a batch size beyond the largest body can make a group that overruns the buffer. As
    executed in MaixPy's library, 362 pairs of model and batch size.
    """
    if batch_bytes <= 0:
        raise ValueError(f"a batch size of {batch_bytes} makes the library crash")
    largest = max(body_sizes, default=0)
    groups, start = [], 0
    while start < len(body_sizes):
        stop, size = start, 0
        while stop < len(body_sizes) and size < batch_bytes:
            size += body_sizes[stop]
            stop += 1
        if size > largest and stop - start > 1:
            stop -= 1
            size -= body_sizes[stop]
        groups.append(Group(start=start, stop=stop, size=size))
        start = stop
    return tuple(groups)


def spi_hz_granted(asked_hz: float, cpu_hz: float) -> float:
    """The flash clock that the chip makes of the one asked for: the CPU's clock by an even number.

    >>> round(spi_hz_granted(80e6, 481e6)), round(spi_hz_granted(60e6, 403e6))
    (80166667, 67166667)
    """
    divider = max(2, int(cpu_hz // asked_hz))
    return cpu_hz / (divider + divider % 2)


def flash_read_seconds(size: int, spi_hz: float) -> float:
    """Seconds to stream `size` bytes of a model at that flash clock, as `load_flash` does in every forward."""
    return size / (_BYTES_PER_CLOCK * spi_hz)


def load_seconds(size: int, source: str = "flash") -> float:
    """Seconds of `kpu.load` from "flash" (an address) or "sd" (a path)."""
    return size / {"flash": _LOAD_BYTES_PER_SECOND, "sd": _SD_BYTES_PER_SECOND}[source]
