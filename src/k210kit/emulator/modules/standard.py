"""MicroPython's small versions of standard modules: the names that 1.11 has, on CPython's arithmetic."""

from __future__ import annotations

import array as host_array
import binascii as host_binascii
import cmath as host_cmath
import collections as host_collections
import errno as host_errno
import hashlib as host_hashlib
import heapq as host_heapq
import json as host_json
import math as host_math
import re as host_re
import struct as host_struct
import zlib as host_zlib
from collections.abc import Callable
from typing import Any

from k210kit.emulator.board import Board
from k210kit.emulator.buffers import as_bytes
from k210kit.emulator.modules.table import device_module
from k210kit.emulator.wording import ERROR_NAMES, text_of

__all__: list[str] = []


def _copy(module: Any, names: str) -> dict[str, Any]:
    """Some names of a CPython module (Any: a module and what is in it)."""
    return {name: getattr(module, name) for name in names.split()}


class _Copied:
    """A module that is a choice of names; `_names` fills the instance."""

    _names: dict[str, Any] = {}  # noqa: RUF012 - each subclass sets its own

    def __init__(self, board: Board) -> None:
        self._board = board
        self.__dict__.update(self._names)


@device_module("math")
class MathModule(_Copied):
    _names = _copy(
        host_math,
        "e pi sqrt pow exp expm1 log log2 log10 cosh sinh tanh acosh asinh atanh cos sin tan acos asin atan atan2 ceil "
        "copysign fabs floor fmod frexp ldexp modf isfinite isinf isnan trunc radians degrees erf erfc gamma lgamma",
    )


@device_module("cmath")
class CmathModule(_Copied):
    _names = _copy(host_cmath, "e pi phase polar rect exp log log10 sqrt cos sin")


_BITS = {"b": 8, "B": 8, "h": 16, "H": 16, "i": 32, "I": 32, "l": 32, "L": 32, "q": 64, "Q": 64}
_NATIVE_BITS = {**_BITS, "l": 64, "L": 64}


def _packable(form: str, values: tuple[Any, ...]) -> list[Any]:
    """Values as CPython packs them (Any: the form's).

    As on the board numbers are cut to their field, text goes in as bytes, missing values are 0, further ones ignored.
    """
    bits = _NATIVE_BITS if form[:1] not in "<>!=" else _BITS
    made, waiting = list[Any](), iter(values)
    for count, kind in host_re.findall(r"(\d*)([a-zA-Z?])", form):
        fields = 1 if kind == "s" else 0 if kind == "x" else int(count or 1)
        made.extend(_field(next(waiting, b"" if kind == "s" else 0), kind, bits.get(kind, 0)) for _ in range(fields))
    return made


def _field(value: Any, kind: str, bits: int) -> Any:
    """One value (Any: see above)."""
    if isinstance(value, str) and not bits:
        return value.encode()
    if not bits:
        return value
    if not isinstance(value, int):
        raise TypeError(f"can't convert {type(value).__name__} to int")
    low = value & ((1 << bits) - 1)
    return low - (1 << bits) if kind.islower() and low >> (bits - 1) else low


def _packed(form: str, values: tuple[Any, ...]) -> bytes:
    """`struct.pack` (Any: see above)."""
    try:
        return host_struct.pack(form, *_packable(form, values))
    except host_struct.error:
        raise ValueError("bad typecode") from None


@device_module("ustruct", "struct")
class StructModule(_Copied):
    def calcsize(self, format: str) -> int:
        try:
            return host_struct.calcsize(format)
        except host_struct.error:
            raise ValueError("bad typecode") from None

    def pack(self, form: str, *values: Any) -> bytes:
        """Any: numbers, text and bytes by the form."""
        return _packed(form, values)

    def pack_into(self, form: str, buffer: Any, offset: int, *values: Any) -> None:
        """Any: a buffer, and values by the form."""
        made = _packed(form, values)
        start = offset + len(buffer) if offset < 0 else offset
        if not 0 <= start <= len(buffer) - len(made):
            raise ValueError("buffer too small")
        memoryview(buffer).cast("B")[start : start + len(made)] = made

    def unpack(self, form: str, data: Any) -> tuple[Any, ...]:
        """Any: a buffer, and values by the form; bytes behind the last value are ignored, as on the board."""
        return self.unpack_from(form, data)

    def unpack_from(self, form: str, data: Any, offset: int = 0) -> tuple[Any, ...]:
        """Any: a buffer, and values by the form."""
        self.calcsize(form)
        try:
            return host_struct.unpack_from(form, as_bytes(data), offset)
        except host_struct.error:
            raise ValueError("buffer too small") from None


