"""ONNX operators that work element by element: curves, arithmetic, limits.

Source of the semantics: the ONNX operator specification (onnx.ai), opsets 7 to 23.
"""

from __future__ import annotations

import numpy as np

from k210kit.compiler.importers.onnx import Call
from k210kit.compiler.importers.onnx_table import reads
from k210kit.compiler.ops import Add, Curve, L2Normalize, Mul, Op, PRelu, Sub
from k210kit.compiler.refusals import Inexpressible

__all__: list[str] = []

_INFINITY = float("inf")


def _elementwise(call: Call, op: Op) -> None:
    call.emit(op, call.value(0), shape=call.shape())


_PLAIN_CURVES = {
    "Relu": Curve(kind="clip", alpha=0.0, beta=_INFINITY),
    "Sigmoid": Curve(kind="sigmoid"),
    "Tanh": Curve(kind="tanh"),
    "HardSwish": Curve(kind="hard_swish"),
    "Softplus": Curve(kind="softplus"),
    "Softsign": Curve(kind="softsign"),
    "Mish": Curve(kind="mish"),
    "Exp": Curve(kind="exp"),
    "Log": Curve(kind="log"),
    "Sqrt": Curve(kind="sqrt"),
    "Erf": Curve(kind="erf"),
    "Abs": Curve(kind="abs"),
}


@reads(*_PLAIN_CURVES)
def _plain_curve(call: Call) -> None:
    _elementwise(call, _PLAIN_CURVES[call.kind])


_SLOPED_CURVES = {  # kind, and the default of its attribute alpha
    "LeakyRelu": ("leaky", 0.01),
    "Elu": ("elu", 1.0),
    "Celu": ("celu", 1.0),
    "Swish": ("swish", 1.0),
}


@reads(*_SLOPED_CURVES)
def _sloped_curve(call: Call) -> None:
    kind, alpha = _SLOPED_CURVES[call.kind]
    _elementwise(call, Curve(kind=kind, alpha=float(call.attributes.get("alpha", alpha))))


@reads("Selu")
def _selu(call: Call) -> None:
    alpha = float(call.attributes.get("alpha", 1.6732632423543772))
    _elementwise(call, Curve(kind="selu", alpha=alpha, beta=float(call.attributes.get("gamma", 1.0507009873554805))))


@reads("HardSigmoid")
def _hard_sigmoid(call: Call) -> None:
    alpha, beta = float(call.attributes.get("alpha", 0.2)), float(call.attributes.get("beta", 0.5))
    _elementwise(call, Curve(kind="hard_sigmoid", alpha=alpha, beta=beta))


@reads("Gelu")
def _gelu(call: Call) -> None:
    _elementwise(call, Curve(kind="gelu", alpha=float(call.text("approximate", "none") == "tanh")))


@reads("LogSoftmax", "ThresholdedRelu", "Hardmax", "Shrink", "Sign", "Reciprocal", "Floor", "Ceil", "Round")
def _other_curve(call: Call) -> None:
    row = "logarithm" if call.kind == "LogSoftmax" else "activation"
    raise Inexpressible(row, f"it is {call.kind} of {list(call.shape())}")


@reads("Clip")
def _clip(call: Call) -> None:
    low = call.constant(1).item() if call.has(1) else call.attributes.get("min", -_INFINITY)
    high = call.constant(2).item() if call.has(2) else call.attributes.get("max", _INFINITY)
    if call.ins[0] in call.reader.lengths:
        call.reader.lengths[call.outs[0]] = call.reader.lengths[call.ins[0]]
    _elementwise(call, Curve(kind="clip", alpha=float(low), beta=float(high)))


@reads("Min", "Max")
def _limit(call: Call) -> None:
    if len(call.ins) != 2 or call.is_constant(0) == call.is_constant(1):
        shapes = [list(call.shape(k)) for k in range(len(call.ins))]
        raise Inexpressible("comparison", f"it compares {' with '.join(map(str, shapes))}")
    k = 1 if call.is_constant(1) else 0
    if call.constant(k).size != 1:
        raise Inexpressible("comparison", f"its limit is {list(call.constant(k).shape)}")
    limit, infinite = float(call.constant(k).item()), _INFINITY
    curve = Curve(
        kind="clip", alpha=limit if call.kind == "Max" else -infinite, beta=limit if call.kind == "Min" else infinite
    )
    call.emit(curve, call.value(1 - k), shape=call.shape(1 - k))


@reads("Where", "Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual", "And", "Or", "Not", "Mod")
def _decision(call: Call) -> None:
    raise Inexpressible("comparison", f"it decides element by element of {list(call.shape())}")


