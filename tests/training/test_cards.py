"""Drawn cards: exact boxes, any deck, the same seed the same files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from k210kit.errors import FileError, InputError
from k210kit.training.cards import DECKS, draw_card, draw_scene, write_cards, write_sheets
from k210kit.training.datasets import read_dataset


def test_every_card_has_its_own_face() -> None:
    faces = [np.asarray(draw_card(label, side=64), np.float64) for label in DECKS["all"]]
    for n, face in enumerate(faces):
        for other in faces[n + 1 :]:
            assert np.abs(face - other).mean() > 4


def test_an_upside_down_six_is_no_nine() -> None:
    six, nine = (np.asarray(draw_card(label, side=64), np.float64) for label in "69")
    assert np.abs(np.rot90(six, 2) - nine).mean() > 4


def test_boxes_hold_the_card_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the camera's effects off, pixels outside the box are those of the empty scene."""
    monkeypatch.setattr("k210kit.training.cards._photographed", lambda scene, rng: scene)
    drawn = draw_scene(("5",), size=(160, 120), rng=np.random.default_rng([3, 1]), cards=1)
    empty = draw_scene(("5",), size=(160, 120), rng=np.random.default_rng([3, 1]), cards=0)
    changed = (np.asarray(drawn.image) != np.asarray(empty.image)).any(2)
    ((label, (left, top, right, bottom)),) = drawn.boxes
    assert label == "5"
    outside = changed.copy()
    outside[top - 1 : bottom + 1, left - 1 : right + 1] = False
    assert not outside.any()
    assert changed[top:bottom, left:right].any(0).all()


def test_a_detectors_set_is_pascal_voc_with_backgrounds(tmp_path: Path) -> None:
    write_cards(tmp_path, task="detect", count=40, size=(96, 72))
    read = read_dataset(tmp_path)
    assert (read.form, read.task, len(read.pictures)) == ("Pascal VOC", "detect", 40)
    assert list(read.labels) == [label for label in DECKS["numbers"] if label in read.labels]
    assert any(not p.boxes for p in read.pictures)
    assert not list(read.findings)


def test_a_classifiers_set_has_a_folder_per_card(tmp_path: Path) -> None:
    write_cards(tmp_path, task="classify", count=20, deck="symbols", size=(64, 64))
    read = read_dataset(tmp_path)
    assert sorted(read.labels) == sorted(DECKS["symbols"])
    assert len(read.pictures) == 20


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_cards(tmp_path / name, task="detect", count=3, size=(64, 64), seed=seed)
    first, again, other = (
        [p.read_bytes() for p in sorted((tmp_path / name).rglob("*.jpg"))] for name in ("a", "b", "c")
    )
    assert first == again
    assert first != other


def test_the_sheets_are_a_pdf_of_six_cards_each(tmp_path: Path) -> None:
    assert write_sheets(tmp_path / "cards.pdf", deck="numbers") == 2
    assert (tmp_path / "cards.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(FileError, match="exists already"):
        write_sheets(tmp_path / "cards.pdf")


def test_impossible_requests_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 pictures were asked for"):
        write_cards(tmp_path, task="detect", count=0)
    with pytest.raises(InputError, match="The size 8x8 is out of reach"):
        write_cards(tmp_path, task="detect", count=1, size=(8, 8))
