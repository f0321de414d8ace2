"""From a float model to a kmodel V3."""

from __future__ import annotations

from k210kit.compiler.pipeline import CheckResult, Compiled, Effort, Normalisation, Options, check, compile
from k210kit.compiler.support import Finding

__all__ = ["CheckResult", "Compiled", "Effort", "Finding", "Normalisation", "Options", "check", "compile"]
