import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from k210kit.emulator.modules.image.frame import Frame
from k210kit.emulator.modules.image.jpeg import _quantisers, encode
from k210kit.emulator.modules.image.pixels import WORD, Format, frame_from_rgb, rgb_of_words


def scene(width: int, height: int) -> Frame:
    """A smooth picture with an edge and some texture."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    red = 255 * x / width
    green = 127 + 100 * np.sin(x / 9) * np.cos(y / 7)
    blue = np.where(x > y, 200, 40)
    rgb = np.stack([red, green, blue], axis=2).astype(np.uint8)
    return Frame(width, height, Format.RGB565, frame_from_rgb(rgb)[0].view(WORD))


def decoded(data: bytes) -> Pillow.Image:
    picture = Pillow.open(io.BytesIO(data))
    picture.load()
    return picture


@pytest.mark.parametrize(
    ("quality", "sampling"), [(95, 0x11), (60, 0x11), (59, 0x21), (36, 0x21), (35, 0x22), (1, 0x22)]
)
def test_quality_chooses_the_chroma_sampling(quality: int, sampling: int) -> None:
    data = encode(scene(32, 32), quality, fast_yuv=True)
    start = data.index(b"\xff\xc0")
    assert data[start + 11] == sampling


def test_a_high_quality_is_close_to_the_picture() -> None:
    frame = scene(64, 48)
    shown = np.asarray(decoded(encode(frame, 95, fast_yuv=True)).convert("RGB")).astype(int)
    assert np.abs(shown - rgb_of_words(frame.data)).mean() < 4


def test_headers_are_jfif_with_the_tables_of_annex_k() -> None:
    data = encode(scene(16, 16), 50, fast_yuv=True)
    assert data[:11] == b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"
    assert data[-2:] == b"\xff\xd9"
    luma, chroma = _quantisers(50)
    assert luma[:4].tolist() == [16, 11, 12, 14]
    assert chroma[:4].tolist() == [17, 18, 18, 24]
    assert len(data[: data.index(b"\xff\xda")]) == 2 + 18 + 134 + 19 + 420


def test_gray_and_binary_pictures_have_one_component() -> None:
    gray = Frame(9, 7, Format.GRAYSCALE, np.full((7, 9), 90, np.uint8))
    assert decoded(encode(gray, 50, fast_yuv=True)).mode == "L"
    binary = Frame(8, 8, Format.BINARY, np.ones((8, 8), np.uint8))
    assert np.asarray(decoded(encode(binary, 90, fast_yuv=True))).min() > 240


def test_a_flat_gray_block_of_128_is_a_difference_of_0_and_an_end_of_block() -> None:
    gray = Frame(8, 8, Format.GRAYSCALE, np.full((8, 8), 128, np.uint8))
    assert encode(gray, 50, fast_yuv=True)[-3:] == bytes([0b00_1010_11]) + b"\xff\xd9"


def test_sizes_grow_with_quality() -> None:
    frame = scene(64, 64)
    sizes = [len(encode(frame, quality, fast_yuv=True)) for quality in (10, 30, 50, 70, 90)]
    assert sizes == sorted(sizes)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 100))
def test_every_size_and_quality_can_be_read_back(width: int, height: int, quality: int) -> None:
    assert decoded(encode(scene(width, height), quality, fast_yuv=True)).size == (width, height)
