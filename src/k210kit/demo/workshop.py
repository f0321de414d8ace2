"""The steps of the demo, in order, each with its result and its time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from k210kit.errors import FileError, KitError, RefusedError

from .sheet import write_sheet

__all__ = ["Demo", "Step", "demo"]

LABELS = ("1", "2", "3", "4", "5")
SIZE = (160, 120)  # pixels of the drawn pictures
FIRMWARE = "unitv"
MOST_DROP = 0.05  # of AP50 between the float net and the kmodel before the demo calls it a failure


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step: what was done, what came of it, and how long it took."""

    name: str
    result: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Demo:
    """What the demo made. Accuracies are the AP at an overlap of 0.5 on pictures that training never saw."""

    steps: tuple[Step, ...]
    accuracy_float: float
    accuracy_kmodel: float
    bundle: Path
    pictures: tuple[Path, ...]
    seconds: float
    next_commands: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How much of everything: the demo as users see it, or a short form that only proves that it runs."""

    pictures: int
    epochs: int
    frames: int
    least_accuracy: float


FULL = Scale(pictures=400, epochs=36, frames=60, least_accuracy=0.8)
SHORT = Scale(pictures=60, epochs=2, frames=12, least_accuracy=0.0)


@dataclass
class _Workshop:
    """What the steps hand to one another."""

    folder: Path
    scale: Scale
    progress: Callable[[float, str], None]
    told: Callable[[str], None]
    trained: Any = None  # training.TrainResult; imported only when training runs
    pictures: list[Path] = field(default_factory=list)

    @property
    def bundle(self) -> Path:
        return self.folder / "run" / "bundle"

    @property
    def kmodel(self) -> Path:
        return self.bundle / "model.kmodel"

    @property
    def photos(self) -> Path:
        return self.folder / "cards" / "images"

    @property
    def flash(self) -> Path:
        return self.folder / "flash.bin"


def demo(
    folder: Path,
    *,
    short: bool = False,
    progress: Callable[[float, str], None] = lambda fraction, what: None,
    told: Callable[[str], None] = lambda line: None,
) -> Demo:
    """Run all steps in `folder`, which must be empty or of an earlier demo. A step that fails stops it with its reason.

    Raises what the step raised; all that was made until then is left.
    """
    _own_folder(folder)
    shop = _Workshop(folder=folder, scale=SHORT if short else FULL, progress=progress, told=told)
    steps: list[Step] = []
    for i, (name, work) in enumerate(STEPS):
        progress(i / len(STEPS), name)
        began = time.perf_counter()
        result = work(shop)
        steps.append(Step(name=name, result=result, seconds=round(time.perf_counter() - began, 1)))
        told(f"{name}: {result} ({steps[-1].seconds:.1f} s)")
    progress(1.0, "done")
    found = shop.trained
    return Demo(
        steps=tuple(steps),
        accuracy_float=found.metrics_float.ap50,
        accuracy_kmodel=found.metrics_kmodel.ap50,
        bundle=shop.bundle,
        pictures=tuple(shop.pictures),
        seconds=round(sum(step.seconds for step in steps), 1),
        next_commands=(
            "k210kit train photos -o run",
            "k210kit run run/bundle/boot.py --flash 0x300000=run/bundle/model.kmodel --camera photos --frames 50",
            "k210kit flash run/bundle.kfpkg",
        ),
    )


def _own_folder(folder: Path) -> None:
    """Make the folder; refuse one that holds something else than an earlier demo."""
    mark = folder / ".k210kit-demo"
    if folder.exists() and any(folder.iterdir()) and not mark.exists():
        raise FileError(f"{folder} exists and is not of an earlier demo. Give another name with -o.")
    folder.mkdir(parents=True, exist_ok=True)
    mark.touch()


def _draw(shop: _Workshop) -> str:
    from k210kit.training.cards import write_cards

    files = write_cards(
        shop.folder / "cards", task="detect", count=shop.scale.pictures, labels=LABELS, near=True, size=SIZE,
        force=True, progress=lambda fraction: shop.progress(0.02 * fraction, "drawing number cards"),
    )  # fmt: skip
    return f"{sum(path.suffix == '.jpg' for path in files)} pictures of the cards {', '.join(LABELS)}"


def _train(shop: _Workshop) -> str:
    from k210kit.training import TrainOptions, train

    options = TrainOptions(
        task="detect", width=160, height=128, net="tiny", backbone="none", epochs=shop.scale.epochs, stream=True,
        board="unitv", firmware=FIRMWARE, effort="fast",
    )  # fmt: skip
    shop.trained = found = train(
        shop.folder / "cards", shop.folder / "run", options, force=True,
        progress=lambda fraction, what: shop.progress(0.02 + 0.7 * fraction, what), told=shop.told,
    )  # fmt: skip
    return f"{found.epochs} epochs, compiled to {shop.kmodel.stat().st_size:,} bytes of kmodel V3"


def _measure(shop: _Workshop) -> str:
    """Float against kmodel on the test part; both figures come from pictures that training never saw."""
    before, after = shop.trained.metrics_float.ap50, shop.trained.metrics_kmodel.ap50
    if after < shop.scale.least_accuracy or after < before - MOST_DROP:
        raise RefusedError(f"The kmodel's AP50 is {after:.3f}, the float net's {before:.3f}: the demo expects better.")
    return f"AP50 {before:.3f} float, {after:.3f} kmodel, bit for bit as the chip computes"


def _fit(shop: _Workshop) -> str:
    from k210kit.planner import fit

    found = fit(shop.kmodel, firmware=FIRMWARE, camera="QQVGA", lcd="none")
    if not found.fits:
        raise RefusedError(f"It does not fit on firmware {FIRMWARE}: {found.verdict}")
    return f"fits on '{FIRMWARE}', {found.spare_bytes:,} bytes to spare, {found.fps_estimate or 0:.0f} fps (estimate)"


def _flash(shop: _Workshop) -> str:
    from k210kit.device import flash_image, plan_flash, read_files

    package = shop.bundle.with_suffix(".kfpkg")
    shop.flash.unlink(missing_ok=True)
    done = flash_image(plan_flash(read_files([str(package)])), shop.flash)
    return f"{package.name}: {done.written:,} bytes onto the pretend board, read back and compared"


def _run(shop: _Workshop) -> str:
    from k210kit.emulator import RunRequest, run

    found = run(
        RunRequest(
            script=str(shop.bundle / "boot.py"), firmware=FIRMWARE, camera=str(shop.photos), flash=(str(shop.flash),),
            frames=shop.scale.frames, fast=True,
        )
    )  # fmt: skip
    if found.error or found.fault:
        raise KitError(f"boot.py failed on the desk board:\n{found.fault or found.error}")
    labels = sum(line.split(" ")[0] in LABELS for line in found.printed.splitlines())
    fps = found.fps_board_estimate or 0
    return (
        f"boot.py from that flash: {found.frames} pictures, {labels} cards seen, {fps:.1f} fps on the board (estimate)"
    )


def _stream(shop: _Workshop) -> str:
    from k210kit.studio.stream_demo import Detector, stream_demo

    model = json.loads((shop.bundle / "model.json").read_text(encoding="utf-8"))
    detector = Detector(
        kmodel=shop.kmodel, labels=LABELS, anchors=tuple(model["anchors"]), pictures=shop.photos,
        script=(shop.bundle / "boot.py").read_text(encoding="utf-8"),
    )  # fmt: skip
    shown = stream_demo(shop.folder / "stream", detector, frames=shop.scale.frames, http=0, tell=shop.told)
    shop.pictures.extend(shown.displays)
    if not shown.drawn or not shown.view.frames:
        raise KitError("The desk StickC-Plus has shown no picture.")
    return (
        f"{shown.view.frames} pictures on the page, {shown.drawn} on the desk StickC-Plus, "
        f"{shown.with_boxes} with boxes, {shown.view.lost} lost"
    )


def _sheet(shop: _Workshop) -> str:
    sheet = shop.folder / "contact-sheet.png"
    write_sheet(sheet, sorted(shop.photos.iterdir())[:10], shop.pictures)
    shop.pictures.insert(0, sheet)
    return f"{sheet.name}, and {shop.bundle / 'report.html'}"


STEPS: tuple[tuple[str, Callable[[_Workshop], str]], ...] = (
    ("data", _draw),
    ("train and compile", _train),
    ("float against kmodel", _measure),
    ("fit", _fit),
    ("flash", _flash),
    ("run on the desk board", _run),
    ("stream", _stream),
    ("pictures", _sheet),
)
