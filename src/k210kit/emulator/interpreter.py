"""One board's interpreter: its built-in names, its imports, its files; no name of this computer's Python gets in."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import chain
from string import Formatter
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from k210kit.emulator.builtin_types import lacks, method_of
from k210kit.emulator.card import os_error
from k210kit.emulator.card_file import opener
from k210kit.emulator.complaints import settle
from k210kit.emulator.costs import print_seconds
from k210kit.emulator.gc_heap import out_of_heap
from k210kit.emulator.modules import offered
from k210kit.emulator.modules.table import DeviceModuleObject, module_object, refuse_absent
from k210kit.emulator.script import (
    CAUGHT,
    FORMAT,
    HIDDEN_ATTRIBUTES,
    METHOD,
    NAMED,
    OF_PICTURES,
    PERCENT,
    PRIVATE,
    STEP,
    TEXT,
    compile_script,
    decode_source,
)
from k210kit.emulator.small_objects import BOOT_BYTES, Reached, code_bytes, is_the_scripts, script_frames, walk
from k210kit.emulator.wording import represent, shown, text_of

if TYPE_CHECKING:
    from k210kit.emulator.board import Board

__all__ = ["Interpreter"]

# MicroPython 1.11 with the port's options; everything else of CPython's builtins is absent on the board.
_SAME_AS_CPYTHON = """
    __build_class__ abs all any bin bool bytes callable chr classmethod complex dict divmod enumerate filter
    float frozenset hash hex id int isinstance issubclass iter len list map max memoryview min next object oct
    ord pow property range reversed round set slice sorted staticmethod str sum super tuple type zip globals
    locals None True False Ellipsis NotImplemented ArithmeticError AssertionError AttributeError BaseException
    EOFError Exception GeneratorExit ImportError IndentationError IndexError KeyError KeyboardInterrupt
    LookupError MemoryError NameError NotImplementedError OSError OverflowError RuntimeError StopIteration
    SyntaxError SystemExit TimeoutError TypeError UnicodeError ValueError ZeroDivisionError
