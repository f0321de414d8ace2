from __future__ import annotations

from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="the extra 'onnx' is not installed")

from k210kit.compiler import evaluate  # noqa: E402
from k210kit.compiler.importers.onnx import read_onnx  # noqa: E402
from k210kit.compiler.ops import Foreign, Gather, Resize  # noqa: E402
from k210kit.compiler.refusals import REFUSALS  # noqa: E402
from k210kit.errors import FormatError  # noqa: E402
from tests.fuzz.mutations import damaged  # noqa: E402

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(0)
PICTURE = (1, 4, 6, 8)


def model_of(
    nodes: list[Any], shape: tuple[Any, ...] = PICTURE, constants: dict[str, Array] | None = None, opset: int = 17
) -> Any:
    """A model from `x` to `y`."""
    graph = onnx.helper.make_graph(
        nodes,
        "test",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(a, n) for n, a in (constants or {}).items()],
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=9)


def node(kind: str, inputs: str = "x", output: str = "y", **attributes: Any) -> Any:
    return onnx.helper.make_node(kind, inputs.split(" "), output.split(" "), name=f"my {kind}", **attributes)


def floats(*shape: int) -> Array:
    return RNG.normal(size=shape).astype(np.float32)


def integers(*values: int) -> Array:
    return np.array(values, np.int64)


