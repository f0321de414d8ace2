"""QR codes, bar codes, data matrices and AprilTags, read by well-kept decoders of the desk.

zxing-cpp reads QR codes, bar codes and data matrices; the AprilTag library (pupil-apriltags) reads tags, as in the
firmware. Both come with the extra `codes`. The firmware has quirc, zbar and libdmtx instead: what is readable at the
limit, and corners by a pixel or two, may differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from k210kit.errors import MissingExtraError

from .fast_math import arc_tangent2

__all__ = ["FAMILIES", "Lens", "read_apriltags", "read_barcodes", "read_data_matrices", "read_qrcodes"]

Gray = NDArray[np.uint8]
Row = tuple[tuple[Any, ...], tuple[tuple[int, int], ...]]  # values of a result, corners

FAMILIES = {"TAG16H5": 1, "TAG25H7": 2, "TAG25H9": 4, "TAG36H10": 8, "TAG36H11": 16, "ARTOOLKIT": 32}
_READABLE = {"tag16h5": 1, "tag25h9": 4, "tag36h11": 16}  # families that the library of the desk knows
_QUIRC_LEVELS = {"M": 0, "L": 1, "H": 2, "Q": 3}  # as they stand in a QR code's format bits
_ALPHANUMERIC = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")

# The firmware's numbers of the kinds that both decoders know
_BARCODES = {
    "EAN8": 2, "UPCE": 3, "UPCA": 5, "EAN13": 6, "ITF": 8, "DataBar": 9, "DataBarExp": 10, "Codabar": 11,
    "Code39": 12, "PDF417": 13, "Code93": 14, "Code128": 15,
}  # fmt: skip

# ISO/IEC 16022: data code words of each symbol size
_DATA_WORDS = {
    (10, 10): 3, (12, 12): 5, (14, 14): 8, (16, 16): 12, (18, 18): 18, (20, 20): 22, (22, 22): 30, (24, 24): 36,
    (26, 26): 44, (32, 32): 62, (36, 36): 86, (40, 40): 114, (44, 44): 144, (48, 48): 174, (52, 52): 204,
    (64, 64): 280, (72, 72): 368, (80, 80): 456, (88, 88): 576, (96, 96): 696, (104, 104): 816, (120, 120): 1050,
    (132, 132): 1304, (144, 144): 1558, (8, 18): 5, (8, 32): 10, (12, 26): 16, (12, 36): 22, (16, 36): 32,
    (16, 48): 49,
}  # fmt: skip


def _zxing() -> Any:
    try:
        import zxingcpp
    except ImportError:
        raise MissingExtraError("zxing-cpp", extra="codes", purpose="Reading codes") from None
    return zxingcpp


def _found(gray: Gray, formats: str, offset: tuple[int, int]) -> list[tuple[Any, tuple[tuple[int, int], ...]]]:
    """Codes of these kinds with their corners, clockwise from the code's own upper left one."""
    zxing = _zxing()
    wanted = zxing.barcode_formats_from_str(formats)
    codes = zxing.read_barcodes(np.ascontiguousarray(gray), formats=wanted, try_invert=False)
    made = []
    for code in codes:
        points = (getattr(code.position, name) for name in ("top_left", "top_right", "bottom_right", "bottom_left"))
        made.append((code, tuple((int(p.x) + offset[0], int(p.y) + offset[1]) for p in points)))
    return made


def _box(corners: Sequence[tuple[int, int]]) -> tuple[int, int, int, int]:
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def read_qrcodes(gray: Gray, offset: tuple[int, int]) -> list[Row]:
    """x, y, w, h, payload, version, ecc_level, mask, data_type, eci of each QR code."""
    made: list[Row] = []
    for code, corners in _found(gray, "QRCode", offset):
        payload, extra = _text(code.bytes), code.extra
        kind = 1 if payload.isdigit() else 2 if set(payload) <= _ALPHANUMERIC else 4
        level = _QUIRC_LEVELS.get(code.ec_level, 0)
        facts = (int(extra.get("Version", 0)), level, int(extra.get("DataMask", 0)), kind, 0)
        made.append(((*_box(corners), payload, *facts), corners))
    return made


def _quarter(degrees: int) -> float:
    """zbar's orientation: one of four, in radians."""
    return float(np.float32(np.radians(round(degrees / 90) % 4 * 90)))


def read_barcodes(gray: Gray, offset: tuple[int, int]) -> list[Row]:
    """x, y, w, h, payload, type, rotation, quality of each bar code; the quality is always 1."""
    made: list[Row] = []
    for code, points in _found(gray, "|".join(_BARCODES), offset):
        kind = _BARCODES.get(str(code.symbology).rpartition(".")[2], _BARCODES.get(code.format.name, -1))
        if kind < 0:
            continue
        x, y, w, h = _box(points)
        corners = ((x, y), (x + w, y), (x + w, y + h), (x, y + h))
        made.append(((x, y, w, h, _text(code.bytes), kind, _quarter(code.orientation), 1), corners))
    return made


