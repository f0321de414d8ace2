from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

from k210kit.emulator.modules.image.arguments import Region
from k210kit.emulator.modules.image.cascade import Cascade, detect, read_cascade
from k210kit.emulator.modules.image.components import label
from k210kit.emulator.modules.image.displacement import find_displacement
from k210kit.emulator.modules.image.keypoints import find_keypoints, match
from k210kit.emulator.modules.image.patterns import find_pupil, local_patterns, pattern_distance
from k210kit.emulator.modules.image.segments import find_segments

from .conftest import Bench


def noise(height: int, width: int, seed: int = 3) -> Any:
    """Smooth random blotches, uint8 [height, width]."""
    small = np.random.default_rng(seed).integers(0, 256, (height // 8 + 1, width // 8 + 1), dtype=np.uint8)
    return np.kron(small, np.ones((8, 8), np.uint8))[:height, :width]


# rectangles and segments --------------------------------------------------------------------------------------------


def test_a_rectangle_is_found_with_its_corners(image: Any) -> None:
    picture = image.Image(size=(120, 90)).draw_rectangle(20, 15, 60, 40, color=(255, 255, 255), fill=True)
    (found,) = picture.find_rects(threshold=10000)
    assert all(abs(a - b) <= 1 for a, b in zip(found.rect(), (20, 15, 60, 40), strict=True))
    assert found.rect() == found[0:4]
    (left, top), (right, _), (_, bottom), _ = found.corners()
    assert left < right
    assert top < bottom
    assert repr(found).startswith('{"x":')


def test_a_turned_rectangle_is_found_and_a_circle_is_none(image: Any) -> None:
    picture = image.Image(size=(160, 120))
    for x1, y1, x2, y2 in ((60, 20, 110, 50), (110, 50, 80, 100), (80, 100, 30, 70), (30, 70, 60, 20)):
        picture.draw_line(x1, y1, x2, y2, thickness=1)
    picture.flood_fill(70, 60, color=(255, 255, 255))
    found = picture.find_rects(threshold=5000)
    assert found
    expected = {(60, 20), (110, 50), (80, 100), (30, 70)}
    near = [min(abs(x - a) + abs(y - b) for a, b in expected) for x, y in found[0].corners()]
    assert max(near) <= 4
    assert image.Image(size=(160, 120)).draw_circle(80, 60, 40, fill=True).find_rects(threshold=5000) == []


def test_the_threshold_of_find_rects_is_the_gradient_along_the_sides(image: Any) -> None:
    picture = image.Image(size=(120, 90)).draw_rectangle(20, 15, 60, 40, fill=True)
    strength = picture.find_rects(threshold=1)[0].magnitude()
    assert picture.find_rects(threshold=strength)
    assert picture.find_rects(threshold=strength + 1) == []


def test_areas_are_numbered_light_ones_across_corners() -> None:
    picture = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 127]], np.uint8)
    assert label(picture, ignored=127).tolist() == [[1, 2, 2], [3, 1, 2], [3, 3, 0]]


def test_the_sides_of_a_box_are_segments() -> None:
    picture = np.full((100, 120), 30, np.uint8)
    picture[20:80, 30:90] = 220
    found = find_segments(picture)
    assert len(found) == 4
    lengths = sorted(np.hypot(s.x2 - s.x1, s.y2 - s.y1) for s in found)
    assert 55 <= lengths[0] <= lengths[-1] <= 63
    assert all(s.sureness > 20 for s in found)


def test_noise_has_no_segments() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (80, 80), dtype=np.uint8)
    assert len(find_segments(picture)) <= 1  # the method promises one false alarm per picture at most


def test_segments_along_each_other_are_joined(image: Any) -> None:
    picture = image.Image(size=(160, 60))
    for left in (5, 85):
        picture.draw_rectangle(left, 20, 70, 6, fill=True)
    apart = [line for line in picture.find_line_segments() if line.length() > 40]
    joined = picture.find_line_segments(merge_distance=15, max_theta_diff=10)
    assert len(apart) == 4
    assert max(line.length() for line in joined) >= 140
    assert joined[0].line() == joined[0][0:4]


# displacement -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (7, 0), (-5, 3), (12, -9)])
def test_a_shift_is_measured_in_pixels_upwards_positive(dx: int, dy: int) -> None:
    big = noise(128, 128)
    moved = np.roll(big, (dy, dx), axis=(0, 1))
    found = find_displacement(moved[:64, :64], big[:64, :64], logpolar=False, fix_rotation_scale=False)
    assert abs(found.x - dx) < 1.2
    assert abs(found.y + dy) < 1.2
    assert found.response > 0.02


def test_pictures_of_different_sizes_are_refused(image: Any) -> None:
    with pytest.raises(OSError, match="ROI"):
        image.Image(size=(32, 32)).find_displacement(image.Image(size=(16, 16)))


def test_a_displacement_reads_as_on_the_board(image: Any) -> None:
    found = (
        image.Image(size=(32, 32)).draw_cross(10, 12).find_displacement(image.Image(size=(32, 32)).draw_cross(10, 12))
    )
    assert abs(found.x_translation()) < 1e-6
    assert repr(found).endswith('"rotation":0.000000, "scale":0.000000, "response":1.000000}')


# corners and patterns -----------------------------------------------------------------------------------------------


