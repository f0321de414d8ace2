from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("tflite", reason="the extra 'tflite' is not installed")

from k210kit.compiler import evaluate
from k210kit.compiler.importers.tflite import read_tflite
from k210kit.compiler.ops import Bilinear, Conv, Dense, Foreign
from k210kit.compiler.refusals import REFUSALS
from k210kit.errors import FormatError
from tests.compiler.tflite_files import STRIDE_1, Op, Sparse, Tensor, small_net, tflite_file

RNG = np.random.default_rng(1)


def lite(data: bytes, x: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """What LiteRT makes of it; pictures as channels, height, width."""
    interpreter = pytest.importorskip("ai_edge_litert.interpreter", reason="LiteRT is not installed")
    machine = interpreter.Interpreter(model_content=data)
    machine.allocate_tensors()
    machine.set_tensor(machine.get_input_details()[0]["index"], x)
    machine.invoke()
    found = [machine.get_tensor(out["index"]) for out in machine.get_output_details()]
    return [array.transpose(0, 3, 1, 2) if array.ndim == 4 else array for array in found]


def agrees(data: bytes, shape: tuple[int, ...]) -> None:
    x = RNG.normal(size=shape).astype(np.float32)
    graph = read_tflite(data, "m")
    assert not [node for node in graph.nodes if isinstance(node.op, Foreign)]
    ours = x.transpose(0, 3, 1, 2) if x.ndim == 4 else x
    for want, got in zip(lite(data, x), evaluate.outputs(graph, ours), strict=True):
        np.testing.assert_allclose(got.reshape(-1), want.reshape(-1), rtol=1e-4, atol=1e-5)


def one(op: Op, shape: tuple[int, ...], out: tuple[int, ...], *constants: Tensor) -> bytes:
    return tflite_file([Tensor("x", shape), *constants, Tensor("y", out)], [op], "x", "y")


def numbers(name: str, *values: int) -> Tensor:
    return Tensor(name, (len(values),), np.array(values, np.int32), "int32")


def test_a_small_net_is_what_litert_runs() -> None:
    agrees(small_net(), (1, 8, 8, 3))


PICTURE = (1, 6, 8, 4)
CASES = {
    "half pixels": one(
        Op("RESIZE_BILINEAR", "x s", "y", "ResizeBilinearOptions", (("HalfPixelCenters", True),)),
        PICTURE, (1, 12, 16, 4), numbers("s", 12, 16),
    ),
    "upper left pixels": one(
        Op("RESIZE_BILINEAR", "x s", "y", "ResizeBilinearOptions"), PICTURE, (1, 12, 16, 4), numbers("s", 12, 16)
    ),
    "nearest": one(
        Op("RESIZE_NEAREST_NEIGHBOR", "x s", "y", "ResizeNearestNeighborOptions"),
        PICTURE, (1, 12, 24, 4), numbers("s", 12, 24),
    ),
    "mean of channels": one(
        Op("MEAN", "x a", "y", "ReducerOptions", (("KeepDims", True),)), PICTURE, (1, 6, 8, 1), numbers("a", 3)
    ),
    "mean of rows": one(
        Op("MEAN", "x a", "y", "ReducerOptions", (("KeepDims", True),)), PICTURE, (1, 1, 8, 4), numbers("a", 1)
    ),
    "mirror": one(
        Op("MIRROR_PAD", "x p", "y", "MirrorPadOptions", (("Mode", 0),)), PICTURE, (1, 9, 10, 4),
        Tensor("p", (4, 2), np.array([[0, 0], [1, 2], [2, 0], [0, 0]], np.int32), "int32"),
    ),
    "maximum": one(
        Op("MAXIMUM", "x m", "y", "MaximumMinimumOptions"), PICTURE, PICTURE, Tensor("m", (), np.float32([0.25]))
    ),
    "gather": one(
        Op("GATHER", "x i", "y", "GatherOptions", (("Axis", 3),)), PICTURE, (1, 6, 8, 2), numbers("i", 3, 1)
    ),
    "transposed convolution": one(
        Op("TRANSPOSE_CONV", "s w x", "y", "TransposeConvOptions", (("StrideH", 2), ("StrideW", 2), ("Padding", 0))),
        PICTURE, (1, 12, 16, 5), numbers("s", 1, 12, 16, 5),
        Tensor("w", (5, 3, 3, 4), RNG.normal(size=(5, 3, 3, 4)).astype(np.float32)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_an_operator_is_what_litert_runs(name: str) -> None:
    agrees(CASES[name], PICTURE)


def test_interpolation_by_2_stays_one_operation() -> None:
    assert [type(node.op) for node in read_tflite(CASES["half pixels"], "m").nodes] == [Bilinear]


DENSE = np.array([[0, 1, 0, 0], [0, 0, 0, 0], [2, 0, 0, 3], [0, 4, 5, 0]], np.float32)
SPARSE = {
    "rows": (Sparse(order=[0, 1], levels=[4, ([0, 1, 1, 3, 5], [1, 0, 3, 1, 2])], blocks=[]), [1, 2, 3, 4, 5]),
    "columns": (Sparse(order=[1, 0], levels=[4, ([0, 1, 3, 4, 5], [2, 0, 3, 3, 2])], blocks=[]), [2, 1, 4, 5, 3]),
    "blocks of 2": (
        Sparse(order=[0, 1, 2], levels=[4, ([0, 1, 1, 3, 5], [0, 0, 1, 0, 1]), 2], blocks=[1]),
        [0, 1, 2, 0, 0, 3, 0, 4, 5, 0],
    ),
}


def sparse_net(sparse: Sparse, values: list[int]) -> bytes:
    weights = Tensor("w", (4, 4), np.array(values, np.float32), sparse=sparse)
    return one(Op("FULLY_CONNECTED", "x w ", "y", "FullyConnectedOptions"), (1, 4), (1, 4), weights)


@pytest.mark.parametrize("name", SPARSE)
def test_sparse_weights_are_read(name: str) -> None:
    graph = read_tflite(sparse_net(*SPARSE[name]), "m")
    (node,) = graph.nodes
    assert isinstance(node.op, Dense)
    assert node.op.weights.tolist() == DENSE.tolist()


@pytest.mark.parametrize(
    ("sparse", "values", "message"),
    [
        (Sparse(order=[0, 0], levels=[4, 4], blocks=[]), [1], r"sparse in the order \[0, 0\]"),
        (Sparse(order=[0, 1], levels=[4, 999], blocks=[]), [1], "sparse with an axis of 999; expected 16 elements"),
        (Sparse(order=[0, 1], levels=[4, ([0, 1], [0])], blocks=[]), [1], "sparse with 1 indices"),
        (Sparse(order=[0, 1], levels=[4, ([0, 1, 1, 1, 1], [7])], blocks=[]), [1], "a place outside"),
        (Sparse(order=[0, 1], levels=[4, ([0, 1, 1, 1, 1], [0])], blocks=[]), [1, 2], "sparse with 2 values"),
    ],
)
def test_damaged_sparse_weights_are_told(sparse: Sparse, values: list[int], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read_tflite(sparse_net(sparse, values), "m")


def test_weights_of_8_bits_are_read_per_channel() -> None:
    codes = RNG.integers(-127, 128, size=(3, 4)).astype(np.int8)
    weights = Tensor("w", (3, 4), codes, "int8", scale=(0.5, 0.25, 2.0), zero=(0, 0, 0))
    graph = read_tflite(one(Op("FULLY_CONNECTED", "x w ", "y", "FullyConnectedOptions"), (1, 4), (1, 3), weights), "m")
    op = graph.nodes[0].op
    assert isinstance(op, Dense)
    assert op.weights.tolist() == (codes * np.array([[0.5], [0.25], [2.0]])).tolist()


def test_depthwise_weights_of_8_bits_are_read_per_channel() -> None:
    codes = RNG.integers(-127, 128, size=(1, 3, 3, 4)).astype(np.int8)
    weights = Tensor("w", (1, 3, 3, 4), codes, "int8", scale=(0.5, 0.25, 2.0, 1.0), zero=(0, 0, 0, 0), axis=3)
    bias = Tensor("b", (4,), np.array([1, 2, 3, 4], np.int32), "int32", (0.5, 0.5, 0.5, 0.25), (0, 0, 0, 0))
    options = (*STRIDE_1, ("DepthMultiplier", 1))
    op = Op("DEPTHWISE_CONV_2D", "x w b", "y", "DepthwiseConv2DOptions", options)
    (node,) = read_tflite(one(op, PICTURE, PICTURE, weights, bias), "m").nodes
    assert isinstance(node.op, Conv)
    wanted = codes[0].transpose(2, 0, 1)[:, None] * np.array([0.5, 0.25, 2.0, 1.0]).reshape(4, 1, 1, 1)
    assert node.op.weights.tolist() == wanted.tolist()
    assert node.op.bias.tolist() == [0.5, 1.0, 1.5, 1.0]


@pytest.mark.parametrize("kind", ["uint8", "int8", "int16"])
def test_a_quantised_model_is_read_as_the_floats_it_stands_for(kind: str) -> None:
    tensors = [Tensor("x", PICTURE, None, kind, (0.1,), (0,)), Tensor("y", PICTURE, None, kind, (0.1,), (0,))]
    graph = read_tflite(tflite_file(tensors, [Op("RELU", "x", "y")], "x", "y"), "m")
    assert [(node.kind, graph.shapes[node.output]) for node in graph.nodes] == [("RELU", (4, 6, 8))]


@pytest.mark.parametrize(
    ("op", "row", "found"),
    [
        (Op("LSTM", "x", "y"), "recurrence", "it repeats, decides or remembers while it runs"),
        (
            Op("CUSTOM", "x", "y", custom="TFLite_Detection_PostProcess"), "detection tail",
            "it chooses among [1, 6, 8, 4]",
        ),
        (Op("CUSTOM", "x", "y", custom="MyOwn"), "operator", "MyOwn is not read"),
        (Op("FLOOR_DIV", "x x", "y"), "operator", "FLOOR_DIV is not read"),
        (Op("DIV", "x x", "y", "DivOptions"), "division", "it divides [1, 6, 8, 4] by [1, 6, 8, 4], both computed"),
        (Op("MAXIMUM", "x x", "y"), "comparison", "it compares [1, 6, 8, 4] with [1, 6, 8, 4]"),
    ],
)  # fmt: skip
def test_what_has_no_counterpart_is_kept_with_the_reason(op: Op, row: str, found: str) -> None:
    (node,) = read_tflite(one(op, PICTURE, PICTURE), "m").nodes
    assert isinstance(node.op, Foreign)
    assert node.op.why == f"{found}; {REFUSALS[row].taken}"
    assert node.kind == (op.custom or op.kind)


def test_a_convolution_keeps_its_stride_and_activation() -> None:
    weights = Tensor("w", (4, 3, 3, 4), RNG.normal(size=(4, 3, 3, 4)).astype(np.float32))
    bias = Tensor("b", (4,), RNG.normal(size=4).astype(np.float32))
    fields = (("StrideH", 2), ("StrideW", 1), *STRIDE_1[2:], ("FusedActivationFunction", 1))
    agrees(one(Op("CONV_2D", "x w b", "y", "Conv2DOptions", fields), PICTURE, (1, 3, 8, 4), weights, bias), PICTURE)


@pytest.mark.parametrize("small", [(1, 1, 1, 4), (1, 6, 8, 1), (1, 1, 1, 1)])
@pytest.mark.parametrize("kind", ["MUL", "ADD"])
def test_the_smaller_of_two_computed_values_is_spread(small: tuple[int, ...], kind: str) -> None:
    axes = [k for k in (1, 2, 3) if small[k] != PICTURE[k]]
    means = []
    at, shape = "x", PICTURE
    for k, some in enumerate(([a for a in axes if a != 3], [a for a in axes if a == 3])):
        if some:
            shape = tuple(1 if a in some else n for a, n in enumerate(shape))
            means.append(
                (Op("MEAN", f"{at} a{k}", f"m{k}", "ReducerOptions", (("KeepDims", True),)), numbers(f"a{k}", *some))
            )
            at = f"m{k}"
            means[-1] = (*means[-1], Tensor(at, shape))
    tensors = [Tensor("x", PICTURE), *(t for _, *rest in means for t in rest), Tensor("y", PICTURE)]
    operators = [*(op for op, *_ in means), Op(kind, f"x {at}", "y", "MulOptions" if kind == "MUL" else "AddOptions")]
    agrees(tflite_file(tensors, operators, "x", "y"), PICTURE)
