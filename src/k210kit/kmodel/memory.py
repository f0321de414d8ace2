"""How a feature map lies in KPU memory: lines of 64 bytes that narrow maps share.

Width 1 to 16: four channels share a line, 16 bytes each, one line per row. Width 17 to 32: two channels, 32 bytes each.
Wider: one channel, ceil(width / 64) lines per row. Source: SDK `kpu_upload_core`, the same in every compiler.

>>> lines(224, 224, 3)
2688
"""

from __future__ import annotations

from k210kit.hardware import KPU_LINE_BYTES

__all__ = ["channel_lines", "channels_per_line", "lines", "pitch", "row_lines"]


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
