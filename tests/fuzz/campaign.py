"""The long campaign: damaged kmodels by the million, on all cores; and damaged float models.

python -m tests.fuzz.campaign [COUNT] [KMODEL ...]     default: 1,000,000 of the model that the tests make
python -m tests.fuzz.campaign floats [COUNT] [MODEL ...]    float models; default: 10,000 of each format
python -m tests.fuzz.campaign atheris                  coverage-guided, where atheris is installed, until stopped
"""

from __future__ import annotations

import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.fuzz.mutations import damaged
from tests.fuzz.test_kmodel import read_or_refuse
from tests.kmodel.samples import small_model

_PIECE = 5000
_FLOAT_PIECE = 500


def _piece(work: tuple[bytes, int, int]) -> tuple[int, int]:
    data, seed, count = work
    read = sum(read_or_refuse(item) for item in damaged(data, seed, count))
    return read, count


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["atheris"]:
        return _atheris(arguments[1:])
    if arguments[:1] == ["floats"]:
        return _floats(arguments[1:])
    count = int(arguments[0]) if arguments else 1_000_000
    seeds = [Path(name).read_bytes() for name in arguments[1:]] or [small_model().to_bytes()]
    work = [(seeds[i % len(seeds)], i, min(_PIECE, count - i * _PIECE)) for i in range(-(-count // _PIECE))]
    started = time.time()
    with ProcessPoolExecutor() as pool:
        results = list(pool.map(_piece, work))
    read, tried = (sum(column) for column in zip(*results, strict=True))
    sys.stdout.write(f"{tried:,} damaged files: {read:,} read, {tried - read:,} refused, none else, ")
    sys.stdout.write(f"{time.time() - started:.0f} s\n")
    return 0


def _float_piece(work: tuple[bytes, str, int, int]) -> tuple[int, int]:
    from tests.fuzz.test_models import read_or_refuse as read_float_model

    data, suffix, seed, count = work
    with tempfile.TemporaryDirectory() as folder:
        read = sum(read_float_model(item, suffix, Path(folder)) for item in damaged(data, seed, count))
    return read, count


def _floats(arguments: list[str]) -> int:
    from tests.fuzz.float_models import MODELS, small_model

    count = int(arguments[0]) if arguments else 10_000
    models = [(Path(name).read_bytes(), Path(name).suffix) for name in arguments[1:]]
    models = models or [(small_model(suffix), suffix) for suffix in MODELS]
    pieces = range(-(-count // _FLOAT_PIECE))
    work = [(data, suffix, i, min(_FLOAT_PIECE, count - i * _FLOAT_PIECE)) for data, suffix in models for i in pieces]
    with ProcessPoolExecutor() as pool:
        results = list(pool.map(_float_piece, work))
    read, tried = (sum(column) for column in zip(*results, strict=True))
    sys.stdout.write(f"{tried:,} damaged models: {read:,} read, {tried - read:,} refused, none else\n")
    return 0


def _atheris(options: list[str]) -> int:
    import atheris  # type: ignore[import-untyped]

    atheris.instrument_all()

    atheris.Setup([sys.argv[0], *options], lambda data: read_or_refuse(bytes(data)) and None)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
