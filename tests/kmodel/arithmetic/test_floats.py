from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from k210kit.errors import UnsupportedError
from k210kit.kmodel.arithmetic import cpu
from k210kit.kmodel.arithmetic.floats import canonical, exp_nearest, expf, fma, fma_sum, running_sum
from k210kit.kmodel.arithmetic.runtimes import MAIXPY, SDK_FUSED, SDK_STRICT, Runtime

f32 = np.float32
singles = st.floats(width=32, allow_nan=False, allow_infinity=False)
small = st.floats(width=32, min_value=-1000, max_value=1000)
LARGEST = Fraction(float(np.finfo(f32).max))
HALF_STEP = Fraction(2) ** 103


def rounded(value: Fraction) -> np.float32:
    """The float32 nearest to an exact number, ties to even: written out, with no float64 in between."""
    if value == 0:
        return f32(0)
    if abs(value) >= LARGEST + HALF_STEP:
        return f32(np.inf if value > 0 else -np.inf)
    exponent = 0
    size = abs(value)
    while size >= 2 ** (exponent + 1):
        exponent += 1
    while size < Fraction(2) ** exponent:
        exponent -= 1
    step = Fraction(2) ** (max(exponent, -126) - 23)
    return f32(float(round(value / step) * step))  # a whole number of steps, so both conversions are exact


@settings(max_examples=500)
@given(singles, singles, singles)
@example(1 + 2**-12, 1 + 2**-12, 2.0**-60)  # just above a tie that float64 cannot tell from the tie
@example(1 + 2**-12, 1 + 2**-12, -(2.0**-60))
@example(2.0**-70, 2.0**-70, 2.0**-140)
@example(3.4028234663852886e38, 1.0, 1.0141204801825835e31)
def test_fma_rounds_once(a: float, b: float, c: float) -> None:
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    assert fma(f32(a), f32(b), f32(c)) == rounded(exact)


def test_fma_differs_from_rounding_twice_where_it_must() -> None:
    a, c = f32(1 + 2**-12), f32(2.0**-60)
    assert fma(a, a, c) == f32(1 + 2**-11 + 2**-23)
    assert f32(float(a) * float(a) + float(c)) == f32(1 + 2**-11)


@settings(max_examples=100)
@given(st.lists(st.tuples(singles, singles), min_size=1, max_size=12))
@example([(1.0, 1.0), (2.0**-12, 2.0**-12), (2.0**-30, 2.0**-30)])
@example([(2.0**-75, 2.0**-74), (2.0**-75, 2.0**-75)])
def test_a_chain_of_fma_is_fma_after_fma(pairs: list[tuple[float, float]]) -> None:
    total = f32(0)
    for a, b in pairs:
        total = f32(fma(f32(a), f32(b), total))
    terms = np.array([[float(a) * float(b)] for a, b in pairs])
    got = fma_sum(terms)[0]
    assert got == total or (np.isnan(got) and np.isnan(total))


def test_a_chain_goes_the_careful_way_where_it_must() -> None:
    a = float(f32(1 + 2**-12))
    terms = np.array([[2.0**-60], [a * a]])
    assert fma_sum(terms)[0] == f32(1 + 2**-11 + 2**-23)


@given(st.lists(small, max_size=20))
def test_a_running_sum_adds_from_left_to_right(values: list[float]) -> None:
    total = f32(0)
    for value in values:
        total = f32(total + f32(value))
    assert running_sum(np.array(values, f32)) == total


def test_a_sum_of_negative_zeros_is_positive_zero() -> None:
    assert not np.signbit(running_sum(np.array([-0.0, -0.0], f32)))


def test_nan_has_the_bits_of_riscv() -> None:
    assert canonical(np.array([-np.nan], f32)).view(np.uint32)[0] == 0x7FC00000


@given(st.floats(width=32, min_value=-103, max_value=88))
def test_maixpys_exp_is_within_a_unit_of_the_true_one(x: float) -> None:
    got, true = expf(np.array([x], f32)), exp_nearest(np.array([x], f32))
    assert abs(int(got.view(np.int32)[0]) - int(true.view(np.int32)[0])) <= 1


@pytest.mark.parametrize(
    ("x", "power"), [(0.0, 1.0), (-0.0, 1.0), (89.0, np.inf), (-104.0, 0.0), (np.inf, np.inf), (-np.inf, 0.0)]
)
def test_exp_at_the_edges(x: float, power: float) -> None:
    assert expf(np.array([x], f32))[0] == power


