"""The same files give the same bytes, whatever the processor, the threads, their number and Python's hashes.

OpenBLAS and NumPy pick their code by the processor; both can be told to take that of another one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the extra 'onnx' is not installed")

from tests.compiler.small_nets import SMALL_NETS, Net


def curved() -> bytes:
    """SiLU, a gate of means, more than 600 inputs of one output, both signs of PReLU, a softmax of two and of many."""
    net = Net(24)
    x = net.conv("image", 3, 16, stride=2)
    x = net.add("Mul", [x, net.add("Sigmoid", [x])])
    x = net.conv(x, 16, 16, group=16)
    x = net.add("Mul", [x, net.add("Sigmoid", [x])])
    mean = net.add("Relu", [net.conv(net.add("GlobalAveragePool", [x]), 16, 4, kernel=1)])
    x = net.add("Mul", [x, net.add("Sigmoid", [net.conv(mean, 4, 16, kernel=1)])])
    slopes = net.constant("slopes", np.linspace(-1, 1, 72).astype(np.float32).reshape(72, 1, 1))
    x = net.add("PRelu", [net.conv(x, 16, 72, kernel=1), slopes])
    x = net.conv(x, 72, 8)
    two = net.add("Softmax", [net.conv(x, 8, 2, kernel=1)], axis=1)
    x = net.add("Elu", [net.conv(x, 8, 8)], alpha=1.0)
    x = net.add("Tanh", [net.conv(x, 8, 8, kernel=1)])
    x = net.add("Flatten", [net.add("GlobalAveragePool", [net.conv(x, 8, 8, kernel=1)])])
    return net.file(two, net.add("Softmax", [x], axis=1))


NETS: dict[str, Callable[[], bytes]] = {**SMALL_NETS, "curved": curved}
SIZES = {"mobile": 32, "detector": 41, "curved": 24}
_COMPILE = """
import hashlib, sys, numpy as np
from pathlib import Path
from k210kit.compiler.pipeline import Options, compile
factor = np.random.default_rng(1).normal(size=(300, 300)).astype(np.float32)
print(hashlib.sha256(factor @ factor.T + np.exp(factor) @ factor).hexdigest())
for model in map(Path, sys.argv[1:]):
    for effort in ("fast", "normal", "best"):
        made = compile(model, np.load(model.with_suffix(".npy")), Options(effort=effort))
        print(hashlib.sha256(made.to_bytes()).hexdigest())
"""


def machines() -> list[dict[str, str]]:
    """Environments in which NumPy and OpenBLAS run as they would on other processors, with other numbers of threads."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__  # type: ignore[attr-defined]

    found = [name for name in __cpu_dispatch__ if __cpu_features__[name]]
    kinds: list[tuple[str, list[str]]] = [
        ("", []),
        ("Haswell", found[-1:]),
        ("Nehalem", found),
        ("Prescott", found[1:]),
        ("SkylakeX", []),
    ]
    made: list[dict[str, str]] = []
    for k, (kernels, disabled) in enumerate(kinds):
        threads = str(1 + 3 * (k % 2))
        one = {"PYTHONHASHSEED": str(k), "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        one |= {"OPENBLAS_CORETYPE": kernels} if kernels else {}
        made.append(one | ({"NPY_DISABLE_CPU_FEATURES": " ".join(disabled)} if disabled else {}))
    return made


def compiled_under(environment: dict[str, str], models: list[Path]) -> list[str]:
    command = [sys.executable, "-W", "ignore", "-c", _COMPILE, *map(str, models)]
    run = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=True)
    return run.stdout.split()


def test_neither_processors_nor_threads_nor_hashes_change_a_byte(tmp_path: Path) -> None:
    models = []
    for name, made in NETS.items():
        models.append(tmp_path / f"{name}.onnx")
        models[-1].write_bytes(made())
        shape = (6, 3, SIZES[name], SIZES[name])
        np.save(models[-1].with_suffix(".npy"), np.random.default_rng(3).integers(0, 256, shape).astype(np.uint8))
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda environment: compiled_under(environment, models), machines()))
    if len({result[0] for result in results}) == 1:
        pytest.skip("this NumPy computes alike in all environments: nothing was put to the test")
    files: list[Any] = [result[1:] for result in results]
    assert all(result == files[0] for result in files)
    assert len(files[0]) == 3 * len(NETS)
    assert len(set(files[0])) >= 2 * len(NETS)
