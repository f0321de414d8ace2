from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from k210kit.errors import UnsupportedError
from k210kit.kmodel.arithmetic import fast, kpu
from k210kit.kmodel.arithmetic.plan import plan
from k210kit.kmodel.arithmetic.prepared import Prepared
from tests.kmodel.arithmetic import oracle
from tests.kmodel.arithmetic.convolutions import layers

Layer = tuple[kpu.Convolution, NDArray[np.uint8]]
often = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@often
@given(layers())
def test_the_arrays_say_what_plain_integers_say(layer: Layer) -> None:
    spec, x = layer
    assert kpu.convolve(x[None], spec)[0].tolist() == oracle.convolve(x, spec)


@often
@given(layers())
def test_floats_say_the_same_wherever_a_plan_calls_them_exact(layer: Layer) -> None:
    from k210kit.kmodel.arithmetic import jit

    spec, x = layer
    want = kpu.convolve(x[None], spec)[0]
    for accelerate in (False, True):
        for split in (False, True):
            got, _ = Prepared(spec).run(x, accelerate=accelerate, split=split)
            assert np.array_equal(got, want), (accelerate, split)
    if (made := plan(spec)) is not None:
        assert np.array_equal(fast.run(made, x), want)
        assert np.array_equal(jit.run(made, x), want)
        halves = [made.of_channels(0, 1), made.of_channels(1, len(made.scale))]
        if not made.depthwise and len(made.scale) > 1:
            assert np.array_equal(np.concatenate([fast.run(half, x) for half in halves]), want)


def test_most_plain_layers_have_a_plan() -> None:
    assert plan(_layer()) is not None


@pytest.mark.parametrize("lines", [1, 2, 5])
@pytest.mark.parametrize("pool_type", range(10))
@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize("kernel", [1, 3])
def test_larger_layers_are_the_same_in_floats_and_integers(
    kernel: int, depthwise: bool, pool_type: int, lines: int
) -> None:
    from k210kit.kmodel.arithmetic import jit

    spec = _layer(kernel=kernel, depthwise=depthwise, pool_type=pool_type, lines=lines, channels=40)
    x = np.random.default_rng(1).integers(0, 256, (40, 22, 19), np.uint8)
    made = plan(spec)
    assert made is not None
    assert (made.table is not None) == (lines == 5)
    want = kpu.convolve(x[None], spec)[0]
    assert len(np.unique(want)) > 20
    assert np.array_equal(fast.run(made, x), want)
    assert np.array_equal(jit.run(made, x), want)


def test_sums_that_float32_cannot_hold_are_taken_in_parts_or_in_float64() -> None:
    from k210kit.kmodel.arithmetic import jit

    x = np.full((1024, 3, 5), 255, np.uint8)
    for kernel, parts, dtype in ((1, 4, np.float64), (3, 1, np.float64)):
        weights = np.full((2, 1024, kernel, kernel), 255, np.uint8)
        spec = _layer(weights=weights, arg_x=0, bn_mul=[1, 3], bn_add=[-(1 << 25), 0])
        made = plan(spec)
        assert made is not None
        assert made.taps.dtype == dtype or len(made.parts) == parts
        want = kpu.convolve(x[None], spec)[0]
        assert np.array_equal(fast.run(made, x), want)
        assert np.array_equal(jit.run(made, x), want)
    two_parts = np.full((2, 400, 1, 1), 255, np.uint8)
    made = plan(_layer(weights=two_parts, arg_x=0, bn_mul=[1, 3], bn_add=[0, 0]))
    assert made is not None
    assert made.taps.dtype == np.float32
    assert len(made.parts) == 2


def test_a_batch_is_its_pictures_one_by_one() -> None:
    spec = _layer()
    x = np.random.default_rng(2).integers(0, 256, (3, 4, 6, 7), np.uint8)
    whole = kpu.convolve(x, spec)
    assert all(np.array_equal(whole[i], kpu.convolve(x[i : i + 1], spec)[0]) for i in range(3))


