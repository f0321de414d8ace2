"""Joining what lies together, as OpenMV does it for blobs, lines, segments and circles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

__all__ = ["joined_while_any"]

T = TypeVar("T")


def joined_while_any(things: Sequence[T], join: Callable[[T, T], T | None]) -> list[T]:
    """Join each with all behind it that `join` does not return None for, again and again until none are joined."""
    found, changed = list(things), True
    while changed:
        changed = False
        waiting = found
        done: list[T] = []
        while waiting:
            one, others, waiting = waiting[0], waiting[1:], []
            for other in others:
                made = join(one, other)
                if made is None:
                    waiting.append(other)
                else:
                    one, changed = made, True
            done.append(one)
        found = done
    return found
