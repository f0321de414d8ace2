"""`KPU.classifier`: learns classes from pictures by what a network makes of them. Source: Maix_kpu_classifier.c.

The library below it is closed. What is known: a feature vector per picture, one picture per class to begin with, some
more to learn from, then the nearest class and its distance. Here the vector is the network's output, the distance is
Euclid's, and learning moves each class to the mean of what is nearest to it (k-means): distances and files differ from
a board's.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from k210kit.emulator.board import Board, Picture
from k210kit.emulator.modules.bound import bound
from k210kit.emulator.modules.image.arguments import as_int
from k210kit.emulator.modules.kpu_objects import KpuNet

__all__ = ["make_classifier"]

_EINVAL = 22
_MAGIC = b"K210KIT1"
_HEAD = struct.Struct("<8sIIII")
_ROUNDS = 20
Vector = NDArray[np.float32]


class classifier:
    """What `KPU.classifier(model, class_num, sample_num)` makes."""

    _board: Board
    _stream: Callable[[KpuNet, Picture], Vector]  # a picture's features

    def __init__(self, *arguments: Any, fea_len: int = 0) -> None:
        if len(arguments) < 3:
            raise ValueError("model, class num, sample num")
        if not isinstance(arguments[0], KpuNet):
            raise ValueError("model")
        self._model = arguments[0]
        self._state = (as_int(arguments[1]), as_int(arguments[2]), as_int(fea_len))
        self._blocks: tuple[list[Vector], list[Vector]] = ([], [])  # of classes and of samples
        self._line: Vector | None = None  # what was learned: classes, features

    def _features(self, img: Picture) -> Vector:
        if not hasattr(img, "pix_ai"):
            raise TypeError("Expected image")
        made = type(self)._stream(self._model, img)
        return made[: self._state[2]] if self._state[2] > 0 else made

    def add_class_img(self, img: Any, index: int = -1) -> int:
        """The first picture of a class; returns the class's number (Any: a picture)."""
        classes, wanted = self._blocks[0], as_int(index)
        if wanted >= self._state[0] or wanted > len(classes) or (wanted < 0 and len(classes) >= self._state[0]):
            raise OSError(_EINVAL, "EINVAL")
        made = self._features(img)
        if 0 <= wanted < len(classes):
            classes[wanted] = made
            return wanted
        classes.append(made)
        return len(classes) - 1

    def add_sample_img(self, img: Any) -> int:
        """One more picture to learn from; returns its number (Any: a picture)."""
        if len(self._blocks[1]) >= self._state[1]:
            raise OSError(_EINVAL, "EINVAL")
        self._blocks[1].append(self._features(img))
        return len(self._blocks[1]) - 1

    def rm_class_img(self) -> int:
        return _drop(self._blocks[0])

    def rm_sample_img(self) -> int:
        return _drop(self._blocks[1])

    def train(self) -> None:
        classes, samples = self._blocks
        if not classes:
            raise OSError(_EINVAL, "EINVAL")
        self._line = _learned(np.stack(classes), np.stack([*classes, *samples]))

    def predict(self, img: Any) -> tuple[int, float]:
        """(class, distance) of the nearest class (Any: a picture)."""
        if self._line is None:
            raise OSError(_EINVAL, "EINVAL")
        away = np.sqrt(((self._line - self._features(img)) ** 2).sum(axis=1))
        nearest = int(np.argmin(away))
        return nearest, float(away[nearest])

    def save(self, path: str) -> None:
        if self._line is None:
            raise OSError(_EINVAL, "EINVAL")
        head = _HEAD.pack(_MAGIC, *self._line.shape, self._state[0], self._state[1])
        with self._board.files.open(path, "wb") as stream:
            stream.write(head + self._line.astype("<f4").tobytes())

    @classmethod
    def load(
        cls, model: Any, path: Any, class_num: int = 0, sample_num: int = 0, fea_len: int = 0
    ) -> tuple[classifier, int, int]:
        """(classifier, classes, samples) from a file (Any: a net and a name)."""
        if not isinstance(model, KpuNet):
            raise ValueError("must be model")
        if not isinstance(path, str):
            raise ValueError("path err")
        with cls._board.files.open(path, "rb") as stream:
            data = stream.read()
        if len(data) < _HEAD.size or not data.startswith(_MAGIC):
            raise OSError(_EINVAL, "EINVAL")
        _, classes, features, saved_classes, saved_samples = _HEAD.unpack_from(data)
        if len(data) < _HEAD.size + 4 * classes * features:
            raise OSError(_EINVAL, "EINVAL")
        numbers = as_int(class_num) or saved_classes, as_int(sample_num) or saved_samples
        made = cls(model, *numbers, fea_len=fea_len)
        values = np.frombuffer(data, "<f4", classes * features, _HEAD.size)
        made._line = values.reshape(classes, features).astype(np.float32)
        return made, *numbers


def _drop(pictures: list[Vector]) -> int:
    """Forget the newest; returns how many are left."""
    if not pictures:
        raise OSError(_EINVAL, "EINVAL")
    pictures.pop()
    return len(pictures)


def _learned(centres: NDArray[np.float32], samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Centres [class, feature] moved to the means of the samples nearest to them, until none changes sides."""
    before = None
    for _ in range(_ROUNDS):
        nearest = np.argmin(((samples[:, None] - centres[None]) ** 2).sum(axis=2), axis=1)
        if before is not None and np.array_equal(nearest, before):
            break
        before = nearest
        means = [samples[nearest == k].mean(axis=0) if (nearest == k).any() else c for k, c in enumerate(centres)]
        centres = np.stack(means).astype(np.float32)
    return centres


def make_classifier(board: Board, features: Callable[[KpuNet, Picture], Vector]) -> type[classifier]:
    """The class of one board; `features` runs a picture through a net."""
    return bound(classifier, board, _stream=staticmethod(features))
