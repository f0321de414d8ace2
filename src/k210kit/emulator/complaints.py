"""What CPython complains of in a script, in the words of the MicroPython 1.11 that MaixPy is built on.

The texts were compared with MicroPython 1.11 itself, built with the firmware's options, and with the strings in a
published image. Only what CPython raised is reworded: errors that the script or the kit raises say what they say.
"""

from __future__ import annotations

import dis
import errno
import os
import re
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

__all__ = ["SETTLED", "settle"]

SETTLED = "__settled__"  # on an error whose arguments are the board's already
_CALLS_OF_THE_BOARD = "__step__"  # a name that only the built-ins of a script have


def settle(error: BaseException) -> None:
    """Give an error the arguments that it has on a board, once."""
    if hasattr(error, SETTLED):
        return
    frame = _where(error)
    if isinstance(error, OSError):
        if len(error.args) > 1 and error.args[1] in (errno.errorcode.get(error.args[0]), os.strerror(error.args[0])):
            error.args = error.args[:1]
    elif isinstance(error, SyntaxError):
        outside = re.fullmatch(r"'\w+' outside \w+", error.msg or "")
        error.args = (error.msg if outside else "invalid syntax",)
    elif frame is not None:
        error.args = _arguments(error, frame)
    setattr(error, SETTLED, True)


def _where(error: BaseException) -> FrameType | None:
    """The frame in which CPython itself raised the error, or None for one that a `raise` of script or kit made."""
    trace: TracebackType | None = error.__traceback__
    if trace is None:
        return None
    while trace.tb_next is not None:
        trace = trace.tb_next
    code, names = trace.tb_frame.f_code, trace.tb_frame.f_globals
    raised = dis.opname[code.co_code[trace.tb_lasti]] in ("RAISE_VARARGS", "RERAISE")
    deliberate = _of_a_script(trace.tb_frame) or str(names.get("__name__", "")).startswith("k210kit.")
    return None if raised and deliberate else trace.tb_frame


def _of_a_script(frame: FrameType) -> bool:
    built_in = frame.f_globals.get("__builtins__")
    return isinstance(built_in, dict) and _CALLS_OF_THE_BOARD in built_in


def _arguments(error: BaseException, frame: FrameType) -> tuple[Any, ...]:  # Any: as errors have them
    if isinstance(error, UnicodeError):
        return ()
    if isinstance(error, MemoryError):
        return error.args or ("memory allocation failed",)
    if isinstance(error, KeyError | StopIteration | SystemExit):
        return error.args
    text = str(error)
    for pattern, wording in _WORDINGS:
        found = re.fullmatch(pattern, text)
        if found:
            said = wording(found, frame) if callable(wording) else found.expand(wording)
            return (said,) if said else ()
    return error.args


# Words ------------------------------------------------------------------------------------------------------------
_OPERATORS = {
    "+": "__add__", "-": "__sub__", "*": "__mul__", "/": "__truediv__", "//": "__floordiv__", "%": "__mod__",
    "<<": "__lshift__", ">>": "__rshift__", "&": "__and__", "|": "__or__", "^": "__xor__", "** or pow()": "__pow__",
    "<": "__lt__", ">": "__gt__", "<=": "__le__", ">=": "__ge__", "divmod()": "__divmod__",
}  # fmt: skip
_IN_PLACE = {"+=": "__iadd__", "-=": "__isub__", "|=": "__ior__", "&=": "__iand__", "^=": "__ixor__"}
_SIGNS = {"-": "__neg__", "+": "__pos__", "~": "__invert__", "abs()": "__abs__"}


def _no_text(kind: str) -> str:
    return f"can't convert '{kind}' object to str implicitly"


def _operands(found: re.Match[str], _: FrameType) -> str:
    """Two operands; a text on the left wants a text on the right, whatever the operator."""
    sign, left, right = found["sign"], found["left"], found["right"]
    if left in ("str", "bytes") and sign not in ("*", "%"):
        return _no_text(right)
    name = _OPERATORS.get(sign) or _IN_PLACE.get(sign) or _OPERATORS.get(sign.removesuffix("="), sign)
    return f"unsupported types for {name}: '{left}', '{right}'"