def test_corners_are_found_again_in_a_shifted_picture() -> None:
    big = noise(240, 320, seed=5)
    whole = Region(0, 0, 300, 220)
    options = {"threshold": 20, "normalized": True, "scale_factor": 1.5, "most": 60}
    one = find_keypoints(big[:220, :300], whole, **options)  # type: ignore[arg-type]
    two = find_keypoints(big[10:230, 6:306], whole, **options)  # type: ignore[arg-type]
    found = match(one, two, threshold=85, filter_outliers=False)
    assert found.count >= 10
    shifts = [(one[a].x - two[b].x, one[a].y - two[b].y) for a, b in found.pairs]
    assert shifts.count((6, 10)) >= found.count * 0.8
    assert found.theta == 0


def test_descriptors_travel_through_files(bench: Bench) -> None:
    picture = bench.image.Image(size=(200, 200)).to_grayscale()
    picture._frame.data[...] = noise(200, 200)
    corners, patterns = (
        picture.find_keypoints(threshold=10, normalized=True),
        picture.find_lbp((0, 0, picture.width(), picture.height())),
    )
    assert len(corners[0]) == 5
    for given in (corners, patterns):
        assert bench.image.save_descriptor(given, "/flash/one.desc") is True
        again = bench.image.load_descriptor("/flash/one.desc")
        assert type(again) is type(given)
    assert bench.image.match_descriptor(patterns, again) == 0
    with pytest.raises(OSError, match="different types"):
        bench.image.match_descriptor(corners, patterns)
    with bench.files.open("/flash/bad.desc", "wb") as stream:
        stream.write(struct.pack("<II", 1, 900))
    with pytest.raises(OSError, match="Descriptor type is not supported"):
        bench.image.load_descriptor("/flash/bad.desc")


def test_a_plain_picture_has_no_corners(image: Any) -> None:
    assert image.Image(size=(200, 200)).to_grayscale().find_keypoints(normalized=True) is None


def test_local_patterns_tell_textures_apart() -> None:
    whole = Region(0, 0, 70, 70)
    one, two, other = (local_patterns(noise(70, 70, seed), whole) for seed in (1, 1, 2))
    assert pattern_distance(one, two) == 0
    assert pattern_distance(one, other) > 100
    assert int(one.astype(int).sum()) > 3000


def test_the_dark_middle_of_a_ring_is_the_pupil() -> None:
    picture = np.full((80, 100), 220, np.uint8)
    y, x = np.mgrid[:80, :100]
    picture[(x - 55) ** 2 + (y - 52) ** 2 <= 100] = 40
    px, py = find_pupil(picture, Region(0, 0, 100, 80))
    assert abs(px - 55) <= 2
    assert abs(py - 52) <= 2


def test_find_hog_draws_directions_in_place(image: Any) -> None:
    picture = image.Image(size=(32, 32)).draw_line(0, 0, 31, 31).to_grayscale(copy=True)
    assert picture.find_hog(size=8) is picture
    assert picture.get_statistics().max() > 0


def test_the_largest_area_comes_as_a_binary_picture(image: Any) -> None:
    picture = image.Image(size=(40, 30)).draw_rectangle(5, 5, 20, 12, fill=True).to_grayscale(copy=True)
    found = picture.find_domain(0.7)
    assert sum(found.get_pixel(x, 6) for x in range(40)) == 20
    assert image.Image(size=(8, 8)).to_grayscale(copy=True).find_domain(0.7) is None


# cascades -----------------------------------------------------------------------------------------------------------


def dark_over_light() -> bytes:
    """A cascade of one feature in a window of 8 x 8: the lower half is lighter than the upper."""
    header = struct.pack("<iii", 8, 8, 1) + struct.pack("<B", 1) + struct.pack("<h", 100)
    node = struct.pack("<hhhb", 50, -200, 200, 2)
    return header + node + struct.pack("<bb", 1, -1) + struct.pack("<8b", 0, 4, 7, 3, 0, 0, 7, 3)


def test_a_cascade_of_a_file_finds_what_it_describes() -> None:
    cascade = read_cascade(dark_over_light())
    assert (cascade.width, cascade.height, cascade.features, cascade.rectangles) == (8, 8, 1, 2)
    picture = np.full((24, 24), 120, np.uint8)
    picture[:12], picture[12:] = 10, 240
    found = detect(picture, cascade, Region(0, 0, 24, 24), threshold=0.5, scale=1.5)
    assert found
    assert all(y < 12 < y + h for _, y, _, h in found)
    assert detect(picture[::-1].copy(), cascade, Region(0, 0, 24, 24), threshold=0.5, scale=1.5) == []


@pytest.mark.parametrize("size", [0, 12, 16, 30])
def test_a_cascade_that_ends_too_early_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=r"ends too early|no cascade"):
        read_cascade(dark_over_light()[:size])


def test_the_built_in_cascades_have_the_numbers_of_the_firmware(bench: Bench) -> None:
    pytest.importorskip("cv2")
    face, eye = bench.image.HaarCascade("frontalface"), bench.image.HaarCascade("eye", stages=10)
    assert repr(face) == '{"width":24, "height":24, "n_stages":25, "n_features":2913, "n_rectangles":6383}'
    assert repr(eye).startswith('{"width":20, "height":20, "n_stages":10, ')
    inner: Cascade = face._cascade
    # the first numbers of the tables in the firmware's source
    assert inner.thresholds[:5] == (-1290, -1275, -1191, -1140, -1122)
    assert [feature.threshold for feature in inner.stages[0]][:6] == [-129, 50, 89, 23, 61, 407]
    picture = bench.image.Image(size=(60, 60))
    assert picture.find_features(face, threshold=0.5, scale_factor=1.25) == []
    with pytest.raises(OSError, match="Region of interest is smaller than detector window!"):
        picture.find_features(face, roi=(0, 0, 20, 20))
    with pytest.raises(TypeError, match="Can't convert int to Cascade"):
        picture.find_features(1)