def test_maixpy_truncates_where_the_sdk_rounds_half_away_from_zero() -> None:
    x = np.array([0.5, 1.5, 2.49, 2.51, -0.4, -7.0, 300.0, np.nan, np.inf, -np.inf], f32)
    assert cpu.quantize(x, 1.0, 0.0, MAIXPY).tolist() == [0, 1, 2, 2, 0, 0, 255, 255, 255, 0]
    assert cpu.quantize(x, 1.0, 0.0, SDK_FUSED).tolist() == [1, 2, 2, 3, 0, 0, 255, 255, 255, 0]


@settings(max_examples=60)
@given(st.sampled_from([MAIXPY, SDK_FUSED, SDK_STRICT]), st.integers(1, 24), st.integers(0, 2**32 - 1))
def test_fully_connected_sums_in_the_runtimes_order(runtime: Runtime, inputs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, weights, bias = (rng.normal(size=size).astype(f32) for size in (inputs, (3, inputs), 3))
    got = cpu.fully_connected(x, weights, bias, 0, runtime)
    for row in range(3):
        total, i = f32(0), 0
        while i < inputs:
            if runtime is MAIXPY and inputs % 8 == 0 and i % 8 == 0:
                second = f32(x[i + 1] * weights[row, i + 1])
                total, i = f32(total + f32(fma(x[i], weights[row, i], second))), i + 2
            elif runtime is SDK_STRICT:
                total, i = f32(total + f32(x[i] * weights[row, i])), i + 1
            else:
                total, i = f32(fma(x[i], weights[row, i], total)), i + 1
        assert got[row] == f32(total + bias[row])


def test_only_the_sdk_obeys_the_activation_of_fully_connected() -> None:
    x, weights, bias = np.array([1.0], f32), np.array([[-3.0], [4.0], [9.0]], f32), np.zeros(3, f32)
    assert cpu.fully_connected(x, weights, bias, 1, SDK_FUSED).tolist() == [0, 4, 9]
    assert cpu.fully_connected(x, weights, bias, 2, SDK_FUSED).tolist() == [0, 4, 6]
    assert cpu.fully_connected(x, weights, bias, 2, MAIXPY).tolist() == [-3, 4, 9]


def test_softmax_of_very_negative_inputs_is_nan_as_on_a_board() -> None:
    assert np.isnan(cpu.softmax(np.array([-200.0, -300.0], f32), MAIXPY)).all()
    assert cpu.softmax(np.array([-1.0, -1.0], f32), MAIXPY).tolist() == [0.5, 0.5]


def test_a_window_outside_of_the_picture_has_no_mean() -> None:
    window = cpu.Window(input=(2, 2), output=(3, 1), kernel=(1, 1), stride=(1, 1), pad=(0, 0))
    mean = cpu.average_pool(np.array([1, 2, 3, 4], f32), window, 1)
    assert mean[0, 0, :2].tolist() == [1, 2]
    assert np.isnan(mean[0, 0, 2])


@pytest.mark.parametrize(("value", "shift", "want"), [(3, 1, 2), (5, 1, 3), (-1, 1, -2), (-3, 1, -3), (7, 0, 7)])
def test_a_quantised_sum_steps_away_from_its_floor(value: int, shift: int, want: int) -> None:
    """-1 / 2 becomes -2, as the SDK's source and MaixPy's library have it: offset 100 shows negative results."""
    nothing = cpu.Requantization(offset=0, mul=1, shift=0)
    out = cpu.Requantization(offset=100, mul=1, shift=shift)
    signed = cpu.Requantization(offset=value, mul=1, shift=0)
    zero = np.zeros(1, np.uint8)
    assert cpu.quantized_add(zero, zero, signed, nothing, out)[0] == 100 + want


@pytest.mark.parametrize("runtime", [MAIXPY, SDK_FUSED, SDK_STRICT])
@pytest.mark.parametrize(("inputs", "outputs"), [(0, 2), (8, 0), (0, 0), (7, 0)])
def test_fully_connected_of_nothing_is_its_bias(runtime: Runtime, inputs: int, outputs: int) -> None:
    bias = np.ones(outputs, f32)
    made = cpu.fully_connected(np.zeros(inputs, f32), np.zeros((outputs, inputs), f32), bias, 0, runtime)
    assert made.tolist() == bias.tolist()


def test_an_empty_map_is_not_resized() -> None:
    with pytest.raises(UnsupportedError, match="A map of 2x3x0 has no pixel to make 4x4 of"):
        cpu.resize_nearest(np.zeros((2, 3, 0), np.uint8), 4, 4)