"""


_STEPS_PER_LOOK = 256
_STEPS_PER_WALK = 1024  # at least, and eight for each object that was found, so that looking takes little time


class Interpreter:
    """Runs scripts on one board. Several interpreters live side by side in one process."""

    def __init__(self, board: Board, read_line: Callable[[str], str] | None = None) -> None:
        self.board = board
        self.read_line = read_line
        self.path: list[str] = ["", ".", "/flash"]
        self.memory_watch: Callable[[], None] = lambda: None  # raises MemoryError where the process grows without end
        self._steps_left = _STEPS_PER_LOOK
        self._steps_to_walk = _STEPS_PER_WALK
        self._code_bytes = 0
        self.loaded: dict[str, ModuleType] = {}
        self.main_namespace: dict[str, Any] = {}  # of the file that runs as the main program
        self.builtins = self._make_builtins()
        board.modules["interpreter"] = self
        board.gc.look_at = self._look_at_memory
        board.gc.ledger.where = self._line

    # running ----------------------------------------------------------------------------------------------------
    def namespace(self, name: str, filename: str = "") -> dict[str, Any]:  # Any: the script's own values
        """Fresh globals for a file."""
        made: dict[str, Any] = {"__name__": name, "__builtins__": self.builtins}
        if filename:
            made["__file__"] = filename
        return made

    def main_names(self, filename: str, *, from_ide: bool) -> dict[str, Any]:
        """Globals of a main program, with what the firmware's own scripts leave there (Any: see above).

        `_boot.py` leaves `os`, `sys` and `time`; before a script that the IDE sends, `ide_debug.py` leaves three more.
        """
        made = self.namespace("__main__", filename)
        for name in ("os", "sys", "time", *(("gc", "lcd", "json") if from_ide else ())):
            made[name] = self._load(name)
        return made

    def run(self, source: str, filename: str, namespace: dict[str, Any]) -> None:
        """Run a script's text in `namespace`; its exceptions come out as they are."""
        code, nodes = compile_script(source, filename)
        self._code_bytes += code_bytes(nodes)
        exec(code, namespace)  # the script itself, with the board's builtins only

    def is_script(self, frame_globals: Mapping[str, Any]) -> bool:
        """Whether a frame belongs to a script of this board."""
        return frame_globals.get("__builtins__") is self.builtins

    # imports ----------------------------------------------------------------------------------------------------
    def import_module(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = None,
        level: int = 0,
    ) -> ModuleType:
        """The script's `__import__`: device modules, then files on the card, else ImportError."""
        if level:
            package = str((globals or {}).get("__package__") or (globals or {}).get("__name__", ""))
            name = ".".join(filter(None, [package, name]))
        top: ModuleType | None = None
        made: ModuleType | None = None
        walked = ""
        for part in name.split("."):
            walked = f"{walked}.{part}" if walked else part
            child = self._load(walked)
            if made is not None and not isinstance(made, DeviceModuleObject):
                setattr(made, part, child)
            made = child
            top = top or child
        assert made is not None
        assert top is not None
        if fromlist:
            shown = made.__dict__.get("__all__", ()) if "*" in fromlist else ()
            for wanted in (*fromlist, *shown):
                if is_hidden(made, wanted):
                    raise ImportError(f"cannot import name {wanted}")
            for wanted in fromlist:
                if wanted != "*" and not hasattr(made, wanted) and hasattr(made, "__path__"):
                    setattr(made, wanted, self._load(f"{name}.{wanted}"))
            return made
        return top

    def _load(self, name: str) -> ModuleType:
        if name in self.loaded:
            known: object = self.loaded[name]  # a script may put what it likes into sys.modules
            if not isinstance(known, ModuleType):
                raise ImportError(f"no module named '{name}'")
            return known
        if offered(self.board, name):
            made: ModuleType = module_object(self.board, name)
        else:
            parent, _, child = name.rpartition(".")
            if parent and isinstance(self.loaded.get(parent), DeviceModuleObject):
                inner = getattr(self.loaded[parent], child, None)
                if not isinstance(inner, ModuleType):
                    raise ImportError(f"no module named '{name}'")
                return inner
            refuse_absent(self.board, name)  # what the firmware has built in, no file of that name can replace
            return self._load_file(name)
        self.loaded[name] = made
        return made

    def _load_file(self, name: str) -> ModuleType:
        inside = name.replace(".", "/")
        for folder in self.path:
            base = f"{folder}/{inside}" if folder not in ("", ".") else inside
            if self.board.files.exists(f"{base}.py"):
                return self._run_file(name, f"{base}.py", package=False)
            if self.board.files.exists(f"{base}/__init__.py"):
                return self._run_file(name, f"{base}/__init__.py", package=True)
            if self._is_folder(base):
                made = ModuleType(name)
                made.__path__ = [base]
                self.loaded[name] = made
                return made
        raise ImportError(f"no module named '{name}'")

    def _is_folder(self, path: str) -> bool:
        found = self.board.files.split(path)
        return (
            found is not None and found[1].is_dir() and self.board.files.absolute(path) not in self.board.files.mounts
        )

    def _run_file(self, name: str, path: str, *, package: bool) -> ModuleType:
        with self.board.files.open(path, "rb") as stream:
            source = decode_source(stream.read())
        made = ModuleType(name)
        made.__dict__.clear()
        made.__dict__.update(self.namespace(name, path))
        made.__dict__["__package__"] = name if package else name.rpartition(".")[0]
        if package:
            made.__dict__["__path__"] = [path.rpartition("/")[0]]
        self.loaded[name] = made
        try:
            self.run(source, path, made.__dict__)
        except BaseException:
            self.loaded.pop(name, None)
            raise
        return made

    # built-in functions that differ from CPython's ----------------------------------------------------------------
    def _make_builtins(self) -> dict[str, Any]:
        made: dict[str, Any] = {name: getattr(builtins, name) for name in _SAME_AS_CPYTHON.split()}
        made.update(
            __name__="builtins",
            __import__=self.import_module,
            bytearray=byte_array_class(self.board),
            compile=self._compile,
            const=lambda value: value,
            delattr=_checked(builtins.delattr),
            dir=self._dir,
            eval=self._eval,
            exec=self._exec,
            execfile=self._execfile,
            getattr=_checked(builtins.getattr),
            hasattr=_checked(builtins.hasattr),
            help=self._help,
            input=self._input,
            open=opener(self.board.files),
            print=self._print,
            repr=represent,
            setattr=_checked(builtins.setattr),
        )
        made[STEP] = self._step
        made[PRIVATE] = private_attribute
        made[NAMED] = _named
        made[FORMAT] = _format_of
        made[CAUGHT] = settle
        made[METHOD] = method_of
        made[TEXT] = text_of
        made[PERCENT] = _percent
        return made

    def _step(self, seconds: float, made: int = 0) -> None:
        """The head of a loop or function of the script."""
        self.board.clock.tick(seconds)
        if made:
            self.board.gc.made(made)
        self._steps_left -= 1
        if self._steps_left < 0:
            self._steps_left = _STEPS_PER_LOOK
            self.board.check_idle()
            self.memory_watch()
            self._steps_to_walk -= _STEPS_PER_LOOK
            if self._steps_to_walk < 0:
                self._check_memory()

    # memory -----------------------------------------------------------------------------------------------------
    def _walk(self) -> Reached:
        """Everything that the script can reach, outside of the kit."""
        files = [vars(made) for made in self.loaded.values() if not isinstance(made, DeviceModuleObject)]
        roots = {name: value for name, value in self.main_namespace.items() if name != "__builtins__"}
        others = [value for file in files for name, value in file.items() if name != "__builtins__"]
        return walk(roots, [*others, *script_frames(self.is_script)], self.is_script)

    def _look_at_memory(self) -> dict[str, int]:
        return self._measured().by_name

    def _measured(self) -> Reached:
        """Walk, and tell the heap."""
        found = self._walk()
        self.board.gc.small_bytes = BOOT_BYTES + self._code_bytes + found.bytes
        self._steps_to_walk = max(_STEPS_PER_WALK, 8 * found.objects)
        return found

    def _check_memory(self) -> None:
        """Raise the board's MemoryError where what the script holds does not fit."""
        heap = self.board.gc
        largest = self._measured().largest
        if heap.used_bytes >= heap.total_bytes:
            heap.collect()
            if heap.used_bytes >= heap.total_bytes:
                while largest > 2 * heap.total_bytes:  # grown on between two looks
                    largest //= 2
                raise out_of_heap(max(largest, 32))

    def _line(self) -> str:
        """Where the script is: file:line."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and not self.is_script(frame.f_globals):
            frame = frame.f_back
        return "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"

    def _print(self, *values: object, sep: str = " ", end: str = "\n", file: Any = None) -> None:
        text = sep.join(map(text_of, values)) + end
        if file is None:
            self.board.print(text)
            self.board.clock.advance(print_seconds(text))
        else:  # Any: a stream of the script's
            file.write(text)

    def _compile(self, source: str, filename: str, mode: str) -> Compiled:
        if mode not in ("exec", "eval", "single"):
            raise ValueError("bad compile mode")
        return Compiled(compile_script(source, filename, mode)[0])

    def _eval(self, source: str | Compiled, names: dict[str, Any] | None = None, inner: Any = None) -> Any:
        return self._evaluate(source, "eval", names, inner, sys._getframe(1))

    def _exec(self, source: str | Compiled, names: dict[str, Any] | None = None, inner: Any = None) -> None:
        self._evaluate(source, "exec", names, inner, sys._getframe(1))

    def _evaluate(self, source: str | Compiled, mode: str, names: Any, inner: Any, caller: Any) -> Any:
        """Any: names and values of the script, and the frame that called."""
        if isinstance(source, Compiled):
            code = source._code
        else:
            code, _ = compile_script(source.strip() if mode == "eval" else source, "<string>", mode)
        outer = caller.f_globals if names is None else names
        if not isinstance(outer, dict):
            raise TypeError
        outer.setdefault("__builtins__", self.builtins)
        if outer["__builtins__"] is not self.builtins:
            outer["__builtins__"] = self.builtins
        return eval(code, outer, caller.f_locals if names is None else inner)

    def _execfile(self, path: str, names: dict[str, Any] | None = None) -> None:
        with self.board.files.open(path, "rb") as stream:
            source = decode_source(stream.read())
        self._evaluate(source, "exec", names, None, sys._getframe(1))

    def _dir(self, *of: Any) -> list[str]:
        if not of:
            return sorted(name for name in sys._getframe(1).f_locals if name != "__builtins__")
        return [name for name in builtins.dir(of[0]) if not is_hidden(of[0], name)]

    def _help(self, *of: Any) -> None:
        if not of:
            self.board.print("Welcome to MaixPy on the desk. help('modules') lists the modules.\n")
        elif of[0] == "modules":
            from k210kit.emulator.modules import known_names

            self.board.print("\n".join(sorted(n for n in known_names() if offered(self.board, n))) + "\n")
        else:
            self.board.print(f"object {text_of(of[0])} is of type {type(of[0]).__name__}\n")

    def read_line_or_end(self) -> str:
        """A line from the keyboard; without one a script that waits for it ends."""
        if self.read_line is None:
            self.board.clock.stop("it waits for a line from the keyboard")
            self.board.clock.check()
            raise os_error(5)
        return self.read_line("")

    def _input(self, prompt: str = "") -> str:
        self.board.print(text_of(prompt))
        return self.read_line_or_end()


class Compiled:
    """What `compile` gives: a thing for `exec` and `eval`, without CPython's ways into its bytes."""

    __slots__ = ("_code",)

    def __init__(self, code: CodeType) -> None:
        self._code = code

    def __repr__(self) -> str:
        return "<code>"


