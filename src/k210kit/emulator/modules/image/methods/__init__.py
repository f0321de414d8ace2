"""What an `Image` can do: a file for each kind of method. Importing them fills the table."""

from . import (
    absent,
    basic,
    codes,
    copying,
    drawing,
    features,
    files,
    filters,
    find,
    geometry,
    pixelwise,
    shapes,
    statistics,
)

__all__ = ["LOADED"]

LOADED = (
    absent,
    basic,
    codes,
    copying,
    drawing,
    features,
    files,
    filters,
    find,
    geometry,
    pixelwise,
    shapes,
    statistics,
)
