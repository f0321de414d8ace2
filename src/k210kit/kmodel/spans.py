"""Which bytes of main memory a layer reads and writes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

from k210kit.kmodel import layers as kinds
from k210kit.kmodel.layers.concat import _Concat
from k210kit.kmodel.layers.flatten import _Flatten
from k210kit.kmodel.layers.pool import _Window
from k210kit.kmodel.layers.resize import _Resize
from k210kit.kmodel.layers.vectors import _Vector

__all__ = ["Span", "Spans", "spans"]

_FLOAT = 4


@dataclass(frozen=True)
class Span:
    """Bytes `start` to `start + size` of main memory; `shape` as channels, height, width where the layer tells it."""

    start: int
    size: int
    is_float: bool
    shape: tuple[int, ...]

    @property
    def end(self) -> int:
        return self.start + self.size


@dataclass(frozen=True)
class Spans:
    """All that one layer reads and writes there."""

    reads: tuple[Span, ...] = ()
    writes: tuple[Span, ...] = ()


def _floats(start: int, *shape: int) -> Span:
    return Span(start, _FLOAT * _product(shape), True, shape)


def _bytes(start: int, *shape: int) -> Span:
    return Span(start, _product(shape), False, shape)


def _product(shape: tuple[int, ...]) -> int:
    made = 1
    for side in shape:
        made *= side
    return made


@singledispatch
def spans(layer: kinds.Layer) -> Spans:
    """The bytes of main memory that `layer` reads and writes, by what its fields say."""
    return Spans()


@spans.register
def _(layer: kinds.Conv) -> Spans:
    return Spans(writes=(_bytes(layer.main_out, *layer.registers.output_shape),) if layer.to_main_memory else ())


@spans.register
def _(layer: kinds.Add) -> Spans:
    both = (_floats(layer.input_a, layer.count), _floats(layer.input_b, layer.count))
    return Spans(both, (_floats(layer.output, layer.count),))


@spans.register
def _(layer: kinds.QuantizedAdd) -> Spans:
    count = -(-layer.count // 8) * 8
    both = (_bytes(layer.input_a, count), _bytes(layer.input_b, count))
    return Spans(both, (_bytes(layer.output, count),))


@spans.register
def _(layer: kinds.GlobalAveragePool) -> Spans:
    return Spans((_floats(layer.input, layer.channels, layer.kernel_size),), (_floats(layer.output, layer.channels),))


@spans.register
def _(layer: _Window) -> Spans:
    kind = _bytes if isinstance(layer, kinds.QuantizedMaxPool) else _floats
    return Spans(
        (kind(layer.input, layer.in_channels, layer.in_height, layer.in_width),),
        (kind(layer.output, layer.out_channels, layer.out_height, layer.out_width),),
    )


@spans.register
def _(layer: kinds.Quantize) -> Spans:
    return Spans((_floats(layer.input, layer.count),), (_bytes(layer.output, layer.count),))


@spans.register
def _(layer: kinds.Dequantize) -> Spans:
    return Spans((_bytes(layer.input, layer.count),), (_floats(layer.output, layer.count),))


@spans.register
def _(layer: kinds.Requantize) -> Spans:
    return Spans((_bytes(layer.input, layer.count),), (_bytes(layer.output, layer.count),))


@spans.register
def _(layer: kinds.ChannelwiseDequantize) -> Spans:
    shape = (layer.channels, layer.channel_size)
    return Spans((_bytes(layer.input, *shape),), (_floats(layer.output, *shape),))


@spans.register
def _(layer: _Vector) -> Spans:
    return Spans((_floats(layer.input, layer.channels),), (_floats(layer.output, layer.channels),))


@spans.register
def _(layer: _Concat) -> Spans:
    kind = _floats if isinstance(layer, kinds.Concat) else _bytes
    unit = _FLOAT if isinstance(layer, kinds.Concat) else 1
    reads = tuple(kind(int(start), int(size) // unit) for start, size in layer.inputs)
    return Spans(reads, (kind(layer.output, sum(int(size) for size in layer.inputs[:, 1]) // unit),))


@spans.register
def _(layer: kinds.FullyConnected) -> Spans:
    return Spans((_floats(layer.input, layer.in_channels),), (_floats(layer.output, layer.out_channels),))


@spans.register
def _(layer: _Flatten) -> Spans:
    kind = _floats if isinstance(layer, kinds.Flatten) else _bytes
    return Spans(
        (kind(layer.input, layer.channels, layer.height, layer.width),),
        (kind(layer.output, layer.height * layer.width * layer.channels),),
    )


@spans.register
def _(layer: _Resize) -> Spans:
    kind = _floats if isinstance(layer, kinds.ResizeNearest) else _bytes
    return Spans(
        (kind(layer.input, layer.channels, layer.in_height, layer.in_width),),
        (kind(layer.output, layer.channels, layer.out_height, layer.out_width),),
    )


@spans.register
def _(layer: kinds.AddPadding) -> Spans:
    return Spans(reads=(_bytes(layer.input, layer.channels),))


@spans.register
def _(layer: kinds.RemovePadding) -> Spans:
    return Spans((_bytes(layer.input, layer.channels, 4, 4),), (_bytes(layer.output, layer.channels),))


@spans.register
def _(layer: kinds.Upload) -> Spans:
    return Spans(reads=(_bytes(layer.input, layer.channels, layer.height, layer.width),))
