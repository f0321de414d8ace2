"""Damaged float models: each is read, or refused with one of our errors, in a moment and in little memory."""

from __future__ import annotations

import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import pytest

pytest.importorskip("onnx", reason="the extra 'onnx' is not installed")
pytest.importorskip("tflite", reason="the extra 'tflite' is not installed")

from k210kit.compiler.importers import read_model
from k210kit.compiler.importers.hdf5 import bounded_memory
from k210kit.compiler.support import findings
from k210kit.errors import FormatError, InputError
from tests.fuzz.float_models import MODELS, small_model
from tests.fuzz.mutations import damaged

_MOST_SECONDS = 10
_MOST_BYTES = 1 << 30


def read_or_refuse(data: bytes, suffix: str, folder: Path) -> bool:
    """Read a model and tell what is wrong with it; True if that went well, False if it was refused."""
    path = folder / f"damaged{suffix}"
    path.write_bytes(data)
    started = time.process_time()
    try:
        findings(read_model(path))
    except InputError:
        return False
    finally:
        assert time.process_time() - started < _MOST_SECONDS
    return True


@pytest.mark.parametrize("suffix", MODELS)
def test_a_small_model_is_read(suffix: str, tmp_path: Path) -> None:
    assert read_or_refuse(small_model(suffix), suffix, tmp_path)


@pytest.mark.parametrize("suffix", MODELS)
@pytest.mark.parametrize("seed", range(2))
def test_damaged_models_are_read_or_refused(suffix: str, seed: int, tmp_path: Path) -> None:
    data = small_model(suffix)
    results = [read_or_refuse(item, suffix, tmp_path) for item in damaged(data, seed, MODELS[suffix])]
    assert not all(results)


@pytest.mark.parametrize("suffix", MODELS)
def test_every_cut_is_read_or_refused(suffix: str, tmp_path: Path) -> None:
    data = small_model(suffix)
    for length in range(0, len(data), max(1, len(data) // 40)):
        read_or_refuse(data[:length], suffix, tmp_path)


def test_a_heap_that_hdf5_would_circle_in_is_refused(tmp_path: Path) -> None:
    data = bytearray(small_model(".h5"))
    heap = data.index(b"GCOL")
    data[heap + 24 : heap + 32] = bytes(8)  # the length of the first text
    (tmp_path / "m.h5").write_bytes(data)
    with pytest.raises(FormatError, match="the HDF5 file is damaged: a "):
        read_model(tmp_path / "m.h5")


def test_a_damaged_model_takes_little_memory() -> None:
    with tempfile.TemporaryDirectory() as folder:
        tracemalloc.start()
        for suffix in (".tflite", ".onnx"):
            for data in damaged(small_model(suffix), 7, 100):
                read_or_refuse(data, suffix, Path(folder))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < _MOST_BYTES


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is bounded on Linux alone")
def test_a_text_that_claims_gigabytes_gets_no_memory_for_them() -> None:
    with bounded_memory(64 << 20), pytest.raises(MemoryError):
        bytearray(256 << 20)
    bytearray(256 << 20)
