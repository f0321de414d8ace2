"""What an `Image` can do: a file for each kind of method. Importing them fills the table."""

from . import basic, copying, drawing, files

__all__ = ["LOADED"]

LOADED = (basic, copying, drawing, files)