def _concatenated(found: re.Match[str], _: FrameType) -> str:
    left, right = found["left"], found["right"]
    return _no_text(right) if left in ("str", "bytes") else f"unsupported types for __add__: '{left}', '{right}'"


def _last(qualified: str) -> str:
    return qualified.rpartition(".")[2]


def _function(qualified: str, frame: FrameType) -> Any:
    """The script's function of that name, or None: then it is a built-in one of the board's (Any: the script's)."""
    if not _of_a_script(frame):
        return None
    *owners, name = qualified.replace("<locals>.", "").split(".")
    for names in (frame.f_locals, frame.f_globals):
        found: Any = names.get(owners[0] if owners else name)
        for part in [*owners[1:], name] if owners else []:
            found = getattr(found, part, None)
        if getattr(found, "__code__", None) is not None:
            return found
    return None


def _missing(found: re.Match[str], frame: FrameType) -> str:
    count, function = int(found["count"]), _function(found["name"], frame)
    if function is None:
        return f"function missing {count} required positional arguments"
    needed = function.__code__.co_argcount - len(function.__defaults__ or ())
    return f"{_last(found['name'])}() takes {needed} positional arguments but {needed - count} were given"


def _too_many(found: re.Match[str], frame: FrameType) -> str:
    most, given, name = int(found["most"]), int(found["given"]), found["name"]
    if _function(name, frame) is not None or "." not in name:
        return f"{_last(name)}() takes {most} positional arguments but {given} were given"
    if name.split(".")[0].endswith(("Module", "Interpreter")):  # a function of a module, which has no self
        most, given = most - 1, given - 1
    if found["least"] is not None:
        return f"function expected at most {most} arguments, got {given}"
    return f"function takes {most} positional arguments but {given} were given"


def _unexpected(found: re.Match[str], frame: FrameType) -> str:
    own = _function(found["name"], frame) is not None
    return f"unexpected keyword argument '{found['keyword']}'" if own else "extra keyword arguments given"


_NUMBERS = {"no": 0, "exactly one": 1, "exactly two": 2, "one": 1}


def _counted(found: re.Match[str], _: FrameType) -> str:
    """`list.append() takes exactly one argument (2 given)`; a method's own object counts too."""
    own = int("." in found["name"])
    wanted = _NUMBERS.get(found["wanted"], 0) + own
    return f"function takes {wanted} positional arguments but {int(found['given']) + own} were given"


def _at_least(found: re.Match[str], _: FrameType) -> str:
    return f"function missing {int(found['least']) - int(found['given'])} required positional arguments"


def _expected(found: re.Match[str], _: FrameType) -> str:
    return f"function takes {int(found['wanted']) + 1} positional arguments but {int(found['given']) + 1} were given"


def _at_most(found: re.Match[str], _: FrameType) -> str:
    return f"function expected at most {int(found['most']) + 1} arguments, got {int(found['given']) + 1}"


