"""How far a kmodel is from the float model that it was made from, output by output and layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler import Normalisation
from k210kit.compiler.evaluate import values
from k210kit.compiler.graph import Graph
from k210kit.compiler.importers import read_model
from k210kit.compiler.pictures import find_pictures, read_inputs
from k210kit.compiler.pipeline import lowered, normalised, refined
from k210kit.compiler.program import ConvStep, Program
from k210kit.compiler.quantize.calibrate import calibrate
from k210kit.compiler.quantize.scales import Scale
from k210kit.errors import FormatError, UnsupportedError
from k210kit.kmodel import Conv, Kmodel, load
from k210kit.simulator import Machine, simulate

from .engines import float_outputs

__all__ = ["Comparison", "LayerCompared", "OutputCompared", "compare"]

Floats = NDArray[np.float32]
_LEAST_SAMPLES = 100  # of a channel, to fit a scale of its own


@dataclass(frozen=True, kw_only=True)
class OutputCompared:
    """One output. snr_db: 10 log10(sum ref^2 / sum (ref - got)^2) over all pictures; None if they are equal.

    top1_agreement: share of pictures on which the largest element is the same one; None for outputs that are maps.
    """

    name: str
    snr_db: float | None
    cosine: float
    top1_agreement: float | None
    largest_error: float


@dataclass(frozen=True, kw_only=True)
class LayerCompared:
    """One KPU layer: its bytes against the float values, by the scales and zeros that fit best, so an upper bound."""

    number: int  # of the kmodel's layer
    name: str  # the user's own
    operator: str
    shape: tuple[int, ...]
    snr_db: float | None
    at_lowest: float  # share of bytes that are 0
    at_highest: float  # share of bytes that are 255


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The whole comparison; `engine` ran the float side."""

    engine: str
    pictures: int
    outputs: tuple[OutputCompared, ...]
    layers: tuple[LayerCompared, ...]


def compare(
    model: Path | str,
    kmodel: Path | str,
    images: Sequence[Path | str] | NDArray[Any],  # Any: uint8 pictures, or float32 rows
    *,
    normalisation: Normalisation | None = None,
    letterbox: bool = False,
    limit: int | None = None,
    layers: bool = False,
    runtime: str = "maixpy",
    outputs: Sequence[str] = (),
) -> Comparison:
    """Compare a float model with a kmodel made from it on the same pictures.

    outputs: values or layers at which the model was ended for the kmodel, instead of at its own outputs.
    images: files and folders, or an array as `compile` takes it. An `InputError` says what does not belong together.
    """
    compiled = load(kmodel)
    shape = compiled.input_shape
    source = read_model(Path(model), outputs, (shape[2], shape[1]) if len(shape) == 3 else None)
    if compiled.input_shape != source.input_shape:
        raise FormatError(
            f"{kmodel} takes {compiled.input_shape}, {model} takes {source.input_shape}", expected="one input shape"
        )
    raw = (
        images[:limit]
        if isinstance(images, np.ndarray)
        else read_inputs(find_pictures([Path(p) for p in images], limit), source.input_shape, letterbox=letterbox)
    )
    batch, scale = normalised(raw, source, normalisation or Normalisation())
    engine, wanted = float_outputs(Path(model), batch, outputs)
    results = simulate(compiled, list(raw), runtime="sdk" if runtime == "sdk" else "maixpy")
    if any(len(result) != len(wanted) for result in results):
        raise FormatError(f"{kmodel} has {len(results[0])} outputs, {model} has {len(wanted)}", expected="as many")
    compared = tuple(_output(name, want, [r[k] for r in results]) for k, (name, want) in enumerate(wanted))
    rows = _layers(source, compiled, raw, batch, scale) if layers else ()
    return Comparison(engine=engine, pictures=len(raw), outputs=compared, layers=tuple(rows))


