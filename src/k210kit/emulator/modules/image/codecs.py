"""Files of pictures: BMP and JPEG, read and written as the firmware does.

Sources: `imlib_load_image`, `imlib_save_image` and `imblib_parse_extension` of `omv/img/imlib.c`, `bmp.c`,
`picojpeg_util.c`. PPM and PGM are switched off in the firmware: reading them fails, saving them does nothing.
"""

from __future__ import annotations

import errno
import io
import struct
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .arguments import Region, require
from .frame import Frame
from .pixels import PIXEL, WORD, Format, join565, words_of_rgb

__all__ = ["check_extension", "decode", "read_bmp", "save_bytes"]


def check_extension(frame: Frame, path: str) -> str:
    """The kind of a file name ("jpg", "bmp" or ""); an OSError if the picture's format does not suit the name."""
    lower = path.lower()
    if lower.endswith((".jpg", ".jpeg")) and len(path) >= 4:
        return "jpg"
    if lower.endswith(".bmp"):
        require(frame.format is not Format.JPEG, "Image is not BMP!")
        return "bmp"
    if lower.endswith(".ppm"):
        require(frame.format is Format.RGB565, "Image is not PPM!")
    elif lower.endswith(".pgm"):
        require(frame.format is Format.GRAYSCALE, "Image is not PGM!")
    elif lower.endswith(".raw"):
        require(False, "Image is not BAYER!")
    return ""


def save_bytes(frame: Frame, path: str, region: Region, jpeg: Callable[[], bytes]) -> bytes | None:
    """What `save` writes: the region as BMP, the whole picture as JPEG, nothing for other names."""
    kind = check_extension(frame, path)
    if kind == "bmp":
        return _bmp(frame, region)
    if kind == "jpg":
        return frame.data.tobytes() if frame.format is Format.JPEG else jpeg()
    return None


def _bmp(frame: Frame, region: Region) -> bytes:
    """A top-down BMP of 8 bits with a gray palette, or of 16 bits with 5-6-5 masks."""
    pixels = frame.data[region.rows, region.columns]
    gray = frame.format is Format.GRAYSCALE
    values = pixels if gray else pixels.view(PIXEL) if pixels.dtype == WORD else pixels.astype(np.uint16)
    row = values.astype(np.uint8 if gray else WORD).tobytes()
    stride = region.w * (1 if gray else 2)
    padding = bytes(-stride % 4)
    body = b"".join(row[at : at + stride] + padding for at in range(0, len(row), stride))
    extra = b"".join(struct.pack("<I", level * 0x10101) for level in range(256)) if gray else _MASKS
    start = 14 + 40 + len(extra)
    info = struct.pack(
        "<IiiHHIIIIII", 40, region.w, -region.h, 1, 8 if gray else 16, 0 if gray else 3, len(body), 0, 0, 0, 0
    )
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + info + extra + body


_MASKS = struct.pack("<III", 0x1F << 11, 0x3F << 5, 0x1F)


def decode(data: bytes, *, from_path: bool) -> Frame:
    """The picture in a file's bytes: RGB565, or grayscale where the file is."""
    if data[:2] == b"BM":
        if not from_path:
            raise OSError("Not support")
        return read_bmp(data)
    if data[:2] == b"\xff\xd8":
        return _read_jpeg(data)
    raise ValueError("format not supported")


def _corrupted() -> ValueError:
    return ValueError("file_corrupted_raise!")


def read_bmp(data: bytes) -> Frame:
    """BMP of 8 bits with a gray palette, 16 bits 5-6-5 or 24 bits, stored either way up."""
    if len(data) < 54:
        raise OSError(errno.EIO, "EIO")
    file_size, start = struct.unpack_from("<I4xI", data, 2)
    width, height, planes, bits, kind, size = struct.unpack_from("<iiHHII", data, 18)
    if file_size <= start or not (width and height) or planes != 1:
        raise _corrupted()
    if bits not in (8, 16, 24) or kind not in (0, 3) or (bits == 8 and kind) or (bits == 16 and kind != 3):
        raise OSError("Unsupported format!")
    stride = (abs(width) * bits + 31) // 32 * 4
    if size != file_size - start or size < stride * abs(height):
        raise _corrupted()
    if len(data) < start + stride * abs(height):
        raise OSError(errno.EIO, "EIO")
    rows = np.frombuffer(data, np.uint8, stride * abs(height), start).reshape(abs(height), stride)
    pixels = _bmp_pixels(rows, abs(width), bits)
    pixels = pixels[:: 1 if height < 0 else -1, :: -1 if width < 0 else 1]
    format = Format.GRAYSCALE if bits == 8 else Format.RGB565
    return Frame(pixels.shape[1], pixels.shape[0], format, np.ascontiguousarray(pixels))


def _bmp_pixels(rows: NDArray[np.uint8], width: int, bits: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
    if bits == 8:
        return rows[:, :width]
    if bits == 16:
        return np.ascontiguousarray(rows[:, : width * 2]).view(WORD).astype(PIXEL).view(WORD)
    return words_of_rgb(rows[:, : width * 3].reshape(len(rows), width, 3)[..., ::-1])


def _read_jpeg(data: bytes) -> Frame:
    """Baseline JPEG; colours are cut, not rounded, to 5-6-5 bits. Progressive files fail as on the board."""
    from PIL import Image as Pillow
    from PIL import UnidentifiedImageError

    try:
        with Pillow.open(io.BytesIO(data)) as opened:
            if opened.info.get("progressive") or opened.mode not in ("L", "RGB"):
                raise OSError(errno.EPERM, "EPERM")
            rgb = np.asarray(opened)
    except (UnidentifiedImageError, SyntaxError):
        raise OSError(errno.EPERM, "EPERM") from None
    if rgb.ndim == 2:
        return Frame(rgb.shape[1], rgb.shape[0], Format.GRAYSCALE, rgb)
    words = join565(rgb[..., 0] >> 3, rgb[..., 1] >> 2, rgb[..., 2] >> 3)
    return Frame(rgb.shape[1], rgb.shape[0], Format.RGB565, words)
