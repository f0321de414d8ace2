"""The whole compiler on one page.

read_model        file -> float graph                                       importers/
check             what cannot be done, by the user's own names              support.py
PASSES            float graph -> the same function in the KPU's terms       passes/
lower             graph -> steps on buffers                                 lowering/
fitted            maps that KPU memory cannot hold, in groups of channels    fitting.py
calibrate         the float graph on the pictures                           quantize/calibrate.py
finer             maps that a byte is too coarse for, as two                quantize/finer.py
choose_scales     what a byte of each buffer stands for                     quantize/scales.py
quantize          weights and sums as integers                              quantize/search.py
allocate          lines of KPU memory, bytes of main memory                 allocate.py
emit              the kmodel                                                emit.py
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler.allocate import Placement, allocate
from k210kit.compiler.cutting import ends_before
from k210kit.compiler.emit import emit
from k210kit.compiler.fitting import fitted
from k210kit.compiler.graph import Graph
from k210kit.compiler.importers import read_model
from k210kit.compiler.passes.measure import is_measured, measured
from k210kit.compiler.passes.table import FINISHING, PREPARING, Pass
from k210kit.compiler.pictures import Batch, Inputs, Pictures, find_pictures, read_inputs
from k210kit.compiler.program import ConvStep, Program
from k210kit.compiler.quantize.calibrate import Statistics, calibrate
from k210kit.compiler.quantize.finer import finer
from k210kit.compiler.quantize.scales import Scale, choose_scales
from k210kit.compiler.quantize.search import quantize
from k210kit.compiler.refusals import LayerRefused
from k210kit.compiler.report import Report, make_report
from k210kit.compiler.support import Finding, findings, memory_findings, refuse, refused, step_findings
from k210kit.errors import InputError
from k210kit.hardware import KPU_LINE_BYTES
from k210kit.kmodel import Kmodel

__all__ = [
    "CheckResult",
    "Compiled",
    "Effort",
    "Normalisation",
    "Normalised",
    "Options",
    "Progress",
    "check",
    "compile",
    "lowered",
    "normalised",
    "refined",
]

Effort = Literal["fast", "normal", "best"]
Progress = Callable[[float, str], None]


@dataclass(frozen=True, kw_only=True)
class Normalisation:
    """What the model was trained on: (pixel / scale - mean) / std; mean and std per channel, or one for all."""

    scale: float = 255.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to compile. `limit` is how many calibration pictures are used at most.

    outputs: values or layers at which the model shall end, instead of at its own outputs. size: width and height of the
    input, for a model that leaves them open.
    """

    normalisation: Normalisation = Normalisation()
    outputs: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    letterbox: bool = False
    limit: int | None = None
    effort: Effort = "normal"


@dataclass(frozen=True, kw_only=True, eq=False)
class Compiled:
    """The kmodel and what there is to say about it."""

    kmodel: Kmodel
    report: Report

    def to_bytes(self) -> bytes:
        """The file."""
        return self.kmodel.to_bytes()


def compile(
    model: Path | str,
    images: Sequence[Path | str] | NDArray[Any],  # Any: uint8 pictures, or float32 rows of a flat model
    options: Options | None = None,
    *,
    progress: Progress | None = None,
) -> Compiled:
    """Compile a TFLite, ONNX or Keras file to a kmodel V3.

    images: files and folders, or an array: uint8 (pictures, channels, height, width), float32 (rows, elements) for a
    model whose input is flat. An `InputError` says what is wrong with the model or the pictures.
    """
    options = options or Options()
    tell = progress or (lambda fraction, what: None)
    path = Path(model)
    tell(0.0, "reading the model")
    source = read_model(path, options.outputs, options.size)
    refuse(findings(source), path.name, lambda: ends_before(source, _refused_layer))
    prepared = passed(source, PREPARING)
    early = None if is_measured(prepared) else _placed(source, prepared, path.name)
    tell(0.1, "reading the pictures")
    raw = _batch(images, source, options)
    batch = Normalised(raw, source, options.normalisation)
    tell(0.2, "measuring ranges")
    graph, program, placement = early or _placed(source, measured(prepared, batch), path.name)
    statistics = calibrate(graph, batch)
    split = refined(graph, program, statistics, batch.scale, at_best=options.effort == "best")
    if split is not None:
        graph, program, placement = split
        statistics |= calibrate(graph, batch, statistics)
    tell(0.4, "choosing integers")
    quantized = quantize(
        graph, program, statistics, batch.scale, raw=raw, batch=batch, effort=options.effort, tell=tell
    )
    emitted = emit(program, placement, quantized.scales, quantized.integers)
    report = make_report(
        path,
        source,
        program,
        placement,
        emitted,
        pictures=len(raw),
        effort=options.effort,
        snr=quantized.snr,
        warnings=quantized.warnings,
    )
    tell(1.0, "done")
    return Compiled(kmodel=emitted.kmodel, report=report)


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """Whether the model can become a kmodel, and what stands in the way."""

    ok: bool
    findings: tuple[Finding, ...]
    layers: int  # of the source model
    kpu_layers: int
    kpu_memory_bytes: int
    main_memory_bytes: int
    ends: tuple[str, ...]  # where to end the model so that what is before it can become a kmodel


