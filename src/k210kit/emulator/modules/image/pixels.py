"""Pixel formats of the board and the arithmetic between them, exactly as the firmware's tables have it.

An RGB565 pixel lies in memory as two bytes, the high one first: `rrrrrggg gggbbbbb`. The firmware reads them as one
little-endian word, so a word that it holds (and that scripts see with `get_pixel(..., rgbtuple=False)`, pass as an
integer colour or find among the `lcd` colours) has its bytes swapped. Arrays named `words` hold such words.

Sources: MaixPy v0.6.2-84 `omv/img/include/imlib.h` (macros), `rgb2rgb_tab.c`, `yuv_tab.c`, `lab_tab.c`,
`rainbow_tab.c`. The tables are computed here by the rules that made them; every entry has been compared with the
firmware's (65536 x 3 YUV and LAB values, 256 rainbow colours).
"""

from __future__ import annotations

from enum import Enum
from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "GRAY_TO_WORD",
    "PIXEL",
    "WORD",
    "Format",
    "ai_planes",
    "clipped_color",
    "frame_from_rgb",
    "gray_of_words",
    "join565",
    "lab_table",
    "rainbow_words",
    "rgb_of_words",
    "split565",
    "words_of_planes",
    "words_of_rgb",
    "yuv_table",
]

WORD = np.dtype("<u2")
PIXEL = np.dtype(">u2")  # the same two bytes, read as rrrrrggggggbbbbb
Words = NDArray[np.uint16]
Bytes = NDArray[np.uint8]


class Format(Enum):
    """How a picture's pixels lie in memory."""

    BINARY = "binary"
    GRAYSCALE = "grayscale"
    RGB565 = "rgb565"
    JPEG = "jpeg"


