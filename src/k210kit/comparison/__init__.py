"""Float model against simulated kmodel: the same pictures through an independent engine and the chip's arithmetic."""

from __future__ import annotations

from .compare import Comparison, LayerCompared, OutputCompared, compare

__all__ = ["Comparison", "LayerCompared", "OutputCompared", "compare"]
