"""The script's `Image`: its memory, how it prints and is indexed. Its methods are in `methods/`, joined by `table`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .arguments import as_array, as_int, require
from .frame import Frame
from .pixels import EIGHT_TO_FIVE, EIGHT_TO_SIX, PIXEL, Format, join565, rgb_of_words
from .table import METHODS, as_function

if TYPE_CHECKING:
    from k210kit.emulator.board import Block

    from .workshop import Workshop

__all__ = ["Image", "cast", "make_type"]

PIXEL_FORMATS = {Format.RGB565: 2, Format.GRAYSCALE: 4, Format.JPEG: 5}  # omv/sensor.h; a binary picture has none


class Image:
    """A picture on the board.

    `pixels`, `pix_ai` and `pixel_format` are for the other device modules; the board itself has no such attributes.
    """

    __slots__ = ("__weakref__", "_blocks", "_frame", "_workshop")
    __iter__ = None  # MicroPython's type has indices but no iterator

    def __init__(self, workshop: Workshop, frame: Frame, blocks: tuple[Block, ...] = ()) -> None:
        self._workshop, self._frame, self._blocks = workshop, frame, blocks

    @property
    def pixels(self) -> NDArray[Any]:
        """RGB565 as big-endian uint16 [h, w] (values rrrrrggggggbbbbb), others uint8: [h, w], JPEG [size]."""
        frame = self._frame
        return frame.data.view(PIXEL) if frame.format is Format.RGB565 else frame.data

    @property
    def pix_ai(self) -> NDArray[np.uint8] | None:
        """What the KPU reads, uint8 [channel, h, w], or None."""
        return self._frame.ai

    @property
    def pixel_format(self) -> int:
        """The sensor's number for the format: 2 RGB565, 4 GRAYSCALE, 5 JPEG, 0 binary."""
        return PIXEL_FORMATS.get(self._frame.format, 0)

    def __repr__(self) -> str:
        frame = self._frame
        size = frame.size // 4 if frame.format is Format.BINARY else frame.size  # the firmware counts words there
        if frame.format is Format.JPEG and frame.size and frame.data[0] == frame.data[-1] == 0xFE:
            return frame.data.tobytes().decode("latin-1")  # compressed for the IDE
        return f'{{"w":{frame.width}, "h":{frame.height}, "type"="{frame.format.value}", "size":{size}}}'

    def __getattr__(self, name: str) -> Any:
        if name == "__del__":  # here a plain method that frees at once; as a class attribute CPython would call it
            return self._free
        raise AttributeError(f"'Image' object has no attribute '{name}'")

    def _free(self) -> None:
        for block in self._blocks:
            block.free()
        self._blocks = ()

    def __bytes__(self) -> bytes:
        return self._frame.data.tobytes()

    def __buffer__(self, flags: int, /) -> memoryview:
        return memoryview(self.__bytes__())

    def _count(self) -> int:
        frame = self._frame
        return int(frame.data.size) if frame.format is Format.JPEG else frame.width * frame.height

    def _place(self, index: object) -> int | slice:
        """An index or a slice of step 1, with MicroPython's checks."""
        count = self._count()
        if isinstance(index, slice):
            start, stop, step = index.indices(count)
            require(step == 1, "only slices with step=1 (aka None) are supported")
            return slice(start, max(start, stop))
        if not isinstance(index, int):
            raise TypeError(f"Image indices must be integers, not {type(index).__name__}")
        place = index + count if index < 0 else index
        if not 0 <= place < count:
            raise IndexError("Image index out of range")
        return place

    def __getitem__(self, index: object) -> Any:
        place, flat = self._place(index), self._frame.data.reshape(-1)
        values = flat[place if isinstance(place, slice) else slice(place, place + 1)]
        if self._frame.format is Format.RGB565:
            items: list[Any] = [tuple(rgb) for rgb in rgb_of_words(values).tolist()]
        else:
            items = values.tolist()
        return tuple(items) if isinstance(place, slice) else items[0]

    def __setitem__(self, index: object, value: object) -> None:
        place, flat = self._place(index), self._frame.data.reshape(-1)
        if isinstance(place, slice) and isinstance(value, list):
            require(len(value) == place.stop - place.start, "cannot grow or shrink image")
            flat[place] = [self._item(item) for item in value]
        else:
            flat[place] = self._item(value)

    def _item(self, value: object) -> int:
        if self._frame.format is Format.RGB565:
            r, g, b = (as_int(part) & 0xFF for part in as_array(value, 3))
            return int(join565(EIGHT_TO_FIVE[[r]], EIGHT_TO_SIX[[g]], EIGHT_TO_FIVE[[b]])[0])
        return as_int(value) & (1 if self._frame.format is Format.BINARY else 0xFF)

    # What methods ask for
    def mutable(self) -> Frame:
        """The frame, which must not be JPEG."""
        require(self._frame.format is not Format.JPEG, "Image format is not supported!")
        return self._frame

    def sharing(self, frame: Frame) -> Image:
        """A picture of a frame in this one's memory."""
        return type(self)(self._workshop, frame, self._blocks)

    def keep(self, block: Block) -> None:
        """Hold one more heap block."""
        self._blocks = (*self._blocks, block)


def cast(value: object) -> Image:
    """An argument that must be a picture."""
    if not isinstance(value, Image):
        raise TypeError(f"Can't convert {type(value).__name__} to Image")
    return value


def make_type(full: bool) -> type[Image]:
    """The class that scripts of a full or an OMV_MINIMUM firmware get."""
    from . import methods

    assert methods.LOADED
    offered: dict[str, Callable[..., Any] | tuple[()]] = {
        entry.name: as_function(entry) for entry in METHODS.values() if full or not entry.full
    }
    return type("Image", (Image,), {"__slots__": (), **offered})
