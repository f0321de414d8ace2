"""find_blobs against a plain oracle that floods from each starting point."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from k210kit.emulator.modules.image.arguments import Region, Threshold
from k210kit.emulator.modules.image.blobs import Search, find_blobs
from k210kit.emulator.modules.image.frame import Frame
from k210kit.emulator.modules.image.pixels import Format

SET = Threshold(200, 255, -128, 127, -128, 127)


def gray(rows: list[str]) -> Frame:
    data = np.array([[255 if cell == "#" else 0 for cell in row] for row in rows], np.uint8)
    return Frame(data.shape[1], data.shape[0], Format.GRAYSCALE, data)


def flooded(frame: Frame, region: Region, x_stride: int, y_stride: int) -> list[tuple[int, ...]]:
    """(x, y, w, h, pixels, cx, cy) of each blob, by filling from one starting point after the other."""
    taken = np.zeros(frame.data.shape, bool)
    found = []
    for y in range(region.y, region.y + region.h, y_stride):
        for x in range(region.x + y % x_stride, region.x + region.w, x_stride):
            if taken[y, x] or frame.data[y, x] < 200:
                continue
            waiting, points = [(x, y)], []
            taken[y, x] = True
            while waiting:
                px, py = waiting.pop()
                points.append((px, py))
                for nx, ny in ((px + 1, py), (px - 1, py), (px, py + 1), (px, py - 1)):
                    inside = region.x <= nx < region.x + region.w and region.y <= ny < region.y + region.h
                    if inside and not taken[ny, nx] and frame.data[ny, nx] >= 200:
                        taken[ny, nx] = True
                        waiting.append((nx, ny))
            xs, ys = [p[0] for p in points], [p[1] for p in points]
            box = (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))
            found.append((*box, len(points), sum(xs) // len(points), sum(ys) // len(points)))
    return found


@settings(max_examples=80, deadline=None)
@given(
    arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.sampled_from([0, 255])),
    st.integers(1, 3),
    st.integers(1, 3),
    st.data(),
)
def test_blobs_are_those_of_the_flooding_oracle(data: Any, x_stride: int, y_stride: int, draw: Any) -> None:
    height, width = data.shape
    x, y = draw.draw(st.integers(0, width - 1)), draw.draw(st.integers(0, height - 1))
    region = Region(x, y, draw.draw(st.integers(1, width - x)), draw.draw(st.integers(1, height - y)))
    frame = Frame(width, height, Format.GRAYSCALE, data)
    search = Search(
        thresholds=[SET], region=region, x_stride=x_stride, y_stride=y_stride, area_threshold=0, pixels_threshold=0
    )
    got = [blob.values[:7] for blob in find_blobs(frame, search, True)]
    assert got == flooded(frame, region, x_stride, y_stride)


SQUARES = ["........", ".##.....", ".##..##.", ".....##.", "........"]


def whole(frame: Frame, **settings: Any) -> Search:
    small = {"area_threshold": 0, "pixels_threshold": 0, "x_stride": 1}
    return Search(thresholds=[SET], region=Region(0, 0, frame.width, frame.height), **(small | settings))


def test_width_is_the_difference_of_the_outer_columns() -> None:
    frame = gray(SQUARES)
    assert find_blobs(frame, whole(frame), True)[0].values[:5] == (1, 1, 1, 1, 4)


def test_small_blobs_are_left_out_by_area_and_by_pixels() -> None:
    frame = gray(SQUARES)
    assert find_blobs(frame, whole(frame, area_threshold=2), True) == []
    assert find_blobs(frame, whole(frame, pixels_threshold=5), True) == []


def test_a_pixel_belongs_to_the_first_threshold_that_takes_it() -> None:
    frame = gray(SQUARES)
    twice = Search(thresholds=[SET, SET], region=Region(0, 0, 8, 5), x_stride=1, area_threshold=0, pixels_threshold=0)
    assert [blob.code for blob in find_blobs(frame, twice, True)] == [1, 1]


def test_merging_joins_what_overlaps_with_the_margin() -> None:
    frame = gray(SQUARES)
    apart = find_blobs(frame, whole(frame, merge=True), True)
    assert len(apart) == 2
    joined = find_blobs(frame, whole(frame, merge=True, margin=4), True)
    assert joined[0].values[:7] == (1, 1, 5, 2, 8, 3, 1)
    assert joined[0].count == 2


def test_a_blob_answers_by_method_and_by_index(image: Any) -> None:
    picture = image.Image(size=(40, 40))
    picture.draw_rectangle(4, 6, 21, 11, (255, 0, 0), 1, True)
    (blob,) = picture.find_blobs([(40, 60, 60, 100, 50, 80)])
    assert blob.rect() == (4, 6, 20, 10) == blob[0:4]
    assert (blob.pixels(), blob.cx(), blob.cy(), blob.code(), blob.count()) == (231, 14, 11, 1, 1)
    assert (blob.area(), round(blob.density(), 4)) == (200, 1.155)
    assert blob[4] == 231
    assert repr(blob) == (
        '{"x":4, "y":6, "w":20, "h":10, "pixels":231, "cx":14, "cy":11, "rotation":0.000000, "code":1, "count":1}'
    )
    with pytest.raises(IndexError, match="blob index out of range"):
        blob[10]
    assert type(blob).__name__ == "blob"


def test_callbacks_choose_blobs(image: Any) -> None:
    picture = image.Image(size=(40, 40))
    picture.draw_rectangle(0, 0, 10, 10, fill=True).draw_rectangle(20, 20, 18, 18, fill=True)
    white = [(90, 100, -10, 10, -10, 10)]
    assert len(picture.find_blobs(white)) == 2
    assert [blob.x() for blob in picture.find_blobs(white, threshold_cb=lambda blob: blob.w() > 12)] == [20]
    assert len(picture.find_blobs(white, merge=True, margin=20)) == 1
    assert len(picture.find_blobs(white, merge=True, margin=20, merge_cb=lambda a, b: False)) == 2


def test_no_thresholds_find_nothing_and_strides_are_checked(image: Any) -> None:
    picture = image.Image(size=(8, 8))
    assert picture.find_blobs([]) == []
    assert picture.find_blobs([(0, 100)], invert=True) == []
    with pytest.raises(OSError, match=r"x_stride must not be zero\."):
        picture.find_blobs([(0, 100)], x_stride=0)
