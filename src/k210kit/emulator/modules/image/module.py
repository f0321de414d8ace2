"""`import image`: the module of one board."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from k210kit.emulator.modules.table import device_module

from .arguments import Arguments, as_array, as_int, as_text
from .codecs import check_extension, decode
from .colors import gray_to_rgb, lab_to_rgb, rgb_to_gray, rgb_to_lab
from .frame import Frame
from .image import Image as Picture
from .pixels import WORD, Format
from .workshop import Workshop

if TYPE_CHECKING:
    from k210kit.emulator.board import Board

__all__ = ["ImageModule"]

_SCRIPT_NAMES = {
    "ASCII",
    "UTF8",
    "Image",
    "rgb_to_lab",
    "lab_to_rgb",
    "rgb_to_grayscale",
    "grayscale_to_rgb",
}
_FORMATS = {2: Format.RGB565, 4: Format.GRAYSCALE, 5: Format.JPEG}


@device_module("image")
class ImageModule:
    """What a script sees as `image`, and the `PictureMaker` of the other modules."""

    ASCII = 0
    UTF8 = 2

    def __init__(self, board: Board) -> None:
        self._workshop = Workshop(board)

    def __dir__(self) -> list[str]:
        """What a script sees; the `PictureMaker` is not for it."""
        return sorted(_SCRIPT_NAMES)

    # For the other device modules -------------------------------------------------------------------------------
    def from_camera(self, pixels: NDArray[Any], pix_ai: NDArray[np.uint8] | None, pixel_format: int) -> Picture:
        """Wrap the sensor's buffers: RGB565 as big-endian uint16 [h, w] (`frame_from_rgb`), gray as uint8 [h, w]."""
        format = _FORMATS[pixel_format]
        if format is Format.RGB565:
            assert pixels.dtype == np.dtype(">u2"), f"RGB565 lies in memory high byte first, not as {pixels.dtype.str}"
            pixels = pixels.view(WORD)
        height, width = pixels.shape if pixels.ndim == 2 else (0, 0)
        frame = Frame(width, height, format, pixels, pix_ai)
        self._workshop.frame_buffer = frame
        return self._workshop.wrap(frame)

    def from_bytes_plane(self, plane: NDArray[np.uint8]) -> Picture:
        """A grayscale picture in the memory of a plane [h, w]."""
        return self._workshop.wrap(Frame(plane.shape[1], plane.shape[0], Format.GRAYSCALE, plane))

    # For the script ---------------------------------------------------------------------------------------------
    def Image(self, *values: Any, **keywords: Any) -> Picture:
        """An empty picture, or one from a file, a file object or bytes."""
        arguments, workshop = Arguments(values, keywords), self._workshop
        second = values[1] if len(values) > 1 else None
        if len(values) > 1 and "copy_to_fb" not in keywords:
            as_int(second)
        to_buffer = arguments.integer(1, "copy_to_fb", 0) > 0
        from_bytes = arguments.integer(1, "from_bytes", 0) > 0
        width, height = self._size(arguments)
        if len(values) < (2 if width > 0 else 1):
            return self._empty(width, height, to_buffer)
        frame = self._load(values[0], from_bytes)
        if to_buffer and workshop.frame_buffer is not None:
            return workshop.wrap(frame)
        made = workshop.made_of(frame.data, frame.format)
        workshop.spend("decode", frame.data.size)
        return made

    @staticmethod
    def _size(arguments: Arguments) -> tuple[int, int]:
        if "size" not in arguments.keywords and len(arguments) > 1:
            width, height = as_array(arguments.values[1], 2)
        else:
            width, height = as_array(arguments.keywords.get("size", (-1, -1)), 2)
        return as_int(width), as_int(height)

    def _empty(self, width: int, height: int, to_buffer: bool) -> Picture:
        firmware = self._workshop.board.firmware
        if width <= 0 or height <= 0:
            width, height = firmware.lcd_width, firmware.lcd_height
        buffer = self._workshop.frame_buffer
        if to_buffer and buffer is not None and width * height * 2 <= buffer.data.nbytes:
            words = buffer.data.reshape(-1).view(np.uint8)[: width * height * 2].view(WORD).reshape(height, width)
            return self._workshop.wrap(Frame(width, height, Format.RGB565, words))
        return self._workshop.new(width, height, Format.RGB565)

    def _load(self, source: object, from_bytes: bool) -> Frame:
        if isinstance(source, (str, bytes)):
            if from_bytes:
                return decode(as_text(source), from_path=False)
            path = as_text(source).decode("utf-8", "surrogateescape")
            with self._workshop.board.files.open(path, "rb") as file:
                frame = decode(file.read(), from_path=True)
            check_extension(frame, path)
            return frame
        read = getattr(source, "read", None)
        if read is None:
            raise OSError("stream operation not supported")
        return decode(bytes(read()), from_path=False)

    def rgb_to_lab(self, color: object, /) -> tuple[int, int, int]:
        r, g, b = (as_int(part) for part in as_array(color, 3))
        return rgb_to_lab(r, g, b)

    def lab_to_rgb(self, color: object, /) -> tuple[int, int, int]:
        lightness, a, b = (as_int(part) for part in as_array(color, 3))
        return lab_to_rgb(lightness, a, b)

    def rgb_to_grayscale(self, color: object, /) -> int:
        r, g, b = (as_int(part) for part in as_array(color, 3))
        return rgb_to_gray(r, g, b)

    def grayscale_to_rgb(self, level: object, /) -> tuple[int, int, int]:
        return gray_to_rgb(as_int(level))
