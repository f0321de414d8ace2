"""From a script's text to code that runs here: parsed by CPython, refused where MaixPy refuses, paced by steps.

Before:  while True:              After:  while True:
             img = snapshot()                 __step__(0.000012)
                                              img = snapshot()

The step at the head of every loop and function lets board time pass, interrupts fire, threads change, and a run end.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from types import CodeType

__all__ = ["PRIVATE", "STEP", "compile_script", "decode_source"]

STEP = "__step__"
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
"""
HIDDEN_ATTRIBUTES = frozenset(_HIDDEN.split())


def decode_source(data: bytes) -> str:
    """A file's text: a byte-order mark is skipped, bytes that are no UTF-8 are kept as far as comments need."""
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")


def compile_script(source: str, filename: str, mode: str = "exec") -> CodeType:
    """Compile, or raise SyntaxError as MaixPy would."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = _parse(source, filename, mode)
        except ValueError as failure:  # a null byte
            raise SyntaxError(str(failure)) from None
        _refuse_newer_python(tree, filename)
        tree = ast.fix_missing_locations(_Steps().visit(tree))
        code = compile(tree, filename, mode, dont_inherit=True)
    assert isinstance(code, CodeType)
    return code


def _parse(source: str, filename: str, mode: str) -> ast.AST:
    try:
        return ast.parse(source, filename, mode, feature_version=(3, 7))
    except TabError:
        return ast.parse(_expand_leading_tabs(source), filename, mode)
    except SyntaxError as failure:
        if "bytes can only contain ASCII" not in failure.msg:
            raise
        return ast.parse(_escape_bytes(source), filename, mode)


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

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        catches_all = node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "BaseException")
        return self._with_step(node) if catches_all else self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if node.attr in HIDDEN_ATTRIBUTES:
            node.attr = f"{node.attr} is not on the board"
        self.generic_visit(node)
        if node.attr.startswith("_") and isinstance(node.ctx, ast.Load):
            call = ast.Call(ast.Name(PRIVATE, ast.Load()), [node.value, ast.Constant(node.attr)], [])
            return ast.copy_location(call, node)
        return node

    def _with_step(self, node: ast.While | ast.For | ast.FunctionDef | ast.ExceptHandler) -> ast.AST:
        seconds = SECONDS_PER_STEP + _own_nodes(node.body) * SECONDS_PER_NODE
        self.generic_visit(node)
        call = ast.Call(ast.Name(STEP, ast.Load()), [ast.Constant(seconds)], [])
        node.body.insert(0, ast.copy_location(ast.Expr(call), node.body[0]))
        return node


def _is_emitter(decorator: ast.AST) -> bool:
    """@micropython.native, .viper and friends choose an emitter and are no names at run time."""
    return (
        isinstance(decorator, ast.Attribute)
        and isinstance(decorator.value, ast.Name)
        and (decorator.value.id == "micropython" and decorator.attr in ("native", "viper", "bytecode", "asm_thumb"))
    )


def _own_nodes(body: list[ast.stmt]) -> int:
    """Nodes of a block without those of inner loops and functions, which have steps of their own."""
    count, waiting = 0, list[ast.AST](body)
    while waiting:
        node = waiting.pop()
        count += 1
        if not isinstance(node, ast.While | ast.For | ast.FunctionDef | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(node))
    return count
