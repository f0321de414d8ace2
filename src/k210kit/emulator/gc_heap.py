"""MicroPython's garbage-collected heap: what fits, what `gc` reports, and the words when nothing fits.

The area is cut into 32-byte blocks, of which the tables take about 1.2 %. Big things (pictures, byte arrays) have exact
places here. Small objects of the script live in CPython; their share comes from `small_objects`, without places.
"""

from __future__ import annotations

import weakref
from bisect import insort
from collections.abc import Callable

from k210kit.emulator.ledger import Ledger

__all__ = ["GcBlock", "GcHeap", "out_of_heap"]

BLOCK_BYTES = 32
# One allocation-table byte per 4 blocks and one finaliser byte per 8: MicroPython 1.11 gc.c
_TABLE_BYTES_PER_32_BLOCKS = 12

# The firmware's words: omv/xalloc.c and MicroPython's runtime.
PICTURE_WORDS = (
    "Out of normal MicroPython Heap Memory!"
    " Please reduce the resolution of the image you are running this algorithm on to bypass this issue!"
)


def out_of_heap(size: int) -> MemoryError:
    """What an allocation of the interpreter itself raises."""
    return MemoryError(f"memory allocation failed, allocating {size} bytes")


class GcBlock:
    """Some bytes of the heap. It turns to garbage with its last reference and is reused after a collection."""

    __slots__ = ("__weakref__", "_heap", "size", "start")

    def __init__(self, heap: GcHeap, start: int, size: int) -> None:
        self._heap, self.start, self.size = heap, start, size

    def free(self) -> None:
        """Give the bytes back at once, as the firmware's xfree does."""
        self._heap.release(self.start)


class GcHeap:
    """A first-fit heap of 32-byte blocks; garbage stays until `collect`, which a failing allocation calls itself."""

    def __init__(self, size: int) -> None:
        self.size = size
        usable_blocks = size * 32 // (32 * BLOCK_BYTES + _TABLE_BYTES_PER_32_BLOCKS)
        self.total_bytes = usable_blocks * BLOCK_BYTES
        self.small_bytes = 0  # of small objects that the script can reach, when it was looked at last
        self.small_garbage = 0  # of small objects made since the last collection
        self.look_at: Callable[[], dict[str, int]] = dict  # sets `small_bytes`; returns them by global name
        self.allocated_bytes = 0  # ever, for the report per frame
        self.ledger = Ledger()
        self._taken = 0
        self._used: dict[int, int] = {}  # start -> bytes
        self._lines: dict[int, str] = {}  # start -> the script's line
        self._starts: list[int] = []
        self._garbage: list[int] = []

    @property
    def used_bytes(self) -> int:
        """Bytes taken, garbage included."""
        return min(self.total_bytes, self._taken + self.small_bytes + self.small_garbage)

    @property
    def free_bytes(self) -> int:
        """What `gc.mem_free()` answers, if `look_at` was called before."""
        return self.total_bytes - self.used_bytes

    def made(self, size: int) -> None:
        """Count small objects that the script made; a full heap is collected, MemoryError if that is no help."""
        self.allocated_bytes += size
        self.small_garbage += size
        if self._taken + self.small_bytes + self.small_garbage > self.total_bytes:
            self.collect()
            if self._taken + self.small_bytes + size > self.total_bytes:
                raise out_of_heap(size)

    def allocate(self, size: int, *, picture: bool = False) -> GcBlock:
        """Take `size` bytes in one piece; collects first if it must. `picture` chooses the image library's words."""
        needed = max(1, -(-size // BLOCK_BYTES)) * BLOCK_BYTES
        start = self._place(needed)
        if start is None:
            self.collect()
            start = self._place(needed)
        if start is None:
            raise MemoryError(PICTURE_WORDS) if picture else out_of_heap(size)
        self._used[start] = needed
        self._taken += needed
        self._lines[start] = self.ledger.took(needed)
        insort(self._starts, start)
        self.allocated_bytes += needed
        block = GcBlock(self, start, size)
        weakref.finalize(block, self._garbage.append, start).atexit = False
        return block

    def collect(self) -> None:
        """Reuse what nothing refers to any more."""
        while self._garbage:
            self.release(self._garbage.pop())
        self.small_garbage = 0
        self.look_at()

    def note(self, frame: int) -> None:
        """Write down what is held at this frame, for the report of what grows."""
        dead: dict[str, int] = {}
        for start in self._garbage:
            line = self._lines.get(start, "")
            dead[line] = dead.get(line, 0) + self._used.get(start, 0)
        self.ledger.look(frame, self.look_at(), dead)

    def release(self, start: int) -> None:
        size = self._used.pop(start, None)
        if size is not None:
            self._taken -= size
            self._starts.remove(start)
            self.ledger.gave_back(self._lines.pop(start), size)

    def _place(self, needed: int) -> int | None:
        at = 0
        for start in self._starts:
            if start - at >= needed:
                break
            at = start + self._used[start]
        fits = at + needed <= self.total_bytes and needed <= self.free_bytes
        return at if fits else None
