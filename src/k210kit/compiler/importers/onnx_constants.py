"""Nodes of constants: the commonest by NumPy, the others by ONNX's own reference implementation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

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


def folded(node: Any, inputs: Mapping[str, Array], opsets: Sequence[Any]) -> dict[str, Array] | None:
    """The outputs of a node whose inputs are constants, by name; None if ONNX itself does not know the operator."""
    import onnx

    if node.op_type == "Constant":
        value = next((a for a in node.attribute if a.name == "value"), None)
        if value is not None:
            return {node.output[0]: onnx.numpy_helper.to_array(value.t)}
    if node.op_type in _PLAIN and not node.attribute:
        return {node.output[0]: np.asarray(_PLAIN[node.op_type](*(inputs[name] for name in node.input)))}
    return _by_reference(node, inputs, opsets)


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
    return dict(zip(names, (np.asarray(r) for r in results), strict=True))
