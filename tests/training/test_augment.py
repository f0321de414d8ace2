"""Changed pictures keep their meaning: boxes stay on what they mark, and the seed decides everything."""

from __future__ import annotations

import numpy as np
import pytest

from k210kit.training.augment import Augmentation, Sample, augment, flip_makes_sense, mosaic

STILL = Augmentation(light=0, blur=0, noise=0)


def marked(left: int, top: int, right: int, bottom: int, channels: int = 3) -> Sample:
    """A white patch on black, and its box."""
    pixels = np.zeros((96, 128, channels), np.uint8)
    pixels[top:bottom, left:right] = 255
    return Sample(
        pixels=pixels, boxes=np.array([[left, top, right, bottom]], np.float32), classes=np.array([1], np.int32)
    )


def bright(pixels: np.ndarray) -> list[int]:  # type: ignore[type-arg]
    rows, columns = np.nonzero(pixels[..., 0] > 190)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


@pytest.mark.parametrize("seed", range(30))
def test_the_box_stays_on_the_patch(seed: int) -> None:
    how = Augmentation(turn=0, zoom=1.4, shift=0.15, light=0, blur=0, noise=0)
    made = augment(marked(50, 30, 90, 60), how, np.random.default_rng(seed))
    assert np.abs(made.boxes[0] - bright(made.pixels)).max() <= 1.5


@pytest.mark.parametrize("seed", range(30))
def test_every_box_of_a_mosaic_is_on_its_patch(seed: int) -> None:
    parts = [
        marked(40, 30, 90, 70),
        *[
            Sample(
                pixels=np.zeros((96, 128, 3), np.uint8),
                boxes=np.zeros((0, 4), np.float32),
                classes=np.zeros(0, np.int32),
            )
        ]
        * 3,
    ]
    made = mosaic(parts, STILL, np.random.default_rng(seed))
    for box in made.boxes:
        assert np.abs(box - bright(made.pixels)).max() <= 2.0


def test_a_box_that_left_the_picture_is_gone() -> None:
    how = Augmentation(turn=0, zoom=1, shift=1.0, flip=False, light=0, blur=0, noise=0)
    made = [augment(marked(2, 2, 12, 12), how, np.random.default_rng(seed)) for seed in range(40)]
    assert {len(m.boxes) for m in made} == {0, 1}
    assert all((m.boxes >= 0).all() and (m.boxes[:, 2] <= 128).all() for m in made)


def test_the_seed_decides_everything() -> None:
    how = Augmentation(mosaic=1)
    first, again, other = (augment(marked(9, 9, 60, 60), how, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert np.array_equal(first.pixels, again.pixels)
    assert not np.array_equal(first.pixels, other.pixels)


def test_grey_pictures_stay_grey() -> None:
    made = augment(marked(9, 9, 60, 60, channels=1), Augmentation(), np.random.default_rng(0))
    assert made.pixels.shape == (96, 128, 1)


def test_the_ramp_grows_to_full_strength() -> None:
    how = Augmentation(zoom=1.3, ramp=0.5)
    assert how.at(0.0).zoom == pytest.approx(1.1)
    assert how.at(0.25).zoom == pytest.approx(1.2)
    assert how.at(0.5) == how


@pytest.mark.parametrize(
    ("labels", "sense"),
    [
        (("raccoon",), True),
        (("cat", "dog"), True),
        (("0", "1"), False),
        (("left turn", "stop"), False),
        (("b", "d"), False),
    ],
)
def test_a_mirrored_digit_letter_or_arrow_means_something_else(labels: tuple[str, ...], sense: bool) -> None:
    assert flip_makes_sense(labels) is sense
