"""Pictures as on the board: the device module `image` and what other modules need of it.

`frame_from_rgb` makes the sensor's buffers, `to_rgb888` shows a picture, `Format` names the pixel formats. Pictures
come from `board.module("image")`, which is a `PictureMaker`.
"""

from .image import Image
from .module import ImageModule
from .pixels import Format, ai_planes, frame_from_rgb, rgb_of_words, words_of_rgb
from .show import to_rgb888

__all__ = [
    "Format",
    "Image",
    "ImageModule",
    "ai_planes",
    "frame_from_rgb",
    "rgb_of_words",
    "to_rgb888",
    "words_of_rgb",
]
