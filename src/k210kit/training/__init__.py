"""Pictures in, a camera model out: data sets, nets, training, measuring, the report and the bundle.

Importing this imports neither TensorFlow nor any data; `train` and `evaluate` do when they are called.
"""

from __future__ import annotations

from .evaluate import Evaluation, evaluate, figure_rows
from .options import TrainOptions, parse_size
from .train import TrainResult, train

__all__ = ["Evaluation", "TrainOptions", "TrainResult", "evaluate", "figure_rows", "parse_size", "train"]
