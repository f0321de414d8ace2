"""Parts are seeded, stratified, and never share a look-alike."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from k210kit.errors import InputError
from k210kit.training.datasets import Fractions, Split, examine, read_dataset, split
from k210kit.training.datasets.pixels import InputSize
from tests.training.datasets.samples import picture, written

SIZE = InputSize(width=32, height=32)


def parts(folder: Path, seed: int = 0, **shares: float) -> Split:
    return split(examine(read_dataset(folder), SIZE), fractions=Fractions(**shares), seed=seed)


def brighter(data: bytes) -> bytes:
    """The same scene in other light, compressed: another file, not another picture."""
    buffer = io.BytesIO()
    Image.open(io.BytesIO(data)).point(lambda v: int(v * 0.9) + 4).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def test_every_class_is_in_every_part_in_its_share(tmp_path: Path) -> None:
    written(tmp_path, {f"{c}/{n}.png": picture(1000 * c + n) for c, many in ((1, 60), (2, 20)) for n in range(many)})
    made = parts(tmp_path)
    counts = {name: Counter(r.label for r in getattr(made, name)) for name in ("train", "validation", "test")}
    assert counts == {"train": {0: 42, 1: 14}, "validation": {0: 6, 1: 2}, "test": {0: 12, 1: 4}}


def test_the_seed_decides(tmp_path: Path) -> None:
    written(tmp_path, {f"{c}/{n}.png": picture(100 * c + n) for c in (1, 2) for n in range(20)})
    names = [[r.name for r in parts(tmp_path, seed).test] for seed in (1, 1, 2)]
    assert names[0] == names[1] != names[2]


def test_look_alikes_stay_in_one_part(tmp_path: Path) -> None:
    files = {f"{c}/{n}.png": picture(100 * c + n) for c in (1, 2) for n in range(20)}
    files |= {name.replace(".png", "_again.jpg"): brighter(data) for name, data in files.items()}
    made = parts(written(tmp_path, files))
    assert made.grouped == 80
    for part in (made.train, made.validation, made.test):
        stems = Counter(r.name.split(".")[0].removesuffix("_again") for r in part)
        assert set(stems.values()) == {2}


def test_the_authors_own_test_folder_is_kept(tmp_path: Path) -> None:
    files = {
        f"{p}/{c}/{n}.png": picture(1000 * ord(p[1]) + 100 * ord(c) + n)
        for p in ("train", "test")
        for c in "ab"
        for n in range(10)
    }
    made = parts(written(tmp_path, files))
    assert all(r.name.startswith("test/") for r in made.test)
    assert len(made.test) == 20


def test_too_few_pictures_are_refused(tmp_path: Path) -> None:
    written(tmp_path, {"a/1.png": picture(1), "b/1.png": picture(2)})
    with pytest.raises(InputError, match="none is left for the validation part"):
        parts(tmp_path)


def test_shares_that_leave_nothing_to_train_are_refused() -> None:
    with pytest.raises(InputError, match=r"together at most 0\.8"):
        Fractions(validation=0.5, test=0.4)


def test_a_class_that_a_part_lacks_is_told(tmp_path: Path) -> None:
    counts = (("a", 20), ("b", 20), ("rare", 2))
    written(tmp_path, {f"{c}/{n}.png": picture(100 * k + n) for k, (c, many) in enumerate(counts) for n in range(many)})
    examined = examine(read_dataset(tmp_path), SIZE)
    made = split(examined, fractions=Fractions(), seed=0)
    assert [r.label for r in made.train].count(2) == 1
    lacking = [part for part in ("validation", "test") if all(r.label != 2 for r in getattr(made, part))]
    assert [f.what for f in examined.health.findings if "part" in f.what] == [
        f"has no 'rare' in its {part} part, {why}; more pictures of it help"
        for part, why in (
            ("validation", "so it has no say in which state is the best"),
            ("test", "so the figures say nothing about it"),
        )
        if part in lacking
    ]
    assert lacking
