"""The notebook's cells run one after the other: `!k210kit ...` as commands, the rest as Python."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "k210kit.ipynb"


def _code() -> list[str]:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_the_notebook_is_kept_without_outputs() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert all(cell["outputs"] == [] for cell in cells if cell["cell_type"] == "code")


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="the extra 'train' is not installed")
def test_every_cell_of_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for source in _code():
        if not source.startswith("!"):
            exec(compile(source, NOTEBOOK.name, "exec"), names)  # the notebook's own words
            continue
        program, *words = shlex.split(source[1:])
        assert program == "k210kit"
        command = [sys.executable, "-m", "k210kit", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "CI": "true"})
        assert done.returncode == 0, f"{source}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    (output,) = names["outputs"]  # type: ignore[misc]
    assert output.shape in ((40, 3, 3), (40, 6, 6))  # cells of 32 or of 16 pixels, whichever suits the boxes
