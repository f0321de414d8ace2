"""The kmodel V3 format and what each of its layers means."""

from __future__ import annotations

from k210kit.kmodel.layers import *  # noqa: F403
from k210kit.kmodel.layers import __all__ as _layers
from k210kit.kmodel.model import Kmodel, Layout, Output, load, read_kmodel
from k210kit.kmodel.registers import POOLS, Pool, Registers
from k210kit.kmodel.versions import ModelKind, recognise

__all__ = [
    "POOLS",
    "Kmodel",
    "Layout",
    "ModelKind",
    "Output",
    "Pool",
    "Registers",
    "load",
    "read_kmodel",
    "recognise",
    *_layers,
]
