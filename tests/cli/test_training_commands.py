"""draw-cards, train and evaluate: what they print, and their exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def kit(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "k210kit", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_draw_cards_says_what_it_made(tmp_path: Path) -> None:
    done = kit(
        "draw-cards", "-o", tmp_path / "cards", "--count", 3, "--size", "64x48", "--pdf", tmp_path / "c.pdf", "--json"
    )
    made = json.loads(done.stdout)
    assert (done.returncode, made["pictures"], made["files"], made["sheets"]) == (0, 3, 7, 2)
    again = kit("draw-cards", "--pdf", tmp_path / "c.pdf")
    assert again.returncode == 2
    assert "exists already" in again.stderr


def test_draw_cards_without_a_target_is_told() -> None:
    done = kit("draw-cards")
    assert (done.returncode, done.stdout) == (2, "")
    assert "give -o DIR for pictures, --pdf FILE.pdf for cards to print" in done.stderr


def test_train_says_in_one_line_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for arguments, text in (
        ((tmp_path / "gone",), "does not exist"),
        ((tmp_path / "empty",), "is not a data set that is known here"),
        ((tmp_path / "empty", "--input", "100x100"), "The input's width is 100"),
        ((tmp_path / "empty", "--input", "wide"), "'wide' is no size"),
        ((tmp_path / "empty", "--alpha", "0.3"), "--alpha is 0.3; one of 0.25, 0.5, 0.75, 1.0 was expected"),
        ((tmp_path / "empty", "--format", "xml"), "There is no data set form 'xml'"),
        ((tmp_path / "empty", "--board", "unitx"), "There is no board 'unitx'"),
        ((tmp_path / "empty", "--firmware", "gone.bin"), "gone.bin"),
    ):
        done = kit("train", *arguments, "-o", tmp_path / "run")
        assert done.returncode == 2
        assert text in " ".join(done.stderr.split())
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_evaluate_needs_a_model(tmp_path: Path) -> None:
    done = kit("evaluate", tmp_path, tmp_path)
    assert done.returncode == 2
    assert "holds no model.kmodel" in done.stderr
