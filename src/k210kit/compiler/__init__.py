"""From a float model to a kmodel V3."""

from __future__ import annotations

from k210kit.compiler.pipeline import Compiled, Effort, Normalisation, Options, compile

__all__ = ["Compiled", "Effort", "Normalisation", "Options", "compile"]
