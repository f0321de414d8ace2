"""Classes of a device module that scripts call by name and that need to know their board."""

from __future__ import annotations

from typing import Any, TypeVar

from k210kit.emulator.board import Board

__all__ = ["bound"]

_Class = TypeVar("_Class", bound=type)


def bound(cls: _Class, board: Board, **extra: Any) -> _Class:
    """A subclass of the same name whose instances have `_board`; `extra` are further class attributes (Any)."""
    if "__repr__" not in vars(cls):
        extra["__repr__"] = lambda self: f"<{cls.__name__}>"
    made: Any = type(cls.__name__, (cls,), {"_board": board, "__slots__": (), **extra})
    return made  # type: ignore[no-any-return]
