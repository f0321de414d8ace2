"""What a script's small objects take in MicroPython's heap: numbers, texts, lists, functions, classes.

They live in CPython. From time to time everything that the script can reach is walked and its size on the board added
up, in blocks of 32 bytes, by the structures of MicroPython 1.11 with 64-bit words: `py/objlist.c` (room for 4, then
doubled), `py/map.c` (tables of certain sizes), `py/objstr.c`, `objtuple.c`, `objfloat.c`, `objtype.c`, `objfun.c`.
Small integers, None and booleans take nothing. Big things have blocks of their own in `gc_heap`.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any

from k210kit.emulator.gc_heap import BLOCK_BYTES

__all__ = ["BOOT_BYTES", "Reached", "code_bytes", "is_the_scripts", "script_frames", "walk"]

_WORD = 8
_LARGEST_SMALL_INT = 1 << 62
# Taken before a script runs: of 128 KiB a board with MaixPy 0.6.2 reports 121,472 bytes free at its prompt.
BOOT_BYTES = 8_096
# py/map.c: how many entries a table has room for
_TABLE_ROOMS = (
    0, 1, 2, 4, 6, 8, 10, 12, 17, 23, 29, 37, 47, 59, 73, 97, 127, 167, 223, 293, 389, 521, 691, 919, 1223, 1627, 2161,
    3229, 4831, 7243, 10861, 16273, 24407, 36607, 54907,
)  # fmt: skip
# Bytes of byte code, constants and names per node of the syntax tree: the median of 60 public scripts, compiled with
# MicroPython 1.11's own cross compiler.
_BYTES_PER_NODE = 3.1
_CLASS_BYTES = 112
_NOTHING = (type(None), bool, ModuleType, BuiltinFunctionType, FrameType, CodeType, bytearray)


@dataclass(frozen=True)
class Reached:
    """What a walk found."""

    bytes: int
    objects: int
    largest: int  # bytes of the largest piece, which is what fails to grow
    by_name: dict[str, int]  # bytes first reached through each global name


def _blocks(size: float) -> int:
    """Bytes of as many whole blocks."""
    return -(-int(size) // BLOCK_BYTES) * BLOCK_BYTES


def code_bytes(nodes: int) -> int:
    """Bytes of a compiled file by the nodes of its syntax tree."""
    return _blocks(nodes * _BYTES_PER_NODE)


def _list_room(length: int) -> int:
    """How many items a list has room for that grew by appending."""
    return max(4, 1 << (length - 1).bit_length()) if length else 4


def _table_room(length: int) -> int:
    place = bisect_left(_TABLE_ROOMS, length)
    return _TABLE_ROOMS[place] if place < len(_TABLE_ROOMS) else length * 3 // 2


def _pieces(value: Any) -> tuple[int, ...]:
    """Bytes of the pieces that an object takes itself, without what it refers to (Any: whatever the script has)."""
    if isinstance(value, _NOTHING):
        return ()
    if isinstance(value, type):
        return (_CLASS_BYTES, 2 * _WORD * _table_room(len(value.__dict__))) if is_the_scripts(value) else ()
    kind = type(value)
    if kind is int:
        return () if abs(value) < _LARGEST_SMALL_INT else (32, value.bit_length() // 8 + 2)
    if kind is float or kind is complex:
        return (16,)
    if kind is str:
        return (32, len(value.encode("utf-8", "surrogatepass")) + 1) if len(value) > 1 else ()
    if kind is bytes:
        return (32, len(value) + 1)
    if kind is tuple:
        return (2 * _WORD + _WORD * len(value),) if value else ()
    if kind is list:
        return (32, _WORD * _list_room(len(value)))
    if isinstance(value, dict):
        return (40, 2 * _WORD * _table_room(len(value)))
    if isinstance(value, set | frozenset):
        return (40, _WORD * _table_room(len(value)))
    if isinstance(value, array):
        return (32, value.itemsize * len(value))
    if kind is FunctionType:
        return (64,)
    if kind is MethodType:
        return (32,)
    if isinstance(value, deque):
        return (48, _WORD * ((value.maxlen or len(value)) + 1))
    if isinstance(value, BaseException):
        return (48,)
    return (48,)  # an instance, whose attributes are a dict


def walk(roots: Mapping[str, Any], others: Iterable[Any], is_script: Callable[[Mapping[str, Any]], bool]) -> Reached:
    """Add up what can be reached from global names (`roots`) and from further objects (Any: the script's)."""
    seen: set[int] = set()
    total, largest, by_name = 0, 0, dict[str, int]()
    for name, value in (*roots.items(), *(("", other) for other in others)):
        before = total
        waiting = [value]
        while waiting:
            found = waiting.pop()
            if id(found) in seen:
                continue
            seen.add(id(found))
            for size in _pieces(found):
                total += _blocks(size)
                largest = max(largest, size)
            waiting.extend(_inside(found, is_script))
        if name and total > before:
            by_name[name] = total - before
    return Reached(total, len(seen), largest, by_name)


_LEAVES = (int, float, str, bytes, bytearray, complex, array, CodeType, BuiltinFunctionType)


def _inside(value: Any, is_script: Callable[[Mapping[str, Any]], bool]) -> Iterator[Any]:
    """What an object of the script refers to; the kit's own objects are not looked into (Any: both)."""
    if isinstance(value, _LEAVES) or value is None:
        return
    if isinstance(value, dict):
        yield from value.keys()
        yield from value.values()
    elif isinstance(value, list | tuple | set | frozenset | deque):
        yield from value
    elif isinstance(value, FunctionType):
        if is_script(value.__globals__):
            yield from value.__defaults__ or ()
            yield from (cell.cell_contents for cell in value.__closure__ or () if _filled(cell))
    elif isinstance(value, MethodType):
        yield value.__self__
    elif isinstance(value, type):
        if is_the_scripts(value):
            yield from value.__dict__.values()
    elif not type(value).__module__.startswith("k210kit"):
        inside = getattr(value, "__dict__", None)
        if isinstance(inside, dict):
            yield inside


def is_the_scripts(cls: type) -> bool:
    """Whether a class was made by the script, not by Python or the kit."""
    module = cls.__dict__.get("__module__", "builtins")
    return isinstance(module, str) and module != "builtins" and not module.startswith("k210kit")


def _filled(cell: Any) -> bool:
    """Whether a closure's cell holds something yet (Any: CPython's cell)."""
    try:
        cell.cell_contents  # noqa: B018 - asking is what raises
    except ValueError:
        return False
    return True


def script_frames(is_script: Callable[[Mapping[str, Any]], bool]) -> Iterator[Any]:
    """The local variables of every function of the script that is running, in any thread (Any: the script's)."""
    for top in list(sys._current_frames().values()):
        frame: FrameType | None = top
        while frame is not None:
            if is_script(frame.f_globals) and frame.f_locals is not frame.f_globals:
                yield from frame.f_locals.values()
            frame = frame.f_back
