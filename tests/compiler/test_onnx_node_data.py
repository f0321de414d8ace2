"""ONNX's own operator tests, from Debian's package libonnx-testdata, through the importer and the float graph."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="the extra 'onnx' is not installed")

from k210kit.compiler import evaluate  # noqa: E402
from k210kit.compiler.importers.onnx import read_onnx  # noqa: E402
from k210kit.compiler.importers.onnx_operators import OPERATORS  # noqa: E402
from k210kit.compiler.ops import Foreign  # noqa: E402
from k210kit.errors import FormatError  # noqa: E402

DATA = Path("/usr/share/libonnx-testdata/data/node")
NUMBERS = (np.float32, np.float64, np.float16)
READ_AS_FLOATS = ("QuantizeLinear", "DequantizeLinear")  # left out of the float graph on purpose
MIX_PICTURES = (
    "Concat", "Expand", "Flatten", "Gather", "Reshape", "Shape", "Size", "Slice", "Split", "Squeeze", "Tile",
    "Transpose", "Unsqueeze", "MatMul", "Gemm",
)  # fmt: skip
RECORDED = (
    "Abs", "Add", "AveragePool", "BatchNormalization", "Cast", "Celu", "Clip", "Conv", "ConvTranspose", "DepthToSpace",
    "Div", "Dropout", "Elu", "Erf", "Exp", "Expand", "Flatten", "Gather", "Gemm", "GlobalAveragePool", "GlobalMaxPool",
    "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Log", "MatMul", "MaxPool", "Mul", "Neg", "PRelu", "Pad",
    "Pow", "ReduceSum", "Relu", "Reshape", "Resize", "Selu", "Sigmoid", "Slice", "Softmax", "Softplus", "Softsign",
    "SpaceToDepth", "Split", "Sqrt", "Squeeze", "Sub", "Sum", "Tanh", "Tile", "Transpose", "Unsqueeze", "Upsample",
)  # fmt: skip
"""Operators of which at least one recorded result must come out; those of the others are of shapes that are refused."""
PAIRS = ("Add", "Sub", "Mul", "Div", "Sum", "Min", "Max", "Pow")


def _tensor(path: Path) -> Any:  # Any: a NumPy array of the tensor's type
    tensor = onnx.TensorProto()
    tensor.ParseFromString(path.read_bytes())
    return onnx.numpy_helper.to_array(tensor)


def _keep_first(model: Any, kind: str, inputs: list[Any], wanted: list[Any]) -> None:
    """Cut a batch, or the first axis of an elementwise operator, to its first element."""
    batch = inputs[0].shape[0]
    for k, array in enumerate(inputs):
        if k == 0 or (kind in PAIRS and array.ndim == inputs[0].ndim and array.shape[0] == batch):
            inputs[k] = array[:1]
    wanted[:] = [array[:1] for array in wanted]
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1


def _first_row(inputs: list[Any], wanted: list[Any]) -> None:
    """Cut a product of matrices to the first row of both, as a fully connected layer has one."""
    rows = inputs[0].shape[0]
    inputs[0], wanted[0] = inputs[0][:1], wanted[0][:1]
    if len(inputs) > 2 and inputs[2].ndim == 2 and inputs[2].shape[0] == rows:
        inputs[2] = inputs[2][:1]


def _is_transposed(model: Any) -> bool:
    return any(a.name == "transA" and a.i for a in model.graph.node[0].attribute)


def _softmax_of_the_first_axis(model: Any) -> bool:
    node = model.graph.node[0]
    return node.op_type == "Softmax" and any(a.name == "axis" and a.i == 0 for a in node.attribute)


def _give_flat(model: Any, inputs: list[Any]) -> None:
    """Let the tensor come in as one row, and be reshaped to what the operator wants."""
    name, shape = model.graph.input[0].name, inputs[0].shape
    wanted = onnx.numpy_helper.from_array(np.array(shape, np.int64), "wanted shape")
    model.graph.initializer.append(wanted)
    model.graph.node.insert(0, onnx.helper.make_node("Reshape", ["row", "wanted shape"], [name]))
    row = onnx.helper.make_tensor_value_info("row", onnx.TensorProto.FLOAT, [1, inputs[0].size])
    model.graph.input.insert(0, row)
    del model.graph.input[1]
    inputs[0] = inputs[0].reshape(1, -1)


def _try(folder: Path) -> str:
    """What became of one test: "right", "refused" or why it says nothing about us; a wrong number fails."""
    model = onnx.load(folder / "model.onnx")
    kind = model.graph.node[0].op_type
    stored_as_words = "BFLOAT16" in folder.name
    if len(model.graph.node) != 1 or kind not in OPERATORS or kind in READ_AS_FLOATS or stored_as_words:
        return "not ours"
    data = folder / "test_data_set_0"
    try:
        inputs = [_tensor(p) for p in sorted(data.glob("input_*.pb"), key=lambda p: int(p.stem[6:]))]
        wanted = [_tensor(p) for p in sorted(data.glob("output_*.pb"), key=lambda p: int(p.stem[7:]))]
    except (TypeError, ValueError):  # sequences and optionals
        return "not tensors"
    if not inputs or inputs[0].dtype not in NUMBERS or inputs[0].ndim == 0:
        return "no floats"
    if kind in ("Gemm", "MatMul") and inputs[0].ndim == 2 and not _is_transposed(model):
        _first_row(inputs, wanted)
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    if inputs[0].shape[0] != 1:
        if kind in MIX_PICTURES or inputs[0].ndim == 1 or _softmax_of_the_first_axis(model):
            _give_flat(model, inputs)
        else:
            _keep_first(model, kind, inputs, wanted)
    names = [v.name for v in model.graph.input]
    for name, array in zip(names[1:], inputs[1:], strict=True):
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    del model.graph.input[1:]
    try:
        graph = read_onnx(model.SerializeToString(), folder.name)
    except FormatError as error:
        return "damaged" if "damaged" in str(error) else "refused"
    if any(isinstance(node.op, Foreign) for node in graph.nodes):
        return "refused"
    shape = graph.input_shape
    got = evaluate.outputs(graph, inputs[0].astype(np.float32).reshape(1, *shape))
    for want, have in zip(wanted, got, strict=False):
        np.testing.assert_allclose(have.reshape(-1), want.reshape(-1), rtol=5e-4, atol=2e-5, err_msg=folder.name)
    return "right"


def _kind(folder: Path) -> str:
    return str(onnx.load(folder / "model.onnx").graph.node[0].op_type)


@pytest.mark.skipif(not DATA.is_dir(), reason="Debian's libonnx-testdata is not installed")
def test_every_operator_gives_the_recorded_result_or_is_refused() -> None:
    told = {folder.name: _try(folder) for folder in sorted(DATA.iterdir())}
    counts = Counter(told.values())
    assert counts["right"] >= 195, counts
    right = {_kind(DATA / name) for name, what in told.items() if what == "right"}
    assert set(RECORDED) - right == set()
    assert [name for name, what in told.items() if what == "damaged"] == []
