from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from k210kit.demo import demo, workshop
from k210kit.errors import DeviceError, FileError, RefusedError
from k210kit.studio.stick import stb_folder
from tests.json_schemas import held


def _needs() -> None:
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("the extra 'train' is not installed: the demo trains")
    try:
        stb_folder()
    except DeviceError as missing:
        pytest.skip(str(missing))


@pytest.mark.slow
def test_the_short_demo_goes_the_whole_way(tmp_path: Path) -> None:
    _needs()
    command = [sys.executable, "-m", "k210kit", "demo", "-o", str(tmp_path / "demo"), "--short", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    made = held("demo", done.stdout)
    assert [step["name"] for step in made["steps"]] == [
        "data", "train and compile", "float against kmodel", "fit", "flash", "run on the desk board", "stream",
        "pictures",
    ]  # fmt: skip
    assert (Path(made["bundle"]) / "boot.py").is_file()
    assert (tmp_path / "demo" / "flash.bin").stat().st_size == 16 * 1024 * 1024
    with Image.open(made["pictures"][0]) as sheet:
        assert sheet.width > 900


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileError, match="is not of an earlier demo"):
        demo(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_a_step_that_fails_stops_the_demo_with_its_reason_and_leaves_what_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fits_not(_: object) -> str:
        raise RefusedError("It does not fit.")

    steps = dict(workshop.STEPS) | {"train and compile": fits_not}
    monkeypatch.setattr(workshop, "STEPS", tuple(steps.items()))
    told: list[str] = []
    with pytest.raises(RefusedError, match="It does not fit"):
        demo(tmp_path / "demo", short=True, told=told.append)
    assert [line.split(":")[0] for line in told] == ["data"]
    assert list((tmp_path / "demo" / "cards" / "images").iterdir())
