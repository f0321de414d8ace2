"""Boxes are decoded as the firmware decodes them, and anchors fit the boxes."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from k210kit.training.datasets.pixels import InputSize
from k210kit.training.detection import assigned, weighted
from k210kit.training.yolo import cell_of, decode, find_anchors, shape_iou, stride_for

ANCHORS = np.array([[0.6, 0.7], [1.2, 1.1], [2.0, 2.2], [3.1, 3.0], [5.0, 4.5]], np.float32)


@pytest.mark.parametrize("seed", range(6))
def test_decoding_finds_what_the_exact_model_of_the_firmware_finds(shared: Path, seed: int) -> None:
    spec = importlib.util.spec_from_file_location("yolo2_exact", shared / "oracle" / "yolo2_exact.py")
    assert spec is not None
    assert spec.loader is not None
    exact = importlib.util.module_from_spec(spec)
    sys.modules["yolo2_exact"] = exact
    spec.loader.exec_module(exact)
    rng = np.random.default_rng(seed)
    classes, rows, columns = int(rng.integers(1, 5)), 5, 7
    maps = rng.normal(0, 1.5, (5, 5 + classes, rows, columns)).astype(np.float32)
    maps[:, 4] -= 1.0
    wanted, _ = exact.decode(maps.ravel().copy(), ANCHORS.ravel(), columns, rows, 224, 160, 0.3, 0.4)
    cell = np.array([224 / columns, 160 / rows], np.float32)
    channels_last = maps.reshape(1, -1, rows, columns).transpose(0, 2, 3, 1)
    (mine,) = decode(channels_last, ANCHORS, cell, threshold=0.3, nms=0.4)
    assert len(wanted) > 3
    ordered = sorted(zip(mine.classes.tolist(), mine.scores.tolist(), strict=True))
    assert [kind for kind, _ in ordered] == sorted(int(row[4]) for row in wanted)
    exact_scores = sorted((int(row[4]), float(row[5])) for row in wanted)
    assert [score for _, score in ordered] == pytest.approx([score for _, score in exact_scores], rel=1e-5)


def test_a_box_is_decoded_to_where_it_was_put() -> None:
    maps = np.full((1, 5, 7, 5, 7), -9.0, np.float32)
    maps[0, 2, 3, 1] = (0.0, 0.0, np.log(2.0), 0.0, 9.0, 0.0, 5.0)
    (found,) = decode(maps.reshape(1, 5, 7, 35), ANCHORS, np.array([32, 32], np.float32), threshold=0.5)
    assert found.classes.tolist() == [1]
    centre, half = np.array([3.5 * 32, 2.5 * 32]), np.array([1.2 * 2, 1.1]) * 16
    assert np.allclose(found.boxes[0], [*(centre - half), *(centre + half)], atol=1e-3)


def test_of_overlapping_boxes_of_a_class_the_best_stays() -> None:
    maps = np.full((1, 1, 1, 5, 7), -9.0, np.float32)
    maps[0, 0, 0, 1] = (0, 0, 0, 0, 3, 5, 0)
    maps[0, 0, 0, 2] = (0, 0, np.log(0.6), np.log(0.5), 4, 5, 0)  # the same box, nearly
    maps[0, 0, 0, 3] = (0, 0, np.log(0.4), np.log(0.37), 3, 0, 5)  # the same place, another class
    (found,) = decode(maps.reshape(1, 1, 1, 35), ANCHORS, np.array([32, 32], np.float32), threshold=0.3, nms=0.3)
    assert sorted(found.classes.tolist()) == [0, 1]
    assert found.scores.max() == pytest.approx(0.982 * 0.9933, abs=0.002)


def test_anchors_find_the_sizes_in_the_data() -> None:
    rng = np.random.default_rng(3)
    wanted = np.array([[20, 20], [40, 20], [20, 60], [80, 80], [150, 100]], np.float32)
    sides = np.repeat(wanted, 40, axis=0) * rng.uniform(0.95, 1.05, (200, 2))
    boxes = [np.concatenate([np.zeros((1, 2)), side[None]], axis=1).astype(np.float32) for side in sides]
    anchors = find_anchors(boxes, np.array([32, 32], np.float32), seed=0)
    fit = shape_iou(wanted.astype(float) / 32, anchors.sides.astype(float)).max(1)
    assert fit.min() > 0.9
    assert anchors.mean_iou > 0.9


@pytest.mark.parametrize("count", [1, 2, 50])
def test_few_or_equal_boxes_still_give_five_anchors(count: int) -> None:
    boxes = [np.array([[0, 0, 30, 40]], np.float32)] * count
    anchors = find_anchors(boxes, np.array([32, 32], np.float32), seed=0)
    assert anchors.sides.shape == (5, 2)
    assert np.isfinite(anchors.sides).all()
    assert anchors.mean_iou > 0.9


def test_cells_are_the_inputs_side_by_the_maps() -> None:
    assert cell_of(InputSize(width=224, height=224), 32).tolist() == [32, 32]
    assert cell_of(InputSize(width=320, height=240), 32).tolist() == [32, 30]


def test_each_box_is_learnt_in_the_cell_of_its_centre_by_the_anchor_of_its_shape() -> None:
    boxes = np.full((1, 3, 5), -1, np.float32)
    boxes[0, 0] = (3.4, 2.6, 3.0, 3.0, 2)
    wanted = assigned(boxes, ANCHORS, 5, 7)
    cell = wanted[0, 2, 3]
    assert cell[3].tolist() == pytest.approx([3.4, 2.6, 3.0, 3.0, 2, 1])
    assert wanted[..., 5].sum() == cell[:, 5].sum()


def test_two_boxes_in_one_cell_are_both_learnt() -> None:
    boxes = np.array([[[3.4, 2.6, 3.0, 3.0, 0], [3.5, 2.5, 3.0, 3.0, 1]]], np.float32)
    kinds = assigned(boxes, ANCHORS, 5, 7)[0, 2, 3]
    assert {int(row[4]) for row in kinds if row[5]} == {0, 1}


def test_weights_by_class_leave_the_mean_alone_and_equal_ones_change_nothing() -> None:
    boxes = np.array([[[0.5, 0.5, 1, 1, 0], [2.5, 2.5, 1, 1, 0], [4.5, 2.5, 1, 1, 1]]], np.float32)
    plain = assigned(boxes, ANCHORS, 5, 7)
    assert np.array_equal(weighted(plain.copy(), np.ones(2, np.float32)), plain)
    made = weighted(plain.copy(), np.array([1, 4], np.float32))
    there = plain[..., 5] > 0
    assert made[there][:, 5].mean() == pytest.approx(1)
    rare, usual = (made[there & (plain[..., 4] == kind)][0, 5] for kind in (1, 0))
    assert rare == pytest.approx(4 * usual)
    assert np.array_equal(made[..., :5], plain[..., :5])


@pytest.mark.parametrize(("side", "stride"), [(14, 16), (39, 16), (41, 32), (100, 32)])
def test_things_that_are_hardly_larger_than_a_cell_get_finer_cells(side: float, stride: int) -> None:
    boxes = [np.array([[0, 0, 90, 90], [0, 0, side, side]], np.float32), np.zeros((0, 4), np.float32)]
    classes = [np.array([0, 1], np.int32), np.zeros(0, np.int32)]
    assert stride_for(boxes, classes) == stride