def _output(name: str, wanted: Floats, results: Sequence[NDArray[Any]]) -> OutputCompared:
    got = np.stack([np.asarray(result, np.float64).reshape(-1) for result in results])
    want = wanted.reshape(len(wanted), -1).astype(np.float64)
    if got.shape != want.shape:
        raise FormatError(f"output '{name}' of the kmodel has {got.shape[1]} elements", expected=str(want.shape[1]))
    lengths = float(np.linalg.norm(want) * np.linalg.norm(got))
    ranked = wanted.ndim == 2 and want.shape[1] > 1
    return OutputCompared(
        name=name,
        snr_db=decibels(want, got),
        cosine=float((want * got).sum() / lengths) if lengths else 1.0,
        top1_agreement=float((want.argmax(1) == got.argmax(1)).mean()) if ranked else None,
        largest_error=float(np.abs(want - got).max()),
    )


def decibels(wanted: NDArray[np.float64], got: NDArray[np.float64]) -> float | None:
    """Signal to noise in dB; None where there is no noise at all."""
    noise = float(((wanted - got) ** 2).sum())
    signal = float((wanted**2).sum())
    return None if noise == 0 else float(10 * np.log10(max(signal, 1e-300) / noise))


def _layers(source: Graph, compiled: Kmodel, raw: NDArray[Any], batch: Floats, scale: Scale) -> list[LayerCompared]:
    graph, program = lowered(source, batch)
    owners = _owners(program, compiled)
    statistics = {} if owners is not None else calibrate(graph, batch)
    for at_best in (False, True):  # with maps as two bytes, which depends on the pictures
        split = refined(graph, program, statistics, scale, at_best=at_best) if owners is None else None
        if split is not None and (found := _owners(split[1], compiled)) is not None:
            (graph, program, _), owners = split, found
    if owners is None:
        raise UnsupportedError(
            "The kmodel's layers are not those that this version makes of the model, so they cannot be told apart by "
            "name. Compile it again; give --layers the pictures that it was compiled with; or compare the outputs "
            "only, without --layers."
        )
    wanted = {step.node.output for step in owners.values()}
    floats = {name: array for name, array in values(graph, batch) if name in wanted}
    machine = Machine(compiled)
    kept: dict[int, list[NDArray[Any]]] = {number: [] for number in owners}
    for picture in raw:
        _, made = machine.trace(picture)
        for number, arrays in kept.items():
            arrays.append(made[number])
    return [_layer(number, step, floats[step.node.output], np.stack(kept[number])) for number, step in owners.items()]


def _owners(program: Program, compiled: Kmodel) -> dict[int, ConvStep] | None:
    """Which step of the lowered model each KPU layer is, without the copies that no node asked for; None if not."""
    steps = [step for step in program.steps if isinstance(step, ConvStep)]
    numbers = [i for i, layer in enumerate(compiled.layers) if isinstance(layer, Conv)]
    shapes = [layer.registers.output_shape for layer in compiled.layers if isinstance(layer, Conv)]
    same = len(steps) == len(shapes) and all(
        shape[0] == program.buffers[step.output].shape[0] for step, shape in zip(steps, shapes, strict=True)
    )
    return {number: step for number, step in zip(numbers, steps, strict=True) if not step.extra} if same else None


def _layer(number: int, step: ConvStep, wanted: Floats, got: NDArray[Any]) -> LayerCompared:
    """Fit wanted = a * byte + b by least squares, per channel where there is enough to fit, and say what is left."""
    channels = got.shape[1]
    part = wanted[:, step.first : step.first + channels].astype(np.float64)
    there = got[:, :, : part.shape[2], : part.shape[3]].astype(np.float64)
    x, y = (a.swapaxes(0, 1).reshape(channels, -1) for a in (there, part))
    if x.shape[1] < _LEAST_SAMPLES:
        x, y = x.reshape(1, -1), y.reshape(1, -1)
    off_x, off_y = x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True)
    spread = (off_x**2).sum(1, keepdims=True)
    slope = np.divide((off_x * off_y).sum(1, keepdims=True), spread, out=np.zeros_like(spread), where=spread > 0)
    return LayerCompared(
        number=number, name=step.node.origin, operator=step.node.kind, shape=tuple(part.shape[1:]),
        snr_db=decibels(y, y.mean(1, keepdims=True) + slope * off_x), at_lowest=float((there == 0).mean()),
        at_highest=float((there == 255).mean()),
    )  # fmt: skip
