"""The one heap of a MaixPy board: newlib's `malloc` over a break that only the end of the memory stops.

Rules as executed in the firmware's own machine code, 15 request sizes and the growth rule among them:

* a chunk is `max(32, align16(n + 8))` bytes, and what `malloc` returns lies 16 bytes into it;
* if the top chunk is too small the break moves by `ceil4096(chunk + 32)`, *not* counting what is left on top;
* the top is given back, in pages, once a `free` has left 128 KiB or more of it (newlib's defaults);
* `Maix.utils.heap_free()` is what lies above the break: freed chunks below it do not count.

Chunk choice follows newlib's dlmalloc: exact small bins, then the last remainder, then the best fit, then the top.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass

from k210kit.hardware import GENERAL_MEMORY_END

__all__ = ["Block", "SystemHeap", "chunk_size", "growth"]

PAGE = 4096
SMALLEST_CHUNK = 32
HEADER = 16  # from a chunk's address to the address that malloc returns
TRIM_THRESHOLD = 128 * 1024
_LARGEST_REQUEST = 0x7FFFFFFF
_LARGEST_SMALL_CHUNK = 504  # chunks up to this size have a bin of their own


def chunk_size(request: int) -> int:
    """Bytes that `malloc(request)` takes.

    >>> [chunk_size(n) for n in (0, 24, 25, 192)]
    [32, 32, 48, 208]
    """
    return max(SMALLEST_CHUNK, (request + 8 + 15) // 16 * 16)


def growth(chunk: int) -> int:
    """Bytes by which the break moves when no free chunk holds `chunk` bytes."""
    return -(-(chunk + SMALLEST_CHUNK) // PAGE) * PAGE


@dataclass(frozen=True, kw_only=True)
class Block:
    """A chunk of the arena: its address, its size with the header, and whether it is free."""

    address: int
    size: int
    free: bool


class SystemHeap:
    """The heap from `start` (`_heap_start` of a firmware) to `end`, empty at first.

    `malloc` returns an address, or None where the board returns NULL.
    """

    def __init__(self, start: int, end: int = GENERAL_MEMORY_END) -> None:
        if not 0 < start < end:
            raise ValueError(f"a heap from {start:#x} to {end:#x} has no room")
        self.start, self.end = start, end
        self.brk = start
        self.highest_break = start
        self._top = start  # the top chunk reaches from here to the break
        self._sizes: dict[int, int] = {}  # every chunk below the top, used or free
        self._chunks: list[int] = []  # their addresses, ascending
        self._free: list[tuple[int, int]] = []  # (size, address) of the free ones, ascending
        self._last_remainder: int | None = None

    @property
    def free_bytes(self) -> int:
        """What `Maix.utils.heap_free()` returns: the end of the memory less the break."""
        return self.end - self.brk

    @property
    def lowest_free_bytes(self) -> int:
        """The least that `free_bytes` has been."""
        return self.end - self.highest_break

    @property
    def last_block_end(self) -> int:
        """Behind it nothing is in use."""
        return self._top

    @property
    def used_bytes(self) -> int:
        """Bytes of the chunks in use, headers included."""
        return self._top - self.start - sum(size for size, _ in self._free)

    def malloc(self, request: int) -> int | None:
        """The address of `request` bytes, or None."""
        if not 0 <= request <= _LARGEST_REQUEST:
            return None
        need = chunk_size(request)
        chunk = self._reuse(need)
        if chunk is None:
            chunk = self._from_top(need)
        return None if chunk is None else chunk + HEADER

    def free(self, address: int) -> None:
        """Give a block back; `address` must come from `malloc` and not have been freed."""
        chunk = address - HEADER
        if chunk not in self._sizes or (self._sizes[chunk], chunk) in self._free:
            raise ValueError(f"{address:#x} is not an allocated block")
        size = self._sizes[chunk]
        index = bisect_left(self._chunks, chunk)
        remainder = False
        if index + 1 < len(self._chunks) and self._is_free(after := self._chunks[index + 1]):
            remainder = after == self._last_remainder
            size += self._remove(after)
        if index and self._is_free(before := self._chunks[index - 1]):
            remainder = remainder or before == self._last_remainder
            self._drop_chunk(chunk)
            chunk, size = before, size + self._take(before)
            self._sizes[chunk] = size
        self._sizes[chunk] = size
        if chunk + size == self._top:
            self._drop_chunk(chunk)
            self._top = chunk
            self._trim()
            return
        insort(self._free, (size, chunk))
        if remainder:
            self._last_remainder = chunk

    def size_of(self, address: int) -> int:
        """Usable bytes of an allocated block."""
        return self._sizes[address - HEADER] - 8

    def fits(self, request: int) -> bool:
        """Whether `malloc(request)` would succeed now."""
        need = chunk_size(request)
        if self._free and self._free[-1][0] >= need:
            return True
        return self.brk - self._top >= need + SMALLEST_CHUNK or self.brk + growth(need) <= self.end

    def blocks(self) -> Iterator[Block]:
        """Every chunk from the start to the top, in order of address."""
        for chunk in self._chunks:
            yield Block(address=chunk, size=self._sizes[chunk], free=self._is_free(chunk))
        if self._top < self.brk:
            yield Block(address=self._top, size=self.brk - self._top, free=True)

    def _reuse(self, need: int) -> int | None:
        chosen = self._choose(need)
        if chosen is None:
            return None
        size = self._take(chosen)
        if size - need >= SMALLEST_CHUNK:
            rest = chosen + need
            self._sizes[chosen], self._sizes[rest] = need, size - need
            insort(self._chunks, rest)
            insort(self._free, (size - need, rest))
            self._last_remainder = rest
        return chosen

    def _choose(self, need: int) -> int | None:
        if need <= _LARGEST_SMALL_CHUNK:
            index = bisect_left(self._free, (need, 0))
            if index < len(self._free) and self._free[index][0] <= need + 16:
                return self._free[index][1]
        last = self._last_remainder
        if last is not None:
            if self._sizes[last] >= need:
                return last
            self._last_remainder = None
        index = bisect_left(self._free, (need, 0))
        return self._free[index][1] if index < len(self._free) else None

    def _from_top(self, need: int) -> int | None:
        if self.brk - self._top < need + SMALLEST_CHUNK:
            grown = self.brk + growth(need)
            if self.brk == self.start:  # the first extension ends at a page, whatever the start is aligned to
                grown = -(-(self.start + need + SMALLEST_CHUNK) // PAGE) * PAGE
            if grown > self.end:
                return None
            self.brk = grown
            self.highest_break = max(self.highest_break, grown)
        chunk, self._top = self._top, self._top + need
        self._sizes[chunk] = need
        self._chunks.append(chunk)
        return chunk

    def _trim(self) -> None:
        top = self.brk - self._top
        if top < TRIM_THRESHOLD:
            return
        extra = ((top - SMALLEST_CHUNK + PAGE - 1) // PAGE - 1) * PAGE
        if extra >= PAGE:
            self.brk -= extra

    def _is_free(self, chunk: int) -> bool:
        entry = (self._sizes[chunk], chunk)
        index = bisect_left(self._free, entry)
        return index < len(self._free) and self._free[index] == entry

    def _take(self, chunk: int) -> int:
        """Take a free chunk out of the bins; it stays a chunk."""
        size = self._sizes[chunk]
        del self._free[bisect_left(self._free, (size, chunk))]
        if self._last_remainder == chunk:
            self._last_remainder = None
        return size

    def _remove(self, chunk: int) -> int:
        size = self._take(chunk)
        self._drop_chunk(chunk)
        return size

    def _drop_chunk(self, chunk: int) -> None:
        del self._sizes[chunk]
        del self._chunks[bisect_left(self._chunks, chunk)]
