import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from k210kit.emulator.modules.image.arguments import Region
from k210kit.emulator.modules.image.pixels import WORD, Format, clipped_color, rgb_of_words
from k210kit.emulator.modules.image.resize import cut, mean_pool, midpoint_pool, resize, scaled_region

GRAY, RGB = Format.GRAYSCALE, Format.RGB565


def ramp(height: int, width: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.arange(height * width, dtype=np.uint16).reshape(height, width)


def test_shrinking_rgb565_takes_the_pixel_at_the_truncated_place() -> None:
    words = ramp(4, 7).astype(WORD)
    small = resize(words, RGB, 3, 3)
    assert small[0].tolist() == [words[0, int(x * np.float32(7 / 3))] for x in range(3)] == [0, 2, 4]
    assert small[:, 0].tolist() == [words[int(y * np.float32(4 / 3)), 0] for y in range(3)]


def test_rgb565_of_the_same_size_is_a_copy() -> None:
    words = ramp(3, 3).astype(WORD)
    assert np.array_equal(resize(words, RGB, 3, 3), words)


def test_enlarging_rgb565_mixes_neighbours_and_keeps_a_flat_color() -> None:
    flat = np.full((4, 4), clipped_color(200, 100, 50), WORD)
    assert np.array_equal(resize(flat, RGB, 8, 8), np.full((8, 8), flat[0, 0]))
    step = np.array([[clipped_color(0, 0, 0), clipped_color(255, 255, 255)]] * 3, WORD)
    middle = rgb_of_words(resize(step, RGB, 4, 6))[3]
    assert middle[1].tolist() == [58, 61, 58]  # a quarter of 31, 63 and 31, cut


def test_enlarging_gray_extrapolates_at_the_border_and_saturates_at_0() -> None:
    gray = np.array([[10, 90], [10, 90]], np.uint8)
    assert resize(gray, GRAY, 4, 4)[1].tolist() == [0, 30, 70, 90]


def test_shrinking_gray_averages_a_box_with_both_bounds_and_the_vertical_scale() -> None:
    gray = ramp(4, 4).astype(np.uint8)
    assert resize(gray, GRAY, 2, 2)[0, 0] == (0 + 1 + 2 + 4 + 5 + 6 + 8 + 9 + 10) // 9


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 30), st.integers(1, 30), st.sampled_from([GRAY, RGB]))
def test_any_size_becomes_any_size(h: int, w: int, new_h: int, new_w: int, format: Format) -> None:
    dtype = WORD if format is RGB else np.dtype(np.uint8)
    made = resize((ramp(h, w) % 256).astype(dtype), format, new_w, new_h)
    assert made.shape == (new_h, new_w)
    assert made.dtype == dtype


def test_a_scaled_region_takes_the_nearest_pixels_of_the_region() -> None:
    pixels = ramp(6, 6)
    assert scaled_region(pixels, Region(1, 2, 4, 3), 0.5, 1.0).tolist() == pixels[2:5, 1:5:2].tolist()
    assert scaled_region(pixels, Region(0, 0, 2, 1), 2.0, 1.0).tolist() == [[0, 0, 1, 1]]


def test_a_cut_is_black_beyond_the_picture() -> None:
    assert cut(ramp(3, 3), 2, 1, 2, 3).tolist() == [[5, 0], [8, 0], [0, 0]]


def test_a_cut_that_starts_left_of_the_picture_reads_the_row_above() -> None:
    assert cut(ramp(3, 3), -1, 1, 2, 1).tolist() == [[2, 3]]


def test_mean_pool_cuts_the_mean_and_drops_what_fills_no_tile() -> None:
    assert mean_pool(np.array([[1, 2, 9], [3, 5, 9]], np.uint8), GRAY, 2, 2).tolist() == [[2]]
    pair = np.array([[clipped_color(255, 255, 255), clipped_color(0, 0, 0)]], WORD)
    assert rgb_of_words(mean_pool(pair, RGB, 2, 1)).tolist() == [[[123, 125, 123]]]


@pytest.mark.parametrize(("bias", "value"), [(0, 10), (128, 30), (256, 50)])
def test_midpoint_pool_goes_from_the_least_to_the_greatest(bias: int, value: int) -> None:
    assert midpoint_pool(np.array([[10, 50]], np.uint8), GRAY, 2, 1, bias).tolist() == [[value]]
