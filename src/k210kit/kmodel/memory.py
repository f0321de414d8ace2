"""How a feature map lies in KPU memory: lines of 64 bytes that narrow maps share.

Width 1 to 16: four channels share a line, 16 bytes each, one line per row. Width 17 to 32: two channels, 32 bytes each.
Wider: one channel, ceil(width / 64) lines per row. Source: SDK `kpu_upload_core`, the same in every compiler.

>>> lines(224, 224, 3)
2688
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from k210kit.errors import UnsupportedError
from k210kit.hardware import KPU_LINE_BYTES, KPU_LINES

__all__ = [
    "KPU_LINE_BYTES",
    "Layout",
    "channel_lines",
    "channels_per_line",
    "lines",
    "pitch",
    "read_map",
    "row_lines",
    "write_map",
]


def channels_per_line(width: int) -> int:
    """Channels that share a line: 4, 2 or 1."""
    return 4 if width <= 16 else 2 if width <= 32 else 1


def pitch(width: int) -> int:
    """Bytes from one channel of a line to the next: 16, 32 or 64."""
    return KPU_LINE_BYTES // channels_per_line(width)


def row_lines(width: int) -> int:
    """Lines that one row of a channel group takes."""
    return -(-width // KPU_LINE_BYTES)


def channel_lines(width: int, height: int) -> int:
    """Lines that one group of channels takes."""
    return row_lines(width) * height


def lines(width: int, height: int, channels: int) -> int:
    """Lines that a whole map takes."""
    return channel_lines(width, height) * -(-channels // channels_per_line(width))


@dataclass(frozen=True)
class Layout:
    """Where the pixels of a map lie, from its first line on."""

    channels_per_line: int
    row_lines: int
    channel_lines: int  # from one group of channels to the next

    @classmethod
    def of_width(cls, width: int, *, height: int) -> Layout:
        """The layout that every compiler gives a map of this width."""
        return cls(channels_per_line(width), row_lines(width), channel_lines(width, height))

    def __str__(self) -> str:
        shared, row, group = self.channels_per_line, self.row_lines, self.channel_lines
        return f"{shared} channels per line, {row} lines per row, {group} lines per group of channels"

    def __post_init__(self) -> None:
        if self.channels_per_line not in (1, 2, 4):
            raise UnsupportedError(f"{self.channels_per_line} channels per line of KPU memory; expected 1, 2 or 4.")


def read_map(kpu: NDArray[np.uint8], line: int, layout: Layout, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """A copy of the map of `shape` channels, rows, columns that starts at `line` of KPU memory `kpu`, flat bytes."""
    channels, height, width = shape
    view = _view(kpu, line, layout, (-(-channels // layout.channels_per_line), height, width))
    return np.ascontiguousarray(view).reshape(-1, height, width)[:channels]


def write_map(kpu: NDArray[np.uint8], line: int, layout: Layout, pixels: NDArray[np.uint8]) -> None:
    """Write the map [channel, row, column]; bytes of its lines that are no pixel of it keep what they held."""
    channels, height, width = pixels.shape
    shared = layout.channels_per_line
    view = _view(kpu, line, layout, (-(-channels // shared), height, width))
    whole = channels // shared
    view[:whole] = pixels[: whole * shared].reshape(whole, shared, height, width)
    if whole < len(view):
        view[whole, : channels - whole * shared] = pixels[whole * shared :]


def _view(
    kpu: NDArray[np.uint8], line: int, layout: Layout, shape: tuple[int, int, int]
) -> NDArray[np.uint8]:  # group, channel of the group, row, column
    groups, height, width = shape
    shared = layout.channels_per_line
    pitch_bytes = KPU_LINE_BYTES // shared
    last = (groups - 1) * layout.channel_lines + (height - 1) * layout.row_lines
    end = (line + last) * KPU_LINE_BYTES + (shared - 1) * pitch_bytes + width
    if end > kpu.size:
        raise UnsupportedError(
            f"A map of {groups} groups of {shared} channels, {height} rows and {width} columns at line {line} ends at "
            f"line {-(-end // KPU_LINE_BYTES)}; KPU memory has {KPU_LINES} lines."
        )
    strides = (layout.channel_lines * KPU_LINE_BYTES, pitch_bytes, layout.row_lines * KPU_LINE_BYTES, 1)
    return np.ndarray((groups, shared, height, width), np.uint8, kpu, line * KPU_LINE_BYTES, strides)
