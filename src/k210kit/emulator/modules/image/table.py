"""The methods of `Image`: each joins the table where it is defined, with the firmware option that builds it in.

A method is a function `(picture, arguments) -> result`. What is counted as in `py_image.c`: `least` and `most` are
positional arguments with the picture itself, and a method that has a `most` takes no keywords.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .arguments import Arguments, check_count

if TYPE_CHECKING:
    from .image import Image

__all__ = ["FULL", "METHODS", "Method", "as_function", "method"]

FULL = "find_blobs"  # the feature word of firmwares built without OMV_MINIMUM

Implementation = Callable[["Image", Arguments], Any]  # Any: what a method gives the script


@dataclass(frozen=True)
class Method:
    """A row of the table."""

    name: str
    call: Implementation
    least: int
    most: int | None
    full: bool


METHODS: dict[str, Method] = {}


def method(
    *names: str, least: int = 1, most: int | None = None, full: bool = False
) -> Callable[[Implementation], Implementation]:
    """Register a method; `full` ones are missing in OMV_MINIMUM builds."""

    def register(call: Implementation) -> Implementation:
        for name in names:
            METHODS[name] = Method(name, call, least, most, full)
        return call

    return register


def as_function(entry: Method) -> Callable[..., Any]:
    """The function that the script's `Image` class gets."""
    call, least, most = entry.call, entry.least, entry.most

    if most is None:

        def with_keywords(self: Image, *values: Any, **keywords: Any) -> Any:
            if len(values) + 1 < least:
                check_count(len(values) + 1, least, None, None)
            return call(self, Arguments(values, keywords))

        made: Callable[..., Any] = with_keywords
    else:

        def positional(self: Image, *values: Any, **keywords: Any) -> Any:
            check_count(len(values) + 1, least, most, keywords)
            return call(self, Arguments(values, {}))

        made = positional
    made.__name__ = made.__qualname__ = entry.name
    return made
