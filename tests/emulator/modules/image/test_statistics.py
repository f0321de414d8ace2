from __future__ import annotations

from typing import Any

import pytest


def two_halves(image: Any) -> Any:
    """Left half black, right half white."""
    picture = image.Image(size=(8, 4))
    return picture.draw_rectangle(4, 0, 4, 4, fill=True)


def test_a_histogram_holds_shares(image: Any) -> None:
    histogram = two_halves(image).get_histogram()
    assert (histogram.bins()[0], histogram.bins()[100], sum(histogram.l_bins())) == (0.5, 0.5, 1.0)
    assert len(histogram.a_bins()) == len(histogram.b_bins()) == 256
    assert histogram[0] == histogram.bins()
    assert repr(two_halves(image).to_grayscale().get_histogram(bins=2)) == '{"bins":[0.5, 0.5]}'


def test_bins_of_a_threshold_and_a_region(image: Any) -> None:
    white = two_halves(image).get_histogram(thresholds=[(50, 100)], roi=(0, 0, 8, 2), l_bins=2)
    assert white.bins() == [0.0, 0.5]
    with pytest.raises(OSError, match="bins must be >= 2"):
        two_halves(image).get_histogram(bins=1)


def test_statistics_of_gray(image: Any) -> None:
    statistics = two_halves(image).to_grayscale().get_statistics()
    assert repr(statistics) == ('{"mean":127, "median":0, "mode":0, "stdev":127, "min":0, "max":255, "lq":0, "uq":255}')
    assert (statistics.mean(), statistics.l_mean(), statistics[0], statistics.a_mean()) == (127, 127, 127, 0)


def test_statistics_of_color_have_three_channels(image: Any) -> None:
    picture = image.Image(size=(4, 4))
    picture.draw_rectangle(0, 0, 4, 4, (255, 0, 0), 1, True)
    statistics = picture.statistics()
    assert (statistics.l_mode(), statistics.a_mode(), statistics.b_mode()) == (53, 80, 67)
    assert repr(statistics).startswith('{"l_mean":')


def test_percentiles_and_otsus_threshold(image: Any) -> None:
    histogram = two_halves(image).to_grayscale().histogram()
    assert histogram.get_percentile(0.9).value() == 255
    assert histogram.get_percentile(0.2)[0] == 0
    assert repr(histogram.get_threshold()) == '{"value":0}'
    assert repr(two_halves(image).get_hist().get_percentile(0.9)) == '{"l_value:100", "a_value":0, "b_value":0}'
    with pytest.raises(TypeError, match="function takes 2 positional arguments but 1 were given"):
        histogram.get_percentile()


def test_a_picture_is_like_itself(image: Any) -> None:
    picture = two_halves(image).to_grayscale()
    same, other = picture.get_similarity(picture), picture.get_similarity(128)
    assert same.mean() == 1.0
    assert other.mean() < 0.5
    with pytest.raises(OSError, match="Images not equal!"):
        picture.get_similarity(image.Image(size=(8, 4)))


def test_regression_follows_a_line(image: Any) -> None:
    picture = image.Image(size=(40, 40)).draw_line(0, 0, 39, 39)
    line = picture.get_regression([(90, 100)], robust=True)
    assert line.line() == (0, 0, 39, 39)
    assert (line.theta(), line.rho()) == (135, 0)
    assert picture.get_regression([(90, 100)]).theta() == 179  # equal spreads: the firmware then takes 90 + 90 degrees
    assert picture.get_regression([(90, 100)], pixels_threshold=1000) is None
    assert repr(line).startswith('{"x1":0, "y1":0, "x2":39, "y2":39, "length":55, ')
