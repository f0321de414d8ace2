"""Drawing against a plain oracle that steps pixel by pixel, as the firmware does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from k210kit.emulator.modules.image.draw import (
    draw_arrow,
    draw_circle,
    draw_cross,
    draw_ellipse,
    draw_line,
    draw_rectangle,
)

WIDTH, HEIGHT = 14, 11
near = st.integers(-20, 30)
anywhere = st.integers(-(10**6), 10**6)


def blank() -> NDArray[np.uint8]:
    return np.zeros((HEIGHT, WIDTH), np.uint8)


def rows(canvas: NDArray[np.uint8]) -> list[str]:
    return ["".join("#" if pixel else "." for pixel in row) for row in canvas]


def stepped_line(x0: int, y0: int, x1: int, y1: int, thickness: int) -> NDArray[np.uint8]:
    canvas = blank()
    before, after = thickness // 2, (thickness - 1) // 2
    dx, dy, sx, sy = abs(x1 - x0), abs(y1 - y0), 1 if x0 < x1 else -1, 1 if y0 < y1 else -1
    error = int((dx if dx > dy else -dy) / 2)
    while True:
        for y in range(-before, after + 1):
            for x in range(-before, after + 1):
                if x * x + y * y <= before * before and 0 <= x0 + x < WIDTH and 0 <= y0 + y < HEIGHT:
                    canvas[y0 + y, x0 + x] = 1
        if (x0, y0) == (x1, y1):
            return canvas
        now = error
        if now > -dx:
            error -= dy
            x0 += sx
        if now < dy:
            error += dx
            y0 += sy


@given(near, near, near, near, st.integers(1, 5))
def test_a_line_is_that_of_the_stepping_algorithm(x0: int, y0: int, x1: int, y1: int, thickness: int) -> None:
    canvas = blank()
    draw_line(canvas, x0, y0, x1, y1, 1, thickness)
    assert rows(canvas) == rows(stepped_line(x0, y0, x1, y1, thickness))


def test_a_rectangle_of_thickness_1_lies_on_its_border_pixels() -> None:
    canvas = blank()
    draw_rectangle(canvas, 1, 1, 4, 3, 1)
    assert rows(canvas)[:5] == [
        "..............",
        ".####.........",
        ".#..#.........",
        ".####.........",
        "..............",
    ]


def test_a_rectangle_of_thickness_2_grows_to_the_upper_left() -> None:
    canvas = blank()
    draw_rectangle(canvas, 2, 2, 4, 4, 1, 2)
    assert rows(canvas)[:7] == [
        "..............",
        ".#####........",
        ".#####........",
        ".##.##........",
        ".#####........",
        ".#####........",
        "..............",
    ]


def test_a_filled_rectangle_ignores_the_thickness() -> None:
    canvas = blank()
    draw_rectangle(canvas, 12, 9, 10, 10, 1, 5, True)
    assert canvas.sum() == 4


@pytest.mark.parametrize("fill", [True, False])
def test_a_rectangle_without_size_fills_nothing(fill: bool) -> None:
    canvas = blank()
    draw_rectangle(canvas, 3, 3, 0, 0, 1, 1, fill)
    assert canvas.sum() == 0


def test_a_circle_of_radius_3() -> None:
    canvas = blank()
    draw_circle(canvas, 4, 4, 3, 1)
    assert rows(canvas)[:9] == [
        "..............",
        "...###........",
        "..#...#.......",
        ".#.....#......",
        ".#.....#......",
        ".#.....#......",
        "..#...#.......",
        "...###........",
        "..............",
    ]


def test_a_filled_circle_holds_the_points_within_its_radius() -> None:
    canvas = blank()
    draw_circle(canvas, 5, 5, 2, 1, 1, True)
    inside = [(x, y) for y in range(HEIGHT) for x in range(WIDTH) if (x - 5) ** 2 + (y - 5) ** 2 <= 4]
    assert sorted((int(x), int(y)) for y, x in np.argwhere(canvas)) == sorted(inside)


def test_a_cross_has_arms_of_its_size() -> None:
    canvas = blank()
    draw_cross(canvas, 5, 5, 1, 2)
    assert canvas.sum() == 9
    assert canvas[5, 3:8].all()
    assert canvas[3:8, 5].all()


def test_an_arrow_without_length_is_a_point() -> None:
    canvas = blank()
    draw_arrow(canvas, 5, 5, 5, 5, 1)
    assert np.argwhere(canvas).tolist() == [[5, 5]]


def test_an_upright_ellipse_is_symmetric() -> None:
    canvas = blank()
    draw_ellipse(canvas, 6, 5, 5, 3, 0, 1, 1, False)
    window = canvas[2:9, 1:12]
    assert np.array_equal(window, window[::-1])
    assert np.array_equal(window, window[:, ::-1])
    assert canvas[2, 6]
    assert canvas[5, 1]


@settings(max_examples=60)
@given(anywhere, anywhere, anywhere, st.integers(-3, 40), st.booleans())
def test_nothing_is_drawn_out_of_bounds(x: int, y: int, far: int, thickness: int, fill: bool) -> None:
    """Canvases are views of a larger array; a stray pixel would show around them."""
    whole = np.zeros((HEIGHT + 8, WIDTH + 8), np.uint8)
    canvas = whole[4:-4, 4:-4]
    draw_line(canvas, x, y, far, -far, 1, thickness)
    draw_rectangle(canvas, x, y, far, far, 1, thickness, fill)
    draw_circle(canvas, x, y, far % 5000, 1, thickness, fill)
    draw_ellipse(canvas, x % 50, y % 50, far % 60, y % 40, x % 360, 1, thickness, fill)
    whole[4:-4, 4:-4] = 0
    assert not whole.any()
