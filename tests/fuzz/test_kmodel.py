from __future__ import annotations

import tracemalloc

import pytest

from k210kit.errors import FormatError, UnsupportedError
from k210kit.kmodel import read_kmodel
from k210kit.kmodel.text import layer_rows, output_rows
from tests.fuzz.mutations import damaged
from tests.kmodel.samples import small_model


def read_or_refuse(data: bytes) -> bool:
    """Read and describe a file; True if that went well, False if it was refused with one of our errors."""
    try:
        model = read_kmodel(data)
    except (FormatError, UnsupportedError):
        return False
    assert model.to_bytes() == data
    layer_rows(model)
    output_rows(model)
    return True


@pytest.mark.parametrize("seed", range(4))
def test_damaged_kmodels_are_read_or_refused(seed: int) -> None:
    results = [read_or_refuse(data) for data in damaged(small_model().to_bytes(), seed, 1000)]
    assert any(results)
    assert not all(results)


def test_a_damaged_file_takes_no_memory_beyond_a_few_times_its_size() -> None:
    raw = small_model().to_bytes()
    tracemalloc.start()
    for data in damaged(raw, 7, 300):
        read_or_refuse(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000  # most of it is Python's own objects
