from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k210kit.errors import InputError, RefusedError
from k210kit.package import FLASH_BYTES, SECTOR_BYTES, FlashMap, Region, parse_address


def region(address: int, size: int, name: str = "thing") -> Region:
    return Region(name=name, address=address, size=size)


def test_the_usual_layout_is_accepted() -> None:
    FlashMap.of([region(0, 2_115_301, "firmware"), region(0x300000, 1_900_000, "model")]).check()


def test_an_overlap_names_both_and_the_next_free_address() -> None:
    with pytest.raises(RefusedError) as caught:
        FlashMap.of([region(0x301000, 10, "b"), region(0x300000, 4097, "a")]).check()
    assert str(caught.value) == (
        "The flash map is refused. 'b' at 0x301000 to 0x301009 overlaps 'a' at 0x300000 to 0x301000. "
        "The next free address is 0x302000."
    )


def test_an_unaligned_address_names_the_aligned_ones_beside_it() -> None:
    (problem,) = FlashMap.of([region(0x300010, 10, "m")]).problems()
    assert problem == (
        "'m' starts at 0x300010, which is no multiple of 4096 (the flash is erased in 4 KiB sectors). "
        "Use 0x300000 or 0x301000."
    )


def test_past_the_end_of_the_chip_is_refused() -> None:
    (problem,) = FlashMap.of([region(FLASH_BYTES - 4096, 4097)]).problems()
    assert "would end at 0x1000001; the flash has 0x1000000 bytes" in problem


def test_reaching_into_the_file_system_is_refused_unless_there_is_none() -> None:
    reaching = [region(0xCFF000, 4097)]
    (problem,) = FlashMap.of(reaching).problems()
    assert "reaches into MaixPy's file system at 0xD00000" in problem
    assert FlashMap.of(reaching, file_system=False).problems() == ()


def test_a_file_system_image_and_a_whole_chip_are_accepted() -> None:
    assert FlashMap.of([region(0xD00000, 0x300000)]).problems() == ()
    assert FlashMap.of([region(0, FLASH_BYTES)]).problems() == ()


def test_an_empty_file_is_refused() -> None:
    assert "is empty" in FlashMap.of([region(0x300000, 0)]).problems()[0]


regions = st.lists(
    st.builds(
        region,
        st.integers(0, FLASH_BYTES // SECTOR_BYTES - 1).map(lambda s: s * SECTOR_BYTES),
        st.integers(1, 3 * 1024 * 1024),
    ),
    max_size=5,
)


@given(regions)
def test_overlaps_are_found_exactly_when_two_regions_share_a_byte(made: list[Region]) -> None:
    shared = any(max(a.address, b.address) < min(a.end, b.end) for i, a in enumerate(made) for b in made[i + 1 :])
    found = any("overlaps" in text for text in FlashMap.of(made, file_system=False).problems())
    assert found == shared


@given(regions)
def test_the_shown_map_of_an_accepted_one_covers_the_chip_without_gaps(made: list[Region]) -> None:
    flash_map = FlashMap.of(made)
    if flash_map.problems():
        return
    at = 0
    for first, last, size, _ in flash_map.rows():
        assert int(first, 16) == at
        at += int(size.replace(",", ""))
        assert int(last, 16) == at - 1
    assert at == FLASH_BYTES


@pytest.mark.parametrize(
    ("text", "value"), [("0x300000", 0x300000), ("3145728", 3145728), ("3M", 3 << 20), ("0xC00K", 3 << 20), ("0", 0)]
)
def test_addresses_are_read_as_people_write_them(text: str, value: int) -> None:
    assert parse_address(text) == value


@pytest.mark.parametrize("text", ["", "x", "-4096", "0x", "300000h", "M", "1.5M"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is no flash address; expected one such as 0x300000"):
        parse_address(text)
