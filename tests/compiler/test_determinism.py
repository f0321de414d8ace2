"""The same files give the same bytes, whatever the threads, their number and Python's hashes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the extra 'onnx' is not installed")

from tests.compiler.small_nets import SMALL_NETS

ONE = {"PYTHONHASHSEED": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
MANY = {"PYTHONHASHSEED": "99", "OMP_NUM_THREADS": "4", "OPENBLAS_NUM_THREADS": "4", "MKL_NUM_THREADS": "4"}
_COMPILE = """
import hashlib, sys, numpy as np
from pathlib import Path
from k210kit.compiler.pipeline import Options, compile
for model in map(Path, sys.argv[1:]):
    for effort in ("fast", "normal"):
        made = compile(model, np.load(model.with_suffix(".npy")), Options(effort=effort))
        print(hashlib.sha256(made.to_bytes()).hexdigest())
"""


def compiled_under(environment: dict[str, str], models: list[Path]) -> list[str]:
    command = [sys.executable, "-c", _COMPILE, *map(str, models)]
    run = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=True)
    return run.stdout.split()


def test_neither_threads_nor_hashes_change_a_byte(tmp_path: Path) -> None:
    models = []
    for name, size in (("mobile", 32), ("detector", 41)):
        models.append(tmp_path / f"{name}.onnx")
        models[-1].write_bytes(SMALL_NETS[name]())
        pictures = np.random.default_rng(3).integers(0, 256, (6, 3, size, size)).astype(np.uint8)
        np.save(models[-1].with_suffix(".npy"), pictures)
    one, many = (compiled_under(environment, models) for environment in (ONE, MANY))
    assert one == many
    assert len(set(one)) == 4
    assert all(len(text) == 2 * hashlib.sha256().digest_size for text in one)
