"""MaixPy builds: what is in them, what they leave free, how one is made."""

from .catalogue import FEATURES, Boot, Firmware, catalogue, find, parse_needs, with_features
from .heap import SystemHeap
from .image import FirmwareImage, is_program, named_otherwise, read_image
from .resolve import resolve
from .sizes import STACKS_BYTES

__all__ = [
    "FEATURES",
    "STACKS_BYTES",
    "Boot",
    "Firmware",
    "FirmwareImage",
    "SystemHeap",
    "catalogue",
    "find",
    "is_program",
    "named_otherwise",
    "parse_needs",
    "read_image",
    "resolve",
    "with_features",
]