def check(model: Path | str, outputs: Sequence[str] = (), size: tuple[int, int] | None = None) -> CheckResult:
    """Say what the K210 cannot do with a model, before training or compiling; an `InputError` if it cannot be read.

    outputs: values or layers at which the model shall end, instead of at its own outputs.
    """
    path = Path(model)
    source = read_model(path, outputs, size)
    found = findings(source)
    ends = ends_before(source, _refused_layer) if found else ()
    kpu_layers = kpu_bytes = main_bytes = 0
    if not found:
        try:
            _, program = lowered(source)
        except LayerRefused as error:
            found = [refused(error)]
            ends = ends_before(source, _refused_layer, error.node.origin)
        else:
            placement = allocate(program)
            found = step_findings(program) or memory_findings(source, program, placement)
            kpu_layers = sum(isinstance(step, ConvStep) for step in program.steps)
            kpu_bytes, main_bytes = placement.kpu_lines * KPU_LINE_BYTES, placement.main_bytes
    return CheckResult(
        ok=not found, findings=tuple(found), layers=len(source.nodes), kpu_layers=kpu_layers,
        kpu_memory_bytes=kpu_bytes, main_memory_bytes=main_bytes, ends=ends,
    )  # fmt: skip


def lowered(source: Graph, batch: Batch | None = None) -> tuple[Graph, Program]:
    """The graph after all passes, and its steps. Without a batch, what depends on ranges is right but for numbers."""
    prepared = passed(source, PREPARING)
    return fitted(passed(prepared if batch is None else measured(prepared, batch), FINISHING))


def _refused_layer(graph: Graph) -> str | None:
    try:
        lowered(graph)
    except LayerRefused as error:
        return error.node.origin
    return None


def refined(
    graph: Graph, program: Program, statistics: Mapping[str, Statistics], scale: Scale, *, at_best: bool
) -> tuple[Graph, Program, Placement] | None:
    """The same with maps that a byte is too coarse for as two; None if there are none, or if it would not fit."""
    found = finer(graph, program, statistics, choose_scales(graph, program, statistics, scale), at_best=at_best)
    if found is None:
        return None
    graph, program = fitted(found)
    placement = allocate(program)
    if step_findings(program) or memory_findings(graph, program, placement):
        return None
    return graph, program, placement


def passed(graph: Graph, passes: Sequence[Pass]) -> Graph:
    """The graph after some passes."""
    for each in passes:
        graph = each(graph)
    return graph


def _placed(source: Graph, prepared: Graph, name: str) -> tuple[Graph, Program, Placement]:
    """The finished graph, its steps and their places; an `UnsupportedError` if it does not fit."""
    try:
        graph, program = fitted(passed(prepared, FINISHING))
    except LayerRefused as error:
        layer = error.node.origin
        refuse([refused(error)], name, lambda: ends_before(source, _refused_layer, layer))
        raise
    refuse(step_findings(program), name)
    placement = allocate(program)
    refuse(memory_findings(source, program, placement), name)
    return graph, program, placement


def _batch(images: Sequence[Path | str] | NDArray[Any], graph: Graph, options: Options) -> Inputs:
    if isinstance(images, np.ndarray):
        if images.ndim != 1 + len(graph.input_shape) or images.shape[1:] != graph.input_shape or not len(images):
            raise InputError(
                f"The calibration array has the shape {images.shape}; the model takes (n, "
                f"{', '.join(map(str, graph.input_shape))})."
            )
        return images[: options.limit]
    paths = find_pictures([Path(place) for place in images], options.limit)
    if len(graph.input_shape) == 3:
        return Pictures(paths, graph.input_shape, letterbox=options.letterbox)
    return read_inputs(paths, graph.input_shape, letterbox=options.letterbox)


class Normalised:
    """What the model sees of pictures or rows: float32, made where a slice is asked for.

    `scale` is what a byte of the picture stands for.
    """

    def __init__(self, raw: Inputs, graph: Graph, normalisation: Normalisation) -> None:
        self._raw, self._flat = raw, len(graph.input_shape) != 3
        if self._flat:
            self.scale = Scale(step=np.ones(1), zero=np.zeros(1))
            return
        channels = graph.input_shape[0]
        pairs = (normalisation.mean, "mean"), (normalisation.std, "std")
        self._mean, self._std = (_per_channel(numbers, channels, name) for numbers, name in pairs)
        self._divisor = normalisation.scale
        if (self._std <= 0).any() or self._divisor <= 0:
            raise InputError(f"scale {normalisation.scale:g} and std {normalisation.std} must be above 0.")
        self.scale = Scale(step=1 / (self._divisor * self._std), zero=self._mean * self._divisor)

    def __len__(self) -> int:
        return len(self._raw)

    def __getitem__(self, some: slice) -> NDArray[np.float32]:
        pixels: NDArray[np.float32] = self._raw[some].astype(np.float32)
        if not self._flat:
            pixels /= np.float32(self._divisor)
            pixels -= self._mean.reshape(1, -1, 1, 1).astype(np.float32)
            pixels /= self._std.reshape(1, -1, 1, 1).astype(np.float32)
        return pixels


def normalised(raw: Inputs, graph: Graph, normalisation: Normalisation) -> tuple[NDArray[np.float32], Scale]:
    """The floats that the model sees, and what a byte of the picture stands for."""
    made = Normalised(raw, graph, normalisation)
    return made[:], made.scale


def _per_channel(numbers: tuple[float, ...], channels: int, name: str) -> NDArray[np.float64]:
    if len(numbers) not in (1, channels):
        raise InputError(
            f"{name} has {len(numbers)} values; the model's input has {channels} channels: give 1 or {channels}."
        )
    return np.broadcast_to(np.asarray(numbers, np.float64), (channels,)).copy()
