"""The one door to Keras on TensorFlow: quiet, seeded, and with an error that says how to install it."""

from __future__ import annotations

import os
from typing import Any

from k210kit.errors import MissingExtraError

__all__ = ["engine", "seeded"]


def engine() -> tuple[Any, Any]:  # Any: TensorFlow ships no types that mypy can follow
    """The modules (tensorflow, keras); the first call takes seconds, so nothing else of the kit makes it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        import tensorflow
    except ImportError as error:
        raise MissingExtraError("tensorflow", extra="train", purpose="Training") from error
    import keras

    tensorflow.get_logger().setLevel("ERROR")
    return tensorflow, keras


def seeded(seed: int) -> None:
    """Make everything that follows a function of `seed`, so that a resumed run equals an unbroken one."""
    tensorflow, keras = engine()
    keras.utils.set_random_seed(seed)
    tensorflow.config.experimental.enable_op_determinism()
