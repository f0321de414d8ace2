"""The one door to Keras on TensorFlow: quiet, seeded, and with an error that says how to install it."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import Any

from k210kit.errors import MissingExtraError

__all__ = ["engine", "quiet", "seeded"]


def engine() -> tuple[Any, Any]:  # Any: TensorFlow ships no types that mypy can follow
    """The modules (tensorflow, keras); the first call takes seconds, so nothing else of the kit makes it."""
    if "tensorflow" in sys.modules and "keras" in sys.modules:
        return sys.modules["tensorflow"], sys.modules["keras"]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with quiet():
        try:
            import tensorflow
        except ImportError as error:
            raise MissingExtraError("tensorflow", extra="train", purpose="Training") from error
        import keras

        tensorflow.constant(0.0)  # the first operation is what makes TensorFlow talk about its choice of kernels
    tensorflow.get_logger().setLevel("ERROR")
    return tensorflow, keras


def seeded(seed: int) -> None:
    """Make everything that follows a function of `seed`, so that a resumed run equals an unbroken one."""
    tensorflow, keras = engine()
    keras.utils.set_random_seed(seed)
    tensorflow.config.experimental.enable_op_determinism()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """TensorFlow's C++ parts write to file descriptor 2 and Keras to stdout, where only our own lines belong."""
    import warnings

    sys.stderr.flush()
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)
