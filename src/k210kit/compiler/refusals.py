"""What of a source model has no counterpart on the K210: one table that is the check, the message and the docs.

An importer raises `Inexpressible` with the name of a row and what it found; the layer becomes a `Foreign` node. Passes
and lowering raise `LayerRefused`. `support.py` tells the user the layer's name, its sizes, what was found, what is
taken, and what to use instead.
"""

from __future__ import annotations

from dataclasses import dataclass

from k210kit.compiler.graph import Node
from k210kit.errors import UnsupportedError

__all__ = ["REFUSALS", "Inexpressible", "LayerRefused", "Refusal"]


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """One kind of refusal: what is taken of its kind, and what to use instead of what is not."""

    taken: str
    instead: str


_CUT = "or end the model before it (--outputs NAME) and do the rest on the board"

REFUSALS: dict[str, Refusal] = {
    "operator": Refusal(
        taken="there is no layer for it in a kmodel, nor a way around it",
        instead=f"the operators of docs/reference/operators.md, {_CUT}",
    ),
    "detection tail": Refusal(
        taken="boxes are chosen by the board, which has nms",
        instead="the model without it: end it at the raw heads with --outputs NAME",
    ),
    "attention": Refusal(
        taken="one factor of a matrix product must be constant",
        instead=f"convolutions in place of attention, {_CUT}",
    ),
    "rows at once": Refusal(
        taken="a fully connected layer takes one flat vector",
        instead="Flatten before it, or a 1x1 convolution on the map",
    ),
    "behind": Refusal(
        taken="it stands behind an operator that is not read",
        instead="what is told of that one",
    ),
    "recurrence": Refusal(
        taken="a kmodel has no state and no loops",
        instead="convolutions over a window of time",
    ),
    "computed setting": Refusal(
        taken="shapes and weights must be constant",
        instead="an export with a fixed input size; onnxsim, or torch.onnx.export without dynamic_axes",
    ),
    "constant operand": Refusal(
        taken="it must be computed from the input",
        instead="the folded constant: run onnxsim over the model",
    ),
    "rank": Refusal(
        taken="pictures have 4 axes: batch, channels, height and width",
        instead="a picture, or a flat vector with fully connected layers",
    ),
    "layout": Refusal(
        taken="Keras models are read channels last",
        instead="data_format='channels_last'",
    ),
    "window": Refusal(
        taken="windows and strides are two numbers of at least 1",
        instead="a 2-D layer",
    ),
    "padding": Refusal(
        taken="padding of at least 0: height and width, or channels with zeros",
        instead="zero padding",
    ),
    "dilation": Refusal(
        taken="pools and transposed convolutions have dilation 1",
        instead="dilation 1",
    ),
    "output padding": Refusal(
        taken="a transposed convolution's output padding is at most its padding on that side",
        instead="kernel 2 or 4 with stride 2, or UpSampling and a convolution",
    ),
    "transposed convolution": Refusal(
        taken="stride 1 or 2 in both directions; with stride 2 kernels of 2 to 8, of which less than all but one pixel "
        "is cut off",
        instead="two transposed convolutions of stride 2, kernel 2 or 4, or UpSampling and a convolution",
    ),
    "convolution": Refusal(
        taken="the KPU has 1x1 and 3x3; others run over copies of the map that are moved by at most 12 pixels",
        instead="3x3 kernels of stride 1 or 2, padded by 1 on every side",
    ),
    "training": Refusal(
        taken="it must be exported for inference",
        instead="model.eval() before the export",
    ),
    "second result": Refusal(
        taken="only its values are computed",
        instead="the values alone",
    ),
    "norm": Refusal(
        taken="statistics must be constant: batch norm; or L2 of one flat vector",
        instead="batch norm, which costs nothing",
    ),
    "per pixel": Refusal(
        taken="constants and slopes are one number, or one per channel",
        instead="one number per channel; PReLU(shared_axes=[1, 2])",
    ),
    "division": Refusal(
        taken="the KPU adds, subtracts and multiplies two maps, but divides by constants alone",
        instead=f"a multiplication, {_CUT}",
    ),
    "comparison": Refusal(
        taken="a limit is one number; two maps are not compared",
        instead="Clip, or ReLU of the difference",
    ),
    "shapes": Refusal(
        taken="two values of one shape; a factor may be one number per channel or per pixel",
        instead="values of one shape",
    ),
    "power": Refusal(
        taken="powers are 0.5, 1, 2 and 3",
        instead="a multiplication",
    ),
    "zero": Refusal(
        taken="a divisor is not 0",
        instead="another divisor",
    ),
    "sum": Refusal(
        taken="at least one summand is computed",
        instead="additions of two values",
    ),
    "reduction": Refusal(
        taken="mean, sum and maximum over height and width, and over channels of a map",
        instead="GlobalAveragePooling2D, or a 1x1 convolution",
    ),
    "rounded size": Refusal(
        taken="a mean that counts its padding rounds its size down",
        instead="ceil_mode=False",
    ),
    "interpolation": Refusal(
        taken="nearest neighbour; bilinear by 2 or by half in both directions, without aligned corners",
        instead="mode='nearest', or bilinear by 2 with align_corners=False",
    ),
    "resize": Refusal(
        taken="height and width alone are resized",
        instead="one factor for height and one for width",
    ),
    "logarithm": Refusal(
        taken="there is no logarithm on the chip; the order of the classes is the same without",
        instead=f"Softmax, {_CUT}",
    ),
    "activation": Refusal(
        taken="relu, relu6, leaky_relu, prelu, sigmoid, tanh, silu, gelu, elu, mish, softplus, hard_swish, softmax",
        instead="ReLU or ReLU6, which are exact",
    ),
    "softmax": Refusal(
        taken="softmax over one axis, of beta 1",
        instead="beta 1, and the last axis in Keras",
    ),
    "rows of softmax": Refusal(
        taken="one layer each, and MaixPy's stack ends at 36 of the CPU in a row; rows of two are a sigmoid on the KPU",
        instead=f"sigmoid, {_CUT}",
    ),
    "integers": Refusal(
        taken="computed values stay floats",
        instead=f"floats to the end, {_CUT}",
    ),
    "custom": Refusal(
        taken="operators of TensorFlow Lite itself are read",
        instead="a conversion without SELECT_TF_OPS and custom operators",
    ),
    "python": Refusal(
        taken="layers, and arithmetic with one number",
        instead="a layer: Rescaling for arithmetic on the input",
    ),
    "float curve": Refusal(
        taken="between fully connected layers of a flat model only ReLU can run, and sigmoid or softmax at the end",
        instead="ReLU",
    ),
    "flat arithmetic": Refusal(
        taken="flat values in main memory can be added, and normalised as a whole, and no more",
        instead="the same on a map: (channels, 1, 1) instead of (channels,)",
    ),
    "pieces": Refusal(
        taken="a rearrangement copies at most 8,192 pieces",
        instead=f"a reshape or transpose that keeps longer runs together, {_CUT}",
    ),
}


class Inexpressible(Exception):
    """An operator that has no counterpart in the graph: a row of `REFUSALS`, and what was found."""

    def __init__(self, row: str, found: str) -> None:
        self.refusal = REFUSALS[row]
        self.why = f"{found}; {self.refusal.taken}"
        self.instead = self.refusal.instead
        super().__init__(self.why)


class LayerRefused(UnsupportedError):
    """A layer of the graph that cannot be lowered: a row of `REFUSALS`, and what was found."""

    def __init__(self, node: Node, row: str, found: str) -> None:
        self.node, self.why, self.instead = node, f"{found}; {REFUSALS[row].taken}", REFUSALS[row].instead
        super().__init__(f"{node}: {self.why}. Use {self.instead}.")