@given(st.integers(-(2**52), 2**52), st.integers(0, 255))
def test_division_rounds_to_nearest_with_ties_to_even(value: int, shift: int) -> None:
    assert kpu.divide_to_even(np.array([value]), np.array([shift]))[0] == oracle.divide(value, shift)


@given(st.lists(st.integers(-50, 50), min_size=16, max_size=16), st.integers(-60, 60), st.integers(0, 60))
def test_reachable_segments_are_those_that_some_value_falls_into(starts: list[int], low: int, span: int) -> None:
    def segment(b: int) -> int:
        return max((i for i in range(16) if b > starts[i]), default=0)

    assert set(kpu.reachable(np.array(starts), low, low + span)) == {segment(b) for b in range(low, low + span + 1)}


def test_doubts_name_what_the_hardware_is_not_known_to_do() -> None:
    x = np.full((4, 8, 8), 200, np.uint8)

    def doubts(spec: kpu.Convolution) -> str:
        return " | ".join(Prepared(spec).run(x, accelerate=False, split=False)[1])

    assert doubts(_layer()) == ""
    assert "pool type 2 (mean 2x2)" in doubts(_layer(pool_type=2))
    assert "arg_x = -5 is no multiple of 2^15" in doubts(_layer(arg_x=-5))
    assert "negative slope" in doubts(_layer(slope=-3))
    assert "beyond the signed 36 bits" in doubts(_layer(bn_mul=[1 << 22] * 4, bn_shift=0))
    assert "16-bit weights" in doubts(_layer(weights=np.full((4, 4, 1, 1), 300, np.uint16)))


def test_unknown_pools_and_kernels_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="Pool type 10 is not known; 0 to 9 are"):
        _layer(pool_type=10)
    with pytest.raises(UnsupportedError, match="A kernel of 5x5 is not known to the KPU; 1x1 and 3x3 are"):
        _layer(weights=np.zeros((4, 4, 5, 5), np.uint8))


def _layer(
    *,
    kernel: int = 3,
    depthwise: bool = False,
    pool_type: int = 0,
    lines: int = 1,
    channels: int = 4,
    arg_x: int = -(128 << 15),
    slope: int = 1 << 10,
    weights: NDArray[np.unsignedinteger] | None = None,
    bn_mul: list[int] | None = None,
    bn_add: list[int] | None = None,
    bn_shift: int = 15,
) -> kpu.Convolution:
    """A layer as compilers write it: a rising table of `lines` lines that spread over the bytes."""
    rng = np.random.default_rng(kernel + pool_type + lines)
    shape = (channels, kernel, kernel) if depthwise else (channels, channels, kernel, kernel)
    weights = rng.integers(0, 256, shape, np.uint8) if weights is None else weights
    outputs = len(weights)
    starts = np.full(16, (1 << 35) - 1)
    starts[:lines] = np.arange(lines) * 3000 - 20000
    starts[0] = -20000 if lines == 1 else -(1 << 35)
    slopes, bias = np.full(16, slope), np.zeros(16, np.int64)
    slopes[1:lines] = rng.integers(slope, 8 * abs(slope), lines - 1) if slope > 0 else slope
    if lines > 1:
        slopes[0], bias[1:lines] = 0, np.arange(lines - 1) * 40 + 7
    if lines == 1:
        starts[0], slopes[0] = -(1 << 35), 0
        starts[1], slopes[1], bias[1] = -20000, slope, 0
    most = int((1 << 17) / weights[0].size ** 0.5)
    return kpu.Convolution(
        weights=weights,
        depthwise=depthwise,
        arg_x=arg_x,
        shr_x=15,
        pool_type=pool_type,
        bn_mul=rng.integers(-1000, most, outputs) if bn_mul is None else np.array(bn_mul),
        bn_shift=np.full(outputs, bn_shift),
        bn_add=rng.integers(-9999, 9999, outputs) if bn_add is None else np.array(bn_add),
        x_start=starts,
        y_mul=slopes,
        shift=np.full(16, 18),
        bias=bias,
    )
