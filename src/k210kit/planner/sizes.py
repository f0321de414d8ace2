"""What of a model decides whether it fits: sizes, read from a kmodel or given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from k210kit.hardware import KPU_LINE_BYTES
from k210kit.kmodel import AddPadding, Conv, GlobalAveragePool, Kmodel, Layer, RemovePadding, Requantize
from k210kit.kmodel.memory import lines

__all__ = ["ModelSizes", "scaled", "sizes_of"]

_BODY_WORDS_AND_REGISTERS = 120  # six words and twelve registers
_ACTIVATION = 144
_ALIGNMENTS = 3 * 64  # average loss to the alignment of weights, batch norm and activation table, rounded


@dataclass(frozen=True, kw_only=True)
class ModelSizes:
    """The figures of a model that memory depends on, in bytes; `body_sizes` may be empty if they are not known."""

    name: str
    file_bytes: int
    main_memory_bytes: int
    largest_body_bytes: int
    layer_count: int = 1
    output_count: int = 1
    body_sizes: tuple[int, ...] = ()
    cpu_layer_run: int = 1  # the longest run of layers without a convolution between them
    kpu_peak_bytes: int = 0
    kpu_peak_layer: str = ""
    input_shape: tuple[int, ...] = ()
    version: int = 3
    yolo_boxes: int = 0  # of an output that `run_yolo2` reads; 0 if it is none
    yolo_classes: int = 0

    @property
    def table_bytes(self) -> int:
        """Header, outputs and layer table."""
        return 28 + 8 * self.output_count + 8 * self.layer_count


def sizes_of(model: Kmodel, name: str = "model") -> ModelSizes:
    """The figures of a kmodel."""
    boxes, classes = _yolo(model)
    peak, layer = _kpu_peak(model.layers)
    return ModelSizes(
        name=name,
        file_bytes=model.file_bytes,
        main_memory_bytes=model.main_memory_bytes,
        largest_body_bytes=max(model.body_sizes, default=0),
        layer_count=len(model.layers),
        output_count=len(model.outputs),
        body_sizes=model.body_sizes,
        cpu_layer_run=_longest_cpu_run(model.layers),
        kpu_peak_bytes=peak,
        kpu_peak_layer=layer,
        input_shape=model.input_shape,
        yolo_boxes=boxes,
        yolo_classes=classes,
    )


def scaled(model: Kmodel, sizes: ModelSizes, *, width: float = 1.0, side: float = 1.0) -> ModelSizes:
    """The figures of the same network with its hidden channels times `width` and its input's sides times `side`.

    Bodies are recomputed from the shapes. Main memory follows the maps that lie in it: the square of `side` throughout,
    and `width` where it holds hidden channels, as before a global mean.
    """
    convolutions = [i for i, layer in enumerate(model.layers) if isinstance(layer, Conv)]
    first, last = (convolutions[0], convolutions[-1]) if convolutions else (-1, -1)
    bodies = []
    for i, (layer, size) in enumerate(zip(model.layers, model.body_sizes, strict=True)):
        bodies.append(_scaled_body(layer, width, i == first, i == last, not model.eight_bit_weights) or size)
    hidden = any(isinstance(layer, GlobalAveragePool) for layer in model.layers)
    main = model.main_memory_bytes * side**2 * (width if hidden else 1.0)
    shape = sizes.input_shape
    return replace(
        sizes,
        file_bytes=sizes.file_bytes + sum(bodies) - sum(model.body_sizes),
        main_memory_bytes=round(main),
        largest_body_bytes=max(bodies, default=0),
        body_sizes=tuple(bodies),
        kpu_peak_bytes=round(sizes.kpu_peak_bytes * side**2 * width),
        input_shape=(shape[0], round(shape[1] * side), round(shape[2] * side)) if len(shape) == 3 else shape,
    )


def _scaled_body(layer: Layer, width: float, first: bool, last: bool, sixteen_bit: bool) -> int | None:
    if not isinstance(layer, Conv):
        return None
    r = layer.registers
    inputs = r.input_channels if first else _channels(r.input_channels * width)
    outputs = r.output_channels if last else _channels(r.output_channels * width)
    pairs = outputs if r.depthwise else inputs * outputs
    weights = pairs * r.kernel_size**2 * (2 if sixteen_bit else 1)
    return -(-(_BODY_WORDS_AND_REGISTERS + weights + 8 * outputs + _ACTIVATION + _ALIGNMENTS) // 8) * 8


def _channels(value: float) -> int:
    return max(1, round(value))


def _longest_cpu_run(layers: Sequence[Layer]) -> int:
    longest = run = 0
    for layer in layers:
        run = 0 if isinstance(layer, Conv) else run + 1
        longest = max(longest, run)
    return longest


def _kpu_peak(layers: Sequence[Layer]) -> tuple[int, str]:
    """Most bytes of KPU memory that one convolution's input and output take together, and which one it is."""
    peak, name = 0, ""
    for i, layer in enumerate(layers):
        if not isinstance(layer, Conv):
            continue
        r = layer.registers
        used = KPU_LINE_BYTES * (
            lines(r.input_width, r.input_height, r.input_channels)
            + lines(r.output_width, r.output_height, r.output_channels)
        )
        if used > peak:
            peak, name = used, f"layer {i}"
    return peak, name


def _yolo(model: Kmodel) -> tuple[int, int]:
    """Boxes and classes if the model ends as YOLOv2 with five anchors does: a convolution, then DEQUANTIZE."""
    body = [layer for layer in model.layers if not isinstance(layer, AddPadding | RemovePadding | Requantize)]
    if len(body) < 2 or body[-1].name != "DEQUANTIZE" or not isinstance(body[-2], Conv):
        return 0, 0
    channels, height, width = body[-2].registers.output_shape
    if channels % 5 or channels < 30 or height * width < 4:
        return 0, 0
    return 5 * height * width, channels // 5 - 5