CASES: dict[str, tuple[list[Any], tuple[Any, ...], dict[str, Array]]] = {
    "conv": (
        [node("Conv", "x w b", pads=[1, 0, 1, 2], strides=[2, 1])],
        PICTURE,
        {"w": floats(5, 4, 3, 3), "b": floats(5)},
    ),
    "grouped conv": ([node("Conv", "x w", group=2, dilations=[2, 1])], PICTURE, {"w": floats(6, 2, 3, 2)}),
    "conv padded SAME_LOWER": (
        [node("Conv", "x w", auto_pad="SAME_LOWER", strides=[2, 2])],
        PICTURE,
        {"w": floats(2, 4, 3, 3)},
    ),
    "interpolated to half": (
        [node("Resize", "x r s", mode="linear")],
        PICTURE,
        {"r": np.zeros(0, np.float32), "s": np.array([1, 1, 0.5, 0.5], np.float32)},
    ),
    "one pixel interpolated": (
        [node("GlobalAveragePool", "x", "m"), node("Resize", "m r s", mode="linear")],
        PICTURE,
        {"r": np.zeros(0, np.float32), "s": np.array([1, 1, 6, 8], np.float32)},
    ),
    "channels of zeros around": (
        [node("Pad", "x p")],
        PICTURE,
        {"p": integers(0, 2, 0, 0, 0, 3, 0, 0)},
    ),
    "transposed conv": (
        [node("ConvTranspose", "x w b", strides=[2, 2], pads=[1, 1, 0, 0])],
        PICTURE,
        {"w": floats(4, 3, 3, 3), "b": floats(3)},
    ),
    "transposed conv with output padding": (
        [node("ConvTranspose", "x w", strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1])],
        PICTURE,
        {"w": floats(4, 3, 3, 3)},
    ),
    "gemm": ([node("Gemm", "x w b", transB=1, alpha=0.5, beta=2.0)], (1, 7), {"w": floats(3, 7), "b": floats(3)}),
    "gemm of a flattened picture": ([node("Flatten", "x", "f"), node("Gemm", "f w")], PICTURE, {"w": floats(192, 3)}),
    "matmul": ([node("MatMul", "x w")], (1, 1, 7), {"w": floats(7, 3)}),
    "batch norm": (
        [node("BatchNormalization", "x a b c d", epsilon=0.01)],
        PICTURE,
        {"a": floats(4), "b": floats(4), "c": floats(4), "d": floats(4) ** 2},
    ),
    "silu": ([node("Sigmoid", "x", "s"), node("Mul", "x s")], PICTURE, {}),
    "squeeze and excite": ([node("GlobalAveragePool", "x", "s"), node("Mul", "x s")], PICTURE, {}),
    "one channel times all": ([node("ReduceMax", "x", "s", axes=[2, 3]), node("Mul", "s x")], PICTURE, {}),
    "constants": (
        [node("Add", "x a", "p"), node("Sub", "one p", "q"), node("Div", "q a", "r"), node("Mul", "r one")],
        PICTURE,
        {"a": floats(4, 1, 1), "one": floats(1)},
    ),
    "a sum that spreads": ([node("GlobalAveragePool", "x", "s"), node("Add", "x s")], PICTURE, {}),
    "mean": ([node("ReduceMean", "x", axes=[-1, -2], keepdims=0)], PICTURE, {}),
    "max pool, rounded up": ([node("MaxPool", "x", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)], PICTURE, {}),
    "average pool": ([node("AveragePool", "x", kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1])], PICTURE, {}),
    "average pool that counts padding": (
        [node("AveragePool", "x", kernel_shape=[2, 2], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1)],
        PICTURE,
        {},
    ),
    "pad": ([node("Pad", "x p v")], PICTURE, {"p": integers(0, 0, 1, 2, 0, 3, 0, 1), "v": np.float32(0.5)}),
    "twice as large": ([node("Resize", "x  s", mode="nearest")], PICTURE, {"s": np.float32([1, 1, 2, 2])}),
    "half as large": (
        [node("Resize", "x  s", mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="ceil")],
        PICTURE,
        {"s": np.float32([1, 1, 0.5, 0.5])},
    ),
    "concat of channels": ([node("Relu", "x", "a"), node("Concat", "x a", axis=1)], PICTURE, {}),
    "concat of rows": ([node("Relu", "x", "a"), node("Concat", "x a", axis=2)], PICTURE, {}),
    "focus": (
        [node("Slice", "x s0 e a t", "p"), node("Slice", "x s1 e a t", "q"), node("Concat", "p q", axis=1)],
        PICTURE,
        {"s0": integers(0), "s1": integers(1), "e": integers(99), "a": integers(2), "t": integers(2)},
    ),
    "shape arithmetic": (
        [
            node("Shape", "x", "n"),
            node("Gather", "n zero", "b"),
            node("Unsqueeze", "b axes", "u"),
            node("Concat", "u rest", "t", axis=0),
            node("Reshape", "x t"),
        ],
        PICTURE,
        {"zero": np.int64(0), "axes": integers(0), "rest": integers(-1, 16)},
    ),
    "split and swap": ([node("Split", "x", "a b", axis=1), node("Concat", "b a", axis=1)], PICTURE, {}),
    "channel shuffle": (
        [node("Reshape", "x s", "a"), node("Transpose", "a", "b", perm=[0, 2, 1, 3, 4]), node("Reshape", "b t")],
        PICTURE,
        {"s": integers(1, 2, 2, 6, 8), "t": integers(1, 4, 6, 8)},
    ),
    "softmax of a picture": ([node("Softmax", "x", axis=1)], PICTURE, {}),
    "softmax of rows": ([node("Softmax", "x", axis=-1)], (1, 3, 5), {}),
    "clip": ([node("Clip", "x a b")], PICTURE, {"a": np.float32(-0.25), "b": np.float32(0.5)}),
    "relu6 by two limits": (
        [node("Max", "x a", "p"), node("Min", "p b")],
        PICTURE,
        {"a": np.float32(0), "b": np.float32(6)},
    ),
    "prelu": ([node("PRelu", "x a")], PICTURE, {"a": floats(4, 1, 1)}),
    "pixel shuffle": ([node("DepthToSpace", "x", blocksize=2, mode="CRD")], PICTURE, {}),
    "space to depth": ([node("SpaceToDepth", "x", blocksize=2)], PICTURE, {}),
    "square": ([node("Pow", "x two")], PICTURE, {"two": np.float32(2)}),
    "l2 norm": ([node("LpNormalization", "x", axis=1, p=2)], (1, 9), {}),
    "computed weights": (
        [node("Mul", "w two", "v"), node("Conv", "x v")],
        PICTURE,
        {"w": floats(2, 4, 1, 1), "two": np.float32(2)},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_an_operator_means_what_onnxs_reference_says(name: str) -> None:
    from onnx.reference import ReferenceEvaluator

    nodes, shape, constants = CASES[name]
    model = model_of(nodes, shape, constants)
    x = floats(*shape)
    wanted = ReferenceEvaluator(model).run(None, {"x": x})[0]
    graph = read_onnx(model.SerializeToString(), name)
    assert not [n for n in graph.nodes if isinstance(n.op, Foreign)]
    got = evaluate.outputs(graph, x.reshape(1, *graph.input_shape))[0]
    np.testing.assert_allclose(got.reshape(-1), np.asarray(wanted).reshape(-1), rtol=1e-4, atol=1e-5)


def test_a_dynamic_batch_becomes_1() -> None:
    graph = read_onnx(model_of([node("Relu")], ("batch", 3, 4, 4)).SerializeToString(), "m")
    assert graph.input_shape == (3, 4, 4)


def test_nodes_keep_the_users_names() -> None:
    graph = read_onnx(model_of([node("Relu")]).SerializeToString(), "m")
    assert [(n.origin, n.kind) for n in graph.nodes] == [("my Relu", "Relu")]


@pytest.mark.parametrize(
    ("nodes", "shape", "message"),
    [
        ([node("Relu")], ("n", 3, "h", "w"), "input 'x' has no fixed size; found"),
        ([node("Relu")], (2, 3, 4, 4), "the model's batch is 2; expected 1, or dynamic; export it so"),
        ([node("Relu", "z")], PICTURE, "Relu 'my Relu' reads 'z', which nothing makes"),
        ([node("Conv", "x w")], PICTURE, "Conv 'my Conv' reads 'w', which nothing makes"),
    ],
)
def test_what_cannot_be_read_is_told(nodes: list[Any], shape: tuple[Any, ...], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read_onnx(model_of(nodes, shape).SerializeToString(), "m")


@pytest.mark.parametrize(
    ("made", "row", "found"),
    [
        (node("Resize", "x  s", mode="cubic"), "interpolation", "it interpolates (6, 8) to (12, 16) (cubic)"),
        (node("LSTM", "x w r"), "recurrence", "it repeats or decides while it runs"),
        (node("Det", "x"), "operator", "Det is not read"),
        (node("Pad", "x p"), "padding", "it pads [0, -1, 0, 0, 0, 0, 0, 0]"),
        (node("Concat", "x w", axis=1), "constant operand", "its input 1 is a constant"),
        (node("Div", "x x"), "division", "it divides [1, 4, 6, 8] by [1, 4, 6, 8], both computed"),
        (node("MatMul", "x x"), "attention", "it multiplies [1, 4, 6, 8] by [1, 4, 6, 8]"),
        (node("NonMaxSuppression", "x x"), "detection tail", "it chooses among [1, 4, 6, 8]"),
        (node("LayerNormalization", "x w"), "norm", "it measures [1, 4, 6, 8] anew for each picture"),
        (node("Add", "x w"), "per pixel", "its constant is [1, 4, 6, 8] for [1, 4, 6, 8]"),
        (node("Where", "x x x"), "comparison", "it decides element by element of [1, 4, 6, 8]"),
    ],
)
def test_what_has_no_counterpart_is_kept_with_the_reason(made: Any, row: str, found: str) -> None:
    constants = {"s": np.float32([1, 1, 2, 2]), "w": floats(*PICTURE), "r": floats(1), "p": integers(0, -1, *[0] * 6)}
    graph = read_onnx(model_of([made], PICTURE, constants).SerializeToString(), "m")
    foreign = graph.nodes[-1].op
    assert isinstance(foreign, Foreign)
    assert foreign.why == f"{found}; {REFUSALS[row].taken}"
    assert foreign.instead == REFUSALS[row].instead


def test_resizing_by_a_whole_factor_is_a_resize_however_it_is_said() -> None:
    for mode in ("half_pixel", "asymmetric", "pytorch_half_pixel"):
        made = node("Resize", "x  s", mode="nearest", coordinate_transformation_mode=mode, nearest_mode="floor")
        graph = read_onnx(model_of([made], PICTURE, {"s": np.float32([1, 1, 2, 2])}).SerializeToString(), "m")
        kind = type(graph.nodes[0].op)
        assert kind is (Resize if mode == "asymmetric" else Gather)


def test_what_stands_behind_an_unreadable_operator_is_told_after_it() -> None:
    """A sum over the second axis of five has no shape that ONNX tells; the convolution behind it does not fit."""
    nodes = [
        node("Reshape", "x five", "a"),
        node("Einsum", "a", "b", equation="abcde->acde"),
        node("Conv", "b w", "y"),
    ]
    constants = {"five": integers(1, 2, 2, 6, 8), "w": np.ones((5, 3, 3, 3), np.float32)}
    graph = read_onnx(model_of(nodes, constants=constants).SerializeToString(), "test")
    told = [n.op.why for n in graph.nodes if isinstance(n.op, Foreign)]
    assert "it multiplies [1, 2, 2, 6, 8]" in told[0]
    assert "stands behind an operator that is not read" in told[1]


def test_damaged_files_are_read_or_refused() -> None:
    nodes = [
        node("Conv", "x w", "a"),
        node("Relu", "a", "b"),
        node("GlobalAveragePool", "b", "c"),
        node("Flatten", "c"),
    ]
    raw = model_of(nodes, PICTURE, {"w": floats(2, 4, 3, 3)}).SerializeToString()
    refused = 0
    for data in damaged(raw, 0, 400):
        try:
            read_onnx(data, "m")
        except FormatError:
            refused += 1
    assert 0 < refused < 400
