"""The README's commands, one after the other as a newcomer would type them, with training cut short."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from k210kit.training.cards import write_cards

README = Path(__file__).resolve().parent.parent / "README.md"
SHORTER = {"train": ["--input", "96x96", "--net", "tiny", "--epochs", "1", "--kpu-epochs", "0", "--effort", "fast"]}


def _commands(text: str) -> Iterator[list[str]]:
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            yield shlex.split(line)


def test_the_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) < 250


def test_every_file_that_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not link.startswith("http") and not (README.parent / link).exists()] == []


def test_make_has_the_two_commands_of_the_readme() -> None:
    makefile = (README.parent / "Makefile").read_text(encoding="utf-8")
    assert [c for c in _commands(README.read_text(encoding="utf-8")) if c[0] == "make"] == [
        ["make", "demo"],
        ["make", "test"],
    ]
    assert re.search(r"^demo:", makefile, re.MULTILINE)
    assert re.search(r"^test:", makefile, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="the extra 'train' is not installed")
def test_every_command_of_the_readme_runs(tmp_path: Path) -> None:
    write_cards(tmp_path / "photos", task="classify", count=24, labels=("1", "2"), size=(96, 96))
    for words in _commands(README.read_text(encoding="utf-8")):
        if words[0] == "make":
            continue
        assert words[0] == "k210kit"
        command = [sys.executable, "-m", "k210kit", *words[1:], *SHORTER.get(words[1], [])]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=False, env={**os.environ, "CI": "true"}
        )
        assert done.returncode in ((0, 3) if words[1] in ("doctor", "explain") else (0,)), (
            f"{' '.join(words)}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        )
        if words[1] == "train":
            shutil.copyfile(tmp_path / "run" / "bundle" / "model.tflite", tmp_path / "model.tflite")


def test_the_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.kmodel.samples import small_model

    (tmp_path / "model.kmodel").write_bytes(small_model().to_bytes())
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {"picture": np.zeros((3, 8, 10), np.uint8)}
    exec(compile(code, "README.md", "exec"), names)  # the README's own words
    assert names["outputs"][0].dtype == np.float32  # type: ignore[index]
