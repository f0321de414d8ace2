"""Where the LCD's picture goes: nowhere, PNG files, the terminal, or a live page."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from k210kit.errors import FileError
from k210kit.files import write_whole

__all__ = ["FolderScreen", "MemoryScreen", "TerminalScreen", "png", "rgb888"]


def rgb888(pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """RGB565 [height, width] to RGB [height, width, 3], the top bits repeated below."""
    red, green, blue = pixels >> 11, (pixels >> 5) & 63, pixels & 31
    made = np.stack([red << 3 | red >> 2, green << 2 | green >> 4, blue << 3 | blue >> 2], axis=-1)
    return made.astype(np.uint8)


def png(pixels: NDArray[np.uint16]) -> bytes:
    """The glass as a PNG file."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(rgb888(pixels)).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


@dataclass
class MemoryScreen:
    """Keeps the newest picture, and counts."""

    pixels: NDArray[np.uint16] | None = None
    shown: int = 0

    def show(self, pixels: NDArray[np.uint16], seconds: float) -> None:
        self.pixels = pixels.copy()
        self.shown += 1

    def close(self) -> None:
        return None


class FolderScreen:
    """Writes `lcd-0001.png`, `lcd-0002.png`, … into a folder; numbers go on after what is there."""

    def __init__(self, folder: Path, *, most_files: int = 10_000) -> None:
        if folder.exists() and not folder.is_dir():
            raise FileError(f"{folder} is a file; --lcd needs a folder for the pictures of the LCD.")
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.most_files = folder, most_files
        numbers = [int(path.stem[4:]) for path in folder.glob("lcd-*.png") if path.stem[4:].isdigit()]
        self._next = max(numbers, default=0) + 1
        self._written = 0

    def show(self, pixels: NDArray[np.uint16], seconds: float) -> None:
        if self._written < self.most_files:
            write_whole(self.folder / f"lcd-{self._next:04d}.png", png(pixels))
            self._next += 1
            self._written += 1

    def close(self) -> None:
        return None


class TerminalScreen:
    """Draws the LCD into a terminal, two pixels per character cell, at most ten times a second of board time."""

    def __init__(self, columns: int = 80) -> None:
        self._columns = columns
        self._next = 0.0

    def show(self, pixels: NDArray[np.uint16], seconds: float) -> None:
        if seconds < self._next:
            return
        self._next = seconds + 0.1
        sys.stdout.write("\x1b[H" + self.drawn(pixels))
        sys.stdout.flush()

    def drawn(self, pixels: NDArray[np.uint16]) -> str:
        """The picture as lines of half blocks in 24-bit colours, each the mean of its pixels, so thin lines show."""
        high, wide = pixels.shape
        columns = min(self._columns, wide)
        rows = max(2, high * columns // wide // 2 * 2)
        down, across = np.arange(rows) * high // rows, np.arange(columns) * wide // columns
        sums = np.add.reduceat(np.add.reduceat(rgb888(pixels).astype(np.int64), down, axis=0), across, axis=1)
        areas = np.diff(down, append=high)[:, None] * np.diff(across, append=wide)
        small = sums // areas[..., None]
        lines = []
        for upper, lower in zip(small[::2], small[1::2], strict=True):
            cells = (
                f"\x1b[38;2;{a[0]};{a[1]};{a[2]};48;2;{b[0]};{b[1]};{b[2]}m\u2580"
                for a, b in zip(upper, lower, strict=True)
            )
            lines.append("".join(cells) + "\x1b[0m\n")
        return "".join(lines)

    def close(self) -> None:
        return None
