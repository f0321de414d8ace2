"""The integers of a layer: what the table gives, how weights are rounded, and a whole layer against its floats."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k210kit.compiler import curves
from k210kit.compiler.ops import Curve
from k210kit.compiler.quantize.calibrate import Statistics
from k210kit.compiler.quantize.integers import encode, layer_integers
from k210kit.compiler.quantize.reach import limits, reach
from k210kit.compiler.quantize.rounding import rounded_dense, rounded_depthwise, triangle
from k210kit.compiler.quantize.scales import Scale
from k210kit.compiler.quantize.tables import fitted, grouped_slopes, per_channel_slopes, straight, table
from k210kit.compiler.stages import KpuConv
from k210kit.kmodel.arithmetic.kpu import activate, convolve


def bytes_of(pieces: list, b: np.ndarray) -> np.ndarray:
    made = table(pieces)
    return activate(b.astype(np.int64), made.x_start, made.y_mul, made.shift, made.bias)


def test_a_relu_table_is_flat_below_zero_and_one_byte_per_256_above() -> None:
    b = np.array([-70000, -1, 0, 256, 512, 256 * 255, 256 * 300])
    assert bytes_of(straight(0, 12, clip_below=True), b).tolist() == [0, 0, 0, 1, 2, 255, 255]


def test_a_leaky_table_has_its_slope_below_the_zero() -> None:
    b = 256 * np.array([-200, -100, -50, 0, 10])
    assert bytes_of(straight(60, 12, slope=0.5), b).tolist() == [0, 10, 35, 60, 70]


def test_slopes_per_channel_lie_in_regions_of_one_table() -> None:
    slopes = np.array([0.5, 0.25, 0.5])
    pieces, middles = per_channel_slopes(slopes, 100.0, 12)
    for slope, middle in zip(slopes, middles, strict=True):
        got = bytes_of(pieces, middle + 256 * np.array([-1000, -100, 0, 50, 1000]))
        assert got.tolist() == [0, round(100 - 100 * slope), 100, 150, 255]


@pytest.mark.parametrize("kind", ["silu", "sigmoid", "tanh", "hard_swish"])
def test_a_fitted_curve_is_within_two_bytes_of_the_function_wherever_samples_lie(kind: str) -> None:
    sample = np.linspace(-8, 8, 4001).astype(np.float32)
    curve = Curve(kind=kind, alpha=1.0)
    exact = curves.evaluate(curve, sample.astype(np.float64))
    step = float(exact.max() - exact.min()) / 255
    zero = float(np.round(-exact.min() / step))
    unit = step / 256
    pieces = fitted(curve, unit=unit, step=step, zero=zero, sample=sample)
    assert len(pieces) <= 16
    assert all(piece.y_mul >= 0 and 0 <= piece.bias <= 255 for piece in pieces)
    got = bytes_of(pieces, np.round(sample / unit)).astype(float)
    assert np.abs(got - (exact / step + zero)).max() <= 2.0


def test_rounding_together_loses_less_than_rounding_to_the_nearest() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(24, 6)) @ rng.normal(size=(6, 4000)) + 0.1 * rng.normal(size=(24, 4000))
    wanted = rng.uniform(-20, 20, (8, 24))
    together = rounded_dense(wanted, np.cov(x, bias=True))
    assert np.array_equal(together, np.round(together))
    lost = [float(((codes - wanted) @ x).var(1).sum()) for codes in (together, np.round(wanted))]
    assert lost[0] < 0.5 * lost[1]


def test_channels_rounded_on_their_own_are_rounded_as_a_layer_of_one() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(5, 9, 9)) @ rng.normal(size=(5, 9, 400))
    covariances, wanted = np.stack([np.cov(one, bias=True) for one in x]), rng.uniform(-20, 20, (5, 9))
    together = rounded_depthwise(wanted, covariances)
    for row, one, covariance in zip(together, wanted, covariances, strict=True):
        assert row.tolist() == rounded_dense(one[None], covariance)[0].tolist()


@pytest.mark.parametrize("size", [1, 9, 64, 65, 200])
def test_the_triangle_is_cholesky_s_of_the_covariance_and_a_hundredth(size: int) -> None:
    """Bound: it counts steps of 2^-26 of each input's deviation."""
    rng = np.random.default_rng(size)
    x = rng.normal(size=(size, size)) @ rng.normal(size=(size, 500)) * rng.uniform(0.01, 40, (size, 1))
    covariance = np.atleast_2d(np.cov(x, bias=True))
    lower, scale = triangle(covariance)
    assert (np.log2(scale) % 1 == 0).all()
    assert np.array_equal(lower * 2.0**26, np.round(lower * 2.0**26))
    assert np.abs(lower).max() <= 1
    damped = covariance + 0.01 * covariance.trace() / size * np.eye(size)
    deviations = np.sqrt(np.diag(damped))
    made = (scale[:, None] * lower) @ (scale[:, None] * lower).T
    assert (np.abs(made - damped) <= 2.0**-22 * np.outer(deviations, deviations)).all()