@device_module("ubinascii", "binascii")
class BinasciiModule(_Copied):
    _names = _copy(host_binascii, "a2b_base64 b2a_base64 crc32 unhexlify")

    def hexlify(self, data: Any, separator: Any = None) -> bytes:
        """Any: a buffer; a separator of one character."""
        if separator is None:
            return host_binascii.hexlify(as_bytes(data))
        return host_binascii.hexlify(as_bytes(data), as_bytes(separator))


@device_module("uheapq", "heapq")
class HeapqModule(_Copied):
    _names = _copy(host_heapq, "heappush heapify")

    def heappop(self, heap: list[Any]) -> Any:
        """Any: the script's own."""
        if not heap:
            raise IndexError("empty heap")
        return host_heapq.heappop(heap)


@device_module("uerrno", "errno")
class ErrnoModule(_Copied):
    _names = _copy(host_errno, " ".join(ERROR_NAMES)) | {
        "errorcode": {number: name for number, name in host_errno.errorcode.items() if name in ERROR_NAMES}
    }


@device_module("ucollections", "collections")
class CollectionsModule(_Copied):
    _names = _copy(host_collections, "OrderedDict")

    def namedtuple(self, name: str, fields: Any) -> Any:
        """Any: names as a list or one string; the class."""
        return host_collections.namedtuple(name, fields)

    class deque:
        """A ring of a fixed length that knows two methods; without flags the oldest makes room."""

        def __init__(self, start: Any, length: int, flags: int = 0) -> None:
            """Any: an empty tuple, as the firmware wants."""
            if start != ():
                raise ValueError
            self._items = host_collections.deque[Any](maxlen=length)
            self._refuses = bool(flags & 1)

        def __len__(self) -> int:
            return len(self._items)

        def append(self, item: Any) -> None:
            """Any: the script's own."""
            if self._refuses and len(self) == self._items.maxlen:
                raise IndexError("full")
            self._items.append(item)

        def popleft(self) -> Any:
            """Any: the script's own."""
            if not self._items:
                raise IndexError("empty")
            return self._items.popleft()


class array(host_array.array):  # type: ignore[type-arg]
    """Numbers of one kind; those that are too large are cut, as on the board."""

    def __new__(cls, code: str, start: Any = ()) -> array:
        """Any: a buffer or numbers."""
        bits = _NATIVE_BITS.get(code, 0)
        if isinstance(start, bytes | bytearray | memoryview) or not bits:
            return super().__new__(cls, code, start)
        return super().__new__(cls, code, [_field(value, code, bits) for value in start])

    def __setitem__(self, at: Any, value: Any) -> None:
        """Any: an index or a slice, and a number or an array."""
        super().__setitem__(at, self._fitting(value))

    def append(self, value: Any) -> None:
        """Any: a number."""
        super().append(self._fitting(value))

    def _fitting(self, value: Any) -> Any:
        """Any: see above."""
        bits = _NATIVE_BITS.get(self.typecode, 0)
        return _field(value, self.typecode, bits) if bits and not isinstance(value, host_array.array) else value


@device_module("array")
class ArrayModule(_Copied):
    _names = {"array": array}  # noqa: RUF012


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def json_text(value: Any) -> str:
    """What `ujson.dumps` makes of a value (Any: the script's); what JSON has not is written as `print` would."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, bytes | bytearray):
        value = bytes(value).decode("latin-1")
    if isinstance(value, str):
        return '"' + "".join(_ESCAPES.get(c, f"\\u{ord(c):04x}" if c < " " else c) for c in value) + '"'
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(json_text, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json_text(key)}: {json_text(item)}" for key, item in value.items()) + "}"
    return text_of(value)


@device_module("ujson", "json")
class JsonModule(_Copied):
    def dumps(self, value: Any) -> str:
        """Any: JSON."""
        return json_text(value)

    def dump(self, value: Any, stream: Any) -> None:
        """Any: JSON, and a stream of the script."""
        stream.write(self.dumps(value))

    def loads(self, text: Any) -> Any:
        """Any: text or bytes, and JSON."""
        try:
            return host_json.loads(text)
        except ValueError:
            raise ValueError("syntax error in JSON") from None

    def load(self, stream: Any) -> Any:
        """Any: a stream of the script, and JSON."""
        return self.loads(stream.read())


class _Match:
    """What a match offers: `group`."""

    def __init__(self, found: host_re.Match[Any]) -> None:
        self._found = found

    def group(self, number: int) -> Any:
        """Any: str or bytes, as the text was."""
        return self._found.group(number)


class _Pattern:
    """A compiled expression."""

    def __init__(self, pattern: Any) -> None:
        self._pattern = host_re.compile(pattern)

    def match(self, text: Any) -> _Match | None:
        found = self._pattern.match(text)
        return None if found is None else _Match(found)

    def search(self, text: Any) -> _Match | None:
        found = self._pattern.search(text)
        return None if found is None else _Match(found)

    def split(self, text: Any, most: int = 0) -> list[Any]:
        """Any: str or bytes."""
        return self._pattern.split(text, max(0, most))

    def sub(self, new: Any, text: Any, count: int = 0) -> Any:
        """Any: str or bytes; `new` may be a call that gets the match."""
        made = (lambda found: new(_Match(found))) if callable(new) else new
        return self._pattern.sub(made, text, count)


@device_module("ure", "re")
class ReModule(_Copied):
    DEBUG = 4096

    def compile(self, pattern: Any, flags: int = 0) -> _Pattern:
        """Any: str or bytes; flags are ignored, as on the board."""
        try:
            return _Pattern(pattern)
        except host_re.error:
            raise ValueError("Error in regex") from None

    def match(self, pattern: Any, text: Any) -> _Match | None:
        return self.compile(pattern).match(text)

    def search(self, pattern: Any, text: Any) -> _Match | None:
        return self.compile(pattern).search(text)

    def sub(self, pattern: Any, new: Any, text: Any, count: int = 0) -> Any:
        """Any: str or bytes."""
        return self.compile(pattern).sub(new, text, count)


@device_module("urandom", "random")
class RandomModule(_Copied):
    """The same numbers in every run: the board's own generator seeded alike."""

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        source = board.random
        self.randint: Callable[[int, int], int] = lambda low, high: source.randint(int(low), int(high))
        self.randrange = source.randrange
        self.choice = source.choice
        self.random = source.random
        self.uniform = source.uniform

    def getrandbits(self, bits: int) -> int:
        if not 0 <= int(bits) <= 32:
            raise ValueError("bits must be 32 or less")
        return self._board.random.getrandbits(int(bits)) if bits else 0

    def seed(self, value: int) -> None:
        self._board.random.seed(int(value))


