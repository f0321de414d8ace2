"""A kmodel V3 file: header, outputs, layer table, bodies.

Reading then writing gives the identical bytes. What the vendor's writer would lay out in another way (offsets, sizes,
bytes that no field names, a file cut within its last padding) is kept in `Kmodel.layout`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from k210kit import wire
from k210kit.errors import FormatError, KitError, in_file
from k210kit.files import read_whole
from k210kit.hardware import KPU_LINES
from k210kit.kmodel.layers import LAYERS, Conv, FullyConnected, Layer, UnknownLayer
from k210kit.wire import u32

__all__ = ["Header", "Kmodel", "Layout", "Output", "TableRow", "load", "read_kmodel"]

MOST_BYTES = 64 * 1024 * 1024  # of a file; four times the largest flash of any K210 board
MOST_MAIN_MEMORY = 1 << 30  # of the header's field; two hundred times the chip's memory, so that any honest file passes
_BODY_ALIGN = 8  # file offset at which the vendor's writer ends each body


@dataclass(frozen=True, kw_only=True)
class Header:
    """The first 28 bytes."""

    version: int = u32("3", default=3)
    flags: int = u32("bit 0: weights have 8 bits, not 16", default=1)
    arch: int = u32("0, the K210; the runtime refuses anything else", default=0)
    layer_count: int = u32("layers")
    max_start_address: int = u32("lowest KPU line that an old compiler used; no runtime reads it", default=0)
    main_memory_bytes: int = u32("bytes of the one buffer that the runtime allocates")
    output_count: int = u32("outputs")


@dataclass(frozen=True, kw_only=True)
class Output:
    """Where one output lies in main memory."""

    address: int = u32("byte address in main memory")
    size: int = u32("bytes")


@dataclass(frozen=True, kw_only=True)
class TableRow:
    """One row of the layer table."""

    type: int = u32("number of the layer's type")
    body_size: int = u32("bytes of the body, its padding included")


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a file deviates from what the writer would make."""

    body_sizes: tuple[int, ...]
    file_bytes: int
    filler: tuple[tuple[int, bytes], ...]  # file offset and bytes that no field names


