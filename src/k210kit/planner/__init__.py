"""Does a model fit beside a script on a firmware, and how fast does the loop run?"""

from .hazards import Hazard
from .memory import FRAME_SIZES, Budget, Item, Setup, budget, frame_size
from .plan import Fit, fit, plan
from .remedies import Remedy
from .sizes import ModelSizes, sizes_of
from .speed import Speed, Stream

__all__ = [
    "FRAME_SIZES",
    "Budget",
    "Fit",
    "Hazard",
    "Item",
    "ModelSizes",
    "Remedy",
    "Setup",
    "Speed",
    "Stream",
    "budget",
    "fit",
    "frame_size",
    "plan",
    "sizes_of",
]
