"""Figures of merit: confusion and accuracy for classifiers, average precision as COCO defines it for detectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ClassMetrics",
    "Curve",
    "DetectMetrics",
    "Detections",
    "Truth",
    "average_precision",
    "class_metrics",
    "learnt_nothing",
    "overlaps",
]

_IOUS = np.round(np.arange(0.5, 1.0, 0.05), 2)
_RECALLS = np.linspace(0.0, 1.0, 101)
_NOTHING = 0.05  # of AP at an overlap of 0.5
_MOST_DETECTIONS = 100  # of one picture and one class, as COCO counts


@dataclass(frozen=True, kw_only=True)
class ClassMetrics:
    """How often the classifier is right. confusion: rows are the truth, columns what the net says, int [n, n]."""

    part: str
    pictures: int
    accuracy: float
    loss: float
    precision: dict[str, float]
    recall: dict[str, float]
    confusion: list[list[int]]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Precision over recall of one class at an overlap of 0.5, and the score at each of the 101 points."""

    recall: list[float]
    precision: list[float]
    score: list[float]


@dataclass(frozen=True, kw_only=True)
class DetectMetrics:
    """Average precision: `ap50` at an overlap of 0.5, `ap` the mean over 0.5 to 0.95; NaN for classes without boxes.

    threshold: the score with the best F1 over all classes; precision and recall hold there.
    """

    part: str
    pictures: int
    boxes: int
    ap50: float
    ap: float
    ap50_per_class: dict[str, float]
    ap_per_class: dict[str, float]
    threshold: float
    precision: float
    recall: float
    f1: float
    curves: dict[str, Curve]


@dataclass(frozen=True, kw_only=True)
class Truth:
    """The boxes of one picture: float [n, 4] as left, top, right, bottom, and their classes int [n]."""

    boxes: NDArray[np.float32]
    classes: NDArray[np.int32]


@dataclass(frozen=True, kw_only=True)
class Detections:
    """What the net found in one picture, in any order."""

    boxes: NDArray[np.float32]
    classes: NDArray[np.int32]
    scores: NDArray[np.float32]


def class_metrics(
    logits: NDArray[np.float32], truth: NDArray[np.int64], labels: Sequence[str], part: str
) -> ClassMetrics:
    """Figures of logits or log-probabilities [n, classes] against class numbers [n]."""
    count = len(labels)
    said = logits.argmax(1)
    confusion = np.zeros((count, count), np.int64)
    np.add.at(confusion, (truth, said), 1)
    shifted = logits - logits.max(1, keepdims=True)
    likely = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    right = np.diag(confusion)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision, recall = right / confusion.sum(0), right / confusion.sum(1)
    return ClassMetrics(
        part=part,
        pictures=len(truth),
        accuracy=float(right.sum() / len(truth)),
        loss=float(-likely[np.arange(len(truth)), truth].mean()),
        precision={name: float(v) for name, v in zip(labels, precision, strict=True)},
        recall={name: float(v) for name, v in zip(labels, recall, strict=True)},
        confusion=confusion.tolist(),
    )


