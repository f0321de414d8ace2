"""What a file is and what is in it: models of every kind, packages, firmware, data sets."""

from __future__ import annotations

from .inspect import Inspection, inspect

__all__ = ["Inspection", "inspect"]
