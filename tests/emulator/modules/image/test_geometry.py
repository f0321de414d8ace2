from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from k210kit.emulator.modules.image import frame_from_rgb
from k210kit.emulator.modules.image.warp import Turn, affine_transform, lens_corrected, polar, rotated, warp_planes

from .conftest import Bench


def numbered(height: int, width: int) -> Any:
    return np.arange(height * width, dtype=np.uint8).reshape(height, width)


def test_lens_correction_keeps_the_centre_and_pulls_the_rim_inwards() -> None:
    bright = np.zeros((21, 21), np.uint8)
    bright[10, 10] = bright[10, 20] = 255
    made = lens_corrected(bright, 1.8, 1.0)
    assert made[10, 10] == 255
    assert made[10, 20] == 0


def test_no_rotation_changes_no_inner_pixel() -> None:
    picture = numbered(9, 12)
    same = rotated(picture, Turn())
    assert (same == picture).mean() > 0.7  # cut places may fall one pixel short


def test_half_a_turn_about_the_view_axis_reverses_the_picture() -> None:
    picture = np.zeros((31, 31), np.uint8)
    picture[4:8, 4:8] = 255
    turned = rotated(picture, Turn(z_rotation=180.0))
    assert turned[:15, :15].sum() == 0
    assert turned[16:, 16:].sum() > 0


def test_corners_choose_what_fills_the_picture() -> None:
    picture = np.zeros((40, 40), np.uint8)
    picture[10:30, 10:30] = 255
    made = rotated(picture, Turn(corners=[(10, 10), (29, 10), (29, 29), (10, 29)]))
    assert (made == 255).mean() > 0.9


def test_a_polar_picture_shows_rings_as_rows() -> None:
    y, x = np.mgrid[:64, :64] - 32
    rings = np.where(np.hypot(x, y) < 16, 255, 0).astype(np.uint8)
    made = polar(rings, True, False)
    assert (made[:18] == 255).mean() > 0.95
    assert (made[28:] == 255).sum() == 0


def test_the_affine_map_leads_from_the_target_back_to_the_source() -> None:
    source = np.array([[10, 10], [30, 10], [10, 50]], float)
    matrix = np.reshape(affine_transform(source, source * 2 + 4), (3, 3))
    assert np.allclose(matrix @ [24, 24, 1], [10, 10, 1], atol=1e-3)
    assert np.allclose(matrix, [[0.5, 0, -2], [0, 0.5, -2], [0, 0, 1]], atol=1e-4)


def test_warping_planes_by_a_move_shifts_them() -> None:
    planes = numbered(6, 6)[None]
    made = warp_planes(planes, 4, 4, [1, 0, 1, 0, 1, 2, 0, 0, 1])
    assert np.array_equal(made[0], planes[0, 2:6, 1:5])


def test_faces_are_cut_out_for_the_kpu_as_scripts_do(bench: Bench) -> None:
    pixels, planes = frame_from_rgb(np.full((240, 320, 3), 90, np.uint8))
    camera = bench.image.from_camera(pixels, planes, 2)
    face = bench.image.Image(size=(128, 128))
    face.pix_to_ai()
    eyes, target = [(100, 100), (150, 100), (125, 130)], [(44, 58), (84, 58), (64, 80)]
    matrix = bench.image.get_affine_transform(list(eyes), list(target))
    assert len(matrix) == 9
    assert bench.image.warp_affine_ai(camera, face, matrix) is None
    face.ai_to_pix()
    assert face.get_pixel(64, 64)[0] in range(80, 100)


def test_affine_errors(image: Any) -> None:
    with pytest.raises(OSError, match="Need input"):
        image.get_affine_transform(((0, 0),), ((0, 0),))
    with pytest.raises(OSError, match="src len must equal with dst len"):
        image.get_affine_transform([(0, 0)], [(0, 0), (1, 1)])
    with pytest.raises(ValueError, match="only support ai image affine"):
        image.warp_affine_ai(image.Image(size=(8, 8)), image.Image(size=(8, 8)), (1, 0, 0, 0, 1, 0, 0, 0, 1))


def test_conv3_filters_the_planes_and_shows_them(bench: Bench) -> None:
    pixels, planes = frame_from_rgb(np.full((8, 8, 3), 100, np.uint8))
    picture = bench.image.from_camera(pixels, planes, 2)
    assert picture.conv3([0, 0, 0, 0, 2, 0, 0, 0, 0]) is None
    assert abs(picture.get_pixel(4, 4)[0] - 2 * 99) <= 8
    picture.conv3((-1, -1, -1, -1, 8, -1, -1, -1, -1))
    assert picture.get_pixel(4, 4)[0] <= 8
    bench.image.Image(size=(8, 8)).conv3([0] * 9)
    assert bench.printed[-1] == "pix_ai or pixels is NULL!\n"


def test_stretch_takes_a_whole_factor(image: Any) -> None:
    picture = image.Image(size=(4, 4)).to_grayscale()
    picture[0:16] = [100] * 16
    picture[5] = 150
    assert picture.stretch(0, 255) is None
    assert [picture[0], picture[5]] == [0, 250]


def test_strech_char_cuts_at_the_mean(image: Any) -> None:
    picture = image.Image(size=(4, 1)).to_grayscale()
    picture[0:4] = [0, 0, 100, 200]
    picture.strech_char(0)
    assert [picture[at] for at in range(4)] == [0, 0, 51, 255]


def test_methods_check_their_numbers(image: Any) -> None:
    picture = image.Image(size=(8, 8))
    assert picture.lens_corr(1.8) is picture
    assert picture.rotation_corr(z_rotation=10) is picture
    with pytest.raises(OSError, match="Strength must be > 0!"):
        picture.lens_corr(0)
    with pytest.raises(OSError, match="Zoom must be > 0!"):
        picture.rotation_corr(zoom=0)
    with pytest.raises(OSError, match="FOV must be > 0 and < 180!"):
        picture.rotation_corr(fov=0)
