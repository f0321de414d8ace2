"""Does it fit, and how fast? Everything that `k210kit fit` says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from k210kit.firmware import Firmware, resolve
from k210kit.hardware import FIRST_MODEL_ADDRESS
from k210kit.kmodel import Kmodel
from k210kit.kmodel import load as load_kmodel
from k210kit.planner.hazards import Hazard, best_batch, hazards
from k210kit.planner.memory import Budget, Item, Setup, budget, frame_size
from k210kit.planner.remedies import Remedy, load_flash_call, remedies
from k210kit.planner.sizes import ModelSizes, sizes_of
from k210kit.planner.speed import Speed, Stream, speeds
from k210kit.timing import Load

__all__ = ["Fit", "fit", "plan"]


@dataclass(frozen=True, kw_only=True)
class Fit:
    """The answer. Bytes throughout; `fps_estimate` is of the asked way of loading and the firmware's camera clock."""

    model: ModelSizes
    firmware: str
    firmware_title: str
    load: Load
    call: str
    fits: bool
    certain: bool
    verdict: str
    free_bytes: int
    needed_bytes: int
    spare_bytes: int
    uncertainty_bytes: int
    gc_heap_bytes: int
    gc_fell_back: bool
    items: tuple[Item, ...]
    hazards: tuple[Hazard, ...]
    remedies: tuple[Remedy, ...]
    fps_estimate: float | None
    milliseconds_estimate: float | None
    speeds: tuple[Speed, ...]

    @property
    def next_step(self) -> str:
        """What a maker does next: the line that loads it, or the least change that makes it fit."""
        if self.fits:
            return f"Load it with: {self.call}"
        if not self.remedies:
            return "No change of settings that was tried makes it fit."
        first = self.remedies[0]
        return f"The least change that cures it: {first.what}. {first.how}"


def fit(
    model: Kmodel | Path | str,
    *,
    firmware: Firmware | str = "full",
    load: Load = "ram",
    camera: str = "QVGA",
    dual_buffer: bool = False,
    lcd: str = "default",
    gc_heap: int | None = None,
    needs: frozenset[str] = frozenset(),
    model_first: bool = False,
    beside: Sequence[Kmodel | Path | str] = (),
    resized_to: str = "none",
    stream: Stream | None = None,
    streaming: bool = False,
) -> Fit:
    """Say whether a kmodel fits beside a script on a firmware, and how fast the loop runs.

    `firmware` is a name of the catalogue, a .bin file, a .mk configuration, or a `Firmware`. `lcd` is a size, "none",
    or "default" for the firmware's own. With `streaming` the buffer of img.compress is counted, and the one estimate
    counts the `stream` of pictures on the UART; the table of `speeds` has both. Models `beside` it are loaded before
    it in the same way; the times are those of this model alone.
    """
    chosen = firmware if isinstance(firmware, Firmware) else resolve(firmware)
    screen = (chosen.lcd_width, chosen.lcd_height) if lcd == "default" else frame_size(lcd)
    setup = Setup(
        firmware=chosen,
        load=load,
        camera=frame_size(camera),
        dual_buffer=dual_buffer,
        lcd=screen,
        gc_heap_bytes=gc_heap,
        model_first=model_first,
        streaming=streaming,
        beside=tuple(_read(other)[1] for other in beside),
        resized_to=frame_size(resized_to),
    )
    loaded, sizes = _read(model)
    return plan(setup, sizes, loaded, needs=needs, stream=stream)


def _read(model: Kmodel | Path | str) -> tuple[Kmodel, ModelSizes]:
    if isinstance(model, Kmodel):
        return model, sizes_of(model)
    loaded = load_kmodel(Path(model))
    return loaded, sizes_of(loaded, Path(model).name)


def plan(
    setup: Setup,
    sizes: ModelSizes,
    model: Kmodel | None = None,
    *,
    needs: frozenset[str] = frozenset(),
    stream: Stream | None = None,
) -> Fit:
    """As `fit`, from figures alone; without a `model` there are no times."""
    batch = best_batch(sizes)
    made = budget(setup, sizes)
    dangers = tuple(hazards(setup, sizes, model, batch))
    good = made.fits and not any(row.level == "stops" for row in dangers)
    rows = speeds(setup, sizes, model, stream, batch) if model else ()
    chosen = _nearest(rows, setup)
    return Fit(
        model=sizes,
        firmware=setup.firmware.name,
        firmware_title=setup.firmware.title,
        load=setup.load,
        call=_call(setup, sizes),
        fits=good,
        certain=made.certain,
        verdict=_verdict(made, good, dangers),
        free_bytes=made.free_bytes,
        needed_bytes=made.needed_bytes,
        spare_bytes=made.spare_bytes,
        uncertainty_bytes=made.uncertainty_bytes,
        gc_heap_bytes=made.gc_heap_bytes,
        gc_fell_back=made.gc_fell_back,
        items=made.items,
        hazards=dangers,
        remedies=() if good else remedies(setup, sizes, model, needs),
        fps_estimate=chosen.fps if chosen else None,
        milliseconds_estimate=chosen.model_milliseconds if chosen else None,
        speeds=rows,
    )


def _call(setup: Setup, sizes: ModelSizes) -> str:
    if setup.load == "ram":
        return f"kpu.load({FIRST_MODEL_ADDRESS:#x})"
    return load_flash_call(sizes, dual=setup.load == "flash-dual")


def _nearest(rows: tuple[Speed, ...], setup: Setup) -> Speed | None:
    wanted = setup.firmware.sensor_hz or 24_000_000
    fitting = [row for row in rows if row.load == setup.load and row.stream == setup.streaming]
    return min(fitting, key=lambda row: abs(row.sensor_hz - wanted), default=None)


def _verdict(made: Budget, good: bool, dangers: tuple[Hazard, ...]) -> str:
    doubt = "" if made.certain else f" This is within the uncertainty of {made.uncertainty_bytes:,} bytes: try it."
    for item in made.failed:
        if item.where == "system heap":
            return (
                f"It does not fit: {-made.spare_bytes:,} bytes too much. What fails is '{item.name}' "
                f"({item.bytes:,} bytes): {item.error}.{doubt}"
            )
        return f"It does not fit: {item.where} has no room for '{item.name}' ({item.bytes:,} bytes): {item.error}."
    if not good:
        return next(row.message for row in dangers if row.level == "stops")
    return f"It fits, with {made.spare_bytes:,} bytes to spare.{doubt}"
