"""The training loop: resumable to the same weights, and stopped by what is not a number."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from k210kit.errors import InputError
from k210kit.training.augment import Augmentation
from k210kit.training.datasets import Picture, Ready
from k210kit.training.datasets.pixels import InputSize, Placement
from k210kit.training.detection import DetectLesson
from k210kit.training.fit import Batch, EpochReport, Phase, Trainer, normalised
from k210kit.training.yolo import find_anchors

pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

SIZE = InputSize(width=32, height=32)
PHASE = Phase(name="training", epochs=4, rate=0.01, batch=8, warm_up=1.0)


class Stripes:
    """Upright stripes or level ones: easy, and a function of the numbers alone."""

    count = 24

    def __init__(self, poison: int | None = None) -> None:
        self.poison = poison

    def batch(self, epoch: int, numbers: NDArray[np.int64]) -> Batch:
        pixels = np.stack([self.picture(epoch, int(n)) for n in numbers])
        labels = (numbers % 2).astype(np.int64)
        weights = np.where(numbers == self.poison, np.nan, 1.0).astype(np.float32)
        return Batch(pixels=pixels, targets=(labels, weights), names=tuple(f"{n}.png" for n in numbers))

    def picture(self, epoch: int, number: int) -> NDArray[np.uint8]:
        rng = np.random.default_rng([epoch, number])
        wave = (128 + 100 * np.sin(np.arange(32) + rng.uniform(0, 6)))[None, :] + rng.normal(0, 10, (32, 32))
        flat = wave if number % 2 else wave.T
        return np.repeat(flat.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)

    def loss(self, outputs: Any, targets: tuple[Any, ...]) -> Any:
        import tensorflow

        labels, weights = targets
        return tensorflow.nn.sparse_softmax_cross_entropy_with_logits(labels, outputs) * weights

    def validate(self, predict: Callable[[NDArray[np.uint8]], NDArray[np.float32]]) -> tuple[float, dict[str, float]]:
        numbers = np.arange(100, 116)
        said = predict(np.stack([self.picture(0, int(n)) for n in numbers]))
        wrong = float(np.mean(said.argmax(1) != numbers % 2))
        margin = float(np.mean(np.abs(said[:, 0] - said[:, 1])))
        return 1 - wrong + 0.001 * margin, {"accuracy": 1 - wrong}

    def truth(self, batch: Batch, number: int) -> str:
        return f"stripes of kind {batch.targets[0][number]}"


def trainer(folder: Path, lesson: Stripes | None = None) -> Trainer:
    from k210kit.training.engine import seeded
    from k210kit.training.models import classifier

    seeded(3)
    return Trainer(
        classifier("tiny", SIZE, 0.25, 2), lesson or Stripes(), seed=3, checkpoint=folder / "checkpoints" / "last.npz"
    )


def test_a_run_that_was_cut_off_gives_the_weights_of_an_unbroken_one(tmp_path: Path) -> None:
    whole = trainer(tmp_path / "whole")
    whole.run(PHASE)

    def cut(report: EpochReport, fraction: float) -> None:
        if report.epoch == 2:
            raise KeyboardInterrupt

    broken = trainer(tmp_path / "broken")
    with pytest.raises(KeyboardInterrupt):
        broken.run(PHASE, told=cut)
    resumed = trainer(tmp_path / "broken")
    assert resumed.restore()
    resumed.run(PHASE)
    assert [h.loss for h in resumed.state.history] == [h.loss for h in whole.state.history]
    for mine, wanted in zip(resumed.best, whole.best, strict=True):
        assert np.array_equal(mine, wanted)
    for mine, wanted in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        assert np.array_equal(mine, wanted)


def test_the_best_epoch_is_kept_not_the_last(tmp_path: Path) -> None:
    one = trainer(tmp_path)
    scores = iter([0.2, 0.9, 0.1, 0.3])
    one.lesson.validate = lambda predict: (next(scores), {})  # type: ignore[method-assign]
    kept: list[NDArray[Any]] = []

    def told(report: EpochReport, fraction: float) -> None:
        if report.epoch == 2:
            kept.extend(one.best)

    one.run(PHASE, told=told)
    assert (one.state.best_epoch, one.state.best_score) == (2, 0.9)
    assert all(a is b for a, b in zip(one.best, kept, strict=True))


@pytest.mark.parametrize(("patience", "last"), [(1, 5), (6, 7)])
def test_a_phase_without_progress_stops_early_but_not_in_its_first_half(
    tmp_path: Path, patience: int, last: int
) -> None:
    one = trainer(tmp_path)
    one.lesson.validate = lambda predict: (0.5, {})  # type: ignore[method-assign]
    one.run(Phase(name="training", epochs=9, rate=0.01, batch=8, patience=patience))
    assert one.state.epoch == last


def test_few_pictures_are_shown_several_times_an_epoch_each_time_changed(tmp_path: Path) -> None:
    one, seen = trainer(tmp_path), []
    whole = one.lesson.batch

    def batch(epoch: int, numbers: NDArray[np.int64]) -> Batch:
        seen.extend(numbers.tolist())
        return whole(epoch, numbers)

    one.lesson.batch = batch  # type: ignore[method-assign]
    one.run(Phase(name="training", epochs=1, rate=0.01, batch=8, repeats=2))
    assert sorted(seen) == list(range(2 * Stripes.count))


def test_what_is_not_a_number_names_the_picture(tmp_path: Path) -> None:
    one = trainer(tmp_path, Stripes(poison=7))
    with pytest.raises(
        InputError,
        match=r"not a number in epoch 1 of training\. 1 of 8 pictures caused it: 7\.png with stripes of kind 1",
    ):
        one.run(PHASE)


def _lesson(boxes: NDArray[Any], classes: list[int], side: int = 32) -> DetectLesson:
    item = Ready(
        name="1.png",
        source=Picture(name="1.png", read=bytes),
        pixels=np.zeros((64, 64, 3), np.uint8),
        label=-1,
        boxes=boxes.astype(np.float32),
        classes=np.array(classes, np.int32),
        placement=Placement(scale_x=1, scale_y=1, shift_x=0, shift_y=0),
        size=(64, 64),
        digest="",
        hash=np.zeros(4, np.uint64),
    )
    cell = np.array([side, side], np.float32)
    still = Augmentation(turn=0, zoom=1, shift=0, flip=False, light=0, blur=0, noise=0)
    anchors = find_anchors([item.boxes], cell, seed=0)
    return DetectLesson([item], [item], ("cat", "dog"), still, anchors=anchors, cell=cell, epochs=1, seed=0)


def test_a_detectors_message_gives_the_boxes_in_pixels() -> None:
    lesson = _lesson(np.array([[8, 4, 24, 28], [40, 40, 60, 50]]), [1, 0])
    batch = lesson.batch(0, np.array([0]))
    assert lesson.truth(batch, 0) == "'dog' at 8,4 to 24,28, 'cat' at 40,40 to 60,50"


def test_boxes_of_rare_classes_count_more_where_classes_are_unbalanced() -> None:
    places = np.array([[x, y, x + 7, y + 7 + x / 8] for x in range(0, 56, 8) for y in range(0, 56, 8)])
    balanced = _lesson(places, [n % 2 for n in range(49)], side=8)
    assert balanced.rarity.tolist() == [1, 1]
    skewed = _lesson(places, [0] * 47 + [1] * 2, side=8)
    assert skewed.rarity[0] == 1
    assert skewed.rarity[1] > 2


def test_the_fast_forward_pass_gives_keras_numbers(tmp_path: Path) -> None:
    import tensorflow

    from k210kit.training.forward import forward
    from k210kit.training.models import classifier

    for net, alpha in (("mobilenet", 0.25), ("tiny", 0.25)):
        model = classifier(net, SIZE, alpha, 3)  # type: ignore[arg-type]
        for weight in model.weights:
            weight.assign(weight + 0.05 * np.random.default_rng(1).random(weight.shape))
        x = normalised(np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8))
        wanted = model(x, training=False).numpy()
        assert np.allclose(
            forward(model, x, training=False).numpy(), wanted, rtol=1e-3, atol=1e-3 * np.abs(wanted).max()
        )
        model.get_layer("dropout").rate = 0.0
        before = model.get_weights()
        wanted = model(x, training=True).numpy()
        moved = model.get_weights()
        model.set_weights(before)
        mine = forward(model, x, training=True, seed=tensorflow.constant([0, 0])).numpy()
        assert np.allclose(mine, wanted, rtol=1e-3, atol=1e-3 * np.abs(wanted).max())
        for a, b in zip(model.get_weights(), moved, strict=True):
            assert np.allclose(a, b, rtol=0.05, atol=0.02)


def test_the_kpus_rounding_changes_little_and_lets_gradients_through() -> None:
    import tensorflow

    from k210kit.training.forward import forward, measure_ranges
    from k210kit.training.models import classifier

    model = classifier("tiny", SIZE, 0.25, 3)
    x = normalised(np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8))
    straight = measure_ranges(model, [np.asarray(x)])
    plain = forward(model, x, training=False).numpy()
    with tensorflow.GradientTape() as tape:
        rounded = forward(model, x, training=False, straight=straight)
        loss = tensorflow.reduce_sum(rounded**2)
    assert not np.array_equal(plain, rounded.numpy())
    assert np.abs(plain - rounded.numpy()).max() < 0.2 * np.abs(plain).max() + 1e-3
    slopes = tape.gradient(loss, model.trainable_variables)
    assert all(slope is not None for slope in slopes)
    assert np.abs(slopes[0].numpy()).max() > 0
