"""How the board writes numbers and errors: 32-bit floats, MicroPython's exception names and messages."""

from __future__ import annotations

import errno
import re
import struct
import traceback
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

__all__ = ["exception_line", "format_traceback", "represent", "text_of"]


def float_text(value: float) -> str:
    """A float as MicroPython prints it: rounded to 32 bits, seven significant digits, `.0` for whole numbers.

    >>> float_text(1 / 3), float_text(10.0), float_text(1e20)
    ('0.3333333', '10.0', '1e+20')
    """
    try:
        rounded = struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        rounded = float("inf") if value > 0 else float("-inf")
    text = f"{rounded:.7g}"
    return text if any(c in text for c in ".enai") else text + ".0"


def represent(value: object) -> str:
    """`repr` with the board's floats, inside lists, tuples, dicts and sets too."""
    if isinstance(value, float):
        return float_text(value)
    if type(value) is list:
        return "[" + ", ".join(map(represent, value)) + "]"
    if type(value) is tuple:
        return "(" + ", ".join(map(represent, value)) + ("," if len(value) == 1 else "") + ")"
    if type(value) is dict:
        return "{" + ", ".join(f"{represent(k)}: {represent(v)}" for k, v in value.items()) + "}"
    if isinstance(value, BaseException):
        return f"{_name(value)}({', '.join(map(represent, value.args))}{',' if len(value.args) == 1 else ''})"
    return repr(value)


