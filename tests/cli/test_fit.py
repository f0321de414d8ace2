"""`k210kit fit` as a user calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.timing.nets import face_detector, mobilenet


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    (folder / "face.kmodel").write_bytes(face_detector().to_bytes())
    (folder / "mobilenet.kmodel").write_bytes(mobilenet(1.0).to_bytes())
    return folder


def call(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "k210kit", "fit", *map(str, arguments)], capture_output=True, text=True, timeout=60
    )


def test_a_model_that_fits_is_exit_0(models: Path) -> None:
    made = call(models / "face.kmodel", "--firmware", "minimum_with_ide", "--json")
    assert made.returncode == 0, made.stderr
    body = json.loads(made.stdout)
    assert body["fits"] is True
    assert body["remedies"] == []
    assert body["free_bytes"] > body["needed_bytes"] > 388_000
    assert body["fps_estimate"] > 5
    assert {"name", "bytes", "where", "uncertainty_bytes", "source"} <= set(body["items"][0])


def test_a_model_that_does_not_fit_is_exit_3_with_the_setting_that_cures_it(models: Path) -> None:
    made = call(models / "mobilenet.kmodel", "--firmware", "full", "--json")
    assert made.returncode == 3
    body = json.loads(made.stdout)
    assert body["fits"] is False
    assert any("kpu.load_flash(0x300000, 0, 0xc000, 60000000)" in row["how"] for row in body["remedies"])


def test_the_text_shows_bar_items_remedies_and_speed(models: Path) -> None:
    made = call(models / "mobilenet.kmodel", "--firmware", "full")
    assert made.returncode == 3
    assert "The least change that cures it: " in made.stdout.split("6 MiB of general memory")[0]
    assert "Load it with" not in made.stdout
    for text in ("It does not fit", "6 MiB of general memory", "What would make it fit", "How fast", "LCD 320x240"):
        assert text in made.stdout


def test_pictures_and_pages_are_written(models: Path, tmp_path: Path) -> None:
    made = call(models / "face.kmodel", "--png", tmp_path / "m.png", "--html", tmp_path / "m.html", "--lcd", "none")
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "m.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "m.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--firmware", "minimun"], "Did you mean minimum?"),
        (["--gc-heap", "lots"], "'lots' is no size"),
        (["--camera", "huge"], "'huge' is no picture size"),
        (["--needs", "wheels"], "'wheels'"),
        (["--firmware", "nothing.bin"], "does not exist"),
    ],
)
def test_mistakes_are_one_message_and_exit_2(models: Path, arguments: list[str], message: str) -> None:
    made = call(models / "face.kmodel", *arguments)
    assert made.returncode == 2
    assert message in made.stderr
    assert "Traceback" not in made.stderr
