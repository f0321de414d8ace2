"""The end of a run: the plan for the board, the report, the bundle."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from k210kit import __version__
from k210kit.package.bundle import BundleParts, write_bundle

from .boot import Written, boot_script, readme
from .cameras import plan_camera
from .datasets import Examined, Split
from .deploying import Deployed
from .fit import EpochReport
from .jsonable import plain
from .metrics import ClassMetrics
from .options import TrainOptions
from .report import Told, report_html

__all__ = ["package_run"]


def package_run(
    made: Deployed,
    examined: Examined,
    parts: Split,
    options: TrainOptions,
    run: Path,
    history: list[EpochReport],
    result: dict[str, Any],
) -> tuple[Path, bool]:
    """Write RUN/bundle and its .zip and .kfpkg; returns the folder, and whether the model fits the board."""
    description = made.description
    plan = plan_camera(
        made.compiled.kmodel, description.size, board=options.board, firmware=options.firmware, stream=options.stream
    )
    written = Written(
        title=f"{examined.title}: {', '.join(description.labels[:8])}{' …' if len(description.labels) > 8 else ''}",
        summary=_summary(made, parts),
        description=description,
        plan=plan,
        kmodel=made.kmodel,
        stream=options.stream,
    )
    report = report_html(
        Told(
            title=written.title,
            made=made,
            examined=examined,
            parts=parts,
            plan=plan,
            history=history,
            result=plain(result),
        )
    )
    figures = {"float": asdict(made.metrics_float), "kmodel": asdict(made.metrics_kmodel)}
    bundle = write_bundle(
        BundleParts(
            kmodel=made.kmodel,
            description=description.to_json()
            | {"figures": plain(_without_curves(figures)), "kit": __version__, "board": plan.camera.name},
            labels=description.labels,
            boot=boot_script(written),
            report=report,
            readme=readme(written),
            tflite=made.tflite,
            h5=made.h5,
            flash_words=plan.load != "ram",
        ),
        run / "bundle",
        force=True,
    )
    return bundle.folder, plan.fit.fits


def _without_curves(figures: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: {k: v for k, v in one.items() if k != "curves"} for name, one in figures.items()}


def _summary(made: Deployed, parts: Split) -> str:
    if isinstance(made.metrics_float, ClassMetrics) and isinstance(made.metrics_kmodel, ClassMetrics):
        what = f"accuracy {made.metrics_float.accuracy:.3f} (float) and {made.metrics_kmodel.accuracy:.3f} (kmodel)"
    else:
        assert not isinstance(made.metrics_float, ClassMetrics)
        assert not isinstance(made.metrics_kmodel, ClassMetrics)
        what = f"AP50 {made.metrics_float.ap50:.3f} (float) and {made.metrics_kmodel.ap50:.3f} (kmodel)"
    return f"Measured on {len(parts.test)} test pictures that training never saw: {what}."
