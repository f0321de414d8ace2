"""A model's input from a file: a picture, or an array as NumPy saves it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from k210kit.errors import FormatError, UnsupportedError
from k210kit.files import read_whole
from k210kit.kmodel import Kmodel

__all__ = ["read_input"]

_MOST_BYTES = 256 * 1024 * 1024


def read_input(path: Path, model: Kmodel) -> NDArray[Any]:  # Any: uint8 or float32, whichever the model takes
    """The input that `path` holds: a .npy as it is, a picture as uint8 [channel, row, column] of the model's size.

    A picture is turned as its EXIF tag tells, then resized, its sides each on their own; a one-channel model gets grey.
    """
    data = read_whole(path, most_bytes=_MOST_BYTES)
    if path.suffix.lower() == ".npy":
        return _array(path, data)
    return _picture(path, data, model)


def _array(path: Path, data: bytes) -> NDArray[Any]:
    try:
        loaded = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError, BadZipFile) as error:
        raise FormatError(f"{path} is no array", expected="a .npy file of numbers, as numpy.save writes it") from error
    if not isinstance(loaded, np.ndarray):
        raise FormatError(f"{path} holds several arrays", expected="one array, as numpy.save writes it")
    return loaded


def _picture(path: Path, data: bytes, model: Kmodel) -> NDArray[np.uint8]:
    from PIL import Image, ImageOps, UnidentifiedImageError

    shape = model.input_shape
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise UnsupportedError(
            f"{path}: the model takes {' x '.join(map(str, shape))} {'floats' if model.input_is_float else 'bytes'}, "
            "which a picture does not give. Save an array of that shape with numpy.save and give the .npy file."
        )
    channels, height, width = shape
    try:
        with Image.open(io.BytesIO(data)) as opened:
            picture = ImageOps.exif_transpose(opened).convert("L" if channels == 1 else "RGB")
    except UnidentifiedImageError:
        raise FormatError(f"{path} is no picture of a known format", expected="JPEG, PNG, BMP or .npy") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise FormatError(f"{path} cannot be read as a picture: {error}", expected="JPEG, PNG, BMP or .npy") from error
    resized = picture.resize((width, height), Image.Resampling.BILINEAR)
    pixels = np.asarray(resized, np.uint8).reshape(height, width, channels)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))
