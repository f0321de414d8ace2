"""Training in figures: python benchmarks/training.py [--seconds S] [--json]

Pictures per second of the kit's loop, with all changes to the pictures, against a bare `model.fit` of the same Keras
net on ready arrays; how much of the loop is spent waiting for pictures; the most memory. Everything is drawn here.
Both run in this process one after the other, so that their ratio holds on a busy computer as well.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from k210kit.training.cards import write_cards
from k210kit.training.classification import ClassLesson, stacked
from k210kit.training.datasets import Ready, examine, read_dataset
from k210kit.training.datasets.pixels import InputSize
from k210kit.training.engine import engine, seeded
from k210kit.training.fit import Phase, Trainer, normalised
from k210kit.training.models import classifier
from k210kit.training.recipes import recipe

SIZE = InputSize(width=224, height=224)
CASES = (("mobilenet", 0.75), ("mobilenet", 0.25), ("tiny", 1.0))
BATCH = 16


def drawn(count: int) -> tuple[list[Ready], tuple[str, ...]]:
    with tempfile.TemporaryDirectory() as folder:
        write_cards(Path(folder), task="classify", count=count, size=(224, 224))
        made = examine(read_dataset(Path(folder)), SIZE)
        return list(made.ready), made.labels


def bare(net: Any, alpha: float, items: list[Ready], labels: tuple[str, ...], epochs: int) -> tuple[float, float]:
    """Pictures per second and per processor second of Keras' own loop, without any change to the pictures."""
    _, keras = engine()
    model = classifier(net, SIZE, alpha, len(labels))
    model.compile(keras.optimizers.AdamW(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x, y = np.asarray(normalised(stacked(items))), np.array([r.label for r in items])
    model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0)
    return timed(lambda: model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0), len(items) * epochs)


def ours(
    net: Any, alpha: float, items: list[Ready], labels: tuple[str, ...], epochs: int
) -> tuple[float, float, float]:
    """The same of the kit's loop, and the share of its time in which it waited for pictures."""
    plan = recipe(
        "classify",
        net,
        pretrained=False,
        pictures=len(items),
        labels=labels,
        epochs=epochs + 1,
        rate=None,
        batch=BATCH,
        kpu_epochs=0,
    )
    lesson = ClassLesson(items, items[:1], labels, plan.how, epochs=epochs + 1, seed=0)
    model = classifier(net, SIZE, alpha, len(labels))
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(model, lesson, seed=0, checkpoint=Path(folder) / "last.npz")
        phase = Phase(name="training", epochs=epochs + 1, rate=1e-3, batch=BATCH)
        marks: list[tuple[float, float]] = []
        trainer.run(phase, told=lambda line, share: marks.append((time.perf_counter(), time.process_time())))
    wall, processor = (marks[-1][k] - marks[0][k] for k in (0, 1))
    waited = sum(line.waited_seconds for line in trainer.state.history[1:]) / wall
    pictures = len(items) * epochs
    return pictures / wall, pictures / processor, waited


def timed(work: Any, pictures: int) -> tuple[float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return pictures / (time.perf_counter() - wall), pictures / (time.process_time() - processor)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=320)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    seeded(0)
    items, labels = drawn(asked.pictures)
    rows = []
    for net, alpha in CASES:
        keras_wall, keras_processor = bare(net, alpha, items, labels, asked.epochs)
        wall, processor, waited = ours(net, alpha, items, labels, asked.epochs)
        rows.append(
            {
                "net": net,
                "alpha": alpha,
                "keras_pictures_per_second": round(keras_wall, 1),
                "pictures_per_second": round(wall, 1),
                "ratio": round(wall / keras_wall, 2),
                "ratio_by_processor_time": round(processor / keras_processor, 2),
                "waiting_for_pictures": round(waited, 3),
            }
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    good = all(row["ratio"] >= 0.9 for row in rows)  # type: ignore[operator]
    if asked.json:
        print(json.dumps({"rows": rows, "peak_memory_bytes": peak, "ok": good}))
    else:
        for row in rows:
            print("  ".join(f"{name} {value}" for name, value in row.items()))
        print(f"peak memory {peak / 2**20:.0f} MiB; {'ok' if good else 'slower than 0.9 of bare Keras'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
