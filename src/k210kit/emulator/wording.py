"""How the board writes numbers and errors: 32-bit floats, MicroPython's exception names and messages."""

from __future__ import annotations

import errno
import struct
import traceback
from collections import OrderedDict
from collections.abc import Callable, Mapping
from types import BuiltinFunctionType, FunctionType, GeneratorType, MethodType, TracebackType
from typing import Any

from k210kit.emulator.complaints import settle

__all__ = ["ERROR_NAMES", "exception_line", "format_traceback", "represent", "shown", "text_of"]


# MicroPython's uerrno; a board prints other errors as bare numbers
ERROR_NAMES = frozenset(
    [
        "EPERM",
        "ENOENT",
        "EIO",
        "EBADF",
        "EAGAIN",
        "ENOMEM",
        "EACCES",
        "EEXIST",
        "ENODEV",
        "EISDIR",
        "EINVAL",
        "EOPNOTSUPP",
        "EADDRINUSE",
        "ECONNABORTED",
        "ECONNRESET",
        "ENOBUFS",
        "ENOTCONN",
        "ETIMEDOUT",
        "ECONNREFUSED",
        "EHOSTUNREACH",
        "EALREADY",
        "EINPROGRESS",
    ]
)


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
    """`repr` as the board writes it: 32-bit floats, inside containers too, and classes and objects in its form."""
    if isinstance(value, float):
        return float_text(value)
    if type(value) is list:
        return "[" + ", ".join(map(represent, value)) + "]"
    if type(value) is tuple:
        return "(" + ", ".join(map(represent, value)) + ("," if len(value) == 1 else "") + ")"
    if type(value) is dict:
        return "{" + ", ".join(f"{represent(k)}: {represent(v)}" for k, v in value.items()) + "}"
    if isinstance(value, BaseException):
        settle(value)
        return f"{_name(value)}({', '.join(map(represent, value.args))}{',' if len(value.args) == 1 else ''})"
    if isinstance(value, set | frozenset) and value:
        inside = "{" + ", ".join(map(represent, value)) + "}"
        return inside if type(value) is set else f"frozenset({inside})"
    if isinstance(value, OrderedDict):
        return f"OrderedDict({represent(dict(value))})"
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        inside = ", ".join(f"{name}={represent(item)}" for name, item in zip(value._fields, value, strict=True))
        return f"{type(value).__name__}({inside})"
    return _of_the_language(value)


def _of_the_language(value: object) -> str:
    """Classes, functions, generators, and objects that do not say what they are."""
    if isinstance(value, type):
        return f"<class '{_class_name(value)}'>"
    if isinstance(value, MethodType):
        return "<bound_method>"
    if isinstance(value, FunctionType):
        return f"<function {value.__name__} at {_place(value)}>"
    if isinstance(value, BuiltinFunctionType):
        return "<function>"
    if isinstance(value, GeneratorType):
        return f"<generator object '{value.__name__}' at {_place(value)}>"
    if type(value).__repr__ is object.__repr__:
        return f"<{_class_name(type(value))} object at {_place(value)}>"
    return repr(value)


def _place(value: object) -> str:
    """An address of the board's: 32-byte blocks of its GC heap, one and the same for one object."""
    return f"{0x80300000 + id(value) % 0x80000 // 32 * 32:x}"


def text_of(value: object) -> str:
    """`str` with the board's floats and messages; what `print` writes."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, BaseException):
        return _message(value)
    if type(value).__str__ is object.__str__ or isinstance(value, _REPRESENTED):
        return represent(value)
    return str(value)


_REPRESENTED = (float, list, tuple, dict, set, frozenset, type, FunctionType, BuiltinFunctionType, MethodType)


class ShownFloat(float):
    """A float that a format shows as the board does where the format leaves the form open."""

    def __str__(self) -> str:
        return float_text(float(self))

    __repr__ = __str__


ShownFloat.__name__ = "float"  # errors of formats name it


def shown(value: Any) -> Any:
    """A value for CPython's formats, which then show what the board's would (Any: the script's)."""
    if isinstance(value, float):
        return ShownFloat(value)
    return text_of(value) if isinstance(value, list | tuple | dict | set | BaseException | type) else value


# CPython's class -> the class that exists on the board
_NAMES: tuple[tuple[type[BaseException], str], ...] = (
    (RecursionError, "RuntimeError"),
    (ModuleNotFoundError, "ImportError"),
    (UnboundLocalError, "NameError"),
    (UnicodeError, "UnicodeError"),
)


def _class_name(cls: type) -> str:
    """A class as the board names it."""
    if issubclass(cls, BaseException) and cls.__module__ == "builtins":
        return next((name for known, name in _NAMES if issubclass(cls, known)), cls.__name__)
    return cls.__name__


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


def _message(value: BaseException) -> str:
    """The text after the colon."""
    settle(value)
    arguments = value.args
    if isinstance(value, OSError) and len(arguments) == 1 and isinstance(arguments[0], int):
        name = errno.errorcode.get(arguments[0], "")
        return f"[Errno {arguments[0]}] {name}" if name in ERROR_NAMES else str(arguments[0])
    if len(arguments) == 1:
        return text_of(arguments[0])
    return represent(arguments) if arguments else ""


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
