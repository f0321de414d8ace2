from __future__ import annotations

import doctest
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from k210kit import wire
from k210kit.errors import FormatError
from k210kit.wire import bits, f32, i32, rest, u8, u16, u32, u64, vector


@dataclass(frozen=True, kw_only=True)
class Mixed:
    small: int = u8("a byte")
    half: int = u16("two bytes")
    word: int = u32("four bytes")
    signed: int = i32("four bytes with a sign")
    long: int = u64("eight bytes")
    real: float = f32("a float")
    low: int = bits(24, 0, 2, "the lowest three bits")
    high: int = bits(24, 3, 17, "fifteen more", signed=True)
    other: int = rest()


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    count: int = u16("rows")
    values: Any = vector("int16", lambda r: (r.count, 2), "pairs")


def test_the_examples_in_the_docstring_hold() -> None:
    assert doctest.testmod(wire).failed == 0


@given(value=wire.strategy(Mixed))
def test_what_is_written_is_read_in_both_byte_orders(value: Mixed) -> None:
    assert wire.read(Mixed, wire.write(value)) == value
    assert wire.read(Mixed, wire.write(value, order="big"), order="big") == value


def test_fields_follow_one_another_and_bits_lie_where_they_say() -> None:
    value = Mixed(small=1, half=2, word=3, signed=-4, long=5, real=1.0, low=7, high=-1)
    raw = wire.write(value)
    assert raw[:7] == bytes([1, 2, 0, 3, 0, 0, 0])
    assert raw[7:11] == b"\xfc\xff\xff\xff"
    assert int.from_bytes(raw[24:32], "little") == 0b111 | 0x7FFF << 3


def test_bits_that_no_field_names_are_kept() -> None:
    raw = bytes(range(32))
    assert wire.write(wire.read(Mixed, raw)) == raw
    assert wire.write(wire.read(Mixed, raw, order="big"), order="big") == raw


def test_a_vector_has_the_shape_that_earlier_fields_tell() -> None:
    made = wire.read(Table, bytes([2, 0, 1, 0, 2, 0, 3, 0, 255, 255]))
    assert made.values.tolist() == [[1, 2], [3, -1]]
    assert wire.write(made, order="big") == bytes([0, 2, 0, 1, 0, 2, 0, 3, 255, 255])


def test_data_that_ends_early_is_told_with_place_and_size() -> None:
    with pytest.raises(FormatError) as caught:
        wire.read(Table, bytes([9, 0, 1, 0]), where="the table")
    assert str(caught.value) == (
        "the table.values at byte 2: the data ends before 18 values of int16; found 2 bytes; expected 36 bytes."
    )


def test_a_value_that_does_not_fit_is_told_with_its_limits() -> None:
    with pytest.raises(FormatError) as caught:
        wire.write(Mixed(small=256, half=0, word=0, signed=0, long=0, real=0.0, low=0, high=0))
    assert str(caught.value) == "Mixed.small: 256 does not fit into u8; expected 0 to 255."


def test_columns_are_the_records_field_by_field() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Word:
        low: int = bits(0, 0, 7, "low", signed=True)
        high: int = bits(0, 8, 63, "high")

    columns = {"low": np.array([-1, 5]), "high": np.array([1, (1 << 56) - 1])}
    raw = wire.write_columns(Word, columns)
    assert raw == wire.write(Word(low=-1, high=1)) + wire.write(Word(low=5, high=(1 << 56) - 1))
    read = wire.read_columns(Word, raw, 2)
    assert {k: v.tolist() for k, v in read.items()} == {k: v.tolist() for k, v in columns.items()}


def test_the_table_and_the_printer_follow_from_the_declaration() -> None:
    assert "| 24 | `high` | bits 3-17 of u64, signed | fifteen more |" in wire.table(Mixed)
    made = wire.read(Table, bytes([1, 0, 1, 0, 2, 0]))
    assert wire.text(made) == "count = 1\nvalues = int16 1x2, 1 to 2"
