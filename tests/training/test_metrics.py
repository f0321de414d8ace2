"""The figures of merit against COCO's own tool and against plain counting."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k210kit.training.metrics import (
    Detections,
    Truth,
    average_precision,
    class_metrics,
    learnt_nothing,
    overlaps,
)


def scene(seed: int, pictures: int, classes: int) -> tuple[list[Detections], list[Truth]]:
    """Truth, and detections that are partly near it, partly elsewhere, with tied scores among them."""
    rng = np.random.default_rng(seed)
    found, truth = [], []
    for _ in range(pictures):
        count = int(rng.integers(0, 6))
        corner = rng.uniform(0, 80, (count, 2))
        boxes = np.concatenate([corner, corner + rng.uniform(5, 60, (count, 2))], axis=1).astype(np.float32)
        kinds = rng.integers(0, classes, count).astype(np.int32)
        near = boxes + rng.normal(0, rng.choice([0.5, 4.0]), boxes.shape).astype(np.float32)
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        extra = int(rng.integers(0, 8))
        corner = rng.uniform(0, 80, (extra, 2))
        other = np.concatenate([corner, corner + rng.uniform(5, 60, (extra, 2))], axis=1).astype(np.float32)
        all_boxes = np.concatenate([near, near[: count // 2] + 1, other])
        all_kinds = np.concatenate([kinds, kinds[: count // 2], rng.integers(0, classes, extra).astype(np.int32)])
        scores = rng.permutation(len(all_boxes)).astype(np.float32) / 50 + rng.random(len(all_boxes), np.float32) / 100
        found.append(Detections(boxes=all_boxes, classes=all_kinds, scores=scores))
        truth.append(Truth(boxes=boxes, classes=kinds))
    return found, truth


def by_coco(found: list[Detections], truth: list[Truth], classes: int) -> tuple[float, float]:
    """AP and AP at 0.5 from pycocotools."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def rows(sets: list[Detections] | list[Truth]) -> list[dict[str, object]]:
        made = []
        for picture, one in enumerate(sets):
            for n, (box, kind) in enumerate(zip(one.boxes.astype(float), one.classes, strict=True)):
                left, top, right, bottom = box
                row = {
                    "image_id": picture + 1,
                    "category_id": int(kind) + 1,
                    "bbox": [left, top, right - left, bottom - top],
                    "area": (right - left) * (bottom - top),
                    "iscrowd": 0,
                    "id": len(made) + 1,
                }
                made.append(row | ({"score": float(one.scores[n])} if isinstance(one, Detections) else {}))
        return made

    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO()
        known.dataset = {
            "images": [{"id": n + 1} for n in range(len(truth))],
            "categories": [{"id": n + 1} for n in range(classes)],
            "annotations": rows(truth),
        }
        known.createIndex()
        evaluation = COCOeval(known, known.loadRes(rows(found)), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0]), float(evaluation.stats[1])


@pytest.mark.parametrize("seed", range(12))
def test_average_precision_is_that_of_pycocotools(seed: int) -> None:
    pytest.importorskip("pycocotools", reason="pycocotools is not installed")
    found, truth = scene(seed, pictures=12, classes=3)
    mine = average_precision(found, truth, ("a", "b", "c"), "test")
    ap, ap50 = by_coco(found, truth, 3)
    assert (mine.ap, mine.ap50) == (pytest.approx(ap, abs=1e-9), pytest.approx(ap50, abs=1e-9))


def test_perfect_detections_have_a_precision_of_one() -> None:
    _, truth = scene(1, pictures=10, classes=2)
    found = [Detections(boxes=t.boxes, classes=t.classes, scores=np.full(len(t.boxes), 0.9, np.float32)) for t in truth]
    mine = average_precision(found, truth, ("a", "b"), "test")
    assert (mine.ap, mine.ap50, mine.precision, mine.recall) == pytest.approx((1.0, 1.0, 1.0, 1.0))
    assert mine.threshold < 0.9


def test_no_detections_give_zero_and_a_class_without_boxes_no_number() -> None:
    nothing = Detections(
        boxes=np.zeros((0, 4), np.float32), classes=np.zeros(0, np.int32), scores=np.zeros(0, np.float32)
    )
    truth = Truth(boxes=np.array([[0, 0, 9, 9]], np.float32), classes=np.zeros(1, np.int32))
    mine = average_precision([nothing], [truth], ("a", "b"), "test")
    assert mine.ap50_per_class["a"] == 0.0
    assert np.isnan(mine.ap50_per_class["b"])
    assert mine.ap50 == 0.0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 20)] * 4), min_size=1, max_size=5))
def test_overlap_is_counted_pixels(corners: list[tuple[int, int, int, int]]) -> None:
    boxes = np.array([[x, y, x + w + 1, y + h + 1] for x, y, w, h in corners], np.float32)
    masks = np.zeros((len(boxes), 50, 50), bool)
    for mask, (left, top, right, bottom) in zip(masks, boxes.astype(int), strict=True):
        mask[top:bottom, left:right] = True
    shared = (masks[:, None] & masks[None]).sum((2, 3)) / (masks[:, None] | masks[None]).sum((2, 3))
    assert np.allclose(overlaps(boxes, boxes), shared)


def test_confusion_has_the_truth_in_rows() -> None:
    logits = np.log(np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]], np.float32))
    mine = class_metrics(logits, np.array([0, 1, 1]), ("a", "b"), "test")
    assert mine.confusion == [[1, 0], [1, 1]]
    assert (mine.accuracy, mine.precision, mine.recall) == (
        pytest.approx(2 / 3),
        {"a": 0.5, "b": 1.0},
        {"a": 1.0, "b": 0.5},
    )
    assert mine.loss == pytest.approx(-np.log([0.9, 0.2, 0.7]).mean(), rel=1e-5)


def test_a_net_that_answers_every_picture_alike_has_learnt_nothing() -> None:
    truth = np.array([0, 1, 1])
    alike = class_metrics(np.log(np.array([[0.9, 0.1]] * 3)), truth, ("a", "b"), "test")
    assert learnt_nothing(alike, pretrained=False) == [
        "the net says 'a' to every test picture, so it has learnt nothing; with few pictures begin from ImageNet "
        "weights: --backbone FILE.h5, or --download"
    ]
    assert "more pictures or more epochs" in learnt_nothing(alike, pretrained=True)[0]
    told = class_metrics(np.log(np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])), truth, ("a", "b"), "test")
    assert learnt_nothing(told, pretrained=False) == []
    assert learnt_nothing(class_metrics(np.zeros((2, 2)), truth[1:], ("a", "b"), "test"), pretrained=True) == []
    found, truths = scene(1, 6, 2)
    assert learnt_nothing(average_precision(found, truths, ["a", "b"], "test"), pretrained=False) == []
    nothing = [Detections(boxes=f.boxes[:0], classes=f.classes[:0], scores=f.scores[:0]) for f in found]
    assert (
        "finds next to nothing"
        in learnt_nothing(average_precision(nothing, truths, ["a", "b"], "t"), pretrained=True)[0]
    )
