"""What kernels see: whole numbers summed exactly, whatever the pictures are taken together with."""

from __future__ import annotations

import numpy as np
import pytest

from k210kit.compiler.quantize import observed as module
from k210kit.compiler.quantize.observed import observed
from k210kit.compiler.quantize.scales import Scale
from k210kit.compiler.stages import KpuConv


def layer(channels: int, kernel: int, *, depthwise: bool, pool: int = 0) -> KpuConv:
    shape = (channels, kernel, kernel) if depthwise else (5, channels, kernel, kernel)
    outs = channels if depthwise else 5
    return KpuConv(
        weights=np.ones(shape, np.float32), bias=np.zeros(outs, np.float32), depthwise=depthwise, pool_type=pool
    )


def drawn(channels: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, Scale]:
    """Bytes, the floats near what they stand for, and their scale."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (3, channels, 8, 6)).astype(np.uint8)
    source = Scale(step=rng.uniform(0.01, 0.1, channels), zero=np.full(channels, 100.0))
    floats = (x - 100.0 + rng.normal(size=x.shape)) * source.step[:, None, None]
    return x, floats.astype(np.float32), source


def plainly(op: KpuConv, x: np.ndarray, floats: np.ndarray, source: Scale) -> tuple[np.ndarray, ...]:
    """Means of x and y, covariances of x with x and of y - x with x, by the definition."""
    border = op.kernel // 2
    around = ((0, 0), (0, 0), (border, border), (border, border))
    got = np.pad(x - source.zero[:, None, None], around)
    want = np.pad(floats / source.step[:, None, None], around)
    columns = []
    for array in (got, want):
        seen = np.lib.stride_tricks.sliding_window_view(array, (op.kernel, op.kernel), axis=(2, 3))
        columns.append(seen.transpose(1, 4, 5, 0, 2, 3).reshape(x.shape[1] * op.kernel**2, -1))
    got, want = columns
    missed = want - got
    return (
        got.mean(1),
        want.mean(1),
        np.cov(got, bias=True),
        (missed @ got.T) / got.shape[1] - np.outer(missed.mean(1), got.mean(1)),
    )


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize("limit", [2.0**24, 2.0**17])
def test_means_and_covariances_are_those_of_the_definition(
    kernel: int, depthwise: bool, limit: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the lower limit positions are halved. Bound: y - x is on a grid of 0.0026, or 0.06, and x at most 155."""
    monkeypatch.setattr(module, "SINGLE", limit)
    op, (x, floats, source) = layer(4, kernel, depthwise=depthwise), drawn(4)
    made = observed(op, x, floats, source)
    mean, wanted, covariance, missed = plainly(op, x, floats, source)
    assert made.covariance is not None
    assert made.missed is not None
    if depthwise:
        inside = np.arange(4)[:, None, None] * kernel**2 + np.arange(kernel**2)[:, None]
        rows = inside, np.swapaxes(inside, 1, 2)
        covariance, missed = covariance[rows], missed[rows]
    assert np.abs(made.mean.reshape(-1) - mean).max() < 1e-9
    assert np.abs(made.wanted_mean.reshape(-1) - wanted).max() < 0.02
    assert np.abs(made.covariance - covariance).max() < 1e-9 * np.abs(covariance).max()
    assert np.abs(made.missed - missed).max() < (0.02 if limit == 2.0**24 else 0.4)


def test_pictures_may_come_in_any_order() -> None:
    op, (x, floats, source) = layer(4, 3, depthwise=False), drawn(4)
    one, other = observed(op, x, floats, source), observed(op, x[::-1], floats[::-1], source)
    assert one.mean.tobytes() == other.mean.tobytes()
    assert one.covariance is not None
    assert other.covariance is not None
    assert one.covariance.tobytes() == other.covariance.tobytes()


def test_the_border_is_the_byte_that_the_kpu_pads_with() -> None:
    """Zeros that are no whole numbers: the KPU pads all channels with one byte where 0 was meant."""
    op, x = layer(2, 3, depthwise=False), np.full((1, 2, 4, 4), 50, np.uint8)
    source = Scale(step=np.ones(2), zero=np.array([99.25, 101.25]))
    floats = (x - source.zero[:, None, None]).astype(np.float32)
    made = observed(op, x, floats, source)
    corner = made.mean.reshape(2, 3, 3)[:, 0, 0]
    assert corner.tolist() == pytest.approx((9 * (50 - source.zero) + 7 * (100 - source.zero)) / 16)
    assert made.wanted_mean.reshape(2, 3, 3)[:, 0, 0] == pytest.approx(9 * (50 - source.zero) / 16, abs=0.01)


@pytest.mark.parametrize("depthwise", [False, True])
def test_weights_are_fitted_as_ridge_regression_does(depthwise: bool) -> None:
    op, (x, floats, source) = layer(4, 3, depthwise=depthwise), drawn(4)
    floats *= 0.9
    made = observed(op, x, floats, source)
    assert made.covariance is not None
    assert made.missed is not None
    size = made.covariance.shape[-1]
    weights = np.random.default_rng(2).normal(size=(4, size))
    ridge = made.covariance.trace(axis1=-2, axis2=-1)[..., None, None] / size * (0.003 + 40 * size / made.count)
    damped = made.covariance + ridge * np.eye(size)
    if depthwise:
        exact = np.stack([np.linalg.solve(c, w @ m) for c, w, m in zip(damped, weights, made.missed, strict=True)])
    else:
        exact = np.linalg.solve(damped, (weights @ made.missed).T).T
    assert np.abs(made.fitted(weights) - weights - exact).max() < 1e-3 * np.abs(exact).max()
    assert np.abs(exact).max() > 0.01


def test_a_layer_of_too_many_inputs_has_means_alone() -> None:
    op, (x, floats, source) = layer(300, 3, depthwise=False), drawn(300)
    made = observed(op, x, floats, source)
    assert made.covariance is None
    assert made.mean.shape == (2700,)
    assert np.abs(made.mean - plainly(op, x, floats, source)[0]).max() < 1e-9
