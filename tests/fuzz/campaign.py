"""The long campaign: damaged kmodels by the million, on all cores.

python -m tests.fuzz.campaign [COUNT] [KMODEL ...]     default: 1,000,000 of the model that the tests make
python -m tests.fuzz.campaign atheris                  coverage-guided, where atheris is installed, until stopped
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.fuzz.mutations import damaged
from tests.fuzz.test_kmodel import read_or_refuse
from tests.kmodel.samples import small_model

_PIECE = 5000


def _piece(work: tuple[bytes, int, int]) -> tuple[int, int]:
    data, seed, count = work
    read = sum(read_or_refuse(item) for item in damaged(data, seed, count))
    return read, count


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["atheris"]:
        return _atheris(arguments[1:])
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


def _atheris(options: list[str]) -> int:
    import atheris  # type: ignore[import-untyped]

    atheris.instrument_all()

    atheris.Setup([sys.argv[0], *options], lambda data: read_or_refuse(bytes(data)) and None)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
