"""A bench for pictures: the real heaps, clock and card of a board, and nothing else of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from k210kit.emulator.card import Card, FlashChip
from k210kit.emulator.clock import Clock
from k210kit.emulator.gc_heap import GcHeap
from k210kit.emulator.modules.image import ImageModule
from k210kit.emulator.system_memory import SystemMemory
from k210kit.firmware import Firmware, SystemHeap, find


@dataclass
class Bench:
    """What `image` asks of a board."""

    firmware: Firmware
    files: Card
    gc: GcHeap
    heap: SystemMemory
    clock: Clock = field(default_factory=Clock)
    printed: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    flash: FlashChip = field(default_factory=FlashChip)
    image: Any = None
    trusted: Callable[[], AbstractContextManager[None]] = nullcontext

    def print(self, text: str) -> None:
        self.printed.append(text)

    def has(self, feature: str) -> bool:
        return feature in self.firmware.features

    def temporary(self) -> AbstractContextManager[None]:
        return self.heap.temporary()

    def warn(self, text: str) -> None:
        self.printed.append(text)

    def not_emulated(self, what: str) -> None:
        self.absent.append(what)


@pytest.fixture
def make_bench(tmp_path: Path) -> Callable[..., Bench]:
    """Make a bench with a firmware by name, and heaps of a size if asked."""

    def make(name: str = "full", *, gc_bytes: int | None = None, heap_bytes: int | None = None) -> Bench:
        firmware = find(name)
        start = firmware.heap_start + firmware.gc_heap_bytes
        heap = SystemHeap(start, start + heap_bytes) if heap_bytes else SystemHeap(start)
        scratch = (700 if "find_blobs" in firmware.features else 300) * 1024
        bench = Bench(
            firmware,
            Card({"/flash": tmp_path}, "/flash"),
            GcHeap(gc_bytes or firmware.gc_heap_bytes),
            SystemMemory(heap, scratch_bytes=scratch),
        )
        bench.image = ImageModule(bench)  # type: ignore[arg-type]
        return bench

    return make


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    """The full firmware."""
    return make_bench()


@pytest.fixture
def image(bench: Bench) -> Any:  # Any: a device module, as scripts see it
    """The module `image` of the full firmware."""
    return bench.image
