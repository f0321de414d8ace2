import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from k210kit.emulator.modules.image.pixels import (
    EIGHT_TO_FIVE,
    EIGHT_TO_SIX,
    FIVE_TO_EIGHT,
    SIX_TO_EIGHT,
    WORD,
    ai_planes,
    clipped_color,
    frame_from_rgb,
    join565,
    lab_table,
    rainbow_words,
    rgb_of_words,
    split565,
    words_of_planes,
    words_of_rgb,
    yuv_table,
)


def test_a_word_has_its_bytes_swapped() -> None:
    red, green, blue = clipped_color(255, 0, 0), clipped_color(0, 255, 0), clipped_color(0, 0, 255)
    assert (red, green, blue) == (0x00F8, 0xE007, 0x1F00)


def test_a_color_is_clipped_to_a_byte() -> None:
    assert clipped_color(-5, 300, 255) == clipped_color(0, 255, 255)


@given(st.integers(0, 65535))
def test_splitting_and_joining_a_word_gives_it_back(word: int) -> None:
    assert join565(*split565(np.array([word], WORD))).tolist() == [word]


@given(st.integers(0, 65535))
def test_a_word_survives_its_expansion_to_888(word: int) -> None:
    words = np.array([[word]], WORD)
    assert words_of_rgb(rgb_of_words(words)).tolist() == [[word]]
    assert words_of_planes(ai_planes(words)).tolist() == [[word]]


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_rounding_to_565_moves_a_channel_by_half_a_step_at_most(rgb: tuple[int, int, int]) -> None:
    back = rgb_of_words(words_of_rgb(np.array([rgb], np.uint8)))[0].astype(int)
    assert np.abs(back - rgb).max() <= 4


def test_tables_between_eight_and_five_or_six_bits_round_to_the_nearest() -> None:
    assert FIVE_TO_EIGHT.tolist() == [int(v * 255 / 31 + 0.5) for v in range(32)]
    assert SIX_TO_EIGHT.tolist() == [int(v * 255 / 63 + 0.5) for v in range(64)]
    assert EIGHT_TO_FIVE.tolist() == [int(v * 31 / 255 + 0.5) for v in range(256)]
    assert EIGHT_TO_SIX.tolist() == [int(v * 63 / 255 + 0.5) for v in range(256)]


def test_the_camera_leaves_the_high_byte_first_and_the_same_bits_for_the_kpu() -> None:
    pixels, planes = frame_from_rgb(np.array([[[255, 4, 8]]], np.uint8))
    assert pixels.tobytes() == bytes([0b11111000, 0b00100001])
    assert pixels[0, 0] == 0b11111_000001_00001
    assert planes[:, 0, 0].tolist() == [255, 4, 8]


@pytest.mark.parametrize(
    ("rgb", "lab"), [((0, 0, 0), (0, 0, 0)), ((255, 255, 255), (100, 0, 0)), ((255, 0, 0), (53, 80, 67))]
)
def test_lab_of_well_known_colors(rgb: tuple[int, int, int], lab: tuple[int, int, int]) -> None:
    assert tuple(lab_table(True)[clipped_color(*rgb)].tolist()) == lab


def test_gray_of_white_is_255_and_of_black_0() -> None:
    assert yuv_table(True)[[0xFFFF, 0], 0].tolist() == [127, -128]


def test_the_small_tables_agree_where_the_low_green_bits_are_0() -> None:
    for table in (yuv_table, lab_table):
        exact, rough = table(True), table(False)
        assert np.array_equal(exact[:8192], rough[:8192])
        assert (exact != rough).any(axis=1).sum() > 0


def test_the_rainbow_runs_from_sky_blue_to_red() -> None:
    colors = rgb_of_words(rainbow_words())
    assert colors[0].tolist() == [0, 198, 255]
    assert colors[97].tolist() == [0, 255, 0]
    assert colors[255].tolist() == [255, 4, 0]
