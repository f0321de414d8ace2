"""MaixPy builds: what is in them, what they leave free, how one is made."""

from .catalogue import FEATURES, Boot, Firmware, catalogue, find, parse_needs, with_features
from .heap import SystemHeap

__all__ = ["FEATURES", "Boot", "Firmware", "SystemHeap", "catalogue", "find", "parse_needs", "with_features"]
