"""Binary records, each declared once: reader, writer, printer, documentation table and random tests follow.

>>> from dataclasses import dataclass
>>> @dataclass(frozen=True, kw_only=True)
... class Point:
...     x: int = u16("column in pixels")
...     flags: int = u8("all of them", default=0)
...     fine: int = bits(4, 0, 11, "hundredths", unit=2, signed=True, default=-1)
>>> write(Point(x=3))
b'\\x03\\x00\\x00\\x00\\xff\\x0f'
>>> read(Point, write(Point(x=3)))
Point(x=3, flags=0, fine=-1)
>>> print(table(Point))
| offset | field | type | meaning |
|---|---|---|---|
| 0 | `x` | u16 | column in pixels |
| 2 | `flags` | u8 | all of them |
| 4 | `fine` | bits 0-11 of u16, signed | hundredths |

A record is a frozen keyword-only dataclass. Fields made here follow one another, but for `bits`, which says where its
word lies. `vector` fields have a length that earlier fields tell. One `rest` field may hold the bits that no field
names, so that whatever was read is written again.
"""

from __future__ import annotations

import dataclasses
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from k210kit.errors import FormatError

__all__ = [
    "Order",
    "WireField",
    "bits",
    "f32",
    "fields",
    "i32",
    "read",
    "read_columns",
    "rest",
    "size",
    "strategy",
    "table",
    "text",
    "u8",
    "u16",
    "u32",
    "u64",
    "vector",
    "wire_size",
    "write",
    "write_columns",
]

Order = Literal["little", "big"]
T = TypeVar("T")
_MARK = "wire"
_CODES = {("int", 1): "B", ("int", 2): "H", ("int", 4): "I", ("int", 8): "Q", ("float", 4): "f"}


@dataclass(frozen=True, kw_only=True)
class WireField:
    """Where and how one field of a record is stored."""

    name: str
    kind: Literal["int", "float", "vector", "rest"]
    meaning: str
    offset: int  # bytes from the start of the record; of a vector: after all that is fixed
    unit_bytes: int  # bytes of the word the field lies in
    low: int = 0  # lowest bit in that word
    width: int = 0  # bits
    signed: bool = False
    dtype: str = ""
    shape: Callable[[Any], tuple[int, ...]] | None = None  # of a vector, from the fields before it

    @property
    def smallest(self) -> int:
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def largest(self) -> int:
        return (1 << (self.width - 1 if self.signed else self.width)) - 1

    @property
    def storage(self) -> str:
        """The type as the documentation writes it."""
        if self.kind == "vector":
            return f"array of {self.dtype}"
        if self.kind == "float":
            return "f32"
        if self.kind == "rest":
            return "bits that no other field names"
        if self.width == 8 * self.unit_bytes:
            return f"{'i' if self.signed else 'u'}{self.width}"
        high = self.low + self.width - 1
        span = f"bit {self.low}" if high == self.low else f"bits {self.low}-{high}"
        return f"{span} of u{8 * self.unit_bytes}" + (", signed" if self.signed else "")


def _field(meaning: str, default: Any, **spec: Any) -> Any:
    given = {} if default is None else {"default": default}
    return dataclasses.field(metadata={_MARK: {"meaning": meaning, **spec}}, **given)


def u8(meaning: str, *, default: int | None = None) -> Any:
    """An unsigned byte."""
    return _field(meaning, default, kind="int", unit_bytes=1, width=8)


def u16(meaning: str, *, default: int | None = None) -> Any:
    """An unsigned 16-bit word."""
    return _field(meaning, default, kind="int", unit_bytes=2, width=16)


def u32(meaning: str, *, default: int | None = None) -> Any:
    """An unsigned 32-bit word."""
    return _field(meaning, default, kind="int", unit_bytes=4, width=32)


def u64(meaning: str, *, default: int | None = None) -> Any:
    """An unsigned 64-bit word."""
    return _field(meaning, default, kind="int", unit_bytes=8, width=64)


def i32(meaning: str, *, default: int | None = None) -> Any:
    """A signed 32-bit word."""
    return _field(meaning, default, kind="int", unit_bytes=4, width=32, signed=True)


def f32(meaning: str, *, default: float | None = None) -> Any:
    """An IEEE single-precision number; a NaN is refused when it is read."""
    return _field(meaning, default, kind="float", unit_bytes=4, width=32)


def bits(
    offset: int, low: int, high: int, meaning: str, *, unit: int = 8, signed: bool = False, default: int | None = None
) -> Any:
    """Bits `low` to `high` of the `unit`-byte word at byte `offset` of the record."""
    return _field(
        meaning, default, kind="int", offset=offset, unit_bytes=unit, low=low, width=high - low + 1, signed=signed
    )


