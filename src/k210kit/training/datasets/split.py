"""Which pictures train, which choose the best state, which only measure: seeded, stratified, look-alikes together."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from k210kit.errors import InputError

from .doctor import Examined, Ready
from .records import Part

__all__ = ["Fractions", "Split", "look_alikes", "split"]

# Of 256 bits. Photos of one scene shot twice differ in 0 to 10; different scenes in 60 and more.
_ALIKE_BITS = 10
_PARTS: tuple[Part, ...] = ("train", "validation", "test")


@dataclass(frozen=True, kw_only=True)
class Fractions:
    """Shares of the pictures; what is left trains."""

    validation: float = 0.1
    test: float = 0.2

    def __post_init__(self) -> None:
        if not (self.validation >= 0 and self.test >= 0 and self.validation + self.test <= 0.8):
            raise InputError(
                f"--validation {self.validation} and --test {self.test} leave too little to train; "
                "shares from 0 to 0.8 were expected, together at most 0.8."
            )


@dataclass(frozen=True, kw_only=True)
class Split:
    """The three parts; `grouped` is how many pictures have a look-alike that keeps them in one part."""

    train: tuple[Ready, ...]
    validation: tuple[Ready, ...]
    test: tuple[Ready, ...]
    grouped: int


def split(examined: Examined, *, fractions: Fractions, seed: int) -> Split:
    """Deal groups of look-alikes to the parts, rarest classes first, each to the part that lacks its classes most.

    Where the data set's own folders say train, validation or test for a picture, that is kept.
    """
    ready = examined.ready
    groups = look_alikes([r.hash for r in ready])
    rng = random.Random(seed)
    rng.shuffle(groups)
    classes = [_classes(r) for r in ready]
    total = np.zeros(len(examined.labels) + 1)
    for own in classes:
        total[own] += 1
    rarity = {g[0]: min(total[c] for i in g for c in classes[i]) for g in groups}
    groups.sort(key=lambda g: (rarity[g[0]], -len(g)))
    has_own_test = any(r.source.part == "test" for r in ready)
    has_own_validation = any(r.source.part == "validation" for r in ready)
    test = 0.0 if has_own_test else fractions.test
    validation = 0.0 if has_own_validation else fractions.validation
    shares = np.array([1 - test - validation, validation, test])
    dealt: dict[Part, list[int]] = {part: [] for part in _PARTS}
    lacking = shares[:, None] * total[None, :]
    for group in groups:
        held = np.zeros_like(total)
        for i in group:
            held[classes[i]] += 1
        part = _given(group, ready) or _neediest(lacking, held, shares)
        dealt[part] += group
        lacking[_PARTS.index(part)] -= held
    parts = {part: tuple(ready[i] for i in sorted(numbers)) for part, numbers in dealt.items()}
    for part, items in parts.items():
        if not items:
            raise InputError(
                f"{examined.title} has {len(ready)} usable pictures in {len(groups)} groups of look-alikes; "
                f"none is left for the {part} part. Add pictures."
            )
    _say_absent(examined, parts)
    return Split(
        train=parts["train"],
        validation=parts["validation"],
        test=parts["test"],
        grouped=sum(len(g) for g in groups if len(g) > 1),
    )


_ABSENT: dict[Part, str] = {
    "train": "so the net cannot learn it",
    "validation": "so it has no say in which state is the best",
    "test": "so the figures say nothing about it",
}


def _say_absent(examined: Examined, parts: dict[Part, tuple[Ready, ...]]) -> None:
    """A finding for each class that a part lacks."""
    for part, items in parts.items():
        there = {number for item in items for number in _classes(item)}
        for number, name in enumerate(examined.labels):
            if number not in there:
                what = f"has no {name!r} in its {part} part, {_ABSENT[part]}; more pictures of it help"
                examined.health.findings.warning(examined.title, what)


def _classes(item: Ready) -> list[int]:
    """The classes in a picture; a background picture counts as a class of its own, the last."""
    if item.label >= 0:
        return [item.label]
    return sorted(set(item.classes.tolist())) or [-1]


def _given(group: list[int], ready: tuple[Ready, ...]) -> Part | None:
    """The part that the folders name; train wins over test if look-alikes disagree, so that the test stays unseen.

    What is named train alone may still become validation or test where the folders name no such part.
    """
    named = {ready[i].source.part for i in group} - {None}
    return None if named == {"train"} else next((part for part in _PARTS if part in named), None)


def _neediest(lacking: NDArray[np.float64], own: NDArray[np.float64], shares: NDArray[np.float64]) -> Part:
    """The part whose lack of these classes is greatest against its share; ties go to training."""
    with np.errstate(divide="ignore", invalid="ignore"):
        need = np.where(shares > 0, (lacking * (own > 0)).sum(1) / shares, -np.inf)
    return _PARTS[int(np.argmax(np.round(need, 9)))]


def look_alikes(hashes: list[NDArray[np.uint64]]) -> list[list[int]]:
    """Groups of the numbers of pictures whose hashes differ in few bits, directly or through others."""
    rows = np.stack(hashes).view(np.uint8)
    ones = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(1).astype(np.uint16)
    parent = list(range(len(rows)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i in range(len(rows) - 1):
        differing = ones[rows[i + 1 :] ^ rows[i]].sum(1)
        for j in np.flatnonzero(differing <= _ALIKE_BITS):
            parent[root(i + 1 + int(j))] = root(i)
    groups: dict[int, list[int]] = {}
    for i in range(len(rows)):
        groups.setdefault(root(i), []).append(i)
    return list(groups.values())