def read_data_matrices(gray: Gray, offset: tuple[int, int]) -> list[Row]:
    """x, y, w, h, payload, rotation, rows, columns, capacity, padding of each data matrix."""
    made: list[Row] = []
    for code, corners in _found(gray, "DataMatrix", offset):
        payload = _text(code.bytes)
        rows, columns = _matrix_size(str(code.extra.get("Version", "")))
        capacity = _DATA_WORDS.get((rows, columns), 0)
        rotation = float(np.float32(np.radians(-code.orientation % 360)))
        padding = max(capacity - len(payload) - 1, 0) if capacity else 0
        made.append(((*_box(corners), payload, rotation, rows, columns, capacity, padding), corners))
    return made


def _matrix_size(version: str) -> tuple[int, int]:
    """Rows and columns of a version that is written as a size or as a number from 1 on."""
    if "x" in version:
        rows, columns = version.split("x")[:2]
        return int(rows), int(columns)
    sizes = list(_DATA_WORDS)
    return sizes[int(version) - 1] if version.isdigit() and 1 <= int(version) <= len(sizes) else (0, 0)


@dataclass(frozen=True)
class Lens:
    """Focal lengths and centre in pixels."""

    fx: float
    fy: float
    cx: float
    cy: float


def read_apriltags(gray: Gray, offset: tuple[int, int], families: int, lens: Lens) -> list[Row]:
    """The eighteen values of each AprilTag; translations in halves of the tag's side."""
    detectors = [_tag_detector(name) for name, bit in _READABLE.items() if families & bit]
    found = (tag for detector in detectors for tag in detector.detect(np.ascontiguousarray(gray)))
    return [_tag_row(tag, offset, lens) for tag in found]


@cache
def _tag_detector(family: str) -> Any:
    """One family's detector, kept for ever (Any: it has no types).

    The library damages its memory when a detector is thrown away, and looks for the first of several families only.
    """
    try:
        from pupil_apriltags import Detector
    except ImportError:
        raise MissingExtraError("pupil-apriltags", extra="codes", purpose="Reading AprilTags") from None
    kept = type("KeptDetector", (Detector,), {"__del__": lambda self: None})
    return kept(families=family, quad_decimate=1.0)


def _tag_row(tag: Any, offset: tuple[int, int], lens: Lens) -> Row:
    # The library gives corners counter-clockwise from the lower left one.
    points = [(int(x) + offset[0], int(y) + offset[1]) for x, y in tag.corners]
    corners = (points[3], points[2], points[1], points[0])
    pose = _pose(np.asarray(tag.homography, float), -lens.fx, lens.fy, lens.cx, lens.cy)
    turns = (
        arc_tangent2(pose[2, 1], pose[2, 2]),
        arc_tangent2(-pose[2, 0], float(np.hypot(pose[2, 1], pose[2, 2]))),
        arc_tangent2(pose[1, 0], pose[0, 0]),
    )
    family = tag.tag_family.decode() if isinstance(tag.tag_family, bytes) else tag.tag_family
    center = (int(tag.center[0]) + offset[0], int(tag.center[1]) + offset[1])
    margin = float(tag.decision_margin) / 255
    x_turn, y_turn, z_turn = (float(turn) for turn in turns)
    return (
        (
            *_box(corners), int(tag.tag_id), _READABLE[family], *center, z_turn, margin, int(tag.hamming), 0.0,
            *(float(part) for part in pose[:3, 3]), x_turn, y_turn, z_turn,
        ),
        corners,
    )  # fmt: skip


def _pose(h: NDArray[np.float64], fx: float, fy: float, cx: float, cy: float) -> NDArray[np.float64]:
    """Rotation and translation [3, 4] of a plane from its homography; the tag lies in front, at negative z."""
    rotation = np.empty((3, 3))
    translation = np.empty(3)
    rotation[2, :2], translation[2] = h[2, :2], h[2, 2]
    rotation[0, :2] = (h[0, :2] - cx * rotation[2, :2]) / fx
    rotation[1, :2] = (h[1, :2] - cy * rotation[2, :2]) / fy
    translation[0] = (h[0, 2] - cx * translation[2]) / fx
    translation[1] = (h[1, 2] - cy * translation[2]) / fy
    scale = 1 / np.sqrt(np.linalg.norm(rotation[:, 0]) * np.linalg.norm(rotation[:, 1]))
    scale = -scale if translation[2] > 0 else scale
    rotation[:, :2] *= scale
    rotation[:, 2] = np.cross(rotation[:, 0], rotation[:, 1])
    u, _, vt = np.linalg.svd(rotation)
    return np.column_stack([u @ vt, translation * scale])
