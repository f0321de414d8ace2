"""Calibration pictures: from files to bytes of the model's size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler.graph import Shape
from k210kit.errors import FileError, FormatError, InputError, UnsupportedError
from k210kit.files import read_whole
from k210kit.kmodel.arithmetic.threads import pool
from k210kit.pictures import planes, read_array, read_picture

__all__ = ["Batch", "Inputs", "Pictures", "find_pictures", "read_inputs"]

SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".ppm", ".pgm", ".npy"))
_GREY = 114  # of a letterbox's bars
_KEPT = 32  # pictures that stay in memory: as many as any search looks at more than once


def find_pictures(places: Iterable[Path], limit: int | None) -> list[Path]:
    """The pictures and arrays that files and folders name, in name order within a folder; at most `limit`."""
    found: list[Path] = []
    for place in places:
        if place.is_dir():
            found.extend(sorted(p for p in place.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file()))
        elif place.exists():
            found.append(place)
        else:
            raise FileError(f"{place} does not exist. --images takes pictures, .npy files, and folders of them.")
    if not found:
        raise InputError(
            "--images names no picture. Give some ten that look like what the camera will see: "
            "they tell the range of every value in the model."
        )
    if limit is not None and limit < len(found):  # spread over all, so that no folder is left out
        found = [found[k * len(found) // limit] for k in range(limit)]
    return found


def read_inputs(paths: Sequence[Path], shape: Shape, *, letterbox: bool) -> NDArray[np.uint8] | NDArray[np.float32]:
    """A batch: uint8 (pictures, channels, height, width); of a model with flat input float32 (rows, elements)."""
    if len(shape) == 1:
        return np.concatenate([_rows(path, shape[0]) for path in paths])
    return Pictures(paths, (shape[0], shape[1], shape[2]), letterbox=letterbox)[:]


class Pictures:
    """Pictures of one size, uint8 (pictures, channels, height, width), of which only the first stay in memory.

    The others are read where a slice of them is asked for, so that hundreds take no more memory than some.
    """

    def __init__(self, paths: Sequence[Path], shape: tuple[int, int, int], *, letterbox: bool) -> None:
        self._paths, self._shape, self._letterbox = paths, shape, letterbox
        self._first = self._read(paths[:_KEPT])

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, some: slice) -> NDArray[np.uint8]:
        chosen = range(len(self._paths))[some]
        kept = not chosen or max(chosen[0], chosen[-1]) < len(self._first)
        return self._first[some] if kept else self._read(self._paths[some])

    def _read(self, paths: Sequence[Path]) -> NDArray[np.uint8]:
        return np.stack(list(pool().map(lambda path: _picture(path, self._shape, self._letterbox), paths)))


Inputs = NDArray[Any] | Pictures  # Any: uint8 pictures, or float32 rows of a flat model


class Batch(Protocol):
    """Pictures as the model sees them, [pictures, *input shape], an array or made slice by slice."""

    def __len__(self) -> int: ...

    def __getitem__(self, some: slice, /) -> NDArray[np.float32]: ...


def _array(path: Path) -> NDArray[np.generic]:
    loaded = read_array(path, read_whole(path))
    if loaded.dtype.kind not in "fiu":
        raise FormatError(f"{path} holds no array of numbers", expected="one array, as numpy.save writes it")
    return loaded


def _rows(path: Path, count: int) -> NDArray[np.float32]:
    if path.suffix.lower() != ".npy":
        raise UnsupportedError(
            f"{path}: the model takes {count} floats, which a picture does not give. Save rows of {count} floats with "
            "numpy.save and give the .npy file."
        )
    loaded = _array(path).astype(np.float32)
    if loaded.size == 0 or loaded.size % count or (loaded.ndim and loaded.shape[-1] not in (count, 1)):
        raise FormatError(f"{path} has the shape {loaded.shape}", expected=f"(rows, {count})")
    return loaded.reshape(-1, count)


def _picture(path: Path, shape: tuple[int, int, int], letterbox: bool) -> NDArray[np.uint8]:
    channels, height, width = shape
    if path.suffix.lower() == ".npy":
        loaded = _array(path)
        if loaded.dtype != np.uint8 or loaded.shape != shape:
            raise FormatError(f"{path} is {loaded.dtype} {loaded.shape}", expected=f"uint8 {shape}, channels first")
        return loaded.astype(np.uint8)
    if channels not in (1, 3):
        raise UnsupportedError(
            f"{path}: the model takes {channels} channels, which a picture does not have. Save uint8 arrays of the "
            f"shape {shape} with numpy.save and give the .npy files."
        )
    picture = read_picture(path, read_whole(path), channels)
    if not letterbox:
        return planes(picture, width, height)
    ratio = min(height / picture.height, width / picture.width)
    small = planes(picture, max(1, int(picture.width * ratio)), max(1, int(picture.height * ratio)))
    canvas = np.full(shape, _GREY, np.uint8)
    canvas[:, : small.shape[1], : small.shape[2]] = small
    return canvas