def overlaps(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """Intersection over union of every box of `a` [n, 4] with every box of `b` [m, 4]: [n, m]."""
    a64, b64 = a.astype(np.float64), b.astype(np.float64)
    corner = np.maximum(a64[:, None, :2], b64[None, :, :2])
    far = np.minimum(a64[:, None, 2:], b64[None, :, 2:])
    shared = np.clip(far - corner, 0, None).prod(2)
    areas = (a64[:, 2:] - a64[:, :2]).prod(1)[:, None] + (b64[:, 2:] - b64[:, :2]).prod(1)[None]
    return np.asarray(shared / np.maximum(areas - shared, 1e-12), np.float64)


def average_precision(
    found: Sequence[Detections], truth: Sequence[Truth], labels: Sequence[str], part: str
) -> DetectMetrics:
    """COCO's average precision (all sizes, at most 100 detections) over pictures, checked against pycocotools."""
    ap50, ap, curves = {}, {}, {}
    pooled_scores, pooled_right = [], []
    for number, name in enumerate(labels):
        matches = [_matched(f, t, number) for f, t in zip(found, truth, strict=True)]
        scores = np.concatenate([scores for scores, _ in matches])
        right = np.concatenate([right for _, right in matches], axis=1)
        positives = sum(int((t.classes == number).sum()) for t in truth)
        order = np.argsort(-scores, kind="mergesort")
        scores, right = scores[order], right[:, order]
        curve, values = _precisions(scores, right, positives)
        ap50[name] = float(values[0]) if positives else float("nan")
        ap[name] = float(values.mean()) if positives else float("nan")
        curves[name] = curve
        pooled_scores.append(scores)
        pooled_right.append(right[0])
    boxes = sum(len(t.classes) for t in truth)
    threshold, precision, recall, f1 = _best_threshold(
        np.concatenate(pooled_scores), np.concatenate(pooled_right), boxes
    )
    return DetectMetrics(
        part=part,
        pictures=len(truth),
        boxes=boxes,
        ap50=_mean(ap50),
        ap=_mean(ap),
        ap50_per_class=ap50,
        ap_per_class=ap,
        threshold=threshold,
        precision=precision,
        recall=recall,
        f1=f1,
        curves=curves,
    )


def _mean(values: dict[str, float]) -> float:
    known = [v for v in values.values() if not np.isnan(v)]
    return float(np.mean(known)) if known else float("nan")


def _matched(found: Detections, truth: Truth, number: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Scores of one picture's detections of a class, best first, and whether each is right at each of ten overlaps."""
    own = np.flatnonzero(found.classes == number)
    own = own[np.argsort(-found.scores[own], kind="mergesort")][:_MOST_DETECTIONS]
    wanted = truth.boxes[truth.classes == number]
    right = np.zeros((len(_IOUS), len(own)), np.bool_)
    if len(own) and len(wanted):
        shared = overlaps(found.boxes[own], wanted)
        for row, limit in enumerate(_IOUS):
            free = np.ones(len(wanted), np.bool_)
            for rank in range(len(own)):
                candidates = np.where(free, shared[rank], -1.0)
                best = len(wanted) - 1 - int(candidates[::-1].argmax())  # COCO keeps the last of equals
                if candidates[best] >= min(limit, 1 - 1e-10):
                    right[row, rank], free[best] = True, False
    return found.scores[own], right


def _precisions(
    scores: NDArray[np.float32], right: NDArray[np.bool_], positives: int
) -> tuple[Curve, NDArray[np.float64]]:
    """The curve at an overlap of 0.5, and the mean of the 101 interpolated precisions at each of ten overlaps."""
    values, first = np.zeros(len(_IOUS)), Curve(recall=[], precision=[], score=[])
    for row, hits in enumerate(right):
        true, false = np.cumsum(hits), np.cumsum(~hits)
        recall = true / max(positives, 1)
        precision = true / np.maximum(true + false, np.spacing(1))
        precision = np.maximum.accumulate(precision[::-1])[::-1]
        places = np.searchsorted(recall, _RECALLS, side="left")
        inside = places < len(recall)
        sampled = np.where(inside, precision[np.minimum(places, max(len(recall) - 1, 0))], 0) if len(recall) else 0.0
        values[row] = np.mean(sampled) if len(recall) else 0.0
        if row == 0 and len(recall):
            at = places[inside]
            first = Curve(
                recall=_RECALLS[inside].tolist(),
                precision=precision[at].tolist(),
                score=scores[at].astype(float).tolist(),
            )
    return first, values


def _best_threshold(
    scores: NDArray[np.float32], right: NDArray[np.bool_], positives: int
) -> tuple[float, float, float, float]:
    """The score with the best F1, midway to the next lower score so that rounding moves nothing across it."""
    if not len(scores) or not positives:
        return 0.5, 0.0, 0.0, 0.0
    order = np.argsort(-scores, kind="mergesort")
    scores, true = scores[order], np.cumsum(right[order])
    precision, recall = true / np.arange(1, len(true) + 1), true / positives
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    last_of_equals = np.append(scores[:-1] != scores[1:], True)
    best = int(np.where(last_of_equals, f1, -1).argmax())
    below = float(scores[best + 1]) if best + 1 < len(scores) else 0.0
    threshold = min(max((float(scores[best]) + below) / 2, 0.01), 0.99)
    return threshold, float(precision[best]), float(recall[best]), float(f1[best])


def learnt_nothing(figures: ClassMetrics | DetectMetrics, *, pretrained: bool) -> list[str]:
    """What to say of a net that answers every picture alike, or finds nothing; empty for one that has learnt."""
    cure = (
        "more pictures or more epochs are needed"
        if pretrained
        else "with few pictures begin from ImageNet weights: --backbone FILE.h5, or --download"
    )
    if isinstance(figures, DetectMetrics):
        told = f"the net finds next to nothing on the test pictures; {cure}"
        return [told] if figures.ap50 < _NOTHING else []
    confusion = np.array(figures.confusion)
    if np.count_nonzero(confusion.any(axis=1)) < 2 or np.count_nonzero(confusion.any(axis=0)) > 1:
        return []
    said = list(figures.recall)[int(confusion.any(axis=0).argmax())]
    return [f"the net says {said!r} to every test picture, so it has learnt nothing; {cure}"]
