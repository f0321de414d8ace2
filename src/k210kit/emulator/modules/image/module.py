"""`import image`: the module of one board."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from k210kit.emulator.modules.table import device_module

from . import described
from .arguments import Arguments, as_array, as_float, as_int, as_text, check_count, require
from .codecs import check_extension, decode
from .codes import FAMILIES
from .colors import gray_to_rgb, lab_to_rgb, rgb_to_gray, rgb_to_lab
from .fonts import UTF8, font_from
from .frame import Frame
from .image import Image as Picture
from .image import cast
from .methods.shapes import EDGE_CANNY, EDGE_SIMPLE, SEARCH_DS, SEARCH_EX
from .pixels import WORD, Format
from .streams import ImageWriter, open_reader
from .text import BUILT_IN
from .warp import affine_transform, warp_planes
from .workshop import Workshop

if TYPE_CHECKING:
    from k210kit.emulator.board import Board

__all__ = ["ImageModule"]

# Numbers of the firmware: imlib.h, font.h
_ALWAYS = {"ASCII": 0, "UTF8": UTF8}
_FULL = {
    "SEARCH_EX": SEARCH_EX, "SEARCH_DS": SEARCH_DS, "EDGE_CANNY": EDGE_CANNY, "EDGE_SIMPLE": EDGE_SIMPLE,
    "CORNER_FAST": 0, "CORNER_AGAST": 1, **FAMILIES,
    **{name: at for at, name in enumerate((
        "EAN2", "EAN5", "EAN8", "UPCE", "ISBN10", "UPCA", "EAN13", "ISBN13", "I25", "DATABAR", "DATABAR_EXP",
        "CODABAR", "CODE39", "PDF417", "CODE93", "CODE128",
    ))},
}  # fmt: skip
_FUNCTIONS = (
    "Image", "ImageReader", "ImageWriter", "font_free", "font_load", "get_affine_transform", "grayscale_to_rgb",
    "lab_to_rgb", "rgb_to_grayscale", "rgb_to_lab", "warp_affine_ai",
)  # fmt: skip
_FULL_FUNCTIONS = ("HaarCascade", "load_descriptor", "match_descriptor", "save_descriptor")
_FORMATS = {2: Format.RGB565, 4: Format.GRAYSCALE, 5: Format.JPEG}


@device_module("image")
class ImageModule:
    """What a script sees as `image`, and the `PictureMaker` of the other modules."""

    def __init__(self, board: Board) -> None:
        self._workshop = Workshop(board)
        constants = _ALWAYS | (_FULL if self._workshop.full else {})
        functions = _FUNCTIONS + (_FULL_FUNCTIONS if self._workshop.full else ())
        self._shown = sorted((*constants, *functions))
        for name, value in constants.items():
            setattr(self, name, value)

    def __dir__(self) -> list[str]:
        """What a script sees; the `PictureMaker` is not for it."""
        return list(self._shown)

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

    def font_load(self, *values: Any, **keywords: Any) -> None:
        """Use a font of the script's own for text: index, width, height, flash address or file name."""
        if len(values) < 4:
            check_count(len(values), 4, None, None)
        index, width, height = (as_int(value) for value in values[:3])
        if index != UTF8:
            self._workshop.font = BUILT_IN
            return
        self._workshop.font = font_from(self._workshop.board, width, height, values[3]) or self._workshop.font

    def font_free(self, *_values: Any, **_keywords: Any) -> None:
        self._workshop.font = BUILT_IN

    def get_affine_transform(self, source: object, target: object, /) -> tuple[float, ...]:
        """The nine numbers of the map that `warp_affine_ai` takes, from up to ten pairs of points."""
        if not (isinstance(source, list) and isinstance(target, list)):
            raise OSError("Need input [[x0,y0],[x1,y1],...]\r\n")
        require(len(source) == len(target), "src len must equal with dst len")
        require(len(source) <= 10, "must<=10 points")
        points = [
            np.array([[as_int(part) & 0xFFFF for part in as_array(point, 2)] for point in side], np.float64)
            for side in (source, target)
        ]
        return tuple(affine_transform(points[0], points[1]))

    def warp_affine_ai(self, source: object, target: object, transform: object, /) -> None:
        """Fill the target's KPU planes with the source's, seen through an affine map."""
        numbers = [as_float(part) for part in as_array(transform, 9)]
        mine, its = cast(source)._frame, cast(target)._frame
        if mine.format is not its.format:
            raise ValueError("src_img->bpp != dst_img->bpp")
        if mine.ai is None or its.ai is None:
            raise ValueError("only support ai image affine")
        if mine.format not in (Format.GRAYSCALE, Format.RGB565):
            raise ValueError("only support grayscale or RGB565 pic")
        its.ai[...] = warp_planes(mine.ai, its.width, its.height, numbers)
        self._workshop.spend("bilinear", its.width * its.height)

    def ImageWriter(self, path: object, /) -> ImageWriter:
        return ImageWriter(self._workshop.board.files, as_text(path).decode("utf-8", "surrogateescape"))

    def ImageReader(self, path: object, /) -> NoReturn:
        open_reader(self._workshop.board.files, as_text(path).decode("utf-8", "surrogateescape"))

    def HaarCascade(self, *values: Any, **keywords: Any) -> described.CascadeObject:
        """A cascade of the firmware (`frontalface`, `eye`) or from a file."""
        arguments = Arguments(values, keywords)
        if not values:
            check_count(0, 1, None, None)
        stages = arguments.value(1, "stages")
        path = as_text(values[0]).decode("utf-8", "surrogateescape")
        return described.load_cascade(self._workshop, path, None if stages is None else as_int(stages))

    def load_descriptor(self, *values: Any, **_keywords: Any) -> described.Corners | described.Patterns:
        if not values:
            check_count(0, 1, None, None)
        return described.load_descriptor(self._workshop, as_text(values[0]).decode("utf-8", "surrogateescape"))

    def save_descriptor(self, *values: Any, **_keywords: Any) -> bool:
        if len(values) < 2:
            check_count(len(values), 2, None, None)
        return described.save_descriptor(
            self._workshop, values[0], as_text(values[1]).decode("utf-8", "surrogateescape")
        )

    def match_descriptor(self, *values: Any, **keywords: Any) -> Any:
        """A distance for two pattern descriptors, an object for two sets of corners (Any: one of these)."""
        arguments = Arguments(values, keywords)
        if len(values) < 2:
            check_count(len(values), 2, None, None)
        threshold, filters = arguments.integer(2, "threshold", 85), arguments.flag(3, "filter_outliers")
        return described.match(values[0], values[1], threshold, filters)
