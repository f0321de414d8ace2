"""The elementwise functions: one row each, used by the importers, the float evaluation and the table fitter."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler import elementary
from k210kit.compiler.ops import Curve

__all__ = ["CURVES", "IDENTITY", "erf", "evaluate", "is_homogeneous", "is_linear", "said"]

Values = NDArray[np.floating]


# kind -> f(x, alpha, beta)
CURVES: dict[str, Callable[[Values, float, float], Values]] = {
    "linear": lambda x, a, b: x,
    "clip": lambda x, a, b: np.clip(x, a, b),  # relu is clip(0, inf), relu6 clip(0, 6)
    "leaky": lambda x, a, b: np.where(x > 0, x, x * x.dtype.type(a)),
    "sigmoid": lambda x, a, b: elementary.sigmoid(x),
    "tanh": lambda x, a, b: elementary.tanh(x),
    "silu": lambda x, a, b: x * elementary.sigmoid(x),
    "hard_sigmoid": lambda x, a, b: np.clip(x * x.dtype.type(a) + x.dtype.type(b), 0, 1),
    "hard_swish": lambda x, a, b: x * np.clip(x / 6 + x.dtype.type(0.5), 0, 1),
    "elu": lambda x, a, b: np.where(x > 0, x, x.dtype.type(a) * elementary.expm1(np.minimum(x, 0))),
    "softplus": lambda x, a, b: elementary.softplus(x),
    "mish": lambda x, a, b: elementary.mish(x),
    "softsign": lambda x, a, b: x / (1 + np.abs(x)),
    "celu": lambda x, a, b: np.where(x > 0, x, x.dtype.type(a) * elementary.expm1(np.minimum(x, 0) / x.dtype.type(a))),
    "selu": lambda x, a, b: x.dtype.type(b) * np.where(x > 0, x, x.dtype.type(a) * elementary.expm1(np.minimum(x, 0))),
    "swish": lambda x, a, b: x * elementary.sigmoid(x * x.dtype.type(a)),
    "erf": lambda x, a, b: erf(x),
    "sqrt": lambda x, a, b: np.sqrt(np.maximum(x, 0)),
    "log": lambda x, a, b: elementary.log(np.maximum(x, x.dtype.type(1e-30))),
    "gelu": lambda x, a, b: x * elementary.sigmoid(1.702 * x) if a else x * 0.5 * (1 + erf(x / np.sqrt(2))),
    "abs": lambda x, a, b: np.abs(x),
    "squared_relu": lambda x, a, b: np.square(np.maximum(x, 0)),
    "exp": lambda x, a, b: elementary.exp(np.minimum(x, 80)),
}

IDENTITY = Curve(kind="linear")


def evaluate(curve: Curve, x: Values) -> Values:
    """The curve at `x`, in the precision of `x`."""
    if curve.kind == "formula":
        return _formula(curve.formula, x)
    if curve.kind == "linear":
        return x
    return CURVES[curve.kind](x, curve.alpha, curve.beta).astype(x.dtype, copy=False)


def _formula(formula: tuple[Any, ...], x: Values) -> Values:
    kind = formula[0]
    if kind == "x":
        return x
    if kind == "curve":
        return evaluate(formula[1], _formula(formula[2], x))
    if kind == "affine":
        inner = _formula(formula[3], x)
        return inner * x.dtype.type(formula[1]) + x.dtype.type(formula[2])
    left, right = _formula(formula[1], x), _formula(formula[2], x)
    return {"add": left + right, "sub": left - right, "mul": left * right}[kind]


def said(curve: Curve) -> str:
    """The curve in a word, for reports."""
    if curve.kind == "clip":
        return {0.0: {math.inf: "relu", 6.0: "relu6"}}.get(curve.alpha, {}).get(
            curve.beta, f"clip {curve.alpha:g} to {curve.beta:g}"
        )
    return f"leaky {curve.alpha:g}" if curve.kind == "leaky" else curve.kind


def is_homogeneous(curve: Curve) -> bool:
    """Whether curve(k x) = k curve(x) for every k > 0, but for a clip that a smaller k only tightens."""
    return curve.kind in ("linear", "leaky", "abs") or (curve.kind == "clip" and curve.alpha == 0.0 and curve.beta > 0)


def is_linear(curve: Curve) -> bool:
    return curve.kind == "linear"


def erf(x: Values) -> Values:
    """Abramowitz and Stegun 7.1.26, within 1.5e-7."""
    t = 1 / (1 + 0.3275911 * np.abs(x))
    tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return np.sign(x) * (1 - tail * elementary.exp(-x * x))