_Wording = str | Callable[["re.Match[str]", FrameType], str]
# (CPython's text, MicroPython's); the first that fits is taken. CPython's own wording differs from version to version.
_WORDINGS: tuple[tuple[str, _Wording], ...] = (
    # names
    (r"name '(.+?)' is not defined.*", r"name '\1' isn't defined"),
    (
        r"(free variable|local variable|cannot access (local|free) variable) .*",
        "local variable referenced before assignment",
    ),
    (r"No module named '([^']+)'.*", r"no module named '\1'"),
    (r"cannot import name '([^']+)'.*", r"cannot import name \1"),
    (r"module '[^']+' has no attribute '([^']+)'.*", r"'module' object has no attribute '\1'"),
    (
        r"type object '([^']+)' has no attribute '([^']+?)(?: is not on the board)?'.*",
        r"type object '\1' has no attribute '\2'",
    ),
    (r"'([^']+)' object has no attribute '([^']+?)(?: is not on the board)?'.*", r"'\1' object has no attribute '\2'"),
    # numbers
    (
        r"[\w ]*(division|modulo) by zero|float (modulo|floor division.*|divmod\(\))|(integer )?modulo.*",
        "divide by zero",
    ),
    (r"0.0 cannot be raised to a negative power", "divide by zero"),
    (r"invalid literal for int\(\) with base (\d+): (.*)", r"invalid syntax for integer with base \1: \2"),
    (r"int\(\) base must be .*", "int() arg 2 must be >= 2 and <= 36"),
    (
        r"could not convert string to (float|complex): .*|complex\(\) arg is a malformed string",
        "invalid syntax for number",
    ),
    (r"(int|float)\(\) argument must be .*, not '(.+)'", r"can't convert \2 to \1"),
    (r"cannot convert float infinity to integer", "can't convert inf to int"),
    (r"cannot convert float NaN to integer", "can't convert NaN to int"),
    (r"'(.+)' object cannot be interpreted as an integer", r"can't convert \1 to int"),
    (
        r"must be real number, not (.+)|type (.+) doesn't define __round__ method",
        lambda m, _: f"can't convert {m[1] or m[2]} to float",
    ),
    (r"bytes must be in range\(0, 256\)", "bytes value out of range"),
    (r"negative count", ""),
    (r"range\(\) arg 3 must not be zero", "zero step"),
    (r"empty range for randrange\(\).*|empty range in randrange.*|Cannot choose from an empty sequence", ""),
    # operators
    (r"unsupported operand type\(s\) for (?P<sign>[^:]+): '(?P<left>.+)' and '(?P<right>.+)'", _operands),
    (r"'(?P<sign>[<>]=?)' not supported between instances of '(?P<left>.+)' and '(?P<right>.+)'", _operands),
    (r"can only concatenate (?P<left>\w+) \(not \"(?P<right>.+)\"\) to \w+", _concatenated),
    (r"can't concat (?P<right>.+) to (?P<left>bytes|bytearray)", _concatenated),
    (r"can't multiply sequence by non-int of type '(.+)'", r"unsupported types for __mul__: 'list', '\1'"),
    (
        r"bad operand type for (?:unary )?(abs\(\)|.): '(.+)'",
        lambda m, _: f"unsupported type for {_SIGNS.get(m[1], m[1])}: '{m[2]}'",
    ),
    (r"'in <string>' requires string as left operand, not (.+)", lambda m, _: _no_text(m[1])),
    (
        r"(?:argument of type|cannot use) '(.+?)' (?:is not iterable|as a container|is not a container).*",
        r"'\1' object isn't iterable",
    ),
    # what objects do not do
    (r"'(.+)' object is not (callable|iterable|subscriptable|an iterator)", r"'\1' object isn't \2"),
    (r"cannot unpack non-iterable (.+) object", r"'\1' object isn't iterable"),
    (
        r"(?:Value after \* must be an iterable|.*argument after \* must be an iterable), not (.+)",
        r"'\1' object isn't iterable",
    ),
    (r"'(.+)' object does(?: not|n't) support item (\w+)", r"'\1' object doesn't support item \2"),
    (r"'(.+)' object is not reversible", r"object of type '\1' has no len()"),
    (r"(?:cannot use '.+' as a .+ \()?unhashable type: '(.+?)'\)?", r"unsupported type for __hash__: '\1'"),
    (r"(\w+) indices must be integers(?: or slices)?, not '?(.+?)'?", r"\1 indices must be integers, not \2"),
    (r"(bytearray|array) (?:assignment )?index out of range", r"\1 index out of range"),
    (r"index out of range", "bytes index out of range"),
    (r"range object index out of range", "range index out of range"),
    (r"(list|tuple|string) (?:assignment )?index out of range", r"\1 index out of range"),
    (r"not enough values to unpack \(expected (?:at least )?\d+, got (\d+)\)", r"need more than \1 values to unpack"),
    (r"too many values to unpack \(expected (\d+).*\)", r"too many values to unpack (expected \1)"),
    (r".* arg is an empty sequence|.*iterable argument is empty", "arg is an empty sequence"),
    (
        r".* not in (?:list|tuple|deque|array|sequence|range)|list\.(?:index|remove)\(x\): x not in list",
        "object not in sequence",
    ),
    (r"pop from empty list|pop from an empty deque", "pop from empty list"),
    (r"dictionary update sequence element .* has length .*", "dict update sequence has wrong length"),
    (r"cannot convert dictionary update sequence element .*", "'int' object isn't iterable"),
    (r"(?:isinstance|issubclass)\(\) arg 2 must be .*", "issubclass() arg 2 must be a class or a tuple of classes"),
    (r"(?:memoryview: )?a bytes-like object is required, not '.+'", "object with buffer protocol required"),
    (
        r"exceptions must derive from BaseException|catching classes that do not inherit .*",
        "exceptions must derive from BaseException",
    ),
    (r"super\(\): no arguments", "function takes 2 positional arguments but 0 were given"),
    # text
    (r"%.* format: .* is required, not (.+)", r"can't convert \1 to int"),
    (r"not all arguments converted during string formatting", "format string didn't convert all arguments"),
    (r"not enough arguments for format string", "format string needs more arguments"),
    (
        r"unsupported format character '(.)' .* at index (\d+)",
        lambda m, _: f"unsupported format character '{m[1]}' (0x{ord(m[1]):x}) at index {m[2]}",
    ),
    (r"Replacement index \d+ out of range for positional args tuple", "tuple index out of range"),
    (r"Unknown format code '(.)' for object of type '(.+)'", r"unknown format code '\1' for object of type '\2'"),
    (r"Single '(.)' encountered in format string|expected '(.)' before end of string", r"unmatched '{' in format"),
    (
        r"sequence item \d+: expected .* instance, .* found",
        "join expects a list of str/bytes objects consistent with self object",
    ),
    (
        r"(?:.* )?must be (?:str|None or str|str or None|str or a tuple of str)(?: or None)?, not '?(.+?)'?",
        lambda m, _: _no_text(m[1]),
    ),
    (r"\w*strip arg must be None or str", _no_text("int")),
    (r"ord\(\) expected string of length 1, but (.+) found", lambda m, _: _no_text(m[1])),
    (r"Odd-length string", "odd-length string"),
    (r"Non-hexadecimal digit found", "non-hex digit found"),
    (r"Invalid base64-encoded string: .*|Incorrect padding", "incorrect padding"),
    (r"bad typecode .*", "bad typecode"),
    # calls
    (r"(?P<name>[\w.<>]+)\(\) missing (?P<count>\d+) required positional arguments?: .*", _missing),
    (
        r"(?P<name>[\w.<>]+)\(\) missing \d+ required keyword-only arguments?: .*",
        "function missing keyword-only argument",
    ),
    (
        r"(?P<name>[\w.<>]+)\(\) takes (?:from (?P<least>\d+) to )?(?P<most>\d+) positional arguments? "
        r"but (?P<given>\d+) (?:was|were) given",
        _too_many,
    ),
    (r"(?P<name>[\w.<>]+)\(\) got an unexpected keyword argument '(?P<keyword>\w+)'.*", _unexpected),
    (
        r"'\w+' is an invalid keyword argument for .*|[\w.]+\(\) takes no keyword arguments",
        "function doesn't take keyword arguments",
    ),
    (
        r"[\w.<>]+\(\) got multiple values for (?:keyword )?argument '(\w+)'",
        r"function got multiple values for argument '\1'",
    ),
    (
        r"(?P<name>[\w.]+)\(\) takes (?P<wanted>no|exactly one|exactly two|one) arguments? \((?P<given>\d+) given\)",
        _counted,
    ),
    (r"[\w.]+(?:\(\) takes| expected) at least (?P<least>\d+) arguments?(?:,? got|.*\() ?(?P<given>\d+).*", _at_least),
    (r"[\w.]+(?:\(\) takes| expected) at most (?P<most>\d+) arguments?(?:,? got|.*\() ?(?P<given>\d+).*", _at_most),
    (r"[\w.]+ expected (?P<wanted>\d+) arguments?, got (?P<given>\d+)", _expected),
    (r"maximum recursion depth exceeded.*", "maximum recursion depth exceeded"),
)
