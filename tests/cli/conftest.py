"""The command line in this process: what it wrote, and how it left."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from k210kit.cli.main import main


@dataclass(frozen=True)
class Left:
    """How a command left; anything but SystemExit is a traceback for the user, and fails the test."""

    code: Any
    out: str
    err: str


Call = Callable[..., Left]


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    """Run `k210kit WORDS...` in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> Left:
        monkeypatch.setattr(sys, "argv", ["k210kit", *map(str, words)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as caught:
            main()
        said = capfd.readouterr()
        return Left(caught.value.code, said.out, said.err)

    return run
