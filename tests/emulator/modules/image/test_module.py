"""What `import image` offers on each firmware."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from k210kit.emulator.kpu_library import UndefinedOnBoardError
from k210kit.emulator.modules.image.table import METHODS
from k210kit.emulator.modules.table import NotEmulatedError

from .conftest import Bench

# What OMV_MINIMUM keeps, from the method table of py_image.c
KEPT = """
    width height format size get_pixel set_pixel mean_pool mean_pooled midpoint_pool midpoint_pooled to_bitmap
    to_grayscale to_rgb565 to_rainbow compress compress_for_ide compressed compressed_for_ide copy crop save
    to_bytes clear draw_line draw_rectangle draw_circle draw_ellipse draw_font draw_string draw_cross
    draw_arrow draw_image lens_corr dump_roi conv3 resize ai_to_pix pix_to_ai strech_char stretch cut
"""


def test_minimum_firmwares_keep_just_these_methods(make_bench: Callable[..., Bench]) -> None:
    for name in ("minimum", "minimum_with_ide"):
        picture = make_bench(name).image.Image(size=(8, 8))
        assert {method for method in METHODS if hasattr(picture, method)} == set(KEPT.split())
    full = make_bench("full").image.Image(size=(8, 8))
    assert all(hasattr(full, method) for method in METHODS)
    assert len(METHODS) == 121


def test_constants_depend_on_the_firmware(make_bench: Callable[..., Bench]) -> None:
    minimum, full = make_bench("minimum").image, make_bench("full").image
    assert (minimum.ASCII, minimum.UTF8) == (0, 2)
    assert "TAG36H11" not in dir(minimum)
    assert (full.TAG36H11, full.CODE128, full.EDGE_SIMPLE, full.SEARCH_DS) == (16, 15, 1, 1)


def test_what_is_missing_here_says_so_and_is_counted(bench: Bench) -> None:
    with pytest.raises(
        NotEmulatedError, match=r"image\.Image\.selective_search is in the firmware, but not in the emulator"
    ):
        bench.image.Image(size=(8, 8)).selective_search()
    assert bench.absent == ["image.Image.selective_search"]


def test_picture_streams_lead_into_the_undefined_where_a_board_crashes(bench: Bench) -> None:
    writer = bench.image.ImageWriter("/flash/film.bin")
    with pytest.raises(UndefinedOnBoardError, match=r"ImageWriter\.add_frame crashes a board"):
        writer.add_frame(bench.image.Image(size=(8, 8)))
    with pytest.raises(UndefinedOnBoardError, match=r"image\.ImageReader crashes a board"):
        bench.image.ImageReader("/flash/film.bin")
    with pytest.raises(OSError, match="ENOENT"):
        bench.image.ImageReader("/flash/nothing.bin")


def test_a_font_from_flash_draws_its_own_glyphs(bench: Bench) -> None:
    bench.flash.write(0x100000 + 8 * ord("A"), b"\xff" + bytes(6) + b"\xff")
    bench.image.font_load(bench.image.UTF8, 8, 8, 0x100000)
    picture = bench.image.Image(size=(20, 10)).draw_string(0, 0, "A", mono_space=True)
    assert [picture.get_pixel(x, 0)[0] for x in (0, 7, 8)] == [255, 255, 0]
    assert picture.get_pixel(0, 3) == (0, 0, 0)
    bench.image.font_free()
    assert bench.image.Image(size=(20, 10)).draw_string(0, 0, "A").get_pixel(0, 0) == (0, 0, 0)


def test_a_font_file_must_be_a_dzk(bench: Bench) -> None:
    with pytest.raises(ValueError, match=r"only supply \.Dzk"):
        bench.image.font_load(2, 16, 16, "/flash/font.bin")
    with pytest.raises(ValueError, match="font_addr must > 0"):
        bench.image.font_load(2, 16, 16, 0)


def test_keypoints_are_circles_with_hands(bench: Bench) -> None:
    picture: Any = bench.image.Image(size=(40, 40))
    assert picture.draw_keypoints([(20, 20, 0)], size=12) is picture
    assert picture.get_pixel(32, 20)[0] == 255
