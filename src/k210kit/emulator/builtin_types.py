"""What CPython's own types have and MicroPython 1.11's have not: a script that uses it would stop on a board.

Compared with `dir()` of MicroPython 1.11 built with the firmware's options.
"""

from __future__ import annotations

from typing import Any

__all__ = ["ABSENT_NAMES", "lacks", "method_of"]

_OF_TEXT = """
    capitalize casefold expandtabs format_map isalnum isascii isdecimal isidentifier isnumeric isprintable istitle ljust
    maketrans removeprefix removesuffix rjust swapcase title translate zfill
"""
_OF_BYTES = """
    capitalize expandtabs fromhex hex isalnum isascii istitle ljust maketrans removeprefix removesuffix rjust swapcase
    title translate zfill
"""
_OF_BYTE_ARRAYS = f"""
    {_OF_BYTES} center clear copy count endswith find index insert isalpha isdigit islower isspace isupper join lower
    lstrip partition pop remove replace reverse rfind rindex rpartition rsplit rstrip split splitlines startswith strip
    upper
"""
_OF_VIEWS = """
    c_contiguous cast contiguous f_contiguous hex itemsize nbytes ndim obj readonly release shape strides suboffsets
    tobytes tolist toreadonly
"""
_ABSENT: dict[type, frozenset[str]] = {
    kind: frozenset(names.split())
    for kind, names in (
        (str, _OF_TEXT),
        (bytes, _OF_BYTES),
        (bytearray, _OF_BYTE_ARRAYS),
        (memoryview, _OF_VIEWS),
        (int, "as_integer_ratio bit_count bit_length conjugate denominator imag is_integer numerator real"),
        (float, "as_integer_ratio conjugate fromhex from_number hex imag is_integer real"),
        (complex, "conjugate from_number"),
        (range, "count index"),
    )
}
_OF_ERRORS = frozenset(("obj", "add_note", "with_traceback"))
ABSENT_NAMES = frozenset(_OF_ERRORS).union(*_ABSENT.values())


def lacks(of: Any, name: str) -> bool:
    """Whether MicroPython's type of that value, or that type, does not have the name (Any: the script's)."""
    kind = of if isinstance(of, type) else type(of)
    absent = _ABSENT.get(kind)
    return name in (_of_the_base(kind) if absent is None else absent)


def method_of(of: Any, name: str) -> Any:
    """`of.name`, where MicroPython has it (Any: the script's)."""
    if lacks(of, name):
        what = f"type object '{of.__name__}'" if isinstance(of, type) else f"'{type(of).__name__}' object"
        raise AttributeError(f"{what} has no attribute '{name}'")
    return getattr(of, name)


def _of_the_base(kind: type) -> frozenset[str]:
    """What a class has not by what it is made of."""
    if issubclass(kind, bytearray):
        return _ABSENT[bytearray]
    return _OF_ERRORS if issubclass(kind, BaseException) else frozenset()
