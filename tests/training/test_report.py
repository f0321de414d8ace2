"""What the report says of classes that are mixed up."""

from __future__ import annotations

import numpy as np

from k210kit.training.metrics import ClassMetrics, class_metrics
from k210kit.training.report import confusion_table, mix_ups


def _metrics(labels: list[str], said: dict[int, int]) -> ClassMetrics:
    """Two pictures of each class; the net says `said` to those of a class in it, and is right otherwise."""
    truth = np.repeat(np.arange(len(labels)), 2)
    logits = np.zeros((len(truth), len(labels)), np.float32)
    logits[np.arange(len(truth)), [said.get(int(n), int(n)) for n in truth]] = 5
    return class_metrics(logits, truth, labels, "test")


def test_few_classes_have_their_names_over_the_columns() -> None:
    labels = ["cat", "<dog>"]
    table = confusion_table(_metrics(labels, {0: 1}), labels)
    assert '<th title="cat">cat</th><th title="&lt;dog&gt;">&lt;dog&gt;</th>' in table
    assert "many" not in table


def test_many_classes_are_numbered_so_that_all_columns_can_be_seen() -> None:
    labels = [f"kind {n}" for n in range(40)]
    table = confusion_table(_metrics(labels, {}), labels)
    assert "class='confusion many'" in table
    assert '<th title="kind 39">39</th>' in table
    assert "<th>39 kind 39</th>" in table


def test_what_is_mixed_up_most_is_said_in_words() -> None:
    labels = ["cat", "dog", "cow"]
    assert "dog for cow (2)" in mix_ups(_metrics(labels, {1: 2}), labels)
    assert mix_ups(_metrics(labels, {}), labels) == "<p>No test picture is taken for another class.</p>"