_FIELDS = Formatter()


def _format_of(of: Any) -> Any:
    """`of.format`; for a text the board's, which knows no attributes and items of fields (Any: the script's)."""
    if not isinstance(of, str) and of is not str:
        return of.format

    def format(*values: Any, **named: Any) -> str:
        text, rest = (of, values) if isinstance(of, str) else (values[0], values[1:])
        _check_fields(text)
        try:
            return str.format(text, *map(shown, rest), **{name: shown(value) for name, value in named.items()})
        except IndexError:
            raise IndexError("tuple index out of range") from None

    return format


def _check_fields(text: str) -> None:
    for _, field, form, _ in _FIELDS.parse(text):
        if field is not None and ("." in field or "[" in field):
            raise NotImplementedError("attributes not supported yet")
        if form:
            _check_fields(form)


def _percent(text: Any, values: Any) -> Any:
    """`text % values` (Any: the script's)."""
    if type(values) is tuple:
        return text % tuple(map(shown, values))
    return text % (values if isinstance(values, dict) else shown(values))


def _checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """getattr and friends without CPython's back doors (Any: they take whatever the script has)."""

    def checked(of: Any, name: str, *rest: Any) -> Any:
        if is_hidden(of, name):
            name = f"{name} is not on the board"
        elif name == "format" and function is builtins.getattr:
            return _format_of(of)
        return function(of, name, *rest)

    return checked


