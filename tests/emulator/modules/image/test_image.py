"""`image` as a script uses it: signatures, results, exceptions and memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from k210kit.emulator.modules.image import frame_from_rgb, to_rgb888

from .conftest import Bench

OUT_OF_HEAP = (
    "Out of normal MicroPython Heap Memory! Please reduce the resolution of the image you are running this algorithm "
    "on to bypass this issue!"
)


def raises(error: type[Exception], text: str, call: Callable[[], object]) -> None:
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == text


def snapshot(bench: Bench, rgb: np.ndarray[Any, np.dtype[np.uint8]]) -> Any:
    pixels, planes = frame_from_rgb(rgb)
    return bench.image.from_camera(pixels, planes, 2)


# Making pictures -----------------------------------------------------------------------------------------------
def test_an_empty_picture_has_the_size_of_the_lcd_and_is_black(make_bench: Callable[..., Bench]) -> None:
    assert repr(make_bench("full").image.Image()) == '{"w":320, "h":240, "type"="rgb565", "size":153600}'
    stick = make_bench("m5stickv").image.Image()
    assert (stick.width(), stick.height(), stick.get_pixel(0, 0)) == (240, 135, (0, 0, 0))


def test_size_chooses_another(image: Any) -> None:
    picture = image.Image(size=(30, 20))
    assert (picture.width(), picture.height(), picture.size(), picture.format()) == (30, 20, 1200, 2)


def test_a_new_picture_takes_its_bytes_from_the_gc_heap(bench: Bench) -> None:
    before = bench.gc.used_bytes
    picture = bench.image.Image(size=(100, 10))
    assert bench.gc.used_bytes - before == 2016  # 2000 bytes in blocks of 32
    del picture
    bench.gc.collect()
    assert bench.gc.used_bytes == before


def test_what_does_not_fit_raises_the_firmwares_words(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(gc_bytes=100_000)
    raises(MemoryError, OUT_OF_HEAP, bench.image.Image)


def test_del_frees_at_once(bench: Bench) -> None:
    before = bench.gc.used_bytes
    bench.image.Image().__del__()
    assert bench.gc.used_bytes == before


def test_a_snapshot_takes_nothing_and_shares_the_sensors_memory(bench: Bench) -> None:
    pixels, planes = frame_from_rgb(np.zeros((8, 8, 3), np.uint8))
    before = bench.gc.used_bytes
    picture = bench.image.from_camera(pixels, planes, 2)
    pixels[0, 0] = 0xF800
    assert picture.get_pixel(0, 0) == (255, 0, 0)
    picture.set_pixel(1, 0, (0, 0, 255))
    assert pixels[0, 1] == 0x001F
    assert picture.pix_ai is planes
    assert bench.gc.used_bytes == before


def test_the_factory_methods_are_not_for_scripts(image: Any) -> None:
    assert "from_camera" not in dir(image)
    assert "Image" in dir(image)


# Pixels --------------------------------------------------------------------------------------------------------
def test_get_pixel_gives_a_tuple_or_the_raw_word(image: Any) -> None:
    picture = image.Image(size=(4, 4)).set_pixel(1, 2, (255, 0, 0))
    assert picture.get_pixel(1, 2) == (255, 0, 0)
    assert picture.get_pixel((1, 2), rgbtuple=False) == 0x00F8
    assert picture.get_pixel(4, 0) is None
    gray = picture.to_grayscale(copy=True)
    assert gray.get_pixel(1, 2) == 76
    assert gray.get_pixel(1, 2, True) == (74, 77, 74)


def test_an_integer_color_is_the_raw_word_and_the_default_is_white(image: Any) -> None:
    picture = image.Image(size=(2, 1))
    assert picture.set_pixel(0, 0, 0x1F00).get_pixel(0, 0) == (0, 0, 255)
    assert picture.set_pixel(1, 0).get_pixel(1, 0) == (255, 255, 255)


def test_indices_and_slices(image: Any) -> None:
    picture = image.Image(size=(2, 2))
    picture[3] = (255, 255, 255)
    picture[0:2] = [(255, 0, 0), (0, 255, 0)]
    assert picture[-1] == (255, 255, 255)
    assert picture[0:2] == ((255, 0, 0), (0, 255, 0))
    raises(IndexError, "Image index out of range", lambda: picture[4])
    raises(TypeError, "Image indices must be integers, not str", lambda: picture["a"])
    raises(OSError, "only slices with step=1 (aka None) are supported", lambda: picture[::2])
    raises(OSError, "cannot grow or shrink image", lambda: picture.__setitem__(slice(0, 2), [(1, 2, 3)]))
    raises(TypeError, "'Image' object is not iterable", lambda: iter(picture))


# Arguments -----------------------------------------------------------------------------------------------------
def test_floats_are_no_coordinates(image: Any) -> None:
    picture = image.Image(size=(8, 8))
    raises(TypeError, "can't convert float to int", lambda: picture.draw_rectangle(1.5, 2, 3, 4))
    raises(TypeError, "can't convert float to int", lambda: picture.draw_rectangle((0, 0, 1, 2.0)))
    raises(TypeError, "can't convert NoneType to int", lambda: picture.draw_cross(1, None))


def test_wrong_shapes_of_arguments(image: Any) -> None:
    picture = image.Image(size=(8, 8))
    raises(TypeError, "function missing 1 required positional arguments", picture.draw_line)
    raises(OSError, "Not enough positional arguments!", lambda: picture.draw_line(1, 2, 3))
    raises(ValueError, "requested length 4 but object has length 3", lambda: picture.draw_line((1, 2, 3)))
    raises(TypeError, "object 'str' isn't a tuple or list", lambda: picture.draw_line(0, 0, 1, 1, color="red"))
    raises(TypeError, "function takes 3 positional arguments but 2 were given", lambda: picture.resize(10))
    raises(TypeError, "function doesn't take keyword arguments", lambda: picture.resize(w=10, h=10))
    raises(TypeError, "can't convert 'int' object to str implicitly", lambda: picture.draw_string(0, 0, 5))
    raises(TypeError, "Can't convert int to Image", lambda: picture.draw_image(3, 0, 0))


def test_unknown_keywords_are_ignored_as_on_the_board(image: Any) -> None:
    picture = image.Image(size=(8, 8))
    assert picture.draw_rectangle(0, 0, 2, 2, colour=(0, 0, 0)) is picture
    assert picture.get_pixel(0, 0) == (255, 255, 255)


def test_regions_are_cut_to_the_picture_or_refused(image: Any) -> None:
    picture = image.Image(size=(8, 8))
    assert picture.copy((4, 4, 100, 100)).size() == 32
    raises(OSError, "Invalid ROI dimensions!", lambda: picture.copy(roi=(0, 0, 0, 5)))
    raises(OSError, "ROI does not overlap on the image!", lambda: picture.copy(roi=(8, 0, 2, 2)))


# Missing methods ------------------------------------------------------------------------------------------------
def test_a_minimum_firmware_lacks_what_only_the_full_one_has(make_bench: Callable[..., Bench]) -> None:
    picture = make_bench("minimum").image.Image(size=(8, 8))
    raises(AttributeError, "'Image' object has no attribute 'find_blobs'", lambda: picture.find_blobs([(0, 10)]))


# Copies ---------------------------------------------------------------------------------------------------------
def test_resize_has_no_kpu_planes_until_pix_to_ai(bench: Bench) -> None:
    picture = snapshot(bench, np.full((20, 20, 3), 200, np.uint8)).resize(10, 10)
    assert picture.pix_ai is None
    before = bench.gc.used_bytes
    assert picture.pix_to_ai() is None
    assert picture.pix_ai.shape == (3, 10, 10)
    assert picture.pix_ai[0, 0, 0] == picture.get_pixel(0, 0)[0]
    assert bench.gc.used_bytes - before == 64 * 10 * 3  # rows of 64


def test_pix_to_ai_writes_into_the_planes_of_a_snapshot(bench: Bench) -> None:
    pixels, planes = frame_from_rgb(np.zeros((4, 4, 3), np.uint8))
    picture = bench.image.from_camera(pixels, planes, 2)
    picture.draw_rectangle(0, 0, 4, 4, fill=True)
    assert planes.max() == 0
    picture.pix_to_ai()
    assert planes.min() == 255
    planes[...] = 0
    picture.ai_to_pix()
    assert picture.get_pixel(2, 2) == (0, 0, 0)


def test_gray_pictures_have_one_plane(image: Any) -> None:
    gray = image.Image(size=(4, 4)).to_grayscale()
    gray.set_pixel(1, 1, 77)
    gray.pix_to_ai()
    assert gray.pix_ai.shape == (1, 4, 4)
    assert gray.pix_ai[0, 1, 1] == 77


def test_crop_works_in_place_and_copy_does_not(image: Any) -> None:
    picture = image.Image(size=(8, 8)).set_pixel(4, 4)
    copied = picture.copy((4, 4, 2, 2))
    assert (picture.width(), copied.get_pixel(0, 0)) == (8, (255, 255, 255))
    cropped = picture.crop((4, 4, 2, 2))
    assert (picture.width(), picture.get_pixel(0, 0)) == (2, (255, 255, 255))
    cropped.set_pixel(1, 1, (255, 0, 0))
    assert picture.get_pixel(1, 1) == (255, 0, 0)
    raises(
        OSError,
        "The new image won't fit in the target frame buffer!",
        lambda: picture.crop(x_scale=2.0),
    )


def test_cut_gives_the_asked_size(image: Any) -> None:
    piece = image.Image(size=(8, 8)).set_pixel(7, 7).cut(6, 6, 4, 4)
    assert (piece.width(), piece.get_pixel(1, 1), piece.get_pixel(3, 3)) == (4, (255, 255, 255), (0, 0, 0))


def test_pools_check_their_divisors(image: Any) -> None:
    picture = image.Image(size=(8, 6))
    assert repr(picture.mean_pooled(2, 3)) == '{"w":4, "h":2, "type"="rgb565", "size":16}'
    assert picture.mean_pool(2, 2) is picture
    assert (picture.width(), picture.height()) == (4, 3)
    raises(OSError, "Width divisor must be greater than >= 1", lambda: picture.mean_pool(0, 1))
    raises(OSError, "Height divisor must be less than <= img height", lambda: picture.midpoint_pooled(1, 4))


def test_conversions_in_place_share_the_memory(image: Any) -> None:
    picture = image.Image(size=(8, 8)).set_pixel(0, 0, (255, 0, 0))
    gray = picture.to_grayscale()
    assert repr(picture) == repr(gray) == '{"w":8, "h":8, "type"="grayscale", "size":64}'
    gray.set_pixel(0, 0, 5)
    assert picture.get_pixel(0, 0) == 5
    raises(OSError, "Can't convert to rgb565 in place!", gray.to_rgb565)
    raises(OSError, "Can't convert to rainbow in place!", gray.to_rainbow)
    assert gray.to_rgb565(copy=True).format() == 2


def test_a_bitmap_counts_words_in_its_text_and_bytes_in_its_size(image: Any) -> None:
    bitmap = image.Image(size=(40, 2)).set_pixel(33, 1).to_bitmap(copy=True)
    assert repr(bitmap) == '{"w":40, "h":2, "type"="binary", "size":4}'
    assert (bitmap.size(), bitmap.format(), bitmap.get_pixel(33, 1)) == (16, None, 1)
    assert bytes(bitmap.to_grayscale(copy=True))[40 + 33] == 255


def test_rainbow_maps_gray_to_heat(image: Any) -> None:
    assert image.Image(size=(1, 1)).to_rainbow().get_pixel(0, 0) == (0, 198, 255)


def test_draw_image_scales_blends_and_masks(image: Any) -> None:
    stamp = image.Image(size=(2, 2))
    stamp.draw_rectangle(0, 0, 2, 2, (255, 0, 0), 1, True)
    picture = image.Image(size=(8, 8))
    assert picture.draw_image(stamp, 1, 1, x_scale=2.0) is picture
    red = (to_rgb888(picture)[..., 0] == 255).sum()
    assert red == 2 * 4
    half = image.Image(size=(2, 2)).draw_image(stamp, 0, 0, alpha=128)
    assert half.get_pixel(0, 0) == (123, 0, 0)  # alpha * 255 / 256, as the firmware weighs by brightness
    mask = image.Image(size=(2, 2)).set_pixel(0, 0)
    masked = image.Image(size=(2, 2)).draw_image(stamp, 0, 0, mask=mask)
    assert [masked.get_pixel(x, 0)[0] for x in (0, 1)] == [255, 0]
    raises(OSError, "Error: 0 <= alpha <= 256!", lambda: picture.draw_image(stamp, 0, 0, alpha=300))


# JPEG, files, bytes ---------------------------------------------------------------------------------------------
def test_compress_turns_the_picture_into_jpeg(image: Any) -> None:
    picture = image.Image(size=(64, 64))
    assert picture.compress(quality=40) is picture
    assert repr(picture).startswith('{"w":64, "h":64, "type"="jpeg", "size":')
    assert picture.format() == 5
    assert bytes(picture.to_bytes()[:2]) == b"\xff\xd8"
    raises(OSError, "Image format is not supported!", lambda: picture.draw_line(0, 0, 1, 1))


def test_compress_in_place_needs_room(image: Any) -> None:
    raises(OSError, "Can't compress in place!", lambda: image.Image(size=(8, 8)).compress())
    raises(OSError, "Error: 1 <= quality <= 100!", lambda: image.Image(size=(8, 8)).compressed(0))


def test_compressing_takes_the_scratch_buffer(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(heap_bytes=600 * 1024)
    words = (
        "Out of Memory! Please reduce the resolution of the image you are running this algorithm on to bypass this "
        "issue!"
    )
    raises(MemoryError, words, lambda: bench.image.Image(size=(64, 64)).compressed())


def test_compressed_is_a_new_picture_of_its_own_bytes(bench: Bench) -> None:
    picture = bench.image.Image(size=(64, 64))
    before, time_before = bench.gc.used_bytes, bench.clock.now
    small = picture.compressed(quality=50)
    assert bench.gc.used_bytes - before == -(-small.size() // 32) * 32
    assert picture.format() == 2
    assert bench.clock.now > time_before


def test_to_bytes_is_the_pictures_own_memory(image: Any) -> None:
    picture = image.Image(size=(2, 1)).set_pixel(0, 0, (255, 0, 0))
    memory = picture.to_bytes()
    assert bytes(memory) == b"\xf8\x00\x00\x00"
    memory[2:4] = b"\x00\x1f"
    assert picture.get_pixel(1, 0) == (0, 0, 255)


def test_compressed_for_ide_carries_six_bits_to_a_byte(image: Any) -> None:
    picture = image.Image(size=(32, 32))
    plain = bytes(picture.compressed().to_bytes())
    coded = bytes(picture.compressed_for_ide().to_bytes())
    assert coded[0] == coded[-1] == 0xFE
    assert len(coded) == (len(plain) * 8 + 5) // 6 + 2
    bits = "".join(f"{byte & 0x3F:06b}"[::-1] for byte in coded[1:-1])
    assert bytes(int(bits[i : i + 8][::-1], 2) for i in range(0, len(plain) * 8, 8)) == plain


@pytest.mark.parametrize("gray", [False, True])
def test_a_bmp_comes_back_bit_for_bit(image: Any, tmp_path: Path, gray: bool) -> None:
    picture = image.Image(size=(5, 3)).set_pixel(4, 2, (8, 252, 16)).set_pixel(0, 0)
    if gray:
        picture.to_grayscale()
    assert picture.save("/flash/a.bmp") is picture
    loaded = image.Image("/flash/a.bmp")
    assert repr(loaded) == repr(picture)
    assert bytes(loaded) == bytes(picture)
    assert (tmp_path / "a.bmp").read_bytes()[:2] == b"BM"


def test_a_bmp_of_a_region_and_a_jpeg_of_the_whole(image: Any) -> None:
    picture = image.Image(size=(16, 16))
    picture.save("/flash/part.bmp", (2, 3, 4, 5))
    assert (image.Image("/flash/part.bmp").width(), image.Image("/flash/part.bmp").height()) == (4, 5)
    picture.save("part.JPG", (2, 3, 4, 5), 90)
    assert image.Image("/flash/part.JPG").width() == 16


def test_other_names_write_nothing(image: Any, tmp_path: Path) -> None:
    image.Image(size=(4, 4)).save("/flash/a.png").save("/flash/a.ppm")
    assert list(tmp_path.iterdir()) == []
    raises(OSError, "Image is not PGM!", lambda: image.Image(size=(4, 4)).save("/flash/a.pgm"))


def test_a_jpeg_from_bytes_and_from_a_file_object(image: Any, bench: Bench) -> None:
    data = bytes(image.Image(size=(16, 8)).compressed().to_bytes())
    assert image.Image(data, from_bytes=True).width() == 16
    with bench.files.open("/flash/x", "wb") as file:
        file.write(data)
    with bench.files.open("/flash/x", "rb") as file:
        assert image.Image(file).height() == 8


def test_files_that_cannot_be_read(image: Any, bench: Bench) -> None:
    with bench.files.open("/flash/a.png", "wb") as file:
        file.write(b"\x89PNG....")
    raises(ValueError, "format not supported", lambda: image.Image("/flash/a.png"))
    raises(OSError, "[Errno 2] ENOENT", lambda: image.Image("/flash/none.jpg"))
    raises(OSError, "Not support", lambda: image.Image(b"BM....", from_bytes=True))


def test_colors_one_at_a_time(image: Any) -> None:
    assert image.rgb_to_grayscale((255, 255, 255)) in (254, 255)  # cut, and the sum of the weights is 1 less a bit
    assert image.rgb_to_grayscale((0, 0, 0)) == 0
    assert image.grayscale_to_rgb(7) == (7, 7, 7)
    assert image.rgb_to_lab((0, 0, 0)) == (-1, 0, 0)  # 116 * 0.137931 is 15.99, cut
    assert image.lab_to_rgb((100, 0, 0))[1] >= 254
