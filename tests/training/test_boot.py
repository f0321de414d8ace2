"""Every camera script that can be written runs as it is on the desk board."""

from __future__ import annotations

import ast
import dataclasses
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from k210kit.errors import InputError
from k210kit.kmodel import Kmodel
from k210kit.package import swap_words
from k210kit.planner import fit
from k210kit.training.boot import Written, boot_script, readme
from k210kit.training.cameras import CAMERAS, CameraPlan, _window, plan_camera
from k210kit.training.datasets.pixels import InputSize
from k210kit.training.description import Description

emulator = pytest.importorskip("k210kit.emulator", reason="the desk board is not there")
ANCHORS = (0.6, 0.7, 1.2, 1.1, 2.0, 2.2, 3.1, 3.0, 5.0, 4.5)


@pytest.fixture(scope="module")
def kmodels(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], Kmodel]:
    """Small compiled nets with random weights: task and channels -> kmodel."""
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    from k210kit.compiler.pipeline import Normalisation, Options
    from k210kit.compiler.pipeline import compile as compile_model
    from k210kit.training.engine import seeded
    from k210kit.training.export import finished, tflite_bytes
    from k210kit.training.models import classifier, detector

    seeded(1)
    made = {}
    for task in ("classify", "detect"):
        for channels in (3, 1):
            size = InputSize(width=64, height=48, channels=channels)
            model = classifier("tiny", size, 0.25, 3) if task == "classify" else detector("tiny", size, 0.25, 3, 5)
            path = tmp_path_factory.mktemp("net") / "model.tflite"
            path.write_bytes(tflite_bytes(finished(model, task)))  # type: ignore[arg-type]
            pictures = np.random.default_rng(0).integers(0, 256, (4, channels, 48, 64), dtype=np.uint8)
            options = Options(normalisation=Normalisation(mean=(0.5,), std=(0.5,)), effort="fast")
            made[task, channels] = compile_model(path, pictures, options).kmodel
    return made


def written(
    kmodel: Kmodel, task: str, channels: int, *, board: str = "unitv", stream: bool = False, firmware: str | None = None
) -> Written:
    description = Description(
        task=task,  # type: ignore[arg-type]
        labels=("one", '2"\n', "三"),
        size=InputSize(width=64, height=48, channels=channels),
        fit="cover",
        net="tiny",
        alpha=0.25,
        anchors=ANCHORS if task == "detect" else (),
        nms=0.4,
        threshold=0.01,
    )
    plan = plan_camera(kmodel, description.size, board=board, firmware=firmware, stream=stream)
    return Written(
        title="cards", summary="…", description=description, plan=plan, kmodel=kmodel.to_bytes(), stream=stream
    )


def run_on_the_desk(
    made: Written, folder: Path, *, card: bool = False, camera: Path | None = None
) -> emulator.RunResult:  # type: ignore[name-defined]
    script, model = folder / "boot.py", folder / "m.bin"
    script.write_text(boot_script(made), encoding="utf-8")
    model.write_bytes(made.kmodel if made.plan.load == "ram" else swap_words(made.kmodel))
    sd = folder / "sd"
    if card:
        sd.mkdir()
        (sd / "model.kmodel").write_bytes(made.kmodel)
    known = {"amigo": "maixbit", "twatch": "maixbit"}
    return on_the_desk(
        emulator.RunRequest(
            script=str(script),
            board=known.get(made.plan.camera.name, made.plan.camera.name),
            firmware=made.plan.firmware.name,
            flash=() if card else (f"0x300000={model}",),
            sd=str(sd) if card else None,
            camera=str(camera or "pattern"),
            uart=(f"UART1=file:{folder / 'sent'}",) if made.stream else (),
            lcd=str(folder / "lcd"),
            frames=3,
            fast=True,
        ),
        folder / "flash",
    )


def on_the_desk(request: emulator.RunRequest, flash: Path) -> emulator.RunResult:  # type: ignore[name-defined]
    """Run in this process, which takes a tenth of the time that a process of its own takes."""
    from k210kit.emulator.surroundings import setup_of

    flash.mkdir()
    printed = emulator.Printed()
    board = emulator.power_on(setup_of(request, flash), printed.write)
    try:
        files = [("boot.py", Path(request.script).read_bytes())]
        return emulator.run_on(board, emulator.Interpreter(board, None), files, printed)
    finally:
        board.lcd.close()
        board.camera.close()
        board.ports.close()


CASES = [
    *[(task, 3, camera.name, False) for task in ("classify", "detect") for camera in CAMERAS],
    *[(task, channels, "unitv", True) for task in ("classify", "detect") for channels in (3, 1)],
]


@pytest.mark.parametrize(("task", "channels", "board", "stream"), CASES)
def test_no_blank_is_left_and_it_is_python(
    kmodels: dict[tuple[str, int], Kmodel], task: str, channels: int, board: str, stream: bool
) -> None:
    made = written(kmodels[task, channels], task, channels, board=board, stream=stream)
    text = boot_script(made)
    assert "$" not in text
    tree = ast.parse(text)
    names = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}
    assert ast.literal_eval(names["LABELS"]) == made.description.labels
    assert ast.literal_eval(names["SHOWN"]) == ("one", "#1", "#2")
    if task == "detect":
        assert ast.literal_eval(names["ANCHORS"]) == ANCHORS
    assert not re.search(r"\$|TODO|None,", readme(made))


