"""What stands in front of the camera: a test pattern, a picture, a folder, a video, a webcam, a stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from k210kit.emulator.board import Camera
from k210kit.errors import FileError, FormatError, InputError, MissingExtraError, missing_file

__all__ = ["AnimatedCamera", "FolderCamera", "PatternCamera", "StillCamera", "VideoCamera", "open_camera"]

PICTURE_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".ppm", ".pgm", ".tif", ".tiff")
VIDEO_ENDINGS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v")
_MOST_PIXELS = 64_000_000


def _read_picture(path: Path) -> NDArray[np.uint8]:
    from PIL import Image, ImageOps, UnidentifiedImageError

    if not path.exists():
        raise missing_file(path)
    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > _MOST_PIXELS:
                raise FormatError(
                    f"{path} has {opened.width}x{opened.height} pixels; at most {_MOST_PIXELS:,} are read."
                )
            return np.asarray(ImageOps.exif_transpose(opened).convert("RGB"))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as failure:
        raise FormatError(f"{path} is not a picture that can be read ({failure})") from None


@dataclass
class StillCamera:
    """One picture for ever."""

    picture: NDArray[np.uint8]  # height, width, 3

    def frame(self, seconds: float) -> NDArray[np.uint8] | None:
        return self.picture

    def close(self) -> None:
        return None


class PatternCamera:
    """Colour bars, a grey ramp, and a white square that moves one step of 1/64 of the width each 1/10 s."""

    def __init__(self, width: int = 640, height: int = 480) -> None:
        bars = np.array(
            [
                (255, 255, 255),
                (255, 255, 0),
                (0, 255, 255),
                (0, 255, 0),
                (255, 0, 255),
                (255, 0, 0),
                (0, 0, 255),
                (0, 0, 0),
            ],
            np.uint8,
        )
        columns = np.arange(width)
        self._ground = np.empty((height, width, 3), np.uint8)
        self._ground[: height * 3 // 4] = bars[columns * 8 // width]
        self._ground[height * 3 // 4 :] = (columns * 255 // (width - 1)).astype(np.uint8)[:, None]

    def frame(self, seconds: float) -> NDArray[np.uint8] | None:
        height, width, _ = self._ground.shape
        side = height // 8
        left = int(seconds * 10) * (width // 64) % (width - side)
        made = self._ground.copy()
        made[height // 3 : height // 3 + side, left : left + side] = 255
        return made

    def close(self) -> None:
        return None


class FolderCamera:
    """The pictures of a folder and of those in it, by name, each for one frame, then again from the first."""

    def __init__(self, folder: Path) -> None:
        self._paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURE_ENDINGS)
        if not self._paths:
            raise FileError(f"{folder} holds no picture ({', '.join(PICTURE_ENDINGS)}).")
        self._kept: dict[Path, NDArray[np.uint8]] = {}
        self._next = 0

    def frame(self, seconds: float) -> NDArray[np.uint8] | None:
        path = self._paths[self._next % len(self._paths)]
        self._next += 1
        if path not in self._kept:
            if len(self._kept) >= 16:
                self._kept.pop(next(iter(self._kept)))
            self._kept[path] = _read_picture(path)
        return self._kept[path]

    def close(self) -> None:
        return None


class AnimatedCamera:
    """The pictures of an animated GIF or WebP, each for as long as it says, from the first snapshot on, in a ring."""

    def __init__(self, pictures: Sequence[NDArray[np.uint8]], durations: Sequence[float]) -> None:
        self._pictures = pictures
        self._ends = np.cumsum(durations)
        self._began: float | None = None

    def frame(self, seconds: float) -> NDArray[np.uint8] | None:
        self._began = seconds if self._began is None else self._began
        at = (seconds - self._began) % float(self._ends[-1])
        return self._pictures[int(np.searchsorted(self._ends, at, side="right"))]

    def close(self) -> None:
        return None


_LEAST_SECONDS = 0.02  # of a picture; shorter ones are shown for 0.1 s, as browsers do


def _animation(path: Path) -> AnimatedCamera | None:
    """The animation in a file, or None for a file with one picture."""
    from PIL import Image, ImageSequence, UnidentifiedImageError

    try:
        with Image.open(path) as opened:
            count = getattr(opened, "n_frames", 1)
            if count < 2 or not getattr(opened, "is_animated", False):
                return None
            if count * opened.width * opened.height > _MOST_PIXELS:
                raise FormatError(
                    f"{path} has {count} pictures of {opened.width}x{opened.height} pixels; at most "
                    f"{_MOST_PIXELS:,} pixels are read. Make a video of it."
                )
            pictures, durations = [], []
            for picture in ImageSequence.Iterator(opened):
                seconds = float(picture.info.get("duration", 0)) / 1000
                pictures.append(np.asarray(picture.convert("RGB")))
                durations.append(seconds if seconds >= _LEAST_SECONDS else 0.1)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError) as failure:
        raise FormatError(f"{path} is not a picture that can be read ({failure})") from None
    return AnimatedCamera(pictures, durations)


class VideoCamera:
    """A video file at its own speed in board time, from the first snapshot on, or a webcam; needs OpenCV."""

    def __init__(self, source: str | int) -> None:
        try:
            import cv2
        except ImportError:
            raise MissingExtraError(
                "opencv-python-headless", extra="video", purpose="a video or webcam source"
            ) from None
        self._cv2 = cv2
        self._capture: Any = cv2.VideoCapture(source)
        if not self._capture.isOpened():
            what = f"webcam {source}" if isinstance(source, int) else str(source)
            raise InputError(f"{what} cannot be opened. Check the name, or that no other program uses it.")
        self._live = isinstance(source, int)
        self._rate = float(self._capture.get(cv2.CAP_PROP_FPS)) or 30.0
        self._position = -1
        self._began: float | None = None
        self._newest: NDArray[np.uint8] | None = None

    def frame(self, seconds: float) -> NDArray[np.uint8] | None:
        self._began = seconds if self._began is None else self._began
        wanted = self._position + 1 if self._live else int((seconds - self._began) * self._rate)
        while self._position < max(wanted, 0):
            good, picture = self._capture.read()
            if not good:
                return None
            self._newest = self._cv2.cvtColor(picture, self._cv2.COLOR_BGR2RGB)
            self._position += 1
        return self._newest

    def close(self) -> None:
        self._capture.release()


def open_camera(source: str) -> Camera:
    """`pattern`, a picture, a folder of pictures, a video, a webcam's number, or `tcp:HOST:PORT`."""
    if source == "pattern":
        return PatternCamera()
    if source.startswith("tcp:"):
        from k210kit.emulator.link_camera import LinkCamera

        return LinkCamera(source)
    if source.isdigit():
        return VideoCamera(int(source))
    path = Path(source)
    if path.is_dir():
        return FolderCamera(path)
    if not path.exists():
        raise FileError(
            f"{source} does not exist. A camera is `pattern`, a picture, a folder of pictures, a video file, "
            "a webcam's number, or tcp:HOST:PORT."
        )
    if path.suffix.lower() in VIDEO_ENDINGS:
        return VideoCamera(str(path))
    return _animation(path) or StillCamera(_read_picture(path))
