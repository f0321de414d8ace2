"""What a classifier learns: cross-entropy over classes; and its head, on features computed once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .augment import Augmentation, Sample, augment
from .datasets import Ready
from .engine import engine
from .fit import Batch
from .metrics import class_metrics

__all__ = ["ClassLesson", "class_weights", "fit_head", "stacked"]

_SMOOTHING = 0.03
_PIECE = 256  # pictures that are held a second time while features are computed
_NO_BOXES = np.zeros((0, 4), np.float32)
_NO_CLASSES = np.zeros(0, np.int32)


def stacked(items: Sequence[Ready]) -> NDArray[np.uint8]:
    """The pictures of a part, uint8 [n, h, w, c]."""
    return np.stack([item.pixels for item in items])


def class_weights(numbers: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """How much a picture of each class counts, so that all classes count alike; at most ten times the mean."""
    counts = np.bincount(numbers, minlength=classes).astype(np.float64)
    weights = np.where(counts > 0, 1 / np.maximum(counts, 1), 0)
    weights = np.minimum(weights / np.mean(weights[numbers]), 10.0)
    return np.asarray(weights, np.float32)


class ClassLesson:
    """Training and validation pictures of a classifier."""

    def __init__(
        self,
        train: Sequence[Ready],
        validation: Sequence[Ready],
        labels: tuple[str, ...],
        how: Augmentation,
        *,
        epochs: int,
        seed: int,
    ) -> None:
        self.train, self.labels, self.how, self.epochs, self.seed = train, labels, how, epochs, seed
        self.count = len(train)
        self.numbers = np.array([r.label for r in train], np.int64)
        self.weights = class_weights(self.numbers, len(labels))
        self.held_pixels = stacked(validation)
        self.held_numbers = np.array([r.label for r in validation], np.int64)

    def batch(self, epoch: int, numbers: NDArray[np.int64]) -> Batch:
        """Changed copies of the pictures with these numbers; targets are class numbers and weights."""
        pixels, how = [], self.how.at(epoch / self.epochs)
        for number in numbers:
            rng = np.random.default_rng([self.seed, epoch, int(number)])
            plain = Sample(pixels=self.train[number % self.count].pixels, boxes=_NO_BOXES, classes=_NO_CLASSES)
            pixels.append(augment(plain, how, rng).pixels)
        own = self.numbers[numbers % self.count]
        return Batch(
            pixels=np.stack(pixels),
            targets=(own, self.weights[own]),
            names=tuple(self.train[n % self.count].name for n in numbers),
        )

    def loss(self, outputs: Any, targets: tuple[Any, ...]) -> Any:
        tensorflow, _ = engine()
        numbers, weights = targets
        count = len(self.labels)
        wanted = tensorflow.one_hot(numbers, count, 1 - _SMOOTHING + _SMOOTHING / count, _SMOOTHING / count)
        return tensorflow.nn.softmax_cross_entropy_with_logits(wanted, outputs) * weights

    def validate(self, predict: Callable[[NDArray[np.uint8]], NDArray[np.float32]]) -> tuple[float, dict[str, float]]:
        """The accuracy of the validation part, and among equals the smaller loss."""
        figures = class_metrics(predict(self.held_pixels), self.held_numbers, self.labels, "validation")
        score = figures.accuracy - 0.02 * min(figures.loss, 5.0)
        return score, {"accuracy": figures.accuracy, "loss": figures.loss}

    def truth(self, batch: Batch, number: int) -> str:
        return f"class {self.labels[int(batch.targets[0][number])]!r}"


def fit_head(
    model: Any,
    lesson: ClassLesson,
    features_of: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    *,
    copies: int = 2,
    steps: int = 400,
) -> None:
    """Train the last layer on features that are computed once: softmax regression by Adam, in seconds.

    The pictures as they are and `copies` changed ones each serve; features are scaled to unit spread for it, and the
    scaling goes into the layer afterwards.
    """
    pieces = np.array_split(np.arange(lesson.count), -(-lesson.count // _PIECE))
    features = [features_of(stacked([lesson.train[n] for n in piece])) for piece in pieces]
    for copy in range(copies):
        features += [features_of(lesson.batch(lesson.epochs + copy, piece).pixels) for piece in pieces]
    x = np.concatenate(features).astype(np.float64)
    numbers = np.tile(lesson.numbers, copies + 1)
    weight = lesson.weights[numbers].astype(np.float64)[:, None]
    centre, spread = x.mean(0), x.std(0) + 1e-2
    x = (x - centre) / spread
    count = len(lesson.labels)
    wanted = np.eye(count)[numbers] * (1 - _SMOOTHING) + _SMOOTHING / count
    kernel, bias = _softmax_regression(x, wanted, weight, steps)
    layer = model.get_layer("logits")
    folded = kernel / spread[:, None]
    layer.set_weights([folded.astype(np.float32), (bias - centre @ folded).astype(np.float32)])


def _softmax_regression(
    x: NDArray[np.float64], wanted: NDArray[np.float64], weight: NDArray[np.float64], steps: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Kernel [features, classes] and bias [classes] after `steps` full steps of Adam with a little decay."""
    x = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    theta = np.zeros((x.shape[1], wanted.shape[1]))
    first, second = np.zeros_like(theta), np.zeros_like(theta)
    for step in range(1, steps + 1):
        scores = x @ theta
        power = np.exp(scores - scores.max(1, keepdims=True))
        error = (power / power.sum(1, keepdims=True) - wanted) * weight
        slope = x.T @ error / len(x) + 1e-3 * theta
        first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
        theta -= 0.02 * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return theta[:-1], theta[-1]
