"""The heap of a board, against figures read off boards and against its own invariants."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k210kit.firmware.heap import HEADER, PAGE, SystemHeap, chunk_size, growth

START = 0x800CF3C0  # minimum_with_ide_support v0.6.2-84


def test_the_first_block_lies_16_bytes_into_the_heap() -> None:
    assert SystemHeap(0x800CBC40).malloc(0x80000) == 0x800CBC50  # as the boot line of v0.5.1-136 prints


def test_a_chunk_holds_eight_bytes_more_rounded_to_sixteen() -> None:
    assert [chunk_size(n) for n in (1, 24, 25, 40, 41, 192, 4352)] == [32, 32, 48, 48, 64, 208, 4368]


def test_the_break_moves_by_whole_pages() -> None:
    heap = SystemHeap(START)
    heap.malloc(524288)
    assert heap.free_bytes % PAGE == 0
    before = heap.free_bytes
    heap.malloc(153600)
    assert before - heap.free_bytes == growth(chunk_size(153600))


def test_what_is_left_on_top_does_not_help_a_request_that_needs_the_break_to_move() -> None:
    heap = SystemHeap(0x10000, 0x10000 + 6 * PAGE)
    heap.malloc(600)
    second = heap.malloc(4000)
    assert second is not None
    heap.free(second)
    assert heap.free_bytes == 4 * PAGE
    assert list(heap.blocks())[-1].size == 7584  # left on top, so 23,968 bytes lie in one piece
    assert heap.malloc(20000) is None  # for it takes five pages more
    assert heap.malloc(16000) is not None


def test_heap_free_does_not_count_freed_chunks_below_the_break() -> None:
    heap = SystemHeap(START)
    model = heap.malloc(1_000_000)
    assert model is not None
    heap.malloc(10)
    low = heap.free_bytes
    heap.free(model)
    assert heap.free_bytes == low
    assert heap.malloc(900_000) == model


def test_a_large_block_freed_at_the_top_gives_its_pages_back() -> None:
    heap = SystemHeap(START)
    heap.malloc(100)
    before = heap.free_bytes
    model = heap.malloc(1_000_000)
    assert model is not None
    heap.free(model)
    assert heap.free_bytes == before
    assert heap.lowest_free_bytes < before


def test_freeing_twice_or_freeing_a_stranger_is_our_own_mistake() -> None:
    heap = SystemHeap(START)
    block = heap.malloc(100)
    assert block is not None
    heap.malloc(1)
    heap.free(block)
    with pytest.raises(ValueError, match="not an allocated block"):
        heap.free(block)


@pytest.mark.parametrize("request_bytes", [-1, 2779096485, 6 * 1024 * 1024])
def test_impossible_requests_return_none(request_bytes: int) -> None:
    assert SystemHeap(START).malloc(request_bytes) is None


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 200_000)), max_size=120))
def test_blocks_never_overlap_and_cover_the_arena(steps: list[tuple[bool, int]]) -> None:
    heap = SystemHeap(0x80400000)
    held: dict[int, int] = {}
    for allocate, number in steps:
        if allocate:
            expected = heap.fits(number)
            address = heap.malloc(number)
            assert (address is not None) == expected
            if address is not None:
                held[address] = number
        elif held:
            address = sorted(held)[number % len(held)]
            del held[address]
            heap.free(address)
        blocks = list(heap.blocks())
        position = heap.start
        for block in blocks:
            assert block.address == position
            position += block.size
        assert position == heap.brk <= heap.end
        assert {b.address + HEADER for b in blocks if not b.free} == set(held)
        assert all(not (a.free and b.free) for a, b in itertools.pairwise(blocks))
        assert all(heap.size_of(a) >= n for a, n in held.items())
        assert heap.used_bytes == sum(b.size for b in blocks if not b.free)
