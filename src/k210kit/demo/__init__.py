"""The whole way on drawn number cards, from an empty folder to pictures on a StickC: the steps a user would take."""

from __future__ import annotations

from .workshop import Demo, Step, demo

__all__ = ["Demo", "Step", "demo"]