def vector(dtype: str, shape: Callable[[Any], tuple[int, ...]], meaning: str) -> Any:
    """An array behind the fixed fields; `shape` tells its shape from the record's earlier fields."""
    return _field(meaning, None, kind="vector", unit_bytes=np.dtype(dtype).itemsize, dtype=dtype, shape=shape)


def rest(meaning: str = "reserved") -> Any:
    """All bits of the record's words that no other field names, as one integer; 0 in every known file."""
    return _field(meaning, 0, kind="rest", unit_bytes=0)


def fields(record: Any) -> tuple[WireField, ...]:  # Any: a record class, which mypy does not take for hashable
    """The record's fields in the order of declaration."""
    return _fields(record)


@cache
def _fields(record: Any) -> tuple[WireField, ...]:
    made, place = [], 0
    for item in dataclasses.fields(record):
        spec = item.metadata.get(_MARK)
        if spec is None:
            continue
        at = spec.get("offset", place)
        made.append(WireField(name=item.name, **{**spec, "offset": at}))
        if spec["kind"] in ("int", "float"):
            place = max(place, at + spec["unit_bytes"])
    return tuple(made)


def size(record: Any) -> int:  # Any: a record class
    """Bytes of the record's fixed fields."""
    return _size(record)


@cache
def _size(record: Any) -> int:
    ends: list[int] = [f.offset + f.unit_bytes for f in _fields(record) if f.kind in ("int", "float")]
    return max(ends, default=0)


def wire_size(value: object) -> int:
    """Bytes of this very record, its vectors included."""
    vectors: list[int] = [getattr(value, f.name).nbytes for f in fields(type(value)) if f.kind == "vector"]
    return size(type(value)) + sum(vectors)


def read(record: type[T], data: bytes | memoryview, offset: int = 0, *, order: Order = "little", where: str = "") -> T:
    """Read one record at byte `offset`; what the data is too short for is a `FormatError` that names the field."""
    names = where or record.__name__
    values: dict[str, Any] = {}
    end = size(record)
    _demand(data, offset, end, names, "its fixed part")
    for f in fields(record):
        if f.kind == "vector":
            assert f.shape is not None
            shape = f.shape(_Partial(values))
            count = math.prod(shape)
            _demand(data, offset + end, count * f.unit_bytes, f"{names}.{f.name}", f"{count:,} values of {f.dtype}")
            dtype = np.dtype(f.dtype).newbyteorder("<" if order == "little" else ">")
            array = np.frombuffer(data, dtype, count, offset + end).astype(f.dtype).reshape(shape)
            array.setflags(write=False)
            values[f.name] = array
            end += count * f.unit_bytes
        elif f.kind == "rest":
            values[f.name] = int.from_bytes(data[offset : offset + size(record)], order) & _unnamed_bits(record, order)
        else:
            values[f.name] = value = _get(f, data, offset, order)
            if value != value:
                raise FormatError("not a number", field=f"{names}.{f.name}", offset=offset + f.offset)
    return record(**values)


class _Partial:
    """The fields read so far, as attributes: what a vector's `shape` sees."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)


def _demand(data: bytes | memoryview, offset: int, count: int, where: str, what: str) -> None:
    if offset < 0 or offset + count > len(data):
        raise FormatError(
            f"the data ends before {what}", field=where, offset=offset,
            found=f"{max(0, len(data) - max(0, offset))} bytes", expected=f"{count} bytes",
        )  # fmt: skip


def _get(f: WireField, data: bytes | memoryview, offset: int, order: Order) -> Any:
    raw = bytes(data[offset + f.offset : offset + f.offset + f.unit_bytes])
    if f.kind == "float":
        return struct.unpack(("<" if order == "little" else ">") + "f", raw)[0]
    value = (int.from_bytes(raw, order) >> f.low) & ((1 << f.width) - 1)
    return value - (1 << f.width) if f.signed and value >> (f.width - 1) else value


def _unnamed_bits(record: Any, order: Order) -> int:
    return _unnamed(record, order)


@cache
def _unnamed(record: Any, order: Order) -> int:
    named = bytearray(size(record))
    for f in fields(record):
        if f.kind in ("int", "float"):
            old = int.from_bytes(named[f.offset : f.offset + f.unit_bytes], order)
            new = old | (((1 << f.width) - 1) << f.low)
            named[f.offset : f.offset + f.unit_bytes] = new.to_bytes(f.unit_bytes, order)
    return ~int.from_bytes(named, order) & ((1 << (8 * size(record))) - 1)


def write(value: object, *, order: Order = "little") -> bytes:
    """The record's bytes; a value that its field cannot hold is a `FormatError`."""
    record: Any = type(value)
    out = bytearray(size(record))
    tail = []
    for f in fields(record):
        item = getattr(value, f.name)
        if f.kind == "vector":
            tail.append(np.ascontiguousarray(item, np.dtype(f.dtype).newbyteorder("<" if order == "little" else ">")))
        elif f.kind == "rest":
            kept = (int.from_bytes(out, order) | item).to_bytes(len(out), order)
            out[:] = kept
        elif f.kind == "float":
            out[f.offset : f.offset + 4] = struct.pack(("<" if order == "little" else ">") + "f", item)
        else:
            check_range(record, f, item)
            old = int.from_bytes(out[f.offset : f.offset + f.unit_bytes], order)
            new = old | ((int(item) & ((1 << f.width) - 1)) << f.low)
            out[f.offset : f.offset + f.unit_bytes] = new.to_bytes(f.unit_bytes, order)
    return bytes(out) + b"".join(a.tobytes() for a in tail)


