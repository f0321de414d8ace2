"""Products of matrices give the same numbers in whatever order a processor adds up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from k210kit.compiler.exact import exact_bits, product, shared_product, weighted_sums


@given(seed=st.integers(0, 10**6), inputs=st.integers(1, 300))
def test_a_product_does_not_hang_on_the_order_of_its_inputs(seed: int, inputs: int) -> None:
    rng = np.random.default_rng(seed)
    left, right = rng.normal(size=(3, inputs)).astype(np.float32), rng.normal(size=(inputs, 5)).astype(np.float32)
    order = rng.permutation(inputs)
    made = product(left, right)
    assert made.tobytes() == product(left[:, order], right[order]).tobytes()
    exact = left.astype(np.float64) @ right.astype(np.float64)
    assert np.abs(made - exact).max() < 1e-5 * np.abs(exact).max() + 1e-12


@pytest.mark.parametrize("count", [1, 2, 9, 27, 576, 9216])
def test_as_many_bits_as_add_up_exactly(count: int) -> None:
    bits = exact_bits(count)
    assert count * 2.0 ** (2 * (bits - 1)) <= 2.0**53
    assert bits >= 19


def test_a_product_shared_by_threads_is_the_product() -> None:
    rng = np.random.default_rng(1)
    left, right = (rng.integers(-9, 10, shape).astype(np.float64) for shape in ((301, 200), (200, 100)))
    assert np.array_equal(shared_product(left, right), left @ right)


def test_weighted_sums_are_of_each_row() -> None:
    rows, factors = np.arange(12.0).reshape(2, 2, 3), np.array([1.0, 10.0, 100.0])
    assert weighted_sums(rows, factors).tolist() == [[210.0, 543.0], [876.0, 1209.0]]
    assert weighted_sums(rows, np.array([[[1.0, 0, 0]], [[0, 0, 1.0]]])).tolist() == [[0.0, 3.0], [8.0, 11.0]]
    many = np.ones((3, 200_000))
    assert weighted_sums(many, np.ones(200_000)).tolist() == [200_000.0] * 3
