"""What to do with which data: the phases of training, and how pictures are changed; the numbers of judgement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .augment import Augmentation, flip_makes_sense
from .datasets import Task
from .fit import Phase
from .models import Net

__all__ = ["Recipe", "recipe"]

_FEW = 3000  # pictures, up to which fine-tuning shows each ten times
_LEAST_VIEWS = 64  # pictures that an epoch shows; fewer are shown several times, each time changed otherwise


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The way from the first weights to the last. head_first: the head learns on features computed once, before all."""

    head_first: bool
    phases: tuple[Phase, ...]
    how: Augmentation


def recipe(
    task: Task,
    net: Net,
    *,
    pretrained: bool,
    pictures: int,
    labels: Sequence[str],
    epochs: int | None,
    rate: float | None,
    batch: int | None,
    kpu_epochs: int | None,
) -> Recipe:
    """The recipe for a data set of so many training pictures."""
    repeats = max(round(_LEAST_VIEWS / pictures), 1)
    head_first = pretrained and task == "classify"
    if task == "classify":
        main = _classifier(pretrained, pictures * repeats)
        how = Augmentation(
            flip=flip_makes_sense(labels), turn=15.0, zoom=1.2, shift=0.08, ramp=0.0 if pretrained else 0.5
        )
    else:
        main = _detector(pretrained, pictures * repeats)
        how = Augmentation(
            flip=flip_makes_sense(labels), turn=0.0, zoom=1.4, shift=0.15, mosaic=0.3, ramp=0.0 if pretrained else 0.4
        )
    # a small set still gives eight steps an epoch, and a normalisation still sees several pictures
    fitting = min(batch or main.batch, max(pictures * repeats // 8, min(4, pictures)))
    main = replace(main, batch=fitting, repeats=repeats, epochs=epochs or main.epochs, rate=rate or main.rate)
    if kpu_epochs is None:
        kpu_epochs = max(2, min(main.epochs // 10, 8))
    last = Phase(
        name="with the KPU's rounding",
        epochs=kpu_epochs,
        rate=main.rate * (0.2 if head_first else 0.05),
        batch=fitting,
        repeats=repeats,
        warm_up=0.5,
        frozen_until=main.frozen_until,
        quantised=True,
    )
    phases = (main, last) if kpu_epochs else (main,)
    return Recipe(head_first=head_first, phases=phases, how=how)


def _views(views: int, pictures: int, least: int, most: int) -> int:
    """Epochs that show about so many pictures."""
    return max(least, min(round(views / max(pictures, 1)), most))


def _classifier(pretrained: bool, pictures: int) -> Phase:
    if pretrained:
        return Phase(
            name="fine-tuning",
            epochs=_views(4000, pictures, 10 if pictures <= _FEW else 4, 30),
            rate=1e-4,
            warm_up=1.0,
            frozen_until="conv_pw_3_relu",
            frozen_norm=("conv",),
            patience=5,
        )
    return Phase(
        name="training", epochs=_views(24000, pictures, 10, 120), rate=3e-3, batch=16, warm_up=2.0, patience=30
    )


def _detector(pretrained: bool, pictures: int) -> Phase:
    if pretrained:
        return Phase(
            name="training",
            epochs=_views(16000, pictures, 10, 300),
            rate=1e-3,
            batch=16,
            warm_up=2.0,
            frozen_until="conv_pw_3_relu",
            frozen_norm=("conv",),
            patience=60,
        )
    return Phase(name="training", epochs=_views(20000, pictures, 12, 200), rate=3e-3, batch=8, warm_up=2.0, patience=60)
