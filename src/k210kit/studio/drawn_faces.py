"""A drawn room with a face that moves, and a small network, set by hand, that finds it: for demonstrations.

The network knows one thing, the colour of the drawn face. It has the shape of the detectors that MaixPy runs: pictures
of 320x240 in, a grid of 20x15 with five anchors out.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from k210kit.errors import MissingExtraError

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["ANCHORS", "LABELS", "draw_room", "write_finder"]

LABELS = ("face",)
FACE = (84, 110)  # pixels
_CELL = 16
ANCHORS = (FACE[0] / _CELL, FACE[1] / _CELL, 1, 1, 2, 2, 3, 3, 4, 4)  # cells; the last four are never used
_SKIN = (226, 168, 134)
_SURE, _HALF = 40.0, 0.8  # how steeply, and at which share of skin in the window, the score rises


def draw_room(number: int, of: int) -> Image:
    """Picture `number` of a round of `of`: 320x240, the face on a path through the room."""
    from PIL import Image, ImageDraw

    colours = random.Random(11)
    image = Image.new("RGB", (320, 240))
    pen = ImageDraw.Draw(image)
    for y in range(240):
        pen.line((0, y, 320, y), fill=(40 + y // 6, 70 + y // 5, 110 + y // 4))
    for shelf in (30, 140):
        for x in range(6, 310, 14):
            top, blue = shelf + colours.randrange(26), colours.randrange(110, 220)
            pen.rectangle(
                (x, top, x + 10, shelf + 62), fill=(colours.randrange(20, 90), colours.randrange(60, 150), blue)
            )
        pen.rectangle((0, shelf + 63, 320, shelf + 70), fill=(50, 60, 72))
    turn = 2 * np.pi * number / of
    x, y = 118 + 100 * np.sin(turn), 65 + 45 * np.sin(2 * turn)
    pen.ellipse((x, y, x + FACE[0], y + FACE[1]), fill=_SKIN)
    for eye in (x + 22, x + 50):
        pen.ellipse((eye, y + 38, eye + 12, y + 49), fill=(30, 30, 40))
    pen.arc((x + 24, y + 52, x + 60, y + 88), 25, 155, fill=(110, 40, 60), width=4)
    return image


def write_finder(path: Path) -> None:
    """The network as ONNX, input [1, 3, 240, 320] of 0 to 1. Needs the `onnx` extra."""
    try:
        import onnx
        from onnx import helper
    except ImportError:
        raise MissingExtraError("onnx", extra="onnx", purpose="the drawn detector") from None
    convolutions: Sequence[tuple[str, Any, Any]] = _weights()
    weights, nodes, at = [], [], "picture"
    for name, kernel, bias in convolutions:
        weights += [
            onnx.numpy_helper.from_array(kernel, f"{name}.kernel"),
            onnx.numpy_helper.from_array(bias, f"{name}.bias"),
        ]
        edge, step = kernel.shape[-1] // 2, 2 if name.startswith("shrink") else 1
        nodes.append(helper.make_node("Conv", [at, f"{name}.kernel", f"{name}.bias"], [name], pads=[edge] * 4,
                                      strides=[step, step]))  # fmt: skip
        at = name
        if name != "boxes":
            nodes.append(helper.make_node("Relu", [name], [at := f"{name}.relu"]))
    shape = helper.make_tensor_value_info("picture", onnx.TensorProto.FLOAT, [1, 3, 240, 320])
    out = helper.make_tensor_value_info("boxes", onnx.TensorProto.FLOAT, [1, 30, 15, 20])
    graph = helper.make_graph(nodes, "drawn-face finder", [shape], [out], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    onnx.save(model, str(path))


def _weights() -> list[tuple[str, Any, Any]]:  # Any: float32 arrays, kernel and bias
    """Skin, that is red above blue; its share per cell of 16 pixels; its share per window; the boxes."""
    skin = np.zeros((4, 3, 3, 3), np.float32)
    skin[:, 0], skin[:, 2] = 3.0 / 9, -3.0 / 9
    mean = np.zeros((4, 4, 3, 3), np.float32)
    mean[range(4), range(4)] = 1 / 9
    head, bias = np.zeros((30, 4, 1, 1), np.float32), np.zeros(30, np.float32)
    full = 3.0 * (_SKIN[0] - _SKIN[2]) / 255
    bias[:2] = -3.5  # each step of two looks around the upper left of its four pixels, so a cell's place is its corner
    head[4] = _SURE / (4 * full)  # the objectness of the first anchor
    bias[4] = -_SURE * _HALF
    bias[10::6] = -_SURE * _HALF  # that of the others
    nothing = np.zeros(4, np.float32)
    means = ("shrink2", "shrink3", "shrink4", "window1", "window2")
    return [("shrink1", skin, nothing), *((name, mean, nothing) for name in means), ("boxes", head, bias)]
