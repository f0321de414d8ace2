"""Calibration pictures: the first stay in memory, the others are read where they are asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from k210kit.compiler.pictures import Pictures, read_inputs
from k210kit.errors import FileError


def files(folder: Path, count: int) -> list[Path]:
    paths = [folder / f"{k:03}.npy" for k in range(count)]
    for k, path in enumerate(paths):
        np.save(path, np.full((3, 4, 5), k, np.uint8))
    return paths


def test_slices_are_those_of_all_pictures(tmp_path: Path) -> None:
    paths = files(tmp_path, 45)
    whole = read_inputs(paths, (3, 4, 5), letterbox=False)
    lazy = Pictures(paths, (3, 4, 5), letterbox=False)
    assert len(lazy) == 45
    for some in (slice(0, 10), slice(30, 40), slice(40, 50), slice(None, 32), slice(None)):
        assert np.array_equal(lazy[some], whole[some])


def test_only_the_first_32_are_kept(tmp_path: Path) -> None:
    paths = files(tmp_path, 45)
    lazy = Pictures(paths, (3, 4, 5), letterbox=False)
    for path in paths:
        path.unlink()
    assert lazy[:32].shape == (32, 3, 4, 5)
    with pytest.raises(FileError, match="does not exist"):
        lazy[30:40]
