"""Nodes of constants: the commonest by NumPy, the others by ONNX's own reference implementation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler import elementary
from k210kit.compiler.exact import product
from k210kit.errors import FormatError

__all__ = ["folded"]

Array = NDArray[Any]  # of any number type that ONNX knows

# The shape arithmetic that every torch export holds: importing the reference implementation costs a second.
_PLAIN: dict[str, Callable[..., Array]] = {
    "Identity": lambda a: a,
    "Add": lambda a, b: a + b,
    "Sub": lambda a, b: a - b,
    "Mul": lambda a, b: a * b,
    "Sqrt": np.sqrt,
    "Neg": np.negative,
    "Floor": np.floor,
    "Ceil": np.ceil,
}
# NumPy's own differ between processors.
_CURVES = {"Exp": elementary.exp, "Sigmoid": elementary.sigmoid, "Tanh": elementary.tanh}


# What exporters leave of shape arithmetic and weights; everything else of constants would be a network of its own.
_FOLDED = frozenset((
    "Abs", "Add", "And", "BitShift", "Cast", "CastLike", "Ceil", "Clip", "Concat", "Constant",
    "ConstantOfShape", "CumSum", "DequantizeLinear", "Div", "Equal", "Erf", "Exp", "Expand", "Flatten", "Floor",
    "Gather", "GatherElements", "GatherND", "Greater", "GreaterOrEqual", "Identity", "Less", "LessOrEqual",
    "Log", "MatMul", "Max", "Min", "Mod", "Mul", "Neg", "NonZero", "Not", "Or", "Pad", "Pow", "QuantizeLinear",
    "Range", "Reciprocal", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "Relu", "Reshape",
    "Round", "ScatterND", "Shape", "Sigmoid", "Sign", "Size", "Slice", "Softmax", "Split", "Sqrt", "Squeeze",
    "Sub", "Sum", "Tanh", "Tile", "Transpose", "Trilu", "Unsqueeze", "Where", "Xor",
))  # fmt: skip
_MOST_ELEMENTS = 1 << 25  # of a constant


def folded(node: Any, inputs: Mapping[str, Array], opsets: Sequence[Any]) -> dict[str, Array] | None:
    """The outputs of a node whose inputs are constants, by name; None if it is not folded.

    A `FormatError` if the result would be absurdly large.
    """
    import onnx

    if node.op_type not in _FOLDED or node.domain not in ("", "ai.onnx"):
        return None
    _refuse_large(node, [inputs[name] for name in node.input if name])

    if node.op_type == "Constant":
        value = next((a for a in node.attribute if a.name == "value"), None)
        if value is not None:
            return {node.output[0]: onnx.numpy_helper.to_array(value.t)}
    if node.op_type in _PLAIN and not node.attribute:
        return {node.output[0]: np.asarray(_PLAIN[node.op_type](*(inputs[name] for name in node.input)))}
    floats = [inputs[name] for name in node.input if name and inputs[name].dtype == np.float32]
    if node.op_type in _CURVES and len(floats) == 1:
        return {node.output[0]: _CURVES[node.op_type](floats[0])}
    if node.op_type == "MatMul" and [a.ndim for a in floats] == [2, 2] and floats[0].shape[1] == floats[1].shape[0]:
        return {node.output[0]: product(*floats).astype(np.float32)}
    return _by_reference(node, inputs, opsets)


def _refuse_large(node: Any, inputs: Sequence[Array]) -> None:
    """Raise before the memory is taken: what grows by its settings, and what grows by broadcasting."""
    counts = [1]
    for array in inputs:
        if array.dtype.kind in "iu" and array.ndim <= 1 and 0 < array.size <= 16:
            counts.append(int(np.prod(np.maximum(np.abs(array.astype(np.float64)), 1))))
    if node.op_type == "Range" and len(inputs) == 3:
        start, end, step = (float(array.reshape(-1)[0]) for array in inputs)
        most = abs(end - start) / max(abs(step), 1e-30)
    elif node.op_type in ("ConstantOfShape", "Expand"):
        most = counts[-1] if len(counts) > 1 else 1
    elif node.op_type in ("Tile", "Pad"):
        most = inputs[0].size * (counts[-1] if len(counts) > 1 else 1)
        most = most if node.op_type == "Tile" else sum(int(np.abs(a).max(initial=0)) for a in inputs[1:2]) ** 2
    elif node.op_type in ("MatMul", "Where", *_PLAIN):
        most = max(1.0, float(np.prod([max(array.size, 1) for array in inputs], dtype=np.float64)))
        if most > _MOST_ELEMENTS and node.op_type != "MatMul":
            most = float(np.prod(np.broadcast_shapes(*(array.shape for array in inputs)), dtype=np.float64))
        elif node.op_type == "MatMul":
            most = float(np.prod(inputs[0].shape[:-1], dtype=np.float64) * np.prod(inputs[-1].shape[-1:]))
    else:
        return
    if most > _MOST_ELEMENTS:
        raise FormatError(
            f"{node.op_type} '{node.name}' makes a constant of {most:,.0f} elements",
            expected=f"at most {_MOST_ELEMENTS:,}",
        )


def _by_reference(node: Any, inputs: Mapping[str, Array], opsets: Sequence[Any]) -> dict[str, Array] | None:
    import onnx
    from onnx.reference import ReferenceEvaluator

    names = [name for name in node.output if name]
    graph = onnx.helper.make_graph(
        [node],
        "constants",
        [
            onnx.helper.make_tensor_value_info(n, onnx.helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
            for n, a in inputs.items()
        ],
        [onnx.helper.make_empty_tensor_value_info(name) for name in names],
    )
    model = onnx.helper.make_model(graph, opset_imports=list(opsets))
    try:
        results = ReferenceEvaluator(model).run(None, dict(inputs))
    except NotImplementedError:  # what the evaluator raises for an operator that it does not know
        return None
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise FormatError(f"{node.op_type} '{node.name}' of constants cannot be computed ({error})") from error
    return dict(zip(names, (np.asarray(r) for r in results), strict=True))
