from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from k210kit.emulator.modules.image import neighbourhood as around
from k210kit.emulator.modules.image.flood import reached
from k210kit.emulator.modules.image.frame import Frame
from k210kit.emulator.modules.image.pixels import Format

from .conftest import Bench

pixels = arrays(np.uint8, st.tuples(st.integers(1, 8), st.integers(1, 8)))


def gray(data: Any) -> Frame:
    array = np.array(data, np.uint8)
    return Frame(array.shape[1], array.shape[0], Format.GRAYSCALE, array)


def windows(data: Any, reach: int) -> Any:
    """For each pixel the list of its neighbourhood, row by row, edges repeated."""
    height, width = data.shape
    span = range(-reach, reach + 1)
    for y in range(height):
        for x in range(width):
            yield (
                y,
                x,
                [int(data[min(max(y + j, 0), height - 1), min(max(x + k, 0), width - 1)]) for j in span for k in span],
            )


def first_to_lead(values: list[int]) -> int:
    """The value that first reaches the highest count."""
    counts: dict[int, int] = {}
    best, lead = 0, 0
    for value in values:
        counts[value] = counts.get(value, 0) + 1
        if counts[value] > lead:
            best, lead = value, counts[value]
    return best


PLAIN: dict[str, tuple[around.Filter, Callable[[list[int]], int]]] = {
    "mean": (around.mean, lambda v: int(np.float32(sum(v)) * (np.float32(1) / np.float32(len(v))))),
    "median": (around.median(0.5), lambda v: sorted(v)[(len(v) - 1) // 2]),
    "greatest": (around.median(1.0), max),
    "mode": (around.mode, first_to_lead),
    "midpoint": (around.midpoint(0.5), lambda v: (min(v) + max(v)) // 2),
}


@pytest.mark.parametrize("name", PLAIN)
@settings(max_examples=25, deadline=None)
@given(data=pixels, reach=st.integers(0, 2))
def test_a_filter_gives_what_its_definition_says(name: str, data: Any, reach: int) -> None:
    apply, plain = PLAIN[name]
    made = around.filtered(gray(data), reach, apply, None, True)
    assert all(made[y, x] == plain(values) for y, x, values in windows(data, reach))


def test_kernels_are_pascals_triangle() -> None:
    assert around.gaussian_kernel(1, False) == ([1, 2, 1, 2, 4, 2, 1, 2, 1], 16)
    assert around.gaussian_kernel(1, True) == ([1, 2, 1, 2, -28, 2, 1, 2, 1], -16)
    assert around.laplacian_kernel(1, False) == ([-1, -2, -1, -2, 12, -2, -1, -2, -1], 12)


def test_erosion_and_dilation_count_neighbours() -> None:
    spot = [[0, 0, 0], [0, 255, 0], [0, 0, 0]]
    assert around.dilated(gray(spot), 1, 0, True).all()
    assert not around.eroded(gray(spot), 1, 8, True).any()
    assert around.eroded(gray(spot), 1, 0, True)[1, 1] == 255


def test_a_fill_stops_at_steps_of_color() -> None:
    data = [[0, 0, 9, 200], [0, 5, 5, 200]]
    covered = reached(gray(data), 0, 0, 0.05, 0.03, None)
    assert covered.astype(int).tolist() == [[1, 1, 1, 0], [1, 1, 1, 0]]


def test_methods_change_the_picture_and_return_it(image: Any) -> None:
    picture = image.Image(size=(9, 9)).to_grayscale().set_pixel(4, 4, 255)
    for change in (
        lambda: picture.gaussian(1),
        lambda: picture.histeq(),
        lambda: picture.mean(1, threshold=True, offset=5),
        lambda: picture.dilate(1),
        lambda: picture.close(1),
        lambda: picture.invert(),
        lambda: picture.gamma_corr(1.2, contrast=1.1),
        lambda: picture.flood_fill(0, 0, color=9),
        lambda: picture.laplacian(1, sharpen=True),
    ):
        assert change() is picture


def test_a_mask_protects_pixels(image: Any) -> None:
    picture = image.Image(size=(4, 1)).to_grayscale()
    mask = image.Image(size=(4, 1)).to_grayscale().set_pixel(0, 0, 255)
    assert bytes(picture.add(7, mask=mask)) == bytes([7, 0, 0, 0])


def test_arithmetic_clips_and_cuts(image: Any) -> None:
    def one(value: int) -> Any:
        return image.Image(size=(1, 1)).to_grayscale().set_pixel(0, 0, value)

    assert one(200).add(100).get_pixel(0, 0) == 255
    assert one(20).sub(100).get_pixel(0, 0) == 0
    assert one(20).sub(100, reverse=True).get_pixel(0, 0) == 80
    assert one(128).mul(128).get_pixel(0, 0) == 64
    assert one(10).div(0).get_pixel(0, 0) == 0
    assert one(10).difference(one(30)).get_pixel(0, 0) == 20
    assert one(10).blend(30, alpha=64).get_pixel(0, 0) == 25
    assert one(10).min(3).max(7).negate().get_pixel(0, 0) == 248


def test_replace_mirrors_flips_and_exchanges_rows_and_columns(image: Any) -> None:
    def numbered() -> Any:
        picture = image.Image(size=(3, 2)).to_grayscale()
        picture[0:6] = [0, 1, 2, 3, 4, 5]
        return picture

    assert bytes(numbered().replace(hmirror=True)) == bytes([2, 1, 0, 5, 4, 3])
    assert bytes(numbered().replace(vflip=True)) == bytes([3, 4, 5, 0, 1, 2])
    turned = numbered().replace(transpose=True)
    assert (turned.width(), turned.height(), bytes(turned)) == (2, 3, bytes([0, 3, 1, 4, 2, 5]))


def test_binary_sets_what_a_threshold_takes(image: Any) -> None:
    picture = image.Image(size=(3, 1)).set_pixel(1, 0, (255, 0, 0))
    red = [(40, 60, 60, 90, 50, 80)]
    assert [picture.binary(red, copy=True).get_pixel(x, 0)[1] for x in range(3)] == [0, 255, 0]
    assert picture.binary(red, zero=True, copy=True).get_pixel(1, 0) == (0, 0, 0)
    assert picture.binary(red, invert=True, to_bitmap=True, copy=True).get_pixel(0, 0) == 1


def test_the_bitwise_methods_change_nothing_as_in_the_firmware(bench: Bench) -> None:
    picture = bench.image.Image(size=(2, 1)).set_pixel(0, 0)
    assert picture.b_xor(picture) is picture
    assert picture.get_pixel(0, 0) == (255, 255, 255)
    assert "change nothing" in bench.printed[0]


def test_wrong_kernels_are_refused(image: Any) -> None:
    picture = image.Image(size=(4, 4))
    with pytest.raises(OSError, match="KernelSize must be >= 0!"):
        picture.mean(-1)
    with pytest.raises(ValueError, match="requested length 9 but object has length 2"):
        picture.morph(1, [1, 2])
    with pytest.raises(OSError, match="Error: 0 <= percentile <= 1!"):
        picture.median(1, percentile=2)


def test_a_shadow_keeps_the_chromaticity_of_what_it_falls_on(image: Any) -> None:
    picture = (
        image.Image(size=(2, 1)).set_pixel(0, 0, (230, 120, 60)).set_pixel(1, 0, (123, 61, 27))
    )  # a quarter of the light
    assert picture.chrominvar() is picture
    light, dark = (picture.get_pixel(x, 0) for x in (0, 1))
    assert max(abs(a - b) for a, b in zip(light, dark, strict=True)) <= 24  # two steps of five bits, and a little
    assert light[0] > light[1] > light[2]


def test_gray_has_no_colour_to_lose(image: Any) -> None:
    picture = image.Image(size=(2, 1)).set_pixel(0, 0, (200, 200, 200)).set_pixel(1, 0, (66, 65, 66))
    assert picture.illuminvar() is picture
    one, two = (picture.get_pixel(x, 0) for x in (0, 1))
    assert all(abs(part - 85) <= 10 for part in (*one, *two))  # a third each
    gray = image.Image(size=(2, 1)).to_grayscale(copy=True)
    assert gray.illuminvar() is gray