def test_the_readme_says_which_firmware_is_released_and_which_is_not(kmodels: dict[tuple[str, int], Kmodel]) -> None:
    released = readme(written(kmodels["classify", 3], "classify", 3, board="unitv", firmware="full"))
    assert "Firmware: MaixPy 0.6.2, `full` (`maixpy_<version>.bin`). It fits" in released
    assert "Released builds that do as well: `with_lvgl`, `minimum`" in released
    own = readme(written(kmodels["classify", 3], "classify", 3, board="unitv", firmware="unitv"))
    assert "Firmware: `unitv`, which MaixPy does not release: build it, or take one of the builds below." in own
    assert "Released builds that do as well: `full`, `with_lvgl`" in own
    for words in ("ほかに使える配布ビルド: `full`", "也可使用的官方固件: `full`"):
        assert words in own


@pytest.mark.parametrize(
    ("task", "channels", "board", "stream"),
    [
        ("classify", 3, "unitv", False),
        ("detect", 3, "unitv", True),
        ("classify", 1, "m5stickv", True),
        ("detect", 1, "maixcube", False),
        ("detect", 3, "maixbit", False),
        ("classify", 3, "amigo", False),
        ("detect", 3, "twatch", False),
    ],
)
def test_it_runs_on_the_desk_board(
    kmodels: dict[tuple[str, int], Kmodel], tmp_path: Path, task: str, channels: int, board: str, stream: bool
) -> None:
    made = written(kmodels[task, channels], task, channels, board=board, stream=stream)
    result = run_on_the_desk(made, tmp_path)
    assert result.error is None, result.error
    assert "Traceback" not in result.printed, result.printed
    assert result.frames == 3
    assert result.printed.count("fps") >= 2
    if made.plan.camera.lcd is not None:
        assert result.screens > 0
    if stream:
        assert (tmp_path / "sent").stat().st_size > 500


@pytest.mark.parametrize("load", ["flash", "flash-dual"])
def test_it_runs_from_the_flash(kmodels: dict[tuple[str, int], Kmodel], tmp_path: Path, load: str) -> None:
    made = written(kmodels["detect", 3], "detect", 3)
    planned = fit(kmodels["detect", 3], firmware=made.plan.firmware, load=load)  # type: ignore[arg-type]
    plan: CameraPlan = replace(made.plan, load=load, call=planned.call)  # type: ignore[arg-type]
    result = run_on_the_desk(dataclasses.replace(made, plan=plan), tmp_path)
    assert result.error is None
    assert "load_flash" in (tmp_path / "boot.py").read_text(encoding="utf-8")
    assert "Traceback" not in result.printed, result.printed


def test_the_card_comes_before_the_flash(kmodels: dict[tuple[str, int], Kmodel], tmp_path: Path) -> None:
    result = run_on_the_desk(written(kmodels["classify", 3], "classify", 3), tmp_path, card=True)
    assert "Traceback" not in result.printed, result.printed
    assert result.frames == 3


def test_a_missing_model_is_shown_on_the_screen(kmodels: dict[tuple[str, int], Kmodel], tmp_path: Path) -> None:
    made = written(kmodels["classify", 3], "classify", 3, board="maixbit")
    script = tmp_path / "boot.py"
    script.write_text(boot_script(made), encoding="utf-8")
    request = emulator.RunRequest(script=str(script), board="maixbit", lcd=str(tmp_path / "lcd"), frames=3, fast=True)
    result = on_the_desk(request, tmp_path / "flash")
    assert "Traceback" in result.printed
    assert "load error" in result.printed
    assert result.screens > 0


def test_the_same_pictures_stream_to_the_receiver(kmodels: dict[tuple[str, int], Kmodel], tmp_path: Path) -> None:
    from k210kit.link import Decoder, Frame
    from k210kit.link.frames import Kind
    from k210kit.link.messages import read_picture

    made = written(kmodels["detect", 3], "detect", 3, stream=True)
    run_on_the_desk(made, tmp_path)
    found = Decoder().feed((tmp_path / "sent").read_bytes())
    pictures = [read_picture(f.payload) for f in found if isinstance(f, Frame) and f.kind == Kind.PICTURE]
    assert len(pictures) == len(found) >= 2
    for _, boxes, data in pictures:
        assert (data[:2], data[-2:]) == (b"\xff\xd8", b"\xff\xd9")
        assert boxes is None or {b.label for b in boxes.boxes} <= set(made.description.labels)


@pytest.mark.parametrize(
    ("size", "frame", "window"),
    [
        ((224, 224), "QVGA", (224, 224)),
        ((320, 240), "QVGA", (320, 240)),
        ((96, 96), "QQVGA", (96, 96)),
        ((128, 128), "QVGA", (240, 240)),
        ((64, 48), "QQVGA", (160, 120)),
        ((160, 160), "QVGA", (160, 160)),
    ],
)
def test_the_window_shows_much_of_the_scene(size: tuple[int, int], frame: str, window: tuple[int, int]) -> None:
    assert _window(InputSize(width=size[0], height=size[1])) == (frame, window)


def test_unknown_boards_are_told(kmodels: dict[tuple[str, int], Kmodel]) -> None:
    with pytest.raises(InputError, match="There is no board 'esp32'"):
        plan_camera(kmodels["classify", 3], InputSize(width=64, height=48), board="esp32", firmware=None)
