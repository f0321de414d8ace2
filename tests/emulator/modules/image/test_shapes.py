from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from k210kit.emulator.modules.image.arguments import Region
from k210kit.emulator.modules.image.template import best_match


def test_a_line_is_found_where_it_was_drawn(image: Any) -> None:
    picture = image.Image(size=(80, 60)).draw_line(0, 30, 79, 30, thickness=3)
    found = picture.find_lines(threshold=2000, theta_margin=25, rho_margin=25)
    assert len(found) == 1
    assert found[0].theta() in (89, 90)
    assert abs(found[0].y1() - 30) <= 2
    assert found[0].line() == found[0][0:4]


def test_a_circle_is_found_where_it_was_drawn(image: Any) -> None:
    picture = image.Image(size=(80, 80)).draw_circle(40, 36, 20, fill=True)
    found = picture.find_circles(threshold=3500, r_min=15, r_max=26, r_step=1, x_margin=30, y_margin=30, r_margin=30)
    assert len(found) == 1
    x, y, r = found[0].circle()
    assert max(abs(x - 40), abs(y - 36), abs(r - 20)) <= 2
    assert repr(found[0]).startswith(f'{{"x":{x}, "y":{y}, "r":{r}, "magnitude":')


def test_a_template_is_found_where_it_was_cut() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (40, 50), dtype=np.uint8)
    match, x, y = best_match(picture, picture[12:20, 22:31], Region(0, 0, 50, 40), 1)
    assert (x, y) == (22, 12)
    assert match > 0.99


def test_find_template_needs_gray_pictures_and_a_match(image: Any) -> None:
    picture = image.Image(size=(30, 20))
    with pytest.raises(OSError, match="Image format is not supported!"):
        picture.find_template(picture, 0.5)
    gray = picture.draw_circle(15, 10, 5, fill=True).to_grayscale(copy=True)
    piece = gray.copy((8, 3, 14, 14))
    assert gray.find_template(piece, 0.9, step=1) == (8, 3, 14, 14)
    assert gray.find_template(piece, 1.5, step=1) is None
    with pytest.raises(OSError, match="Region of interest is smaller than template!"):
        piece.find_template(gray, 0.5)


def test_canny_leaves_thin_lines_on_black(image: Any) -> None:
    gray = image.Image(size=(40, 40)).draw_rectangle(10, 10, 20, 20, fill=True).to_grayscale(copy=True)
    assert gray.find_edges(image.EDGE_CANNY, threshold=(50, 80)) is gray
    values = {gray[at] for at in range(1600)}
    assert values == {0, 255}
    assert sum(gray[20 * 40 + x] == 255 for x in range(40)) in range(2, 7)
    simple = image.Image(size=(40, 40)).draw_rectangle(10, 10, 20, 20, fill=True).to_grayscale(copy=True)
    simple.find_edges(image.EDGE_SIMPLE, threshold=(100, 255))
    assert simple[20 * 40 + 20] == 0
