"""`video`: AVI files of JPEG pictures, recorded and played without sound. Source: port/src/video/py_video.c."""

from __future__ import annotations

import errno
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from k210kit.emulator.avi import AviForm, AviReader, AviWriter
from k210kit.emulator.board import Board, Picture
from k210kit.emulator.card import os_error
from k210kit.emulator.modules.image.arguments import as_int
from k210kit.emulator.modules.image.pixels import frame_from_rgb
from k210kit.emulator.modules.sensor import RGB565
from k210kit.emulator.modules.table import device_module

__all__ = ["Avi", "VideoModule"]

_END, _DECODED = 0, 3  # what play and capture return: the end, a picture


class Avi:
    """An open file: either to record or to play."""

    def __init__(self, board: Board, form: AviForm, *, reader: AviReader | None, writer: AviWriter | None) -> None:
        self._board, self._form = board, form
        self._reader, self._writer = reader, writer
        self._quality, self._volume = 50, 100
        self._next = 0.0

    def record(self, img: Any) -> int:
        """Append a picture (Any: the script's Image), at the file's pace; its bytes."""
        if self._writer is None:
            raise os_error(errno.EPERM)
        jpeg = bytes(img.compressed(self._quality).to_bytes())
        self._writer.append(jpeg)
        self._keep_pace()
        return len(jpeg)

    def record_finish(self) -> None:
        if self._writer is None:
            raise os_error(errno.EPERM)
        self._writer.finish()

    def play(self) -> int:
        """Show the next picture on the LCD; 0 at the end."""
        picture = self._picture()
        if picture is None:
            return _END
        pixels, planes = frame_from_rgb(picture)
        lcd = self._board.module("lcd")
        if lcd.width() is not None:
            lcd.display(self._board.module("image").from_camera(pixels, planes, RGB565))
        self._keep_pace()
        return _DECODED

    def capture(self, img: Picture) -> int:
        """Put the next picture into `img`, cut to its size; 0 at the end."""
        picture = self._picture()
        if picture is None:
            return _END
        pixels, _ = frame_from_rgb(picture)
        high, wide = img.pixels.shape
        part = pixels[:high, :wide]
        img.pixels[: part.shape[0], : part.shape[1]] = part
        return _DECODED

    def volume(self, *arguments: int) -> int:
        if arguments:
            self._volume = as_int(arguments[0])
        return self._volume

    def __del__(self) -> None:
        if self._reader is not None:
            self._reader.close()

    def _picture(self) -> NDArray[np.uint8] | None:
        if self._reader is None:
            raise os_error(errno.EPERM)
        from PIL import Image, UnidentifiedImageError

        jpeg = self._reader.next_picture()
        if jpeg is None:
            return None
        self._board.module("image")._workshop.spend("decode", self._form.width * self._form.height)
        try:
            return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))
        except (UnidentifiedImageError, OSError):
            raise os_error(errno.EIO) from None

    def _keep_pace(self) -> None:
        clock = self._board.clock
        clock.advance(max(0.0, self._next - clock.now))
        self._next = clock.now + self._form.microseconds_per_frame / 1e6

    def __repr__(self) -> str:
        form = self._form
        return (
            f"[MaixPy] avi:\n[video] w:{form.width}, h:{form.height}, t:{form.microseconds_per_frame}us, "
            f"fps:{1e6 / max(1, form.microseconds_per_frame):.2f}, total_frame:{form.frames}, status:0\n"
            "[audio] format:1, channel:0, sample_rate:0"
        )


@device_module("video", needs="video")
class VideoModule:
    """The module."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def open(
        self,
        path: str,
        *,
        record: bool = False,
        interval: int = 100000,
        quality: int = 50,
        width: int = 320,
        height: int = 240,
        audio: bool = False,
        sample_rate: int = 44100,
        channels: int = 1,
    ) -> Avi:
        """Open a file whose name ends in `.avi`."""
        if not path.endswith(".avi"):
            raise NotImplementedError("[MaixPy] video: format not support")
        stream = self._board.files.open(path, "wb" if record else "rb")
        if record:
            form = AviForm(
                width=as_int(width), height=as_int(height), microseconds_per_frame=as_int(interval), frames=0
            )
            made = Avi(self._board, form, reader=None, writer=AviWriter(stream, form))
            made._quality = as_int(quality)
            return made
        try:
            reader = AviReader(stream)
        except ValueError:
            raise os_error(errno.EIO) from None
        return Avi(self._board, reader.form, reader=reader, writer=None)
