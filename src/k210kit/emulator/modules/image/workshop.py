"""What pictures need of the board: heap blocks, scratch memory, time, files; and new pictures for its firmware."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from .frame import Frame, memory_bytes, new_frame
from .pixels import Format
from .table import FULL
from .text import BUILT_IN, Font
from .times import seconds

if TYPE_CHECKING:
    from k210kit.emulator.board import Block, Board

    from .image import Image

__all__ = ["Workshop"]


class Workshop:
    """One per board; every picture knows it."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.full = board.has(FULL)
        self.fast_yuv = board.has("nes")  # every shipped configuration sets OMV_CONV_YUV_FAST just where it sets NES
        self.font: Font = BUILT_IN
        self.frame_buffer: Frame | None = None  # the sensor's, as the last snapshot left it

    @property
    def picture_type(self) -> type[Image]:
        return picture_type(self.full)

    def spend(self, work: str, pixels: int) -> None:
        """Let the time pass that the board needs for some work on so many pixels."""
        self.board.clock.advance(seconds(work, pixels))

    @contextmanager
    def scratch(self, size: int | None = None) -> Iterator[None]:
        """The temporary block of a filter: `size` bytes, or all that the firmware takes for JPEG."""
        if size is None:
            with self.board.temporary():
                yield
        else:
            with self.board.heap.temporary(-(-size // 32) * 32):
                yield

    def allocate(self, size: int) -> Block:
        """Bytes of the GC heap."""
        return self.board.gc.allocate(size, picture=True)

    def new(self, width: int, height: int, format: Format) -> Image:
        """A black picture in the GC heap."""
        block = self.allocate(memory_bytes(width, height, format))
        return self.wrap(new_frame(width, height, format), block)

    def made_of(self, data: NDArray[Any], format: Format) -> Image:
        """A picture in the GC heap with these pixels [h, w]."""
        picture = self.new(data.shape[1], data.shape[0], format)
        picture._frame.data[...] = data
        return picture

    def jpeg(self, data: bytes, width: int, height: int) -> Image:
        """A compressed picture in the GC heap."""
        import numpy as np

        block = self.allocate(len(data))
        return self.wrap(Frame(width, height, Format.JPEG, np.frombuffer(bytearray(data), np.uint8)), block)

    def wrap(self, frame: Frame, *blocks: Block | None) -> Image:
        """A picture of this memory; it keeps the blocks alive."""
        return self.picture_type(self, frame, tuple(block for block in blocks if block is not None))


@cache
def picture_type(full: bool) -> type[Image]:
    """The class `Image` of a full or of an OMV_MINIMUM firmware."""
    from .image import make_type

    return make_type(full)