_PICTURES = "k210kit.emulator.modules.image.image"
_TELLING = frozenset(("__dict__", "__slots__", "__module__", "__new__", "__getattr__"))


def is_the_kits(of: Any, name: str) -> bool:
    """Whether a name with an underscore in front is an inside of the kit's, not of the script's (Any: both)."""
    owner = of if isinstance(of, type) else type(of)
    classes = [cls for cls in owner.__mro__ if cls.__module__.startswith("k210kit")]
    if not classes:
        return False
    if isinstance(of, DeviceModuleObject):
        return name not in of.__dict__ or name in _TELLING
    if name.startswith("__") and name.endswith("__"):
        return name in _TELLING
    return classes[0] is owner or any(name in _insides(cls) for cls in classes)


@cache
def _insides(cls: type) -> frozenset[str]:
    """The names with an underscore that a class of the kit defines or uses, on itself or on its instances.

    An object of a script's subclass keeps these to itself; the script's own names are not among them.
    """
    used = (function.__code__.co_names for function in vars(cls).values() if isinstance(function, FunctionType))
    return frozenset(name for name in chain(vars(cls), *used) if name.startswith("_"))


def is_hidden(of: Any, name: str) -> bool:
    """Whether a name leads from an object into CPython's insides or the kit's (Any: the script's)."""
    if not isinstance(name, str):
        return False
    if name in OF_PICTURES and any(
        cls.__module__ == _PICTURES for cls in (of if isinstance(of, type) else type(of)).__mro__
    ):
        return True
    if name in HIDDEN_ATTRIBUTES or lacks(of, name) or (name.startswith("_") and is_the_kits(of, name)):
        return True
    # the tables of Python's own types hold what is hidden, under other names
    return name == "__dict__" and isinstance(of, type) and not is_the_scripts(of)


