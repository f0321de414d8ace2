"""Every recorded run of a kmodel: each output, and where recorded each layer, byte for byte."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from k210kit.kmodel import AddPadding, Kmodel, RemovePadding, load
from k210kit.simulator import Machine

SHARED = Path(__file__).resolve().parents[3] / "shared" / "golden"
FILES = sorted([*SHARED.glob("real/*.kmodel"), *SHARED.glob("synth/*.kmodel")])
RUNTIMES = {"output": ("sdk", "strict"), "fma": ("sdk", "fma"), "maixpy": ("maixpy", "fma")}
EXP_ULPS = 0  # the recorded SDK runs used a correctly rounded exp; a board, another one

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
pytestmark = pytest.mark.skipif(not FILES, reason=f"no recorded runs at {SHARED}")


def recorded(path: Path) -> dict[str, Any]:
    arrays = dict(np.load(path.with_suffix(".npz")))
    of_maixpy = path.parent.parent / "maixpy" / f"{path.stem}.npz"
    return {**arrays, **(np.load(of_maixpy) if of_maixpy.exists() else {})}


def inputs(arrays: Mapping[str, Any]) -> list[int]:
    return sorted(
        int(name.removeprefix("input_")) for name in arrays if name.startswith("input_") and name != "input_tags"
    )


def distance(got: Any, want: Any) -> int:
    """Bytes that differ, or the largest distance in units in the last place of floats, NaN equal to NaN."""
    got, want = got.reshape(-1), want.reshape(-1)
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    if want.dtype != np.float32:
        return int((got != want).sum())
    nan = np.isnan(want)
    assert np.array_equal(np.isnan(got), nan)
    a, b = (x[~nan].view(np.int32).astype(np.int64) for x in (got, want))
    a, b = (np.where(x < 0, -(2**31) - x, x) for x in (a, b))
    return int(np.abs(a - b).max(initial=0))


def has_exp(model: Kmodel) -> bool:
    return any(layer.name in ("SOFTMAX", "LOGISTIC") for layer in model.layers)


@each_file
@pytest.mark.parametrize("accelerate", [True, False], ids=["numba", "numpy"])
def test_every_recorded_output_is_given(path: Path, accelerate: bool) -> None:
    model, arrays = load(path), recorded(path)
    for kind, (runtime, float_mode) in RUNTIMES.items():
        if f"{kind}_0_0" not in arrays or ("RESTATED" in path.stem and kind == "fma"):
            continue
        machine = Machine(model, runtime=runtime, float_mode=float_mode, accelerate=accelerate)  # type: ignore[arg-type]
        allowed = EXP_ULPS if has_exp(model) and runtime == "sdk" else 0
        for i in inputs(arrays):
            for j, got in enumerate(machine.run(arrays[f"input_{i}"]).outputs):
                if kind == "maixpy" and f"maixpydma_{i}_{j}" in arrays:
                    got, want = got.reshape(-1)[:-1], arrays[f"{kind}_{i}_{j}"].reshape(-1)[:-1]
                else:
                    want = arrays[f"{kind}_{i}_{j}"]
                assert distance(got, want) <= allowed, f"{kind} input {i} output {j}"


@pytest.mark.parametrize("path", [p for p in FILES if p.parent.name == "real"], ids=lambda path: path.stem)
def test_every_recorded_layer_is_given(path: Path) -> None:
    model, arrays = load(path), recorded(path)
    machine = Machine(model, runtime="sdk", float_mode="strict")
    undefined, inside = set(), False
    for n, layer in enumerate(model.layers):
        inside = (inside or isinstance(layer, AddPadding)) and not isinstance(layer, RemovePadding)
        undefined |= {n} if inside else set()
    checked = 0
    for i, sums in enumerate(json.loads(str(arrays["meta_json"]))["layer_crc32"]):
        _, kept = machine.trace(arrays[f"input_{i}"])
        for name, crc in sums.items():
            number = int(name[1:4])
            if number in undefined or model.layers[number].name in ("SOFTMAX", "LOGISTIC"):
                continue
            assert f"{zlib.crc32(kept[number].tobytes()):08x}" == crc, f"input {i} {name}"
            checked += 1
    assert checked


def test_rounding_half_up_would_be_noticed(shared: Path) -> None:
    """The recorded runs with the wrong rounding differ from what the simulator gives."""
    path = shared / "golden" / "real" / "sipeed_custom.kmodel"
    arrays = recorded(path)
    got = Machine(load(path), runtime="sdk", float_mode="strict").run(arrays["input_3"]).outputs[0]
    assert distance(got, arrays["halfup_3_0"]) > 1000
