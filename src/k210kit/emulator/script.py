"""From a script's text to code that runs here: parsed by CPython, refused where MaixPy refuses, paced by steps.

Before:  while True:              After:  while True:
             img = snapshot()                 __step__(0.000012, 32)
                                              img = snapshot()

The step at the head of every loop and function lets board time pass, counts the small objects that a turn makes and
forgets, and lets interrupts fire, threads change, and a run end.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from types import CodeType

from k210kit.emulator.builtin_types import ABSENT_NAMES

__all__ = [
    "CAUGHT",
    "FORMAT",
    "NAMED",
    "PERCENT",
    "PRIVATE",
    "STEP",
    "TEXT",
    "compile_script",
    "decode_source",
]

STEP = "__step__"
FORMAT = "__formatter__"  # `text.format`, which in CPython reads attributes that the text names
CAUGHT = "__caught__"  # gives a caught error the board's words
TEXT = "__text__"  # `str(x)`: numbers, classes and errors as the board writes them
PERCENT = "__percent__"  # `"…" % x`, likewise
NAMED = "__named__"  # gives a class the name that it was compiled without
METHOD = "__method__"  # reads an attribute that CPython's own types have and the board's have not
PRIVATE = "__private__"  # reads an attribute whose name starts with an underscore, unless it is one of the kit's
# Bytecodes of MicroPython take a few hundred instructions' time at 400 MHz; per node of the syntax tree, an estimate.
SECONDS_PER_NODE = 0.7e-6
SECONDS_PER_STEP = 3e-6

# Attributes through which CPython would let a script out of its board. MicroPython has none of them.
_HIDDEN = """
    __subclasses__ __globals__ __code__ __closure__ __builtins__ __mro__ __base__ __self__ __func__ __reduce__
    __reduce_ex__ __loader__ __spec__ __getattribute__ __wrapped__ __traceback__ __context__ __cause__
    __defaults__ __kwdefaults__ gi_frame gi_code cr_frame ag_frame f_globals f_builtins f_locals f_back f_code
    tb_frame tb_next mro __weakref__ __subclasshook__ __init_subclass__ __dir__ __sizeof__ __annotations__
    __settled__ __bases__ __objclass__ __thisclass__ __self_class__ fget fset fdel gi_yieldfrom cr_await ag_await
    __getstate__ __setstate__ __getnewargs__ __getnewargs_ex__ __copy__ __deepcopy__ __replace__
"""
HIDDEN_ATTRIBUTES = frozenset(_HIDDEN.split())
# What device modules ask of pictures; a board's pictures have none of these, a script's own objects may.
OF_PICTURES = frozenset(("pixels", "pix_ai", "pixel_format", "sharing", "mutable", "keep"))


def decode_source(data: bytes) -> str:
    """A file's text: a byte-order mark is skipped, bytes that are no UTF-8 are kept as far as comments need."""
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")


