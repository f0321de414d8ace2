"""In what the programs that run a kmodel differ: Kendryte's SDK and MaixPy's own library.

Source of MaixPy's rules: its closed library, executed (v0.6.2-84 and others); of the SDK's: `lib/drivers/kpu.c` from
V0.5.7 on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from k210kit.errors import InputError
from k210kit.kmodel.arithmetic.floats import exp_nearest, expf

__all__ = ["MAIXPY", "SDK_FUSED", "SDK_STRICT", "FloatMode", "Runtime", "RuntimeName", "runtime_for"]

RuntimeName = Literal["maixpy", "sdk"]
FloatMode = Literal["fma", "strict"]


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """The rules of one runtime."""

    name: str
    fused: bool  # a * b + c is rounded once
    quantize_rounds: bool  # QUANTIZE rounds to the nearest, halves away from zero; else it truncates
    reciprocals: bool  # GLOBAL_AVERAGE_POOL2D and SOFTMAX multiply by 1 / n where the other divides by n
    exp: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    blocks_of_eight: bool  # FULLY_CONNECTED takes its inputs eight by eight where their number allows
    obeys_activation: bool  # FULLY_CONNECTED applies its ReLU or ReLU6
    copies_with_the_cpu: bool  # a convolution's result goes to main memory by CPU, and wide maps lose their last byte
    quantized_flatten: bool  # layer 21 exists


SDK_STRICT = Runtime(
    name="sdk, strict",
    fused=False,
    quantize_rounds=True,
    reciprocals=False,
    exp=exp_nearest,
    blocks_of_eight=False,
    obeys_activation=True,
    copies_with_the_cpu=False,
    quantized_flatten=False,
)

SDK_FUSED = replace(SDK_STRICT, name="sdk, fma", fused=True)

MAIXPY = Runtime(
    name="maixpy",
    fused=True,
    quantize_rounds=False,
    reciprocals=True,
    exp=expf,
    blocks_of_eight=True,
    obeys_activation=False,
    copies_with_the_cpu=True,
    quantized_flatten=True,
)


def runtime_for(runtime: str, float_mode: str) -> Runtime:
    """The rules by name. `float_mode` is the SDK's; MaixPy's floats are known as executed, and always fused."""
    if float_mode not in ("fma", "strict"):
        raise InputError(f"The float mode {float_mode!r} is not known; expected 'fma' or 'strict'.")
    if runtime == "maixpy":
        return MAIXPY
    if runtime == "sdk":
        return SDK_FUSED if float_mode == "fma" else SDK_STRICT
    raise InputError(f"The runtime {runtime!r} is not known; expected 'maixpy' or 'sdk'.")