def check_range(record: type, f: WireField, value: int) -> None:
    """Raise `FormatError` if the field cannot hold `value`."""
    if not f.smallest <= value <= f.largest:
        raise FormatError(
            f"{value} does not fit into {f.storage}",
            field=f"{record.__name__}.{f.name}",
            expected=f"{f.smallest} to {f.largest}",
        )


def read_columns(
    record: type, data: bytes | memoryview, count: int, offset: int = 0, *, order: Order = "little", where: str = ""
) -> dict[str, NDArray[np.int64]]:
    """Read `count` records of one word each, back to back, as one int64 array per field."""
    (unit,) = {f.unit_bytes for f in fields(record)}
    _demand(data, offset, count * unit, where or record.__name__, f"{count} records of {unit} bytes")
    words = np.frombuffer(data, np.dtype(f"{'<' if order == 'little' else '>'}u{unit}"), count, offset)
    columns = {}
    for f in fields(record):
        value = (words.astype(np.uint64) >> np.uint64(f.low)) & np.uint64((1 << f.width) - 1)
        column = value.astype(np.int64)
        if f.signed:
            column = np.where(column >> (f.width - 1) != 0, column - (1 << f.width), column)
        column.setflags(write=False)
        columns[f.name] = column
    return columns


def write_columns(record: type, columns: dict[str, NDArray[np.int64]], *, order: Order = "little") -> bytes:
    """The bytes of records of one word each, from one integer array per field."""
    (unit,) = {f.unit_bytes for f in fields(record)}
    words = np.zeros(len(next(iter(columns.values()))), np.uint64)
    for f in fields(record):
        column = np.asarray(columns[f.name], np.int64)
        for extreme in (column.min(initial=0), column.max(initial=0)):
            check_range(record, f, int(extreme))
        masked = column.astype(np.uint64) & np.uint64((1 << f.width) - 1)
        words |= masked << np.uint64(f.low)
    return words.astype(np.dtype(f"{'<' if order == 'little' else '>'}u{unit}")).tobytes()


def text(value: object) -> str:
    """One line per field: name and value; arrays by shape and range."""
    lines = []
    for f in fields(type(value)):
        item = getattr(value, f.name)
        if f.kind == "vector":
            span = f", {item.min()} to {item.max()}" if item.size else ""
            item = f"{f.dtype} {'x'.join(map(str, item.shape))}{span}"
        lines.append(f"{f.name} = {item}")
    return "\n".join(lines)


def table(record: type) -> str:
    """The record as a Markdown table."""
    lines = ["| offset | field | type | meaning |", "|---|---|---|---|"]
    for f in fields(record):
        place = "after the fixed part" if f.kind == "vector" else "-" if f.kind == "rest" else f.offset
        lines.append(f"| {place} | `{f.name}` | {f.storage} | {f.meaning} |")
    return "\n".join(lines)


def strategy(record: type[T], **given: Any) -> Any:
    """A hypothesis strategy for records without vectors: every field over all that it can hold, but those `given`."""
    from hypothesis import strategies as st

    choices: dict[str, Any] = {}
    for f in fields(record):
        if f.name in given:
            choices[f.name] = given[f.name]
        elif f.kind == "int":
            choices[f.name] = st.integers(f.smallest, f.largest)
        elif f.kind == "float":
            choices[f.name] = st.floats(width=32, allow_nan=False)
        elif f.kind == "rest":
            choices[f.name] = st.just(0)
        else:
            raise TypeError(f"{record.__name__}.{f.name} is a vector: give a strategy for it")
    return st.builds(record, **choices)
