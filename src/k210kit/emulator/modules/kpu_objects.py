"""What the `KPU` module hands to a script: nets, results, detections. Source: port/src/Maix/Maix_kpu.c."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from k210kit.emulator import costs
from k210kit.emulator.board import Board
from k210kit.emulator.kpu_library import LoadedModel
from k210kit.emulator.modules.image.arguments import as_float, as_int
from k210kit.emulator.system_memory import SystemBlock
from k210kit.emulator.wording import float_text
from k210kit.emulator.yolo2 import Detection

__all__ = ["FeatureMap", "Found", "KpuNet", "LayerInfo", "YoloSettings", "layer_name"]


# The library's own table; a missing comma joins two names at 21, so that later ones are off by one.
_NAMES = (
    "INVALID ADD QUANTIZED_ADD GLOBAL_MAX_POOL2D QUANTIZED_GLOBAL_MAX_POOL2D GLOBAL_AVERAGE_POOL2D "
    "QUANTIZED_GLOBAL_AVERAGE_POOL2D MAX_POOL2D QUANTIZED_MAX_POOL2D AVERAGE_POOL2D QUANTIZED_AVERAGE_POOL2D QUANTIZE "
    "DEQUANTIZE REQUANTIZE L2_NORMALIZATION SOFTMAX CONCAT QUANTIZED_CONCAT FULLY_CONNECTED QUANTIZED_FULLY_CONNECTED "
    "TENSORFLOW_FLATTEN QUANTIZED_TENSORFLOW_FLATTENKL_RESIZE_NEAREST_NEIGHBOR QUANTIZED_RESIZE_NEAREST_NEIGHBOR "
    "CHANNELWISE_DEQUANTIZE LOGISTIC"
)
_KPU_NAMES = {10240: "K210_CONV", 10241: "K210_ADD_PADDING", 10242: "K210_REMOVE_PADDING", 10243: "K210_UPLOAD"}


def layer_name(number: int) -> str:
    """What netinfo calls a layer type."""
    names = _NAMES.split()
    return "KL_" + (names[number] if number < len(names) else _KPU_NAMES.get(number, "INVALID"))


class KpuNet:
    """What `load` returns."""

    def __init__(self, model: LoadedModel, *, address: int | None, path: str | None) -> None:
        self._model = model
        self._address, self._path = address, path
        self._yolo: YoloSettings | None = None
        self._yolo_blocks: list[SystemBlock] = []

    def model_addr(self) -> int | None:
        return self._address

    def model_size(self) -> int:
        return self._model.size

    def model_path(self) -> str | None:
        return self._path

    def net_arg(self) -> YoloSettings | None:
        return self._yolo

    def __repr__(self) -> str:
        settings = repr(self._yolo) if self._yolo is not None else '"(null)"'
        return (
            f'{{"model_addr": {self._address or 0}, "model_size": {self._model.size}, '
            f'"model_path": "{self._path or "(null)"}", "net_args": {settings}}}'
        )


class YoloSettings:
    """What `init_yolo2` keeps."""

    def __init__(self, threshold: float, nms_value: float, anchor: tuple[float, ...]) -> None:
        self._threshold, self._nms_value, self._anchor = threshold, nms_value, anchor

    def threshold(self) -> float:
        return self._threshold

    def nms_value(self) -> float:
        return self._nms_value

    def anchor_number(self) -> int:
        return len(self._anchor) // 2

    def anchor(self) -> tuple[float, ...]:
        return self._anchor

    def __repr__(self) -> str:
        anchors = ", ".join(f"{value:.6f}" for value in self._anchor)
        return (
            f'{{"threshold":{float_text(self._threshold)}, "nms_value":{float_text(self._nms_value)}, '
            f'"anchor_number":{self.anchor_number()}, "anchor":"({anchors})"}}'
        )


class Found:
    """One detection of `run_yolo2`."""

    def __init__(self, found: Detection, index: int, count: int) -> None:
        self._rect = (
            _short(found.x1),
            _short(found.y1),
            _short(found.x2 - found.x1),
            _short(found.y2 - found.y1),
        )
        self._class, self._score, self._index, self._count = found.class_number, found.score, index, count

    def rect(self) -> tuple[int, int, int, int]:
        return self._rect

    def x(self) -> int:
        return self._rect[0]

    def y(self) -> int:
        return self._rect[1]

    def w(self) -> int:
        return self._rect[2]

    def h(self) -> int:
        return self._rect[3]

    def classid(self) -> int:
        return self._class

    def index(self) -> int:
        return self._index

    def value(self) -> float:
        return self._score

    def objnum(self) -> int:
        return self._count

    def __repr__(self) -> str:
        x, y, w, h = self._rect
        return (
            f'{{"x":{x}, "y":{y}, "w":{w}, "h":{h}, "value":{self._score:.6f}, "classid":{self._class}, '
            f'"index":{self._index}, "objnum":{self._count}}}'
        )


class FeatureMap:
    """A result. Its memory belongs to the model: the next forward overwrites it."""

    def __init__(
        self, data: NDArray[np.uint8], code: str, shape: tuple[int, int, int], index: int, board: Board
    ) -> None:
        self._data, self._code, self._shape, self._index = data, code, shape, index
        self._board = board
        size = data.size // 4 * 4
        self._values: NDArray[Any] = data[:size].view(np.float32) if code == "f" else data

    def size(self) -> int:
        return self._data.size

    def index(self) -> int:
        return self._index

    def w(self) -> int:
        return self._shape[0]

    def h(self) -> int:
        return self._shape[1]

    def ch(self) -> int:
        return self._shape[2]

    def typecode(self) -> str:
        return self._code

    def __getitem__(self, at: int | slice) -> Any:
        """A number, or a tuple of numbers (Any: int or float by the typecode)."""
        self._readable("read")
        if isinstance(at, slice):
            part = self._values[self._whole_slice(at)]
            self._board.clock.advance(costs.FMAP_SECONDS_PER_ITEM * part.size)
            return tuple(part.tolist())
        return self._values[self._place(at)].item()

    def __setitem__(self, at: int | slice, value: Any) -> None:
        """Write a number, or one or a list of numbers over a slice (Any: the script's)."""
        self._readable("write")
        convert = as_float if self._code == "f" else _byte
        if isinstance(at, slice):
            part = self._values[self._whole_slice(at)]
            if isinstance(value, list):
                if len(value) != part.size:
                    raise OSError("cannot grow or shrink image")
                part[...] = [convert(item) for item in value]
            else:
                part[...] = convert(value)
            return
        self._values[self._place(at)] = convert(value)

    def to_bytes(self) -> memoryview:
        """The bytes, as the buffer protocol gives them to `uart.write` and others."""
        return self._data.data

    def _readable(self, what: str) -> None:
        if not self._code:
            self._board.print(f"typecode don't support {what}!\n")
            raise TypeError("'kpu_fmap' object isn't subscriptable")

    def _whole_slice(self, at: slice) -> slice:
        if at.step not in (None, 1):
            raise OSError("only slices with step=1 (aka None) are supported")
        return at

    def _place(self, at: int) -> int:
        place = as_int(at)
        if not -self._values.size <= place < self._values.size:
            raise IndexError("kpu_fmap index out of range")
        return place

    def __iter__(self) -> NoReturn:
        raise TypeError("'kpu_fmap' object isn't iterable")

    def __repr__(self) -> str:
        w, h, channels = self._shape
        return (
            f'{{"fmap": "data"=0x80400000, "size"={self._data.size}, "index": {self._index}, "w": {w}, "h": {h}, '
            f'"ch": {channels}, "typecode": {self._code}}}'
        )


class LayerInfo:
    """One layer of `netinfo`."""

    def __init__(self, **values: int) -> None:
        self._values = values

    def __getattr__(self, name: str) -> Any:
        """A method for each value (Any: it returns an int)."""
        if name.startswith("_") or name not in self._values:
            raise AttributeError(f"'kpu_netinfo_find' object has no attribute '{name}'")
        return lambda: self._values[name]

    def __repr__(self) -> str:
        shown = {**self._values, "type": layer_name(self._values["type"])}
        return "{" + ", ".join(f'"{name}":{value}' for name, value in shown.items()) + "}"


def _short(value: int) -> int:
    """As the firmware's int16 rectangles hold it."""
    return (value + 0x8000) % 0x10000 - 0x8000


def _byte(value: object) -> int:
    return as_int(value) & 0xFF
