"""Single CPU layers as MaixPy's own library computed them, bit for bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from k210kit.kmodel.arithmetic.floats import expf
from k210kit.kmodel.arithmetic.runtimes import MAIXPY
from k210kit.kmodel.layers import LAYERS
from k210kit.simulator.run import Memories

NAN = 0x7FC00000


@pytest.fixture(scope="module")
def vectors(shared: Path) -> Any:
    return np.load(shared / "golden" / "maixpy" / "layer_vectors.npz")


def test_every_recorded_layer_gives_the_recorded_bytes(vectors: Any) -> None:
    rows = json.loads(str(vectors["index_json"]))
    wrong = []
    for i, row in enumerate(rows):
        body, given, want = (vectors[f"{kind}_{i}"] for kind in ("body", "in", "out"))
        layer = LAYERS[row["type"]].read(memoryview(body.tobytes()), 0, len(body), where="", eight_bit_weights=True)
        memories = Memories.empty(row["mem"], runtime=MAIXPY)
        memories.main[row["input_at"] : row["input_at"] + given.nbytes] = given.view(np.uint8)
        layer.run(memories)
        at, size = row["out"]
        if memories.main[at : at + size].tobytes() != want.tobytes()[:size]:
            wrong.append((i, row["kind"]))
    assert len(rows) > 200
    assert wrong == []


def test_expf_is_the_librarys(vectors: Any) -> None:
    got, want = expf(vectors["expf_in"]).view(np.uint32), vectors["expf_out"].view(np.uint32)
    nan = np.isnan(vectors["expf_out"])
    assert np.array_equal(got[~nan], want[~nan])
    assert (got[nan] == NAN).all()