class _Sha256:
    """`uhashlib.sha256`."""

    def __init__(self, data: Any = b"") -> None:
        self._hash = host_hashlib.sha256(as_bytes(data))

    def update(self, data: Any) -> None:
        """Any: a buffer."""
        self._hash.update(as_bytes(data))

    def digest(self) -> bytes:
        return self._hash.digest()

    @staticmethod
    def calculate_hard(data: Any) -> bytes:
        """Any: a buffer; the chip's own SHA block."""
        return host_hashlib.sha256(as_bytes(data)).digest()


@device_module("uhashlib", "hashlib")
class HashlibModule(_Copied):
    _names = {"sha256": _Sha256}  # noqa: RUF012


@device_module("uzlib", "zlib")
class ZlibModule(_Copied):
    def decompress(self, data: Any, wbits: int = 0, bufsize: int = 0) -> bytes:
        """Any: a buffer."""
        try:
            return host_zlib.decompress(as_bytes(data), wbits or 15)
        except host_zlib.error:
            raise ValueError(-3) from None


@device_module("micropython")
class MicropythonModule(_Copied):
    def const(self, value: Any) -> Any:
        """Any: a number."""
        return value

    def opt_level(self, *_: int) -> int:
        return 0

    def alloc_emergency_exception_buf(self, size: int) -> None:
        return None

    def mem_info(self, *_: Any) -> None:
        """Print the heap (Any: verbose or not)."""
        heap = self._board.gc
        self._board.print(f"GC: total: {heap.total_bytes}, used: {heap.used_bytes}, free: {heap.free_bytes}\n")

    def qstr_info(self, *_: Any) -> None:
        """Any: verbose or not."""

    def stack_use(self) -> int:
        return 1024

    def heap_lock(self) -> None:
        return None

    def heap_unlock(self) -> None:
        return None

    def kbd_intr(self, character: int) -> None:
        return None

    def schedule(self, call: Callable[[Any], Any], argument: Any) -> None:
        """Call soon, between two steps (Any: the script's own)."""
        self._board.clock.at(self._board.clock.now, lambda: call(argument))


@device_module("utimeq")
class TimeqModule(_Copied):
    class utimeq:
        """A heap of (ticks, value, value)."""

        def __init__(self, size: int) -> None:
            self._size, self._heap = size, list[list[Any]]()

        def __len__(self) -> int:
            return len(self._heap)

        def push(self, ticks: int, first: Any, second: Any) -> None:
            """Any: the script's own."""
            if len(self._heap) >= self._size:
                raise IndexError("queue overflow")
            self._heap.append([ticks, first, second])
            self._heap.sort(key=lambda row: row[0])

        def pop(self, into: list[Any]) -> None:
            """Any: the script's own."""
            if not self._heap:
                raise IndexError("empty heap")
            into[:3] = self._heap.pop(0)

        def peektime(self) -> int:
            if not self._heap:
                raise IndexError("empty heap")
            return int(self._heap[0][0])