def compile_script(source: str, filename: str, mode: str = "exec") -> tuple[CodeType, int]:
    """Compile, or raise SyntaxError as MaixPy would; the number is that of the nodes of the script's syntax tree."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = _parse(source, filename, mode)
        except ValueError as failure:  # a null byte
            raise SyntaxError(str(failure)) from None
        _refuse_newer_python(tree, filename)
        nodes = sum(1 for _ in ast.walk(tree))
        tree = ast.fix_missing_locations(_Steps().visit(tree))
        code = compile(tree, filename, mode, dont_inherit=True)
    assert isinstance(code, CodeType)
    return code, nodes


def _parse(source: str, filename: str, mode: str) -> ast.AST:
    try:
        return ast.parse(source, filename, mode, feature_version=(3, 7))
    except TabError:
        return ast.parse(_expand_leading_tabs(source), filename, mode, feature_version=(3, 7))
    except SyntaxError as failure:
        if "bytes can only contain ASCII" not in failure.msg:
            raise
        return ast.parse(_escape_bytes(source), filename, mode, feature_version=(3, 7))


def _expand_leading_tabs(source: str) -> str:
    """MicroPython takes a tab as the way to the next multiple of 8 and lets both be mixed."""
    return re.sub(r"(?m)^[ \t]+", lambda found: found.group().expandtabs(8), source)


def _escape_bytes(source: str) -> str:
    """MicroPython takes letters beyond ASCII in `b"…"` as their UTF-8 bytes; CPython wants them written out."""
    lines = source.splitlines(keepends=True)
    for token in reversed(list(tokenize.generate_tokens(io.StringIO(source).readline))):
        prefix = token.string[:3].lower().split('"')[0].split("'")[0]
        if token.type != tokenize.STRING or "b" not in prefix or token.string.isascii():
            continue
        (row, start), (last_row, end) = token.start, token.end
        if row == last_row:
            text = "".join(c if c.isascii() else "".join(f"\\x{b:02x}" for b in c.encode()) for c in token.string)
            lines[row - 1] = lines[row - 1][:start] + text + lines[row - 1][end:]
    return "".join(lines)


_NEWER: tuple[type[ast.AST], ...] = (
    ast.JoinedStr,
    ast.AnnAssign,
    ast.NamedExpr,
    ast.MatMult,
    ast.AsyncFunctionDef,
    ast.AsyncFor,
    ast.AsyncWith,
    ast.Await,
)


def _refuse_newer_python(tree: ast.AST, filename: str) -> None:
    """f-strings, annotated variables, `:=`, `@` and async came after the MicroPython 1.11 in MaixPy."""
    for node in ast.walk(tree):
        if isinstance(node, _NEWER):
            raise SyntaxError("invalid syntax", (filename, getattr(node, "lineno", 1), 0, ""))


class _Steps(ast.NodeTransformer):
    """Puts a step at the head of loops, functions and catch-all handlers, and hides CPython's back doors."""

    def visit_While(self, node: ast.While) -> ast.AST:
        return self._with_step(node)

    def visit_For(self, node: ast.For) -> ast.AST:
        return self._with_step(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        if node.name == "__init__" and not node.body:
            return node
        node.decorator_list = [d for d in map(self.visit, node.decorator_list) if not _is_emitter(d)]
        return self._with_step(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> list[ast.AST] | ast.AST:
        """CPython gives `__name` in a class the class's name in front, MicroPython does not.

        A class whose name is all underscores is spared, so it is compiled under such a name.
        """
        self.generic_visit(node)
        if not _has_private_names(node):
            return node
        name, node.name = node.name, _SPARED
        call = ast.Call(ast.Name(NAMED, ast.Load()), [ast.Constant(name), ast.Name(_SPARED, ast.Load())], [])
        return [node, ast.copy_location(ast.Assign([ast.Name(name, ast.Store())], call), node)]

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        catches_all = node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "BaseException")
        made = self._with_step(node) if catches_all else self.generic_visit(node)
        if node.name is not None:
            call = ast.Call(ast.Name(CAUGHT, ast.Load()), [ast.Name(node.name, ast.Load())], [])
            node.body.insert(0, ast.copy_location(ast.Expr(call), node.body[0]))
        return made

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """`str(x)` and `map(str, …)` write as the board does."""
        self.generic_visit(node)
        if not isinstance(node.func, ast.Name):
            return node
        first = node.args[0] if node.args else None
        if node.func.id == "map" and isinstance(first, ast.Name) and first.id == "str":
            first.id = TEXT
        elif node.func.id == "str" and len(node.args) == 1 and not node.keywords and not isinstance(first, ast.Starred):
            node.func.id = TEXT
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.op, ast.Mod) or not _is_constant(node.left, str):
            return node
        return ast.copy_location(ast.Call(ast.Name(PERCENT, ast.Load()), [node.left, node.right], []), node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if node.attr in HIDDEN_ATTRIBUTES:
            node.attr = f"{node.attr} is not on the board"
        self.generic_visit(node)
        if node.attr == "format" and isinstance(node.ctx, ast.Load):
            return ast.copy_location(ast.Call(ast.Name(FORMAT, ast.Load()), [node.value], []), node)
        if (node.attr.startswith("_") or node.attr in OF_PICTURES) and isinstance(node.ctx, ast.Load):
            call = ast.Call(ast.Name(PRIVATE, ast.Load()), [node.value, ast.Constant(node.attr)], [])
            return ast.copy_location(call, node)
        if node.attr in ABSENT_NAMES and isinstance(node.ctx, ast.Load):
            call = ast.Call(ast.Name(METHOD, ast.Load()), [node.value, ast.Constant(node.attr)], [])
            return ast.copy_location(call, node)
        return node

    def _with_step(self, node: ast.While | ast.For | ast.FunctionDef | ast.ExceptHandler) -> ast.AST:
        own = _own_nodes(node.body)
        seconds, made = SECONDS_PER_STEP + len(own) * SECONDS_PER_NODE, sum(map(_made_bytes, own))
        self.generic_visit(node)
        call = ast.Call(ast.Name(STEP, ast.Load()), [ast.Constant(seconds), ast.Constant(made)], [])
        node.body.insert(0, ast.copy_location(ast.Expr(call), node.body[0]))
        return node


_SPARED = "_____"


def _has_private_names(tree: ast.ClassDef) -> bool:
    """Whether CPython would change a name in this class."""
    for node in ast.walk(tree):
        for value in (getattr(node, field, None) for field in ("id", "attr", "name", "arg")):
            if isinstance(value, str) and value.startswith("__") and not value.endswith("__"):
                return True
    return False


def _is_emitter(decorator: ast.AST) -> bool:
    """@micropython.native, .viper and friends choose an emitter and are no names at run time."""
    return (
        isinstance(decorator, ast.Attribute)
        and isinstance(decorator.value, ast.Name)
        and (decorator.value.id == "micropython" and decorator.attr in ("native", "viper", "bytecode", "asm_thumb"))
    )


def _own_nodes(body: list[ast.stmt]) -> list[ast.AST]:
    """Nodes of a block without those of inner loops and functions, which have steps of their own."""
    made, waiting = list[ast.AST](), list[ast.AST](body)
    while waiting:
        node = waiting.pop()
        made.append(node)
        if not isinstance(node, ast.While | ast.For | ast.FunctionDef | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(node))
    return made


# Calls of these make a text or a container; an estimate of their bytes.
_MAKERS = {
    "str": 64,
    "format": 96,
    "join": 64,
    "list": 64,
    "tuple": 64,
    "dict": 128,
    "split": 192,
    "range": 64,
    "zip": 64,
}


def _made_bytes(node: ast.AST) -> int:
    """Bytes of the GC heap that a node takes each time it is reached: an estimate of MicroPython's 32-byte blocks."""
    if isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load):
        constant = all(isinstance(item, ast.Constant) for item in node.elts)
        return 0 if constant else _in_blocks(16 + 8 * len(node.elts))
    if isinstance(node, ast.List) and isinstance(node.ctx, ast.Load):
        return 32 + _in_blocks(8 * max(4, len(node.elts)))
    if isinstance(node, ast.Dict):
        return 64 + _in_blocks(16 * max(1, len(node.keys)))
    if isinstance(node, ast.ListComp | ast.GeneratorExp | ast.SetComp | ast.DictComp | ast.Lambda):
        return 96
    if isinstance(node, ast.BinOp):
        return _made_by_operator(node)
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        return _MAKERS.get(name, 0)
    return 0


def _made_by_operator(node: ast.BinOp) -> int:
    sides = (node.left, node.right)
    if isinstance(node.op, ast.Mod | ast.Add) and any(_is_constant(side, str) for side in sides):
        return 96
    return 32 if isinstance(node.op, ast.Div) or any(_is_constant(side, float) for side in sides) else 0


def _is_constant(node: ast.AST, kind: type) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, kind)


def _in_blocks(size: int) -> int:
    return -(-size // 32) * 32
