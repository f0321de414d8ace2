"""Pictures and arrays of a model's size, from files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from k210kit.errors import FormatError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["planes", "read_array", "read_picture"]


def read_array(path: Path, data: bytes) -> NDArray[Any]:  # Any: whatever was saved
    """The one array that a .npy file holds."""
    try:
        loaded = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError, BadZipFile) as error:
        raise FormatError(f"{path} is no array", expected="a .npy file of numbers, as numpy.save writes it") from error
    if not isinstance(loaded, np.ndarray):
        raise FormatError(f"{path} holds several arrays", expected="one array, as numpy.save writes it")
    return loaded


def read_picture(path: Path, data: bytes, channels: int) -> Image.Image:
    """A picture, turned as its EXIF tag tells, in grey (1 channel) or RGB (3)."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data)) as opened:
            return ImageOps.exif_transpose(opened).convert("L" if channels == 1 else "RGB")
    except UnidentifiedImageError:
        raise FormatError(f"{path} is no picture of a known format", expected="JPEG, PNG, BMP or .npy") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise FormatError(f"{path} cannot be read as a picture: {error}", expected="JPEG, PNG, BMP or .npy") from error


def planes(picture: Image.Image, width: int, height: int) -> NDArray[np.uint8]:
    """A picture's bytes [channel, row, column] after resizing, its sides each on their own."""
    from PIL import Image

    resized = np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR), np.uint8)
    return np.ascontiguousarray(resized.reshape(height, width, -1).transpose(2, 0, 1))
