"""What an `Image` can do: a file for each kind of method. Importing them fills the table."""

from . import basic, copying, drawing, files, filters, find, pixelwise, statistics

__all__ = ["LOADED"]

LOADED = (basic, copying, drawing, files, filters, find, pixelwise, statistics)
