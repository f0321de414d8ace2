"""Open, offline tools for Kendryte K210 cameras.

The same verbs as the command, as functions with typed results. Nothing is imported before it is used.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# verb -> where it is defined
_VERBS: dict[str, tuple[str, str]] = {
    "check": ("k210kit.compiler", "check"),
    "compare": ("k210kit.comparison", "compare"),
    "compile": ("k210kit.compiler", "compile"),
    "evaluate": ("k210kit.training", "evaluate"),
    "train": ("k210kit.training", "train"),
    "fit": ("k210kit.planner", "fit"),
    "inspect": ("k210kit.inspection", "inspect"),
    "load": ("k210kit.kmodel.model", "load"),
    "pack": ("k210kit.package", "pack"),
    "simulate": ("k210kit.simulator", "simulate"),
    "swap": ("k210kit.package", "swap"),
}

__all__ = sorted(_VERBS)


def __getattr__(name: str) -> Any:  # Any: each verb has its own type, given where it is defined
    if name not in _VERBS:
        raise AttributeError(f"module 'k210kit' has no attribute {name!r}")
    module, attribute = _VERBS[name]
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