FIVE_TO_EIGHT: Bytes = ((np.arange(32) * 510 + 31) // 62).astype(np.uint8)  # (255 v + 15.5) / 31
SIX_TO_EIGHT: Bytes = ((np.arange(64) * 510 + 63) // 126).astype(np.uint8)  # (255 v + 31.5) / 63
EIGHT_TO_FIVE: Bytes = ((np.arange(256) * 62 + 255) // 510).astype(np.uint8)  # round half up
EIGHT_TO_SIX: Bytes = ((np.arange(256) * 126 + 255) // 510).astype(np.uint8)


def split565(words: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Take words apart: red 0..31, green 0..63, blue 0..31."""
    w = np.asarray(words).astype(np.int64)
    return (w >> 3) & 31, ((w & 7) << 3) | (w >> 13), (w >> 8) & 31


def join565(red: NDArray[np.integer], green: NDArray[np.integer], blue: NDArray[np.integer]) -> Words:
    """Put 5, 6 and 5 bits together as words."""
    r, g, b = (np.asarray(channel).astype(np.int64) for channel in (red, green, blue))
    return ((r << 3) | (g >> 3) | ((g & 7) << 13) | (b << 8)).astype(WORD)


_ALL_WORDS = np.arange(65536, dtype=WORD)
_RED, _GREEN, _BLUE = split565(_ALL_WORDS)
_RGB888: Bytes = np.stack([FIVE_TO_EIGHT[_RED], SIX_TO_EIGHT[_GREEN], FIVE_TO_EIGHT[_BLUE]], axis=1)
_PLANES: Bytes = np.ascontiguousarray(_RGB888.T)
GRAY_TO_WORD: Words = join565(EIGHT_TO_FIVE, EIGHT_TO_SIX, EIGHT_TO_FIVE)  # of a gray level 0..255


def rgb_of_words(words: Words) -> Bytes:
    """Expand words [...] to RGB888 [..., 3]."""
    return _RGB888[words]


def words_of_rgb(rgb: Bytes) -> Words:
    """Round RGB888 [..., 3] to words [...]."""
    return join565(EIGHT_TO_FIVE[rgb[..., 0]], EIGHT_TO_SIX[rgb[..., 1]], EIGHT_TO_FIVE[rgb[..., 2]])


def ai_planes(words: Words) -> Bytes:
    """What the KPU reads of words [h, w]: the planes R, G, B as uint8 [3, h, w]."""
    return np.stack([plane[words] for plane in _PLANES])


def words_of_planes(planes: Bytes) -> Words:
    """Round planes [3, h, w] to words [h, w]."""
    return join565(EIGHT_TO_FIVE[planes[0]], EIGHT_TO_SIX[planes[1]], EIGHT_TO_FIVE[planes[2]])


def frame_from_rgb(rgb: Bytes) -> tuple[Words, Bytes]:
    """What the camera leaves in memory for RGB888 [h, w, 3].

    The sensor sends 5, 6 and 5 bits (rounded here), and the DVP block expands the same bits for the KPU. Returns the
    pixels as big-endian uint16 [h, w], whose values read `rrrrrggggggbbbbb`, and the planes uint8 [3, h, w].
    """
    words = words_of_rgb(rgb)
    return words.view(PIXEL), ai_planes(words)


@cache
def yuv_table(fast: bool) -> NDArray[np.int8]:
    """Y - 128, U, V of every word, int8 [65536, 3]. Without `fast` the firmware's smaller, rougher table."""
    r, g, b = _RGB888.astype(np.float64).T
    y = np.floor(r * 0.299 + g * 0.587 + b * 0.114) - 128
    u = np.trunc(-r * 0.168736 - g * 0.331264 + b * 0.5)
    v = np.trunc(r * 0.5 - g * 0.418688 - b * 0.081312)
    exact = np.stack([y, u, v], axis=1).astype(np.int64)
    return _table(exact, fast, _YUV_REST)


@cache
def lab_table(fast: bool) -> NDArray[np.int8]:
    """CIE L, a, b of every word, int8 [65536, 3]. Without `fast` the firmware's smaller, rougher table."""
    channel = _RGB888.astype(np.float64) / 255.0
    linear = np.where(channel <= 0.04045, 100.0 * (channel / 12.92), 100.0 * ((channel + 0.055) / 1.055) ** 2.4)
    weights = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    relative = linear @ weights.T / np.array([95.047, 100.0, 108.883])
    x, y, z = np.where(relative > 0.008856, np.cbrt(relative), 7.787037 * relative + 0.137931).T
    exact = np.stack([np.round(116.0 * y) - 16, np.round(500.0 * (x - y)), np.round(200.0 * (y - z))], axis=1)
    return _table(exact.astype(np.int64), fast, _LAB_REST)


# The rough tables keep the words whose three low green bits are 0 and add a constant for those bits.
_YUV_REST = np.array([[0, 2, 5, 7, 9, 12, 14, 16], [0, -1, -3, -4, -5, -7, -8, -9], [0, -2, -3, -5, -7, -8, -10, -11]])
_LAB_REST = np.array([[0, 1, 3, 4, 5, 6, 8, 9], [0, 2, 3, 5, 6, 8, 9, 11], [0, 1, 3, 4, 6, 7, 9, 10]])


def _table(exact: NDArray[np.int64], fast: bool, rest: NDArray[np.int64]) -> NDArray[np.int8]:
    if fast:
        return exact.astype(np.int8)
    word = np.arange(65536)
    rough: NDArray[np.int8] = (exact[word & 0x1FFF] + rest[:, word >> 13].T).astype(np.int8)
    return rough


def gray_of_words(words: Words, fast: bool) -> Bytes:
    """Gray levels 0..255 of words."""
    levels: Bytes = (yuv_table(fast)[words, 0].astype(np.int16) + 128).astype(np.uint8)
    return levels


@cache
def rainbow_words() -> Words:
    """The heat-map colour of each gray level: from sky blue over green and yellow to red, fully saturated."""
    hue = 6.0 * (1.0 - (220 + np.arange(256)) / 476.0)  # in sixths of the circle; 256 of 476 steps, the last ones
    rgb = [np.clip(2.0 - np.abs((hue - peak + 3.0) % 6.0 - 3.0), 0.0, 1.0) for peak in (0.0, 2.0, 4.0)]
    return join565(*(np.floor(part * top + 0.5).astype(np.int64) for part, top in zip(rgb, (31, 63, 31), strict=True)))


def clipped_color(red: int, green: int, blue: int) -> int:
    """The word of a colour given as a tuple; each part is clipped to 0..255 first."""
    r, g, b = (max(min(part, 255), 0) for part in (red, green, blue))
    return int(join565(EIGHT_TO_FIVE[[r]], EIGHT_TO_SIX[[g]], EIGHT_TO_FIVE[[b]])[0])
