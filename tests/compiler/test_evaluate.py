"""The float graph gives the same numbers in whatever order a processor's matrix products add up."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from k210kit.compiler import evaluate
from k210kit.compiler.ops import Padding


@given(seed=st.integers(0, 10**6), channels=st.integers(1, 40), kernel=st.sampled_from([1, 3]), low=st.integers(-20, 3))
def test_a_convolution_does_not_hang_on_the_order_of_its_inputs(
    seed: int, channels: int, kernel: int, low: int
) -> None:
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=(1, channels, 5, 6)) * np.exp2(rng.integers(low, 4))).astype(np.float32)
    weights = rng.normal(size=(4, channels, kernel, kernel)).astype(np.float32)
    around = Padding(top=kernel // 2, left=kernel // 2, bottom=kernel // 2, right=kernel // 2)
    order = rng.permutation(channels)
    one = evaluate.convolution(x, weights, padding=around)
    other = evaluate.convolution(x[:, order], weights[:, order], padding=around)
    assert one.tobytes() == other.tobytes()
