"""From pictures to a bundle: everything that a run leaves, and that the camera's script runs as it is."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from k210kit.errors import FileError, InputError
from k210kit.training import TrainOptions, TrainResult, evaluate, train
from k210kit.training.cards import write_cards
from k210kit.training.options import read_config
from tests.json_schemas import held

from .datasets.samples import picture, voc, voc_object, written

pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

CONTRACT = {
    "model.kmodel",
    "model_be.kmodel",
    "model.json",
    "labels.txt",
    "boot.py",
    "report.html",
    "README.md",
    "model.tflite",
    "model.h5",
}
OPTIONS = TrainOptions(net="tiny", alpha=0.25, width=64, height=48, epochs=2, kpu_epochs=1, effort="fast", test=0.3)


@pytest.fixture(scope="module")
def classified(tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    folder = tmp_path_factory.mktemp("classify")
    write_cards(folder / "cards", task="classify", count=40, deck="symbols", size=(64, 48))
    return train(folder / "cards", folder / "run", OPTIONS)


@pytest.fixture(scope="module")
def detected(tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    folder = tmp_path_factory.mktemp("detect")
    write_cards(folder / "cards", task="detect", count=40, size=(64, 48))
    return train(folder / "cards", folder / "run", replace(OPTIONS, grey=True))


def test_a_bundle_is_a_folder_a_zip_and_a_kfpkg(classified: TrainResult) -> None:
    from k210kit.package import load_kfpkg, swap_words

    folder = classified.bundle
    assert {p.name for p in folder.iterdir()} == CONTRACT
    with zipfile.ZipFile(folder.with_suffix(".zip")) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            f"bundle/{p.name}": p.read_bytes() for p in folder.iterdir()
        }
    (file,) = load_kfpkg(folder.with_suffix(".kfpkg")).files
    assert (file.address, file.data) == (0x300000, (folder / "model.kmodel").read_bytes())
    assert swap_words((folder / "model.kmodel").read_bytes()) == (folder / "model_be.kmodel").read_bytes()


def test_model_json_says_everything_once(classified: TrainResult, detected: TrainResult) -> None:
    import hashlib

    for result in (classified, detected):
        body = json.loads((result.bundle / "model.json").read_text(encoding="utf-8"))
        kmodel = (result.bundle / "model.kmodel").read_bytes()
        assert body["kmodel_sha256"] == hashlib.sha256(kmodel).hexdigest()
        assert tuple(body["labels"]) == result.classes
        assert (result.bundle / "labels.txt").read_text(encoding="utf-8").split() == list(result.classes)
        assert len(body["anchors"]) == (0 if result.task == "classify" else 10)
        assert body["figures"]["kmodel"]["part"] == "test"


def test_every_part_is_told_and_no_picture_is_in_two(classified: TrainResult) -> None:
    parts = json.loads((classified.run / "split.json").read_text(encoding="utf-8"))
    digests = [row["sha256"] for rows in parts.values() for row in rows]
    assert len(digests) == len(set(digests)) == 40
    assert classified.metrics_float.pictures == len(parts["test"]) == classified.pictures["test"]


def test_the_tflite_file_gives_the_numbers_of_the_h5(classified: TrainResult) -> None:
    import tensorflow

    from k210kit.training.engine import quiet
    from k210kit.training.export import load_h5

    x = np.random.default_rng(0).normal(0, 0.5, (1, 48, 64, 3)).astype(np.float32)
    with quiet():
        runner = tensorflow.lite.Interpreter(str(classified.bundle / "model.tflite"))
    runner.allocate_tensors()
    runner.set_tensor(runner.get_input_details()[0]["index"], x)
    runner.invoke()
    got = runner.get_tensor(runner.get_output_details()[0]["index"])
    assert np.allclose(got, load_h5(classified.bundle / "model.h5")(x).numpy(), atol=1e-5)


def test_the_log_is_there_for_people_and_for_tensorboard(classified: TrainResult) -> None:
    from tensorflow.core.util import event_pb2
    from tensorflow.python.summary.summary_iterator import summary_iterator

    lines = [json.loads(line) for line in (classified.run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["phase"] for line in lines] == ["training", "training", "with the KPU's rounding"]
    (events,) = (classified.run / "events").iterdir()
    rows = [(e.step, v.tag, v.simple_value) for e in summary_iterator(str(events)) for v in e.summary.value]
    assert (1, "train/loss", pytest.approx(lines[0]["loss"])) in rows
    assert event_pb2.Event is not None


def test_what_the_command_prints_is_as_its_schema_says(classified: TrainResult, detected: TrainResult) -> None:
    held("train", classified)
    held("train", detected)


def test_evaluating_the_run_gives_the_runs_own_figures(detected: TrainResult) -> None:
    result = evaluate(detected.run, detected.run.parent / "cards")
    held("evaluate", result)
    assert result.left_out == detected.pictures["train"] + detected.pictures["validation"]
    assert result.metrics_kmodel.ap50 == pytest.approx(detected.metrics_kmodel.ap50, nan_ok=True)  # type: ignore[union-attr]
    assert result.metrics_float is not None
    assert result.metrics_float.ap == pytest.approx(detected.metrics_float.ap, nan_ok=True)  # type: ignore[union-attr]


def test_a_kmodel_without_its_description_is_refused(classified: TrainResult, tmp_path: Path) -> None:
    alone = tmp_path / "alone.kmodel"
    shutil.copy(classified.bundle / "model.kmodel", alone)
    cards = classified.run.parent / "cards"
    with pytest.raises(FileError, match="it says what the kmodel's outputs mean"):
        evaluate(alone, cards)
    result = evaluate(alone, cards, description=classified.bundle / "model.json")
    assert (result.metrics_float, result.left_out, result.pictures) == (None, 0, 40)


def test_a_run_is_not_overwritten(classified: TrainResult) -> None:
    with pytest.raises(FileError, match="holds a training run already"):
        train(classified.run.parent / "cards", classified.run, OPTIONS)


def test_a_file_is_no_place_for_a_run(classified: TrainResult, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(FileError, match="mine is a file; a run is a folder"):
        train(classified.run.parent / "cards", tmp_path / "mine", OPTIONS)


def test_resuming_with_other_options_is_refused(classified: TrainResult) -> None:
    with pytest.raises(InputError, match="was begun with other options \\(epochs: 2, now 5\\)"):
        train(classified.run.parent / "cards", classified.run, replace(OPTIONS, epochs=5), resume=True)


def test_without_a_backbone_nothing_becomes_random_silently(
    classified: TrainResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "empty"))
    cards = classified.run.parent / "cards"
    with pytest.raises(InputError, match="--backbone none"):
        train(cards, tmp_path / "run", replace(OPTIONS, net="mobilenet"))
    assert not (tmp_path / "run").exists()


def _size_chosen(folder: Path, side: int, **asked: int) -> tuple[int | None, int | None]:
    """The input's size of a run on pictures of 640x480 with things of so many pixels, which is cut off at once."""
    files: dict[str, bytes | str] = {}
    for number in range(20):
        files[f"{number}.png"] = picture(number, size=(640, 480))
        box = voc_object(box=(100, 100, 100 + side, 100 + side))
        files[f"{number}.xml"] = voc(f"{number}.png", box, size=(640, 480))

    def told(line: str) -> None:
        if line.startswith("tiny alpha"):
            raise KeyboardInterrupt

    options = replace(OPTIONS, width=None, height=None)
    with pytest.raises(KeyboardInterrupt):
        train(written(folder / "set", files), folder / "run", replace(options, **asked), told=told)
    settled, _ = read_config(folder / "run" / "config.json")
    return settled.width, settled.height


