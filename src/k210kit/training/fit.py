"""The training loop: one phase at a time, a whole checkpoint after every epoch, resumable to the same result.

Nothing here depends on anything but the seed, the epoch and the step: pictures are changed and ordered by generators
made from those, drop-out draws from them, and the checkpoint holds the rest (weights, optimiser, averages, best state).
"""

from __future__ import annotations

import io
import json
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from k210kit.errors import FormatError, InputError
from k210kit.files import write_whole

from .engine import engine
from .forward import Straight, forward
from .models import NORMALISATION

__all__ = ["Batch", "EpochReport", "Lesson", "Phase", "State", "Trainer", "normalised"]

# the average of the weights, which is what is judged and kept, reaches back over this share of a phase
_AVERAGED_SHARE, _AVERAGED_STEPS = 0.05, (20.0, 1000.0)


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One stretch of training.

    rate: learning rate after `warm_up` epochs, falling along half a cosine to a hundredth. frozen_until: this layer and
    all before it stay as they are. frozen_norm: batch normalisations of layers whose name starts so keep their
    statistics. patience: epochs without a better score before it stops, but never in the phase's first half, whose rate
    is still high. repeats: how often an epoch shows each picture. quantised: with the KPU's rounding in the loop.
    """

    name: str
    epochs: int
    rate: float
    batch: int = 32
    warm_up: float = 1.0
    frozen_until: str | None = None
    frozen_norm: tuple[str, ...] = ()
    decay: float = 0.0005
    patience: int = 1000
    repeats: int = 1
    quantised: bool = False


@dataclass(frozen=True, kw_only=True)
class Batch:
    """uint8 pictures [n, h, w, c], what should come out of them, and which pictures they are."""

    pixels: NDArray[np.uint8]
    targets: tuple[NDArray[Any], ...]
    names: tuple[str, ...]


class Lesson(Protocol):
    """What is to be learned: training batches, a loss, and a score on the validation part."""

    count: int

    def batch(self, epoch: int, numbers: NDArray[np.int64]) -> Batch:
        """The pictures with these numbers as epoch `epoch` sees them; called from several threads.

        Numbers go on beyond `count`: those show the same pictures again, changed otherwise.
        """

    def loss(self, outputs: Any, targets: tuple[Any, ...]) -> Any:
        """The loss of each picture, a tensor [n]."""

    def validate(self, predict: Callable[[NDArray[np.uint8]], NDArray[np.float32]]) -> tuple[float, dict[str, float]]:
        """The score (more is better) and the figures to log, on the validation part."""

    def truth(self, batch: Batch, number: int) -> str:
        """What picture `number` of a batch shall teach, for a message to the user."""


@dataclass(kw_only=True)
class EpochReport:
    """A line of the log."""

    phase: str
    epoch: int
    loss: float
    rate: float
    seconds: float
    waited_seconds: float
    score: float
    figures: dict[str, float]


@dataclass(kw_only=True)
class State:
    """What a checkpoint holds beside the arrays."""

    phase: int = 0
    epoch: int = 0
    first_score: float = -1.0  # of the phase, before its first epoch
    best_score: float = -1.0
    best_epoch: int = -1
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    history: list[EpochReport] = field(default_factory=list)


def normalised(pixels: Any) -> Any:
    """uint8 pixels as the nets take them."""
    tensorflow, _ = engine()
    n = NORMALISATION
    return (tensorflow.cast(pixels, tensorflow.float32) * (1 / n.scale) - n.mean) * (1 / n.std)


class Trainer:
    """Trains `model` for a lesson, phase by phase, and can take up where a checkpoint stands."""

    def __init__(self, model: Any, lesson: Lesson, *, seed: int, checkpoint: Path) -> None:
        self.model, self.lesson, self.seed, self.checkpoint = model, lesson, seed, checkpoint
        self.state = State()
        self.best: list[NDArray[Any]] = [np.array(v) for v in model.get_weights()]
        self._restored: dict[str, NDArray[Any]] | None = None

    def predictor(self, straight: Straight | None = None) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
        """A function from uint8 pictures to the net's outputs, in batches."""
        tensorflow, _ = engine()
        model = self.model

        @tensorflow.function(autograph=False, reduce_retracing=True)  # type: ignore[untyped-decorator, unused-ignore]
        def step(pixels: Any) -> Any:
            return forward(model, normalised(pixels), training=False, straight=straight)

        def predict(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
            parts = [np.asarray(step(pixels[at : at + 32]), np.float32) for at in range(0, len(pixels), 32)]
            return np.concatenate(parts)

        return predict

    def restore(self) -> bool:
        """Take the checkpoint up, if there is one; False if there is none."""
        if not self.checkpoint.is_file():
            return False
        try:
            with np.load(self.checkpoint, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            meta = json.loads(str(arrays.pop("meta")))
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise FormatError(f"{self.checkpoint} is not a checkpoint of a training run ({error})") from error
        meta["history"] = [EpochReport(**row) for row in meta["history"]]
        meta["ranges"] = {name: (low, high) for name, (low, high) in meta["ranges"].items()}
        self.state = State(**meta)
        self.model.set_weights(_listed(arrays, "model"))
        self.best = _listed(arrays, "best")
        self._restored = arrays
        return True

    def take_best(self) -> None:
        """Put the best state of all epochs so far into the model."""
        self.model.set_weights(self.best)

    def begin_phase(
        self,
        number: int,
        *,
        score: float,
        straight: Straight | None = None,
        weights: list[NDArray[Any]] | None = None,
    ) -> None:
        """Start a phase from `weights`, or from the best state so far; only a better score than `score` replaces it."""
        self.best = self.best if weights is None else weights
        self.take_best()
        self.state.phase, self.state.epoch, self._restored = number, 0, None
        self.state.first_score = self.state.best_score = score
        self.state.best_epoch = 0
        self.state.ranges = straight.ranges if straight else {}
        self._save({f"model/{i}": value for i, value in enumerate(self.best)})

    def run(
        self,
        phase: Phase,
        *,
        straight: Straight | None = None,
        told: Callable[[EpochReport, float], None] = lambda report, fraction: None,
    ) -> None:
        """Run the current phase, or the rest of it. KeyboardInterrupt leaves the last whole epoch's state behind."""
        loop = _Loop(self, phase, straight)
        if self._restored is not None and "average/0" in self._restored:
            loop.restore(self._restored)
        while self.state.epoch < phase.epochs and self._is_hopeful(phase):
            report = loop.epoch(self.state.epoch)
            self.state.epoch += 1
            self.state.history.append(report)
            if report.score > self.state.best_score:
                self.state.best_score, self.state.best_epoch = report.score, self.state.epoch
                self.best = loop.averages()
            self._save(loop.arrays())
            told(report, self.state.epoch / phase.epochs)
        self._restored = None

    def _is_hopeful(self, phase: Phase) -> bool:
        without = self.state.epoch - max(self.state.best_epoch, 0)
        return self.state.epoch < phase.epochs / 2 or without < phase.patience

    def _save(self, arrays: dict[str, NDArray[Any]]) -> None:
        meta = json.dumps(asdict(self.state))
        arrays |= {f"best/{i}": value for i, value in enumerate(self.best)}
        buffer = io.BytesIO()
        np.savez(buffer, meta=np.array(meta), **arrays)  # type: ignore[arg-type, unused-ignore]
        write_whole(self.checkpoint, buffer.getvalue(), force=True)


class _Loop:
    """The variables of one phase, and one epoch of it."""

    def __init__(self, trainer: Trainer, phase: Phase, straight: Straight | None) -> None:
        tensorflow, keras = engine()
        self.trainer, self.phase, self.straight = trainer, phase, straight
        self.model, self.lesson = trainer.model, trainer.lesson
        _freeze(self.model, phase)
        self.variables = self.model.trainable_variables
        self.optimizer = keras.optimizers.AdamW(
            phase.rate, weight_decay=phase.decay, global_clipnorm=10.0, epsilon=1e-6
        )
        self.optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
        self.optimizer.build(self.variables)
        self.shadow = [tensorflow.Variable(v, trainable=False) for v in self.model.weights]
        self.step = self._compiled()
        self.predict = trainer.predictor(straight)
        self.steps = max(self.lesson.count * phase.repeats // phase.batch, 1)
        reach = min(max(self.steps * phase.epochs * _AVERAGED_SHARE, _AVERAGED_STEPS[0]), _AVERAGED_STEPS[1])
        self.keep = 1 - 1 / reach

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything that the next epoch depends on."""
        named = {"model": self.model.weights, "optimizer": self.optimizer.variables, "average": self.shadow}
        return {f"{kind}/{i}": np.asarray(v) for kind, values in named.items() for i, v in enumerate(values)}

    def averages(self) -> list[NDArray[Any]]:
        return [np.asarray(v) for v in self.shadow]

    def restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        for variables, kind in ((self.optimizer.variables, "optimizer"), (self.shadow, "average")):
            for variable, value in zip(variables, _listed(arrays, kind), strict=True):
                variable.assign(value)

    def _compiled(self) -> Callable[..., Any]:
        tensorflow, _ = engine()
        model, lesson, straight, optimizer = self.model, self.lesson, self.straight, self.optimizer
        variables, shadow = self.variables, self.shadow

        @tensorflow.function(autograph=False, reduce_retracing=True)  # type: ignore[untyped-decorator, unused-ignore]
        def step(pixels: Any, targets: tuple[Any, ...], seed: Any, keep: Any) -> Any:
            with tensorflow.GradientTape() as tape:
                outputs = forward(model, normalised(pixels), training=True, straight=straight, seed=seed)
                each = lesson.loss(outputs, targets)
                loss = tensorflow.reduce_mean(each)
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
            for average, weight in zip(shadow, model.weights, strict=True):
                average.assign(average * keep + weight * (1 - keep))
            return each

        return step  # type: ignore[no-any-return, unused-ignore]

    def epoch(self, epoch: int) -> EpochReport:
        started, waited, losses = time.perf_counter(), 0.0, []
        tensorflow, _ = engine()
        rate = 0.0
        before = time.perf_counter()
        for number, batch in enumerate(self._batches(epoch)):
            waited += time.perf_counter() - before
            at = epoch * self.steps + number
            rate = _rate(self.phase, at / self.steps)
            self.optimizer.learning_rate.assign(rate)
            keep = min(self.keep, (1 + at) / (10 + at))
            seed = tensorflow.constant([self.trainer.seed, at], tensorflow.int32)
            each = self.step(batch.pixels, batch.targets, seed, tensorflow.constant(keep, tensorflow.float32))
            losses.append(float(np.mean(each)))
            if not np.isfinite(losses[-1]):
                raise _not_a_number(self.lesson, batch, np.asarray(each), self.phase, epoch)
            before = time.perf_counter()
        score, figures = self._validate()
        return EpochReport(
            phase=self.phase.name,
            epoch=epoch + 1,
            loss=float(np.mean(losses)),
            rate=rate,
            seconds=time.perf_counter() - started,
            waited_seconds=waited,
            score=score,
            figures=figures,
        )

    def _validate(self) -> tuple[float, dict[str, float]]:
        kept = self.model.get_weights()
        self.model.set_weights([np.asarray(v) for v in self.shadow])
        try:
            return self.lesson.validate(self.predict)
        finally:
            self.model.set_weights(kept)

    def _batches(self, epoch: int) -> Iterator[Batch]:
        """The epoch's batches, made ahead by threads."""
        shown = self.lesson.count * self.phase.repeats
        order = np.random.default_rng([self.trainer.seed, self.trainer.state.phase, epoch]).permutation(shown)
        size = min(self.phase.batch, shown)
        parts = [order[at * size : (at + 1) * size] for at in range(self.steps)]
        return _ahead(lambda numbers: self.lesson.batch(epoch, numbers), parts)


def _ahead(make: Callable[[NDArray[np.int64]], Batch], parts: list[NDArray[np.int64]]) -> Iterator[Batch]:
    """`make` of every part in order, at most three ahead of the taker."""
    ready: queue.Queue[Any] = queue.Queue(maxsize=3)
    gone = threading.Event()

    def fill() -> None:
        with ThreadPoolExecutor(2) as pool:
            for part in parts:
                ready.put(pool.submit(make, part))
                if gone.is_set():
                    return

    filler = threading.Thread(target=fill, daemon=True)
    filler.start()
    try:
        for _ in parts:
            yield ready.get().result()
    finally:
        gone.set()
        while filler.is_alive():
            try:
                ready.get(timeout=0.05)
            except queue.Empty:
                continue


def _freeze(model: Any, phase: Phase) -> None:
    frozen = phase.frozen_until is not None
    for layer in model.layers:
        is_norm = layer.name.endswith("_bn") and (phase.quantised or layer.name.startswith(phase.frozen_norm or "\0"))
        layer.trainable = not (frozen or is_norm)
        if layer.name == phase.frozen_until:
            frozen = False
    if frozen:
        raise AssertionError(f"no layer is called {phase.frozen_until}")


def _rate(phase: Phase, done: float) -> float:
    """The learning rate after `done` epochs."""
    if done < phase.warm_up:
        return phase.rate * (0.05 + 0.95 * done / phase.warm_up)
    share = (done - phase.warm_up) / max(phase.epochs - phase.warm_up, 1e-9)
    return phase.rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(share, 1.0))))


def _not_a_number(lesson: Lesson, batch: Batch, each: NDArray[np.float32], phase: Phase, epoch: int) -> InputError:
    bad = np.flatnonzero(~np.isfinite(each))
    named = "; ".join(f"{batch.names[i]} with {lesson.truth(batch, int(i))}" for i in bad[:3])
    return InputError(
        f"Training stopped: the loss is not a number in epoch {epoch + 1} of {phase.name}. {len(bad)} of "
        f"{len(batch.names)} pictures caused it: {named}. Check these, or lower it with --rate {phase.rate / 4:g}; "
        "the state before this epoch is kept, and --resume goes on from it."
    )


def _listed(arrays: dict[str, NDArray[Any]], kind: str) -> list[NDArray[Any]]:
    found = {int(name.split("/")[1]): value for name, value in arrays.items() if name.startswith(f"{kind}/")}
    return [found[i] for i in sorted(found)]
