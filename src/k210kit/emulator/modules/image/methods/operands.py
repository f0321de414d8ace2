"""The other side of a pixel operation: a picture, a file, or a colour for every pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arguments import Arguments, require
from ..codecs import check_extension, read_bmp
from ..draw import as_pixel
from ..image import Image
from ..pixels import Format

__all__ = ["operand"]


def operand(image: Image, arguments: Arguments, at: int = 0) -> NDArray[Any]:
    """Pixels of the picture's own shape and format from the argument in place `at`."""
    frame, given = image.mutable(), arguments.values[at]
    if isinstance(given, str):
        with image._workshop.board.files.open(given, "rb") as file:
            data = file.read()
        require(data[:2] == b"BM", "Unsupported format!")
        other = read_bmp(data)
        check_extension(other, given)
    elif isinstance(given, Image):
        other = given.mutable()
    else:
        color = arguments.color(at, frame.format, image._workshop.fast_yuv, default=0, name="")
        return np.full_like(frame.data, as_pixel(frame.data, color, frame.format is Format.BINARY))
    same = (frame.width, frame.height, frame.format) == (other.width, other.height, other.format)
    require(same, "Images not equal!")
    return other.data