def test_inputs_that_are_always_alike_have_a_triangle_too() -> None:
    lower, _ = triangle(np.full((80, 80), 1e6))
    assert np.isfinite(lower).all()
    assert (np.diag(lower) > 0).all()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    channels=st.integers(1, 6),
    outs=st.integers(1, 6),
    kernel=st.sampled_from([1, 3]),
    depthwise=st.booleans(),
    kind=st.sampled_from(["linear", "relu", "leaky"]),
)
def test_a_layer_is_within_its_rounding_of_the_float_layer(
    seed: int, channels: int, outs: int, kernel: int, depthwise: bool, kind: str
) -> None:
    """Bound: half a byte of result, half a step of every weight times its largest input, and one byte for the table."""
    rng = np.random.default_rng(seed)
    outs = channels if depthwise else outs
    shape = (channels, kernel, kernel) if depthwise else (outs, channels, kernel, kernel)
    curve = {
        "linear": curves.IDENTITY,
        "relu": Curve(kind="clip", beta=np.inf),
        "leaky": Curve(kind="leaky", alpha=0.1),
    }
    op = KpuConv(
        weights=rng.normal(size=shape).astype(np.float32),
        bias=rng.normal(size=outs).astype(np.float32),
        depthwise=depthwise,
        curve=curve[kind],
    )
    source = Scale(step=rng.uniform(0.001, 0.02, channels), zero=np.full(channels, float(rng.integers(0, 200))))
    pixels = rng.integers(0, 256, (1, channels, 5, 6)).astype(np.uint8)
    values = (pixels - source.zero[:, None, None]) * source.step[:, None, None]
    from k210kit.compiler.evaluate import preactivation

    exact = curves.evaluate(op.curve, preactivation(op, values.astype(np.float32)))
    span = np.maximum(np.abs(exact).max((0, 2, 3)), 1e-3)
    target = Scale(step=span / 120, zero=np.full(outs, 128.0))
    code = encode(op, source)
    layer = layer_integers(op, source, target, code=code)
    got = (convolve(pixels, layer.convolution()) - 128.0) * target.step[:, None, None]
    taps = code.codes[0].size
    bound = code.step / 2 * 255 * taps + 1.6 * target.step
    assert (np.abs(got - exact) <= bound[:, None, None]).all()


def seen(*pictures: list[float]) -> Statistics:
    """Statistics of a map whose channels reach from 0 to these values, one row per picture."""
    highs = np.array(pictures, np.float32)
    zeros = np.zeros_like(highs)
    return Statistics(
        low=zeros[0], high=highs.max(0), lows=zeros, highs=highs, mean=highs.mean(0) / 4, square=highs.mean(0),
        sample=highs.T,
    )  # fmt: skip


def reached(*pictures: list[float], pixels: int = 64, curve: Curve = curves.IDENTITY) -> list[float]:
    return reach(seen(*pictures), curve, pixels=pixels, sharing=1, around_mean=False, last=False)[1].tolist()


def test_a_channel_that_differs_between_pictures_reaches_further_than_one_that_does_not() -> None:
    steady, restless = reached([3.6, 3.3], [3.6, 4.0], [3.6, 3.9], [3.6, 3.3])
    assert 3.6 <= steady < restless <= 1.3 * 4.0


def test_a_channel_that_was_silent_reaches_two_fifths_as_far_as_the_others() -> None:
    loud, silent = reached([4.0, 0.01], [4.0, 0.01])
    assert silent == pytest.approx(0.4 * np.sqrt((loud**2 + silent**2) / 2), rel=0.3)
    assert silent > 1


def test_large_maps_are_cut_off_earlier_than_small_ones() -> None:
    pictures = [4.0, 3.4], [3.6, 4.0], [3.8, 3.7]
    assert all(a < b for a, b in zip(reached(*pictures, pixels=12544), reached(*pictures, pixels=16), strict=True))


def test_no_range_goes_beyond_what_the_curve_gives() -> None:
    assert max(reached([5.9, 1.0], [2.0, 6.0], curve=Curve(kind="clip", alpha=0.0, beta=6.0))) == 6.0
    assert limits(Curve(kind="silu")) == (pytest.approx(-0.2785, abs=1e-3), np.inf)
    assert limits(Curve(kind="tanh")) == pytest.approx((-1.0, 1.0))


def test_one_picture_is_enough_for_a_range() -> None:
    assert 4.0 < reached([4.0, 1.0])[0] <= 1.3 * 4.0
    assert reached([0.0, 0.0]) == [0.0, 0.0]


@given(st.lists(st.integers(-20, 99), min_size=1, max_size=9))
def test_no_five_levels_of_slopes_are_nearer_than_those_chosen(hundredths: list[int]) -> None:
    slopes = np.sort(np.array(hundredths) / 100)
    levels, member = grouped_slopes(slopes)
    assert len(levels) <= 5
    found = ((slopes - levels[member]) ** 2).sum()
    for cuts in combinations(range(1, len(slopes)), min(4, len(slopes) - 1)):
        groups = np.split(slopes, cuts)
        assert found <= sum(((group - group.mean()) ** 2).sum() for group in groups) + 1e-12
