"""MaixPy on the desk: run a camera script with the board's modules, memory, time and errors."""

from __future__ import annotations

__all__: list[str] = []
