"""A model's input from a file: a picture, or an array as NumPy saves it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from k210kit.errors import UnsupportedError
from k210kit.files import read_whole
from k210kit.kmodel import Kmodel
from k210kit.pictures import planes, read_array, read_picture

__all__ = ["read_input"]

_MOST_BYTES = 256 * 1024 * 1024


def read_input(path: Path, model: Kmodel) -> NDArray[Any]:  # Any: uint8 or float32, whichever the model takes
    """The input that `path` holds: a .npy as it is, a picture as uint8 [channel, row, column] of the model's size.

    A picture is turned as its EXIF tag tells, then resized, its sides each on their own; a one-channel model gets grey.
    """
    data = read_whole(path, most_bytes=_MOST_BYTES)
    if path.suffix.lower() == ".npy":
        return read_array(path, data)
    shape = model.input_shape
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise UnsupportedError(
            f"{path}: the model takes {' x '.join(map(str, shape))} {'floats' if model.input_is_float else 'bytes'}, "
            "which a picture does not give. Save an array of that shape with numpy.save and give the .npy file."
        )
    channels, height, width = shape
    return planes(read_picture(path, data, channels), width, height)