def private_attribute(of: Any, name: str) -> Any:
    """`of._name` in a script: its own names, not the kit's (Any: both)."""
    if is_hidden(of, name):
        shown = name.removesuffix(" is not on the board")
        raise AttributeError(f"'{type(of).__name__}' object has no attribute '{shown}'")
    if name == "__del__" and type(of).__module__.startswith("k210kit") and hasattr(of, "deinit"):
        return of.deinit  # the firmware's finalisers are methods that scripts call
    return builtins.getattr(of, name)


def _named(name: str, cls: type) -> type:
    """A class under its own name; see `script.NAMED`."""
    cls.__name__ = cls.__qualname__ = name
    return cls


def byte_array_class(board: Board) -> type:
    """`bytearray` whose bytes come out of the board's GC heap."""

    class Meta(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, builtins.bytearray)

    class bytearray(builtins.bytearray, metaclass=Meta):
        __slots__ = ("_block",)

        def __init__(self, *arguments: Any) -> None:
            first = arguments[0] if arguments else None
            if len(arguments) == 1 and isinstance(first, str):
                arguments = (first.encode(),)  # MicroPython takes the text's bytes
            elif len(arguments) == 1 and not isinstance(first, int | builtins.bytes | builtins.bytearray | memoryview):
                arguments = (_low_bytes(first),)
            size = arguments[0] if arguments and isinstance(arguments[0], int) else 0
            block = board.gc.allocate(size) if size > 0 else None
            super().__init__(*arguments)
            self._block = block or board.gc.allocate(len(self))

        def __setitem__(self, at: Any, value: Any) -> None:
            """Any: an index or a slice, and a number, of which the low byte is kept, or bytes."""
            super().__setitem__(at, value & 0xFF if isinstance(value, int) else value)

        def append(self, value: Any) -> None:
            """Any: a number."""
            super().append(value & 0xFF)

        def extend(self, more: Any) -> None:
            """Any: text or a buffer."""
            super().extend(more.encode() if isinstance(more, str) else more)

    bytearray.__qualname__ = "bytearray"
    return bytearray


def _low_bytes(values: Any) -> Any:
    """The numbers of an iterable cut to bytes, as MicroPython's arrays do; a buffer stays (Any: the script's)."""
    try:
        return memoryview(values)
    except TypeError:
        return builtins.bytes(value & 0xFF if isinstance(value, int) else value for value in values)
