"""Picture files as upright RGB pixels, and as the input of a net; what is odd about them is said."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from k210kit.errors import FormatError

__all__ = ["FILL", "Fit", "InputSize", "Placement", "Upright", "difference_hash", "place", "upright"]

Fit = Literal["cover", "letterbox", "stretch"]
FILL = 114  # the grey around a letterboxed picture
_MOST_PIXELS = 200_000_000
_ORIENTATION = 0x0112


@dataclass(frozen=True, kw_only=True)
class InputSize:
    """What the net takes: pixels across, pixels down, and 3 colours or 1 grey."""

    width: int
    height: int
    channels: int = 3


@dataclass(frozen=True, kw_only=True)
class Upright:
    """A decoded picture: RGB, turned as its orientation tag says; `stored` is its size before turning."""

    image: Any  # Any: PIL's Image, whose type differs between its versions
    stored: tuple[int, int]
    orientation: int
    oddities: tuple[str, ...]


def upright(data: bytes, near: InputSize | None = None) -> Upright:
    """Decode a picture file; a `FormatError` says why it cannot be.

    near: decode a JPEG no finer than twice this size needs, which is several times faster.
    """
    oddities = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image: Any = Image.open(io.BytesIO(data))
            stored = image.size
            if stored[0] * stored[1] > _MOST_PIXELS:
                raise FormatError(f"the picture claims {stored[0]} x {stored[1]} pixels, too many to open")
            if near is not None and image.format == "JPEG" and image.mode in ("RGB", "L"):
                image.draft(image.mode, (2 * near.width, 2 * near.height))
            image.load()
            orientation = image.getexif().get(_ORIENTATION, 1)
            if orientation not in (0, 1):
                image = ImageOps.exif_transpose(image)
    except UnidentifiedImageError:
        raise FormatError("is not a picture that can be read", found=_kind(data)) from None
    except Image.DecompressionBombError as error:
        raise FormatError(str(error)) from None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError) as error:
        raise FormatError(f"is damaged: {error}") from None
    if image.mode == "CMYK":
        oddities.append("is CMYK; its colours are converted")
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(_eight_bits(np.asarray(image)))
        oddities.append("has more than 8 bits a channel; they are scaled down")
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
        oddities.append("is partly transparent; white is put behind it")
    return Upright(image=image.convert("RGB"), stored=stored, orientation=int(orientation), oddities=tuple(oddities))


def _kind(data: bytes) -> str:
    return f"{len(data)} bytes that start with {data[:4].hex(' ')}" if data else "an empty file"


def _eight_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    top = 65535.0 if values.max(initial=0) > 255 else 255.0
    return np.asarray(np.clip(values, 0, top) * (255.0 / top), np.uint8)


@dataclass(frozen=True, kw_only=True)
class Placement:
    """How an upright picture lies in the net's input: input = picture * scale + shift, in pixels."""

    scale_x: float
    scale_y: float
    shift_x: float
    shift_y: float


def place(image: Any, size: InputSize, fit: Fit) -> tuple[NDArray[np.uint8], Placement]:
    """Scale a picture into the net's input (uint8 height, width, channel) with averaging, not aliasing.

    cover: fill it and cut the overhang, as the camera's window does; letterbox: all of the picture, grey bars around;
    stretch: all of it, out of proportion.
    """
    width, height = image.size
    ratios = size.width / width, size.height / height
    if fit == "stretch":
        scale_x, scale_y = ratios
    else:
        scale_x = scale_y = max(ratios) if fit == "cover" else min(ratios)
    seen_w, seen_h = min(size.width / scale_x, width), min(size.height / scale_y, height)
    left, top = (width - seen_w) / 2, (height - seen_h) / 2
    inner_w, inner_h = max(round(seen_w * scale_x), 1), max(round(seen_h * scale_y), 1)
    inner = image.resize(
        (inner_w, inner_h), Image.Resampling.BILINEAR, box=(left, top, left + seen_w, top + seen_h), reducing_gap=2.0
    )
    if size.channels == 1:
        inner = inner.convert("L")
    canvas = np.full((size.height, size.width, size.channels), FILL, np.uint8)
    x, y = (size.width - inner_w) // 2, (size.height - inner_h) // 2
    canvas[y : y + inner_h, x : x + inner_w] = np.asarray(inner).reshape(inner_h, inner_w, size.channels)
    return canvas, Placement(scale_x=scale_x, scale_y=scale_y, shift_x=x - left * scale_x, shift_y=y - top * scale_y)


def difference_hash(image: Any) -> NDArray[np.uint64]:
    """256 bits (4 words) that hardly change with size, compression and light: is a cell brighter than its left one."""
    cells = np.asarray(image.convert("L").resize((17, 16), Image.Resampling.BOX, reducing_gap=2.0), np.int16)
    bits = np.packbits(cells[:, 1:] > cells[:, :-1])
    return np.asarray(bits.view(np.uint64), np.uint64)