def test_small_things_get_the_largest_input_unless_another_was_asked_for(tmp_path: Path) -> None:
    # of 40 pixels in 640, 14 are left in an input 224 wide
    assert _size_chosen(tmp_path / "small", 40) == (320, 240)
    assert _size_chosen(tmp_path / "asked", 40, width=96, height=64) == (96, 64)
    assert _size_chosen(tmp_path / "large", 120) == (224, 224)


def test_the_report_stands_alone(classified: TrainResult, detected: TrainResult) -> None:
    for result in (classified, detected):
        page = (result.bundle / "report.html").read_text(encoding="utf-8")
        assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")
        assert "test part" in page
        assert page.count("<svg") >= 2
        assert "$" not in page


@pytest.mark.slow
def test_the_report_opens_in_a_browser(detected: TrainResult, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium is installed")
    page = (detected.bundle / "report.html").as_uri()
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path}",
        "--dump-dom",
        page,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0
    assert "<h2>Memory and speed</h2>" in done.stdout
    assert done.stdout.count("<figure") == (detected.bundle / "report.html").read_text(encoding="utf-8").count(
        "<figure"
    )


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_was_stopped_ends_as_an_unbroken_one(
    classified: TrainResult, tmp_path: Path, how: signal.Signals
) -> None:
    cards = classified.run.parent / "cards"
    run = tmp_path / "run"
    command = [sys.executable, "-m", "k210kit", "train", str(cards), "-o", str(run), "--net", "tiny", "--alpha", "0.25"]
    command += ["--input", "64x48", "--epochs", "2", "--kpu-epochs", "1", "--effort", "fast", "--test", "0.3", "--json"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    log = run / "log.jsonl"
    deadline = time.monotonic() + 240
    while not (log.is_file() and log.read_text(encoding="utf-8")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(how)
    printed, _ = process.communicate(timeout=240)
    if how == signal.SIGINT:
        assert json.loads(printed)["stopped"] is True
        assert {p.name for p in (run / "bundle").iterdir()} == CONTRACT
    done = subprocess.run([*command, "--resume"], capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr
    assert (run / "bundle" / "model.kmodel").read_bytes() == (classified.bundle / "model.kmodel").read_bytes()