@dataclass(frozen=True, kw_only=True, eq=False)
class Kmodel:
    """A kmodel V3. Drop `layout` (`dataclasses.replace(model, layers=..., layout=None)`) when layers change size."""

    flags: int = 1
    arch: int = 0
    max_start_address: int = 0
    main_memory_bytes: int
    outputs: tuple[Output, ...]
    layers: tuple[Layer, ...]
    layout: Layout | None = None

    @property
    def eight_bit_weights(self) -> bool:
        """Whether weights are bytes; if not they are 16-bit words."""
        return bool(self.flags & 1)

    @property
    def input_is_float(self) -> bool:
        """Whether the input is a vector of float32: the first layer is FULLY_CONNECTED."""
        return bool(self.layers) and isinstance(self.layers[0], FullyConnected)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Channels, height, width of a picture; of a float input its length. Errors if no runtime would take it."""
        first = self.layers[0] if self.layers else None
        if isinstance(first, Conv):
            return first.registers.input_shape
        if isinstance(first, FullyConnected):
            return (first.in_channels,)
        raise FormatError(
            "a runtime starts only with a convolution or a fully connected layer", field="layer 0",
            found=first.name if first else "no layer", expected="K210_CONV or FULLY_CONNECTED",
        )  # fmt: skip

    @cached_property
    def body_sizes(self) -> tuple[int, ...]:
        """Bytes of each layer's body in the file, padding included."""
        return self.layout.body_sizes if self.layout else self._own_body_sizes()

    @cached_property
    def body_offsets(self) -> tuple[int, ...]:
        """File offset of each layer's body."""
        place, made = self._bodies_offset, []
        for size in self.body_sizes:
            made.append(place)
            place += size
        return tuple(made)

    @property
    def file_bytes(self) -> int:
        """Size of the file."""
        return self.layout.file_bytes if self.layout else self._bodies_offset + sum(self.body_sizes)

    @property
    def _bodies_offset(self) -> int:
        return _bodies_offset(len(self.outputs), len(self.layers))

    def _own_body_sizes(self) -> tuple[int, ...]:
        place, sizes = self._bodies_offset, []
        for layer in self.layers:
            end = max(offset + len(data) for offset, data in layer.parts(place))
            end = -(-end // _BODY_ALIGN) * _BODY_ALIGN
            sizes.append(end - place)
            place = end
        return tuple(sizes)

    def _parts(self) -> list[tuple[int, bytes]]:
        """Everything that fields name, by file offset."""
        header = Header(
            flags=self.flags,
            arch=self.arch,
            layer_count=len(self.layers),
            max_start_address=self.max_start_address,
            main_memory_bytes=self.main_memory_bytes,
            output_count=len(self.outputs),
        )
        rows = (TableRow(type=x.type, body_size=s) for x, s in zip(self.layers, self.body_sizes, strict=True))
        parts = [(0, b"".join(wire.write(record) for record in (header, *self.outputs, *rows)))]
        for layer, offset in zip(self.layers, self.body_offsets, strict=True):
            parts.extend(layer.parts(offset))
        return parts

    def to_bytes(self) -> bytes:
        """The file. The same model gives the same bytes."""
        parts, filler = self._parts(), self.layout.filler if self.layout else ()
        out = bytearray(self.file_bytes)
        for offset, data in (*filler, *parts):
            if offset + len(data) > len(out):
                raise KitError("The kept layout does not hold these layers: set layout=None when layers change size.")
            out[offset : offset + len(data)] = data
        return bytes(out)


def _bodies_offset(outputs: int, layers: int) -> int:
    return wire.size(Header) + outputs * wire.size(Output) + layers * wire.size(TableRow)


def load(path: Path | str) -> Kmodel:
    """Read a kmodel V3 file; `FileError` or `FormatError` if that cannot be."""
    data = read_whole(Path(path), most_bytes=MOST_BYTES)
    with in_file(path):
        return read_kmodel(data)


def read_kmodel(data: bytes) -> Kmodel:
    """Read the bytes of a kmodel V3; a `FormatError` names field, offset, what was found and what was expected."""
    header = _read_header(data)
    outputs_at = wire.size(Header)
    table_at = outputs_at + header.output_count * wire.size(Output)
    bodies_at = table_at + header.layer_count * wire.size(TableRow)
    if bodies_at > len(data):
        raise FormatError(
            f"{header.output_count:,} outputs and {header.layer_count:,} layers need tables longer than the file",
            field="header", offset=12, found=f"{len(data):,} bytes", expected=f"{bodies_at:,} bytes",
        )  # fmt: skip
    outputs = tuple(
        _read_output(data, outputs_at + i * wire.size(Output), i, header.main_memory_bytes)
        for i in range(header.output_count)
    )
    view, layers, sizes, start = memoryview(data), [], [], bodies_at
    for i in range(header.layer_count):
        row = wire.read(TableRow, data, table_at + i * wire.size(TableRow), where=f"layer table, row {i}")
        layers.append(_read_layer(view, row, start, i, header))
        sizes.append(row.body_size)
        start += row.body_size
    model = Kmodel(
        flags=header.flags,
        arch=header.arch,
        max_start_address=header.max_start_address,
        main_memory_bytes=header.main_memory_bytes,
        outputs=outputs,
        layers=tuple(layers),
    )
    return _with_layout(model, data, tuple(sizes))


def _read_header(data: bytes) -> Header:
    from k210kit.kmodel.versions import refuse_other_versions

    refuse_other_versions(data)
    header = wire.read(Header, data, where="header")
    if header.arch != 0:
        raise FormatError("an unknown chip", field="header.arch", offset=8, found=header.arch, expected="0, the K210")
    if header.main_memory_bytes > MOST_MAIN_MEMORY:
        raise FormatError(
            "more main memory than any chip has", field="header.main_memory_bytes", offset=20,
            found=f"{header.main_memory_bytes:,} bytes", expected="less than the K210's 6 MiB",
        )  # fmt: skip
    return header


def _read_output(data: bytes, offset: int, number: int, main_memory: int) -> Output:
    output = wire.read(Output, data, offset, where=f"output {number}")
    if output.address + output.size > main_memory:
        raise FormatError(
            "the output ends outside of main memory", field=f"output {number}", offset=offset,
            found=f"byte {output.address + output.size:,}", expected=f"at most byte {main_memory:,}",
        )  # fmt: skip
    return output


def _read_layer(view: memoryview, row: TableRow, start: int, number: int, header: Header) -> Layer:
    where = f"layer {number}"
    if start > len(view):
        raise FormatError("the body starts outside of the file", field=where, offset=start, found=f"{len(view)} bytes")
    end = min(start + row.body_size, len(view))
    kind = LAYERS.get(row.type)
    if kind is None:
        return UnknownLayer(number=row.type, body=bytes(view[start:end]))
    layer = kind.read(view, start, end, where=f"{where} ({kind.name})", eight_bit_weights=bool(header.flags & 1))
    _check_lines(layer, where, start)
    return layer


def _check_lines(layer: Layer, where: str, offset: int) -> None:
    if not isinstance(layer, Conv):
        return
    r = layer.registers
    for name, first, count in (("input", r.input_line, r.input_lines), ("output", r.output_line, r.output_lines)):
        if first + count > KPU_LINES:
            raise FormatError(
                f"the {name} ends outside of KPU memory", field=f"{where} ({layer.name})", offset=offset,
                found=f"lines {first} to {first + count - 1}", expected=f"lines 0 to {KPU_LINES - 1}",
            )  # fmt: skip


def _with_layout(model: Kmodel, data: bytes, sizes: tuple[int, ...]) -> Kmodel:
    """Keep how the file deviates from the writer's own layout, if it does."""
    if model.body_sizes == sizes and model.file_bytes == len(data) and model.to_bytes() == data:
        return model
    made = dataclasses.replace(model, layout=Layout(body_sizes=sizes, file_bytes=len(data), filler=()))
    covered = bytearray(len(data))
    for offset, part in made._parts():
        covered[offset : offset + len(part)] = b"\1" * min(len(part), len(data) - offset)
    return dataclasses.replace(
        model, layout=Layout(body_sizes=sizes, file_bytes=len(data), filler=_uncovered(data, covered))
    )


def _uncovered(data: bytes, covered: bytearray) -> tuple[tuple[int, bytes], ...]:
    runs, start = [], covered.find(0)
    while start >= 0:
        end = covered.find(1, start)
        end = len(data) if end < 0 else end
        if any(data[start:end]):
            runs.append((start, data[start:end]))
        start = covered.find(0, end)
    return tuple(runs)