def text_of(value: object) -> str:
    """`str` with the board's floats and messages; what `print` writes."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, BaseException):
        return _message(value)
    if isinstance(value, float | list | tuple | dict):
        return represent(value)
    return str(value)


# CPython's class -> the class that exists on the board
_NAMES: tuple[tuple[type[BaseException], str], ...] = (
    (RecursionError, "RuntimeError"),
    (ModuleNotFoundError, "ImportError"),
    (UnboundLocalError, "NameError"),
    (UnicodeError, "UnicodeError"),
)


def _name(value: BaseException) -> str:
    if isinstance(value, OSError) and type(value).__module__ == "builtins":
        return "OSError"
    for cls, name in _NAMES:
        if isinstance(value, cls) and type(value).__module__ == "builtins":
            return name
    module = type(value).__module__
    if module in ("json.decoder", "binascii", "struct", "zlib") and isinstance(value, ValueError):
        return "ValueError"
    return type(value).__name__


_Rewrite = str | Callable[["re.Match[str]"], str]
_MESSAGES: tuple[tuple[str, _Rewrite], ...] = (
    (
        r"(float )?division by zero|(integer )?(division or )?modulo by zero|float (floor division|modulo).*",
        "divide by zero",
    ),
    (r"No module named '([^']+)'.*", r"no module named '\1'"),
    (r"cannot import name '([^']+)'.*", r"cannot import name \1"),
    (r"name '([^']+)' is not defined.*", r"name '\1' is not defined"),
    (
        r"(local variable '[^']+' referenced before assignment|cannot access local variable .*)",
        "local variable referenced before assignment",
    ),
    (r"unsupported operand type\(s\) for ([^:]+): '([^']+)' and '([^']+)'", lambda m: _operands(m)),
    (r"can only concatenate (\w+) \(not \"(\w+)\"\) to \w+", r"unsupported types for __add__: '\1', '\2'"),
    (r"must be str, not (\w+)", r"can't convert '\1' object to str implicitly"),
    (r"'(\w+)' object is not callable", r"'\1' object is not callable"),
    (r"'(\w+)' object is not subscriptable", r"'\1' object is not subscriptable"),
    (r"'(\w+)' object does not support item assignment", r"'\1' object does not support item assignment"),
    (r"'(\w+)' object is not iterable", r"'\1' object is not iterable"),
    (r"cannot unpack non-iterable (\w+) object", r"'\1' object is not iterable"),
    (r"object of type '(\w+)' has no len\(\)", r"object of type '\1' has no len()"),
    (r"not enough values to unpack \(expected (\d+), got (\d+)\)", r"need more than \2 values to unpack"),
    (r"too many values to unpack \(expected (\d+)\)", r"too many values to unpack (expected \1)"),
    (
        r"(?:[\w.]+\(\)) takes from \d+ to (\d+) positional arguments? but (\d+) (?:was|were) given",
        r"function expected at most \1 arguments, got \2",
    ),
    (
        r"(?:[\w.]+\(\)) takes (\d+) positional arguments? but (\d+) (?:was|were) given",
        r"function takes \1 positional arguments but \2 were given",
    ),
    (
        r"(?:[\w.]+\(\)) missing (\d+) required positional arguments?: .*",
        lambda m: f"function missing {m[1]} required positional arguments",
    ),
    (r"(?:[\w.]+\(\)) got an unexpected keyword argument '(\w+)'", r"unexpected keyword argument '\1'"),
    (r"(?:[\w.]+\(\)) got multiple values for argument '(\w+)'", r"function got multiple values for argument '\1'"),
    (r"invalid literal for int\(\) with base (\d+): '(.*)'", r"invalid syntax for integer with base \1"),
    (r"could not convert string to float: .*", "invalid syntax for number"),
    (r"bytes must be in range\(0, 256\)", "bytes value out of range"),
    (r"maximum recursion depth exceeded.*", "maximum recursion depth exceeded"),
    (r"module '[^']+' has no attribute '([^']+)'.*", r"'module' object has no attribute '\1'"),
    (r"type object '([^']+)' has no attribute '([^']+)'.*", r"type object '\1' has no attribute '\2'"),
    (r"'([^']+)' object has no attribute '([^']+?)(?: is not on the board)?'.*", r"'\1' object has no attribute '\2'"),
    (
        r"(?:list|tuple|string|bytearray|str|bytes|array) (?:assignment )?index out of range|index out of range",
        lambda m: m[0].replace("assignment ", "").replace("string", "str"),
    ),
)

_OPERATORS = {
    "+": "__add__", "-": "__sub__", "*": "__mul__", "/": "__truediv__", "//": "__floordiv__", "%": "__mod__",
    "<<": "__lshift__", ">>": "__rshift__", "&": "__and__", "|": "__or__", "^": "__xor__", "** or pow()": "__pow__",
    "+=": "__iadd__", "-=": "__isub__",
}  # fmt: skip


def _operands(found: re.Match[str]) -> str:
    return f"unsupported types for {_OPERATORS.get(found[1], found[1])}: '{found[2]}', '{found[3]}'"


def _message(value: BaseException) -> str:
    """The text after the colon."""
    if isinstance(value, OSError) and value.args and isinstance(value.args[0], int):
        number = value.args[0]
        return f"[Errno {number}] {errno.errorcode[number]}" if number in errno.errorcode else str(number)
    if isinstance(value, KeyError):
        return ", ".join(map(represent, value.args))
    if isinstance(value, SyntaxError):
        return "invalid syntax"
    text = str(value.args[0]) if len(value.args) == 1 else str(value)
    for pattern, wording in _MESSAGES:
        found = re.fullmatch(pattern, text)
        if found:
            return wording(found) if callable(wording) else found.expand(wording)
    if isinstance(value, MemoryError) and not text:
        return "memory allocation failed"
    return text


def exception_line(value: BaseException) -> str:
    """`ValueError: text`, the last line of a traceback."""
    message = _message(value)
    return f"{_name(value)}: {message}" if message else f"{_name(value)}: "


def format_traceback(value: BaseException, is_script: Callable[[Mapping[str, Any]], bool]) -> str:
    """The traceback as the board prints it; only frames of the script's own files are shown.

    `is_script` tells by a frame's globals (Any: they are the script's) whether it belongs to the script.
    """
    lines = ["Traceback (most recent call last):"]
    frame: TracebackType | None = value.__traceback__
    while frame is not None:
        if is_script(frame.tb_frame.f_globals):
            code = frame.tb_frame.f_code
            lines.append(f'  File "{code.co_filename}", line {frame.tb_lineno}, in {code.co_name}')
        frame = frame.tb_next
    if isinstance(value, SyntaxError):
        lines.append(f'  File "{value.filename or "<stdin>"}", line {value.lineno or 1}')
    lines.append(exception_line(value))
    return "\n".join(lines) + "\n"


def our_traceback(value: BaseException) -> str:
    """The whole traceback, for a fault of ours."""
    return "".join(traceback.format_exception(value))
