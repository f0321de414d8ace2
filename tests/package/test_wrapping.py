from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k210kit.errors import FormatError
from k210kit.package import is_wrapped, program_doubt, unwrap, wrap


@given(st.binary(max_size=200), st.binary(max_size=10))
def test_a_wrapped_program_is_recognised_and_comes_out_again(program: bytes, after: bytes) -> None:
    assert is_wrapped(wrap(program) + after)
    assert unwrap(wrap(program) + after) == program


def test_the_wrapping_is_flag_length_program_sha256() -> None:
    body = b"\x00\x03\x00\x00\x00abc"
    assert wrap(b"abc", "qio") == body + hashlib.sha256(body).digest()
    assert wrap(b"abc", "dio")[0] == 2


@given(st.binary(max_size=64), st.integers(0, 500))
def test_one_changed_bit_is_noticed(program: bytes, bit: int) -> None:
    wrapped = bytearray(wrap(program))
    wrapped[bit // 8 % len(wrapped)] ^= 1 << bit % 8
    assert not is_wrapped(bytes(wrapped))


def test_a_plain_program_cannot_be_unwrapped() -> None:
    with pytest.raises(FormatError, match="no program in the boot ROM's wrapping"):
        unwrap(b"\x21\xa8\xef\xbe\xad\xde")


@pytest.mark.parametrize(
    "start", ["21a8efbeadde0100", "21a00100efbeadde", "6f004000f32740f1"], ids=["MaixPy", "LoBo's MicroPython", "kboot"]
)
def test_what_begins_with_a_jump_may_be_a_program(start: str) -> None:
    assert program_doubt("p.bin", wrap(bytes.fromhex(start) + bytes(100))) == ""


@pytest.mark.parametrize("start", [b"\x7fELF", b"\3\0\0\0", b"PK\3\4", b"MAIX"])
def test_what_does_not_is_doubted(start: bytes) -> None:
    assert "does not begin as K210 programs do" in program_doubt("p.bin", wrap(start + bytes(100)))
