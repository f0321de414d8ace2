"""The C heap of the board: camera and LCD buffers, models, scratch memory for drawing and JPEG."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

__all__ = ["SystemBlock", "SystemMemory"]

# omv/fb_alloc.c and omv_boardconfig.h: one malloc of this size while a filter or the JPEG encoder runs.
SCRATCH_BYTES_FULL = 700 * 1024
SCRATCH_BYTES_MINIMUM = 300 * 1024
SCRATCH_WORDS = (
    "Out of Memory! Please reduce the resolution of the image you are running this algorithm on to bypass this issue!"
)


class _Malloc(Protocol):
    """`k210kit.firmware.heap.SystemHeap`."""

    def malloc(self, n: int) -> int | None: ...

    def free(self, address: int) -> None: ...

    @property
    def free_bytes(self) -> int: ...


class SystemBlock:
    """Some bytes of the C heap, owned until `free()`."""

    __slots__ = ("_memory", "address", "size", "what")

    def __init__(self, memory: SystemMemory, address: int, size: int, what: str) -> None:
        self._memory, self.address, self.size, self.what = memory, address, size, what

    def free(self) -> None:
        self._memory.release(self)


class SystemMemory:
    """malloc and free with a name for each piece, so that a run can say who holds what."""

    def __init__(self, heap: _Malloc, *, scratch_bytes: int) -> None:
        self._heap = heap
        self.scratch_bytes = scratch_bytes
        self._blocks: dict[int, SystemBlock] = {}
        self.lowest_free_bytes = heap.free_bytes

    @property
    def free_bytes(self) -> int:
        """What `Maix.utils.heap_free()` answers: freed pieces below the top do not count."""
        return self._heap.free_bytes

    def holders(self) -> dict[str, int]:
        """Bytes held, by name."""
        sums: dict[str, int] = {}
        for block in self._blocks.values():
            sums[block.what] = sums.get(block.what, 0) + block.size
        return sums

    def allocate(self, size: int, what: str = "") -> SystemBlock | None:
        """malloc: None when it does not fit. The caller raises what its C code raises."""
        address = self._heap.malloc(size)
        if address is None:
            return None
        block = SystemBlock(self, address, size, what)
        self._blocks[address] = block
        self.lowest_free_bytes = min(self.lowest_free_bytes, self._heap.free_bytes)
        return block

    def release(self, block: SystemBlock) -> None:
        """Free a block; freeing it again does nothing."""
        if self._blocks.get(block.address) is block:
            del self._blocks[block.address]
            self._heap.free(block.address)

    @contextmanager
    def temporary(self, size: int | None = None) -> Iterator[None]:
        """The scratch buffer of this build, or `size` bytes; the board's MemoryError when the heap is full."""
        block = self.allocate(self.scratch_bytes if size is None else size, "scratch")
        if block is None:
            raise MemoryError(SCRATCH_WORDS)
        try:
            yield
        finally:
            block.free()
