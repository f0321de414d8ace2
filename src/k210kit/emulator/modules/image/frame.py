"""The memory behind a picture: its format, its pixels as the board stores them, and the KPU's planes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .pixels import GRAY_TO_WORD, WORD, Format, gray_of_words, rgb_of_words

__all__ = ["Frame", "binary_of", "gray_of", "memory_bytes", "new_frame", "rgb_of", "words_of"]


@dataclass(eq=False)
class Frame:
    """A picture in memory.

    `data` is uint16 words [h, w] for RGB565 (see `pixels`), uint8 [h, w] for grayscale, uint8 [h, w] of 0 and 1 for
    binary (which the board packs into 32-bit words), and uint8 [size] for JPEG. `ai` is uint8 [channel, h, w].
    """

    width: int
    height: int
    format: Format
    data: NDArray[Any]
    ai: NDArray[np.uint8] | None = None

    @property
    def size(self) -> int:
        """Bytes that the pixels take on the board."""
        if self.format is Format.JPEG:
            return int(self.data.size)
        return memory_bytes(self.width, self.height, self.format)

    def become(self, other: Frame) -> None:
        """Take the shape, format and pixels of another frame, as an in-place operation of the firmware does."""
        self.width, self.height, self.format, self.data = other.width, other.height, other.format, other.data

    def with_data(self, data: NDArray[Any], format: Format | None = None) -> Frame:
        """A frame of these pixels, without KPU planes."""
        kind = self.format if format is None else format
        if kind is Format.JPEG:
            return Frame(self.width, self.height, kind, data)
        return Frame(data.shape[1], data.shape[0], kind, data)


def memory_bytes(width: int, height: int, format: Format) -> int:
    """Bytes of a picture; rows of a binary one are padded to 32 pixels."""
    if format is Format.BINARY:
        return (width + 31) // 32 * 4 * height
    return width * height * (2 if format is Format.RGB565 else 1)


def new_frame(width: int, height: int, format: Format) -> Frame:
    """A zeroed frame; RGB565 and grayscale pixels lie in a `bytearray` that `to_bytes` hands to the script."""
    if format is Format.BINARY:
        return Frame(width, height, format, np.zeros((height, width), np.uint8))
    storage = bytearray(memory_bytes(width, height, format))
    dtype = WORD if format is Format.RGB565 else np.dtype(np.uint8)
    return Frame(width, height, format, np.frombuffer(storage, dtype).reshape(height, width))


def gray_of(frame: Frame, fast: bool) -> NDArray[np.uint8]:
    """Gray levels [h, w] of a frame that is not JPEG."""
    if frame.format is Format.RGB565:
        return gray_of_words(frame.data, fast)
    return (frame.data * np.uint8(255)).astype(np.uint8) if frame.format is Format.BINARY else frame.data


def words_of(frame: Frame) -> NDArray[np.uint16]:
    """RGB565 words [h, w] of a frame that is not JPEG."""
    if frame.format is Format.RGB565:
        return frame.data
    levels = frame.data * np.uint8(255) if frame.format is Format.BINARY else frame.data
    words: NDArray[np.uint16] = GRAY_TO_WORD[levels]
    return words


def binary_of(frame: Frame, fast: bool) -> NDArray[np.uint8]:
    """0 and 1 [h, w] of a frame that is not JPEG: 1 where the gray level is above 127."""
    return frame.data if frame.format is Format.BINARY else (gray_of(frame, fast) > 127).astype(np.uint8)


def rgb_of(frame: Frame) -> NDArray[np.uint8]:
    """RGB888 [h, w, 3] of a frame that is not JPEG."""
    return rgb_of_words(words_of(frame))