@reads("PRelu")
def _prelu(call: Call) -> None:
    slopes = call.build.per_channel(call.floats(1), call.shape())
    if slopes is None:
        raise Inexpressible("per pixel", f"its slopes are {list(call.constant(1).shape)} for {list(call.shape())}")
    _elementwise(call, PRelu(slopes=slopes))


@reads("Neg")
def _negate(call: Call) -> None:
    _elementwise(call, call.build.affine(-1.0, 0.0, call.shape()))


@reads("Pow")
def _power(call: Call) -> None:
    power = float(call.constant(1).item()) if call.constant(1).size == 1 else None
    if call.is_constant(0) or power not in (0.5, 1.0, 2.0, 3.0):
        raise Inexpressible("power", f"it raises {list(call.shape())} to {'many powers' if power is None else power}")
    if power == 1.0:
        call.same()
    elif power == 0.5:
        _elementwise(call, Curve(kind="sqrt"))
    else:
        value, shape = call.value(0), call.shape()
        for _ in range(int(power) - 2):
            value = call.inner(Mul(), value, shape, "square", call.value(0))
        call.emit(Mul(), value, call.value(0), shape=shape)


@reads("Add", "Sub", "Mul", "Div")
def _binary(call: Call) -> None:
    _pair(call, call.kind)


def _pair(call: Call, kind: str) -> None:
    if call.is_constant(0) or call.is_constant(1):
        _with_constant(call, kind, 0 if call.is_constant(0) else 1)
        return
    kinds: dict[str, Op] = {"Add": Add(), "Sub": Sub(), "Mul": Mul()}
    first, second = call.shape(0), call.shape(1)
    if kind not in kinds:
        if call.reader.lengths.get(call.ins[1]) == call.value(0):
            call.emit(L2Normalize(), call.value(0), shape=first)
            return
        raise Inexpressible("division", f"it divides {list(first)} by {list(second)}, both computed")
    out = np.broadcast_shapes(first, second)
    values = [_broadcast(call, k, out) for k in range(2)]
    if kind == "Mul" and first != second and len(out) == 4:
        large, small = (0, 1) if first == out else (1, 0)
        sides = call.shape(small)
        if call.shape(large) == out and sides in ((1, out[1], 1, 1), (1, 1, *out[2:])):
            values = [call.value(large), call.value(small)]
    call.emit(kinds[kind], *values, shape=out)


def _broadcast(call: Call, k: int, out: tuple[int, ...]) -> str:
    """Input `k`, its elements repeated to the shape `out` where it is smaller."""
    shape, build = call.shape(k), call.build
    if shape == out:
        return call.value(k)
    return build.spread(call.value(k), shape, out, f"{call.outs[0]}/spread", origin=call.origin, kind=call.kind)


def _with_constant(call: Call, kind: str, k: int) -> None:
    """`call` with the constant input `k` as a scale and a shift per channel."""
    shape = call.shape(1 - k)
    number = call.build.per_channel(call.floats(k), shape)
    if kind == "Div" and k == 0:
        raise Inexpressible("division", f"it divides a constant by the computed {list(shape)}")
    if number is None:
        raise Inexpressible("per pixel", f"its constant is {list(call.constant(k).shape)} for {list(shape)}")
    if kind == "Add":
        scale, shift = np.ones_like(number), number
    elif kind == "Sub":
        scale, shift = np.full_like(number, 1 if k else -1), -number if k else number
    elif kind == "Mul":
        scale, shift = number, np.zeros_like(number)
    else:
        if not number.all():
            raise Inexpressible("zero", "it divides by 0")
        scale, shift = (1 / number.astype(np.float64)).astype(np.float32), np.zeros_like(number)
    call.emit(call.build.affine(scale, shift, shape), call.value(1 - k), shape=shape)


@reads("Sum")
def _sum(call: Call) -> None:
    if len(call.ins) == 1:
        call.same()
        return
    if any(call.is_constant(k) for k in range(2, len(call.ins))):
        raise Inexpressible("constant operand", f"one of its {len(call.ins)} summands is a constant")
    if len(call.ins) == 2:
        _pair(call, "Add")
        return
    shapes = {call.shape(k) for k in range(len(call.ins))}
    if len(shapes) > 1 or call.is_constant(0) or call.is_constant(1):
        raise Inexpressible("shapes", f"its summands are {sorted(map(list, shapes))}")
    value, shape = call.value(0), call.shape()
    for k in range(1, len(call.ins) - 1):
        value = call.inner(Add(), value, shape, f"sum {k}", call.value(k))
    call.emit(Add(), value, call.value(len(call.ins) - 1), shape=shape)
