"""A picture as RGB888, for screens and files of the desk."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from .frame import Frame, rgb_of
from .image import Image
from .pixels import Format

__all__ = ["to_rgb888"]


def to_rgb888(picture: Image | Frame) -> NDArray[np.uint8]:
    """RGB888 [h, w, 3] of a picture of any format."""
    frame = picture._frame if isinstance(picture, Image) else picture
    if frame.format is not Format.JPEG:
        return rgb_of(frame)
    from PIL import Image as Pillow

    with Pillow.open(io.BytesIO(frame.data.tobytes())) as opened:
        return np.asarray(opened.convert("RGB"))
