"""The exponential and its kin are right to a few units in the last place, at the ends too."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from k210kit.compiler import elementary

EXACT: dict[str, Callable[[float], float]] = {
    "exp": math.exp,
    "expm1": math.expm1,
    "log": lambda x: math.log(abs(x)) if abs(x) > 1e-300 else math.log(1e-300),
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "softplus": lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x))),
    "tanh": math.tanh,
    "mish": lambda x: x * math.tanh(max(x, 0.0) + math.log1p(math.exp(-abs(x)))),
}


@pytest.mark.parametrize("name", EXACT)
@given(x=st.floats(-80, 80, width=32))
def test_both_precisions_are_within_six_units_in_the_last_place(name: str, x: float) -> None:
    """Bound: about ten roundings of half a unit each; mish is a quotient of two such."""
    given_ = max(abs(x), 1e-30) if name == "log" else x
    exact = EXACT[name](given_)
    for kind in (np.float32, np.float64):
        if kind is np.float32 and 0 < abs(exact) < 2e-38:
            continue
        made = getattr(elementary, name)(np.array([given_], kind))
        assert made.dtype == kind
        if name == "log" and abs(exact) < 0.1:  # near 1 the argument's own last place counts
            exact = math.log(float(kind(given_)))
        assert abs(float(made[0]) - exact) <= 6 * float(np.spacing(kind(max(abs(exact), 1e-45))))


def test_beyond_what_floats_hold_the_functions_stay_at_their_ends() -> None:
    x = np.array([-1e30, 1e30], np.float32)
    assert elementary.sigmoid(x).tolist() == pytest.approx([0, 1])
    assert elementary.tanh(x).tolist() == [-1, 1]
    assert elementary.softplus(x).tolist() == pytest.approx([0, 1e30])
    assert elementary.mish(x)[1] == x[1]
    assert np.isfinite(elementary.exp(x)).all()


def test_shapes_are_kept_and_large_arrays_go_in_blocks() -> None:
    x = np.linspace(-3, 3, 3 * 40_001, dtype=np.float32).reshape(3, 40_001)
    parts = np.stack([np.concatenate([elementary.exp(row[:7]), elementary.exp(row[7:])]) for row in x])
    assert elementary.exp(x).tobytes() == parts.tobytes()
    assert elementary.exp(2.0) == pytest.approx(math.exp(2.0))
