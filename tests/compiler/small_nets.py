"""Two nets of our own as ONNX files: a little MobileNet with a residual, and a little YOLO with two heads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


class Net:
    """A model from `image` on, node by node; weights are seeded multiples of 1/64."""

    def __init__(self, size: int) -> None:
        import onnx

        self.onnx, self.size = onnx, size
        self.rng, self.nodes, self.constants = np.random.default_rng(7), [], []

    def add(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name: str, array: Any) -> str:
        self.constants.append(self.onnx.numpy_helper.from_array(np.asarray(array), name))
        return name

    def conv(
        self, x: str, ins: int, outs: int, kernel: int = 3, stride: int = 1, pads: Any = None, group: int = 1
    ) -> str:
        number = len(self.nodes)
        weights = self.rng.integers(-32, 33, (outs, ins // group, kernel, kernel)) / 64
        bias = self.rng.integers(-16, 17, outs) / 64
        names = [
            self.constant(f"weights {number}", weights.astype(np.float32)),
            self.constant(f"bias {number}", bias.astype(np.float32)),
        ]
        pads = [kernel // 2] * 4 if pads is None else pads
        return self.add("Conv", [x, *names], pads=pads, strides=[stride, stride], group=group)

    def file(self, *outputs: str) -> bytes:
        helper, kind = self.onnx.helper, self.onnx.TensorProto.FLOAT
        graph = helper.make_graph(
            self.nodes,
            "small",
            [helper.make_tensor_value_info("image", kind, (1, 3, self.size, self.size))],
            [helper.make_tensor_value_info(name, kind, None) for name in outputs],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        return bytes(model.SerializeToString())


def mobile() -> bytes:
    """TensorFlow's padding, a residual, a mean, a dense layer, softmax."""
    net = Net(32)
    behind = [0, 0, 1, 1]
    low, high = net.constant("low", np.float32(0)), net.constant("high", np.float32(6))
    x = net.add("Clip", [net.conv("image", 3, 8, stride=2, pads=behind), low, high])
    x = net.add("Clip", [net.conv(x, 8, 16, kernel=1), low, high])
    x = net.add("Clip", [net.conv(x, 16, 16, stride=2, pads=behind, group=16), low, high])
    short = net.conv(x, 16, 8, kernel=1)
    x = net.add("Clip", [net.conv(short, 8, 24, kernel=1), low, high])
    x = net.add("Clip", [net.conv(x, 24, 24, group=24), low, high])
    x = net.add("Add", [net.conv(x, 24, 8, kernel=1), short])
    x = net.add("Flatten", [net.add("GlobalAveragePool", [net.add("Relu", [net.conv(x, 8, 32, kernel=1)])])])
    weights = net.rng.integers(-32, 33, (10, 32)) / 64
    dense = [net.constant("dense", weights.astype(np.float32)), net.constant("dense bias", np.zeros(10, np.float32))]
    return net.file(net.add("Softmax", [net.add("Gemm", [x, *dense], transB=1)], axis=1))


def detector() -> bytes:
    """Leaky ReLU, a stem without padding, pools of 2x2 and 3x3, an enlarged map beside another, two heads."""
    net = Net(41)
    x = net.add("LeakyRelu", [net.conv("image", 3, 8, pads=[0, 0, 0, 0])], alpha=0.125)
    x = net.add("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    x = net.add("LeakyRelu", [net.conv(x, 8, 16)], alpha=0.125)
    side = net.add("LeakyRelu", [net.conv(x, 16, 16)], alpha=0.125)
    x = net.add("MaxPool", [side], kernel_shape=[2, 2], strides=[2, 2])
    deep = net.add("LeakyRelu", [net.conv(x, 16, 32)], alpha=0.125)
    scales = net.constant("scales", np.float32([1, 1, 2, 2]))
    up = net.add("Resize", [net.conv(deep, 32, 8, kernel=1), "", scales], mode="nearest")
    up = net.add("Slice", [up, net.constant("from", np.int64([0, 0])), net.constant("to", np.int64([18, 18])),
                           net.constant("axes", np.int64([2, 3]))])  # fmt: skip
    side = net.add("Slice", [side, "from", "to", "axes"])
    both = net.add("Concat", [up, side], axis=1)
    return net.file(net.conv(deep, 32, 18, kernel=1), net.conv(both, 24, 18, kernel=1))


SMALL_NETS: dict[str, Callable[[], bytes]] = {"mobile": mobile, "detector": detector}
