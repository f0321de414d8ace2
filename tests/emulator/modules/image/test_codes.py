"""Codes drawn by the decoders' own writers, at sizes that the camera gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from k210kit.emulator.modules.image import frame_from_rgb

from .conftest import Bench

zxing = pytest.importorskip("zxingcpp")


def shown(bench: Bench, text: str, kind: str, scale: int, size: tuple[int, int] = (240, 320)) -> Any:
    code = np.array(zxing.create_barcode(text, zxing.barcode_format_from_str(kind)).to_image(scale=scale))
    gray = np.full(size, 230, np.uint8)
    gray[20 : 20 + code.shape[0], 40 : 40 + code.shape[1]] = np.where(code > 127, 230, 20)
    pixels, planes = frame_from_rgb(np.repeat(gray[..., None], 3, axis=2))
    return bench.image.from_camera(pixels, planes, 2)


def test_a_qr_code_is_read_with_its_facts(bench: Bench) -> None:
    (code,) = shown(bench, "Hello K210", "QRCode", 5).find_qrcodes()
    assert code.payload() == "Hello K210" == code[4]
    assert (code.version(), code.data_type(), code.is_binary(), code.is_numeric()) == (1, 4, True, False)
    assert len(code.corners()) == 4
    x, y, w, h = code.rect()
    assert (x, y) == code.corners()[0]
    assert 95 <= w <= 110
    assert 95 <= h <= 110
    assert repr(code).startswith(f'{{"x":{x}, "y":{y}, "w":{w}, "h":{h}, "payload":"Hello K210", "version":1, ')


def test_a_region_limits_the_search_and_moves_the_corners_back(bench: Bench) -> None:
    picture = shown(bench, "12345", "QRCode", 4)
    (code,) = picture.find_qrcodes(roi=(30, 10, 200, 200))
    assert code.is_numeric()
    assert code.x() >= 40
    assert picture.find_qrcodes(roi=(0, 0, 40, 40)) == []


def test_a_bar_code_is_read(bench: Bench) -> None:
    (code,) = shown(bench, "4006381333931", "EAN13", 2).find_barcodes()
    assert (code.payload(), code.type()) == ("4006381333931", bench.image.EAN13)
    assert code.rotation() == 0.0


def test_a_data_matrix_is_read(bench: Bench) -> None:
    (code,) = shown(bench, "K210", "DataMatrix", 6).find_datamatrices()
    assert code.payload() == "K210"
    assert code.rows() == code.columns() > 0


def test_an_empty_picture_has_no_codes(bench: Bench) -> None:
    picture = bench.image.Image(size=(64, 64))
    assert picture.find_qrcodes() == picture.find_barcodes() == []


def test_apriltags_need_a_small_region_and_find_nothing_in_nothing(bench: Bench) -> None:
    pytest.importorskip("pupil_apriltags")
    with pytest.raises(OSError, match="The maximum supported resolution"):
        bench.image.Image().find_apriltags()
    assert bench.image.Image(size=(60, 60)).find_apriltags() == []


# tag36h11 number 0, drawn by hand from its 36-bit code: black border, bits in rows of six
TAG_0 = 0xD5D628584


def test_an_apriltag_is_read_with_its_pose(bench: Bench) -> None:
    pytest.importorskip("pupil_apriltags")
    pattern = tag(TAG_0)
    gray = np.full((160, 160), 230, np.uint8)
    gray[30:130, 30:130] = np.kron(pattern, np.ones((10, 10), np.uint8))
    pixels, planes = frame_from_rgb(np.repeat(gray[..., None], 3, axis=2))
    (found,) = bench.image.from_camera(pixels, planes, 2).find_apriltags()
    assert (found.id(), found.family(), found.hamming()) == (0, bench.image.TAG36H11, 0)
    assert abs(found.cx() - 80) <= 1
    assert found.z_translation() < 0
    assert abs(np.sin(found.rotation())) < 0.05


def tag(code: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A tag of 8 x 8 cells in a white frame; the bits run in rows, the highest first."""
    cells = np.array([(code >> (35 - at)) & 1 for at in range(36)], np.uint8).reshape(6, 6)
    whole = np.pad(np.pad(cells, 1), 1, constant_values=1)
    return np.where(whole, 230, 20).astype(np.uint8)
