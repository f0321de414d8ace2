"""find_qrcodes, find_barcodes, find_datamatrices, find_apriltags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import codes
from ..arguments import Arguments, Region, require
from ..frame import gray_of
from ..image import Image
from ..results import AprilTag, Barcode, DataMatrix, QrCode, Result
from ..table import method

__all__ = ["find_apriltags", "find_barcodes", "find_datamatrices", "find_qrcodes"]

_Reader = Callable[[NDArray[np.uint8], tuple[int, int]], list[codes.Row]]


def _read(image: Image, region: Region, read: _Reader, kind: type[Result]) -> list[Result]:
    workshop = image._workshop
    with workshop.scratch():
        gray = gray_of(image._frame, workshop.fast_yuv)[region.rows, region.columns]
        with workshop.board.trusted():  # the decoders load libraries of this computer
            found = read(gray, (region.x, region.y))
        workshop.spend("codes", region.w * region.h)
    return [kind(values, corners=corners) for values, corners in found]


def _region(image: Image, arguments: Arguments) -> Region:
    frame = image.mutable()
    return arguments.region(0, frame.width, frame.height)


@method("find_qrcodes", full=True)
def find_qrcodes(image: Image, arguments: Arguments) -> list[Any]:
    return _read(image, _region(image, arguments), codes.read_qrcodes, QrCode)


@method("find_barcodes", full=True)
def find_barcodes(image: Image, arguments: Arguments) -> list[Any]:
    return _read(image, _region(image, arguments), codes.read_barcodes, Barcode)


@method("find_datamatrices", full=True)
def find_datamatrices(image: Image, arguments: Arguments) -> list[Any]:
    region = _region(image, arguments)
    arguments.integer(1, "effort", 200)
    return _read(image, region, codes.read_data_matrices, DataMatrix)


@method("find_apriltags", full=True)
def find_apriltags(image: Image, arguments: Arguments) -> list[Any]:
    region = _region(image, arguments)
    small = region.w * region.h < 65536
    require(small, "The maximum supported resolution for find_apriltags() is < 64K pixels.")
    if region.w < 4 or region.h < 4:
        return []
    frame = image._frame
    families = arguments.integer(1, "families", codes.FAMILIES["TAG36H11"])
    lens = codes.Lens(
        fx=arguments.number(2, "fx", 2.8 / 3.984 * frame.width),
        fy=arguments.number(3, "fy", 2.8 / 2.952 * frame.height),
        cx=arguments.number(4, "cx", frame.width * 0.5),
        cy=arguments.number(5, "cy", frame.height * 0.5),
    )
    return _read(image, region, lambda gray, at: codes.read_apriltags(gray, at, families, lens), AprilTag)
