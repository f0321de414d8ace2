"""`train`: a data set in, a folder with the run and the bundle out."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from k210kit import __version__
from k210kit.errors import FileError, InputError
from k210kit.files import write_whole

from .backbones import alpha_of, carry_over, find_weights, read_weights
from .cameras import check_target
from .classification import ClassLesson, fit_head, stacked
from .datasets import Dataset, Examined, Findings, Health, Split, examine, read_dataset, split
from .datasets.doctor import magnified, small_things
from .datasets.pixels import InputSize
from .deploying import Deployed, deploy
from .description import Description
from .detection import DetectLesson
from .engine import engine, seeded
from .events import Log
from .fit import EpochReport, Lesson, Phase, Trainer, normalised
from .forward import Straight, measure_ranges
from .jsonable import plain
from .measuring import Metrics
from .metrics import learnt_nothing
from .models import classifier, detector
from .options import TrainOptions, changed, read_config
from .packaging import package_run
from .recipes import Recipe, recipe
from .yolo import ANCHORS, NMS, Anchors, cell_of, find_anchors, stride_for

__all__ = ["TrainResult", "train"]

Progress = Callable[[float, str], None]
_PARTS = ("train", "validation", "test")
_LARGEST = InputSize(width=320, height=240)  # of the camera's frame
_WORTH_IT = 1.2  # times as large must a larger input show things


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """What a run gave. Figures are of the test part, which training never saw.

    epochs: how many were run, of all phases; stopped: whether Ctrl-C ended them early. kpu_gain: what the epochs with
    the KPU's rounding added to the validation part's score, judged with that rounding. processor_seconds counts all
    cores. drop: accuracy, or AP at 0.5, of the float net less that of the kmodel.
    """

    task: str
    classes: tuple[str, ...]
    pictures: dict[str, int]
    net: str
    alpha: float
    backbone: str
    anchors: tuple[float, ...]
    anchors_mean_iou: float | None
    epochs: int
    stopped: bool
    kept: str
    kpu_gain: float | None
    metrics_float: Metrics
    metrics_kmodel: Metrics
    drop: float
    seconds: float
    processor_seconds: float
    run: Path
    bundle: Path
    fits: bool
    warnings: tuple[str, ...]
    health: Health


@dataclass(frozen=True, kw_only=True)
class _Job:
    """Everything that is settled before the first step of training."""

    options: TrainOptions
    run: Path
    examined: Examined
    parts: Split
    description: Description
    backbone: str
    anchors: Anchors | None
    recipe: Recipe
    lesson: Lesson
    model: Any


def train(
    dataset: Path | str,
    run: Path | str,
    options: TrainOptions | None = None,
    *,
    resume: bool = False,
    force: bool = False,
    progress: Progress = lambda fraction, what: None,
    told: Callable[[str], None] = lambda line: None,
) -> TrainResult:
    """Train a classifier or a detector, compile it, measure it, and write the bundle into the folder `run`.

    resume: go on with an interrupted run; the result is that of an unbroken one. force: begin anew in a folder that
    holds a run already; nothing else in it is touched. Raises `InputError` for what is wrong with data or options.
    """
    started = time.perf_counter(), time.process_time()
    folder, options = Path(run), options or TrainOptions()
    check_target(options.board, options.firmware)
    progress(0.0, "reading the data set")
    read = read_dataset(Path(dataset), task=options.task, form_name=options.form)
    options = _settled(options, folder, read, resume=resume, force=force)
    examined = _examined(read, options, lambda f: progress(0.03 * f, "reading the data set"), told)
    options = replace(options, width=examined.size.width, height=examined.size.height)
    parts = split(examined, fractions=options.fractions, seed=options.seed)
    told(_data_line(examined, parts))
    fingerprint = _fingerprint(folder, parts, resume=resume)
    progress(0.03, "starting TensorFlow")
    seeded(options.seed)
    job = _job(options, folder, examined, parts)
    if not resume:
        _write_config(job, fingerprint)  # not before all that a user can ask wrongly was looked at
    told(_net_line(job))
    trainer, stopped = _trained(job, resume, lambda f, what: progress(0.04 + 0.76 * f, what), told)
    trainer.take_best()
    made = deploy(
        job.model,
        job.description,
        parts,
        effort=options.effort,
        progress=lambda f, what: progress(0.8 + 0.19 * f, what),
    )
    progress(0.99, "writing the bundle")
    spent = time.perf_counter() - started[0], time.process_time() - started[1]
    result = _result(job, trainer, made, stopped, spent)
    bundle, fits = package_run(made, examined, parts, options, folder, trainer.state.history, asdict(result))
    final = replace(result, bundle=bundle, fits=fits)
    write_whole(folder / "result.json", _json(plain(final)), force=True)
    progress(1.0, "done")
    return final


def _examined(
    read: Dataset, options: TrainOptions, progress: Callable[[float], None], told: Callable[[str], None]
) -> Examined:
    """The good pictures at the input's size; a size that was not asked for is the largest if a detector's things are
    small and it shows them larger."""
    open_choice = options.width is None and options.height is None and read.task == "detect"
    first = replace(read, findings=Findings(list(read.findings))) if open_choice else read
    examined = examine(first, options.size, fit=options.fit, progress=progress)
    small = small_things(examined.ready, examined.labels) if open_choice else {}
    if not small or magnified(examined, _LARGEST) < _WORTH_IT:
        return examined
    name, side = min(small.items(), key=lambda item: item[1])
    told(
        f"{name!r} has typically {side:.0f} pixels at {options.size.width}x{options.size.height}: the input is "
        f"{_LARGEST.width}x{_LARGEST.height}, as --input left it open"
    )
    size = replace(_LARGEST, channels=options.size.channels)
    return examine(read, size, fit=options.fit, progress=progress)


def _settled(options: TrainOptions, folder: Path, read: Dataset, *, resume: bool, force: bool) -> TrainOptions:
    """The options with the choices made that they leave open; refuses a folder with another run in it."""
    if folder.exists() and not folder.is_dir():
        raise FileError(f"{folder} is a file; a run is a folder. Give another -o.")
    if resume:
        before, _ = read_config(folder / "config.json")
        asked = replace(options, task=read.task, net=options.net or before.net, alpha=options.alpha or before.alpha)
        if options.width is None and options.height is None:
            asked = replace(asked, width=before.width, height=before.height)
        asked = replace(asked, width=asked.size.width, height=asked.size.height)
        if differs := changed(before, asked):
            raise InputError(
                f"{folder} was begun with other options ({'; '.join(differs)}). Give the same ones, or another -o."
            )
        return before
    if (folder / "config.json").exists() and not force:
        raise FileError(
            f"{folder} holds a training run already. Go on with it by --resume, begin anew in it with --force, or give "
            "another folder."
        )
    scratch = options.backbone == "none"
    net = options.net or ("tiny" if scratch and read.task == "detect" else "mobilenet")
    alpha = options.alpha
    if alpha is None and net == "mobilenet" and options.backbone and not scratch:
        alpha = alpha_of(read_weights(Path(options.backbone)))
    return replace(options, task=read.task, net=net, alpha=alpha or (1.0 if net == "tiny" else 0.75))


def _job(options: TrainOptions, folder: Path, examined: Examined, parts: Split) -> _Job:
    net, alpha = options.net, options.alpha
    assert net is not None
    assert alpha is not None
    size, labels = options.size, examined.labels
    pretrained = net == "mobilenet" and options.backbone != "none"
    if net == "tiny" and options.backbone not in (None, "none"):
        raise InputError("The tiny net has no ImageNet weights. Leave --backbone out, or take --net mobilenet.")
    plan = recipe(
        examined.task,
        net,
        pretrained=pretrained,
        pictures=len(parts.train),
        labels=labels,
        epochs=options.epochs,
        rate=options.rate,
        batch=options.batch,
        kpu_epochs=options.kpu_epochs,
    )
    anchors: Anchors | None = None
    stride = 32
    lesson: Lesson
    if examined.task == "classify":
        model = classifier(net, size, alpha, len(labels))
        lesson = ClassLesson(
            parts.train, parts.validation, labels, plan.how, epochs=plan.phases[0].epochs, seed=options.seed
        )
    else:
        stride = stride_for([r.boxes for r in parts.train], [r.classes for r in parts.train])
        cell = cell_of(size, stride)
        anchors = find_anchors([r.boxes for r in parts.train], cell, seed=options.seed)
        model = detector(net, size, alpha, len(labels), ANCHORS, stride=stride)
        lesson = DetectLesson(
            parts.train,
            parts.validation,
            labels,
            plan.how,
            anchors=anchors,
            cell=cell,
            epochs=plan.phases[0].epochs,
            seed=options.seed,
        )
    return _Job(
        options=options,
        run=folder,
        examined=examined,
        parts=parts,
        description=_described(options, examined, anchors, stride),
        backbone=_carried(model, options, alpha) if pretrained else "none (random numbers)",
        anchors=anchors,
        recipe=plan,
        lesson=lesson,
        model=model,
    )


def _described(options: TrainOptions, examined: Examined, anchors: Anchors | None, stride: int) -> Description:
    assert options.net is not None
    assert options.alpha is not None
    return Description(
        task=examined.task,
        labels=examined.labels,
        size=options.size,
        fit=examined.fit,
        net=options.net,
        alpha=options.alpha,
        anchors=anchors.flat() if anchors else (),
        stride=stride,
        nms=NMS if anchors else 0.0,
    )


def _carried(model: Any, options: TrainOptions, alpha: float) -> str:
    path = Path(options.backbone) if options.backbone else find_weights(alpha, download=options.download)
    carry_over(read_weights(path), model, alpha=alpha)
    return f"ImageNet, {path.name}"


def _trained(job: _Job, resume: bool, progress: Progress, told: Callable[[str], None]) -> tuple[Trainer, bool]:
    """Run what is left of the phases; Ctrl-C ends that, and the best state so far is kept."""
    trainer = Trainer(job.model, job.lesson, seed=job.options.seed, checkpoint=job.run / "checkpoints" / "last.npz")
    log = Log(job.run)
    resumed = resume and trainer.restore()
    if resumed:
        told(f"going on after epoch {trainer.state.epoch} of {job.recipe.phases[trainer.state.phase].name!r}")
    log.keep(len(trainer.state.history))
    if job.recipe.head_first and not resumed:
        progress(0.0, "training the head")
        _train_head(trainer, job)
    weights = [p.epochs * (3 if not p.quantised else 4) for p in job.recipe.phases]

    def report(line: EpochReport, fraction: float) -> None:
        log.write(line, len(trainer.state.history))
        done = sum(weights[: trainer.state.phase]) + weights[trainer.state.phase] * fraction
        figures = "  ".join(f"{name} {value:.3f}" for name, value in line.figures.items())
        progress(done / sum(weights), f"{line.phase}, epoch {line.epoch}")
        told(f"{line.phase} {line.epoch}: loss {line.loss:.3f}  {figures}  ({line.seconds:.1f} s)")

    try:
        for number, phase in enumerate(job.recipe.phases):
            _phase(trainer, job, number, phase, report)
    except KeyboardInterrupt:
        if not trainer.state.history and not job.recipe.head_first:
            raise
        told("stopped; the best state so far is packaged. Go on later with --resume.")
        return trainer, True
    return trainer, False


def _phase(
    trainer: Trainer, job: _Job, number: int, phase: Phase, report: Callable[[EpochReport, float], None]
) -> None:
    if trainer.state.phase > number:
        return
    if trainer.state.phase < number:
        straight: Straight | None = None
        score = trainer.state.best_score
        if phase.quantised:
            trainer.take_best()
            straight = measure_ranges(job.model, _samples(job))
            score, _ = job.lesson.validate(trainer.predictor(straight))
        trainer.begin_phase(number, score=score, straight=straight)
    trainer.run(phase, straight=Straight(ranges=trainer.state.ranges) if phase.quantised else None, told=report)


def _samples(job: _Job) -> list[NDArray[np.float32]]:
    pixels = stacked(job.parts.train[:: max(len(job.parts.train) // 64, 1)][:64])
    return [np.asarray(normalised(pixels[at : at + 16])) for at in range(0, len(pixels), 16)]


def _train_head(trainer: Trainer, job: _Job) -> None:
    tensorflow, keras = engine()
    pooled = keras.Model(job.model.input, job.model.get_layer("features").output)

    @tensorflow.function(autograph=False, reduce_retracing=True)  # type: ignore[untyped-decorator, unused-ignore]
    def call(pixels: Any) -> Any:
        return pooled(normalised(pixels), training=False)

    def features(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.concatenate([np.asarray(call(pixels[at : at + 32])) for at in range(0, len(pixels), 32)])

    assert isinstance(job.lesson, ClassLesson)
    fit_head(job.model, job.lesson, features)
    score, _ = job.lesson.validate(trainer.predictor())
    trainer.begin_phase(0, score=score, straight=None, weights=job.model.get_weights())


def _fingerprint(folder: Path, parts: Split, *, resume: bool) -> str:
    """The SHA-256 of which picture is in which part; a resumed run must have the same."""
    digests = {name: [r.digest for r in getattr(parts, name)] for name in _PARTS}
    fingerprint = hashlib.sha256(_json(digests).encode()).hexdigest()
    if resume and read_config(folder / "config.json")[1]["data"] != fingerprint:
        raise InputError(f"The data set has changed since {folder} was begun. Begin anew with another -o.")
    return fingerprint


def _write_config(job: _Job, fingerprint: str) -> None:
    """Keep what the run was asked, which picture went into which part, and what the doctor found."""
    folder, examined = job.run, job.examined
    body = {"kit": __version__, "options": asdict(job.options), "data": fingerprint, "labels": list(examined.labels)}
    names = {name: [{"file": r.name, "sha256": r.digest} for r in getattr(job.parts, name)] for name in _PARTS}
    write_whole(folder / "split.json", _json(names), force=True)
    write_whole(folder / "findings.json", _json([asdict(f) for f in examined.health.findings]), force=True)
    (folder / "checkpoints" / "last.npz").unlink(missing_ok=True)
    write_whole(folder / "config.json", _json(body), force=True)


def _left_out(examined: Examined) -> list[str]:
    """What the doctor says of the pictures: those that are left out first."""
    return [
        f"{f.file} {f.what}" for level in ("error", "warning") for f in examined.health.findings if f.level == level
    ]


def _result(job: _Job, trainer: Trainer, made: Deployed, stopped: bool, spent: tuple[float, float]) -> TrainResult:
    headline = "accuracy" if job.description.task == "classify" else "ap50"
    drop = getattr(made.metrics_float, headline) - getattr(made.metrics_kmodel, headline)
    history, state = trainer.state.history, trainer.state
    phase = job.recipe.phases[state.phase]
    parts = {name: len(getattr(job.parts, name)) for name in _PARTS}
    nothing = learnt_nothing(made.metrics_float, pretrained=not job.backbone.startswith("none"))
    warnings = [*nothing, *made.warnings, *_left_out(job.examined)]
    if drop > (0.01 if headline == "accuracy" else 0.02):
        warnings.insert(0, f"quantisation costs {drop:.3f} of {headline}, more than is usual")
    return TrainResult(
        task=job.description.task,
        classes=job.description.labels,
        pictures=parts,
        net=job.description.net,
        alpha=job.description.alpha,
        backbone=job.backbone,
        anchors=job.description.anchors,
        anchors_mean_iou=job.anchors.mean_iou if job.anchors else None,
        epochs=len(history),
        stopped=stopped,
        kept=f"{phase.name}, epoch {state.best_epoch}" if state.best_epoch > 0 else f"before the phase {phase.name!r}",
        kpu_gain=round(state.best_score - state.first_score, 4) if phase.quantised else None,
        metrics_float=made.metrics_float,
        metrics_kmodel=made.metrics_kmodel,
        drop=drop,
        seconds=round(spent[0], 1),
        processor_seconds=round(spent[1], 1),
        run=job.run,
        bundle=job.run / "bundle",
        fits=False,
        warnings=tuple(warnings),
        health=job.examined.health,
    )


def _data_line(examined: Examined, parts: Split) -> str:
    counts = ", ".join(f"{name} {count}" for name, count in examined.health.per_class.items())
    return (
        f"{examined.form}: {len(examined.ready)} pictures ({examined.health.left_out} left out; {counts}); "
        f"{len(parts.train)} train, {len(parts.validation)} validation, {len(parts.test)} test"
    )


def _net_line(job: _Job) -> str:
    fit = ""
    if job.anchors:
        columns, rows = job.description.grid
        fit = f"; a map of {columns}x{rows} cells, anchors fit with a mean IoU of {job.anchors.mean_iou:.2f}"
    size = job.description.size
    return (
        f"{job.description.net} alpha {job.description.alpha:g} at {size.width}x{size.height}x{size.channels}, "
        f"weights: {job.backbone}{fit}"
    )


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"
