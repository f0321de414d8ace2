"""Small kmodels that the tests make themselves."""

from __future__ import annotations

import numpy as np

from k210kit.kmodel import (
    ActivationTable,
    BatchNorm,
    Conv,
    Dequantize,
    GlobalAveragePool,
    Kmodel,
    Output,
    Registers,
)


def ramp(shift: int = 4) -> ActivationTable:
    """An activation table that divides by 2**shift and clamps."""
    zeros = np.zeros(16, np.int64)
    starts = np.arange(16, dtype=np.int64) * (16 << shift)
    starts[0] = -(1 << 35)
    bias = np.arange(16, dtype=np.int64) * 16
    slopes = zeros + 1
    slopes[0] = 0
    return ActivationTable(x_start=starts, y_mul=slopes, shift=zeros + shift, bias=bias)


def conv(
    *, shape: tuple[int, int, int] = (3, 8, 10), outputs: int = 4, kernel: int = 3, seed: int = 0, **values: int
) -> Conv:
    """A convolution with random weights."""
    rng = np.random.default_rng(seed)
    depthwise = bool(values.get("depthwise", 0))
    outputs = shape[0] if depthwise else outputs
    registers = Registers.for_conv(
        input_shape=shape, output_channels=outputs, kernel_size=kernel, depthwise=depthwise,
        pool_type=values.get("pool_type", 0), shr_x=15, arg_x=-(128 << 15), output_line=values.get("output_line", 0),
    )  # fmt: skip
    size = (outputs, kernel, kernel) if depthwise else (outputs, shape[0], kernel, kernel)
    return Conv(
        flags=values.get("flags", 1),
        main_out=values.get("main_out", 0),
        registers=registers,
        weights=rng.integers(0, 256, size, np.uint8),
        batch_norm=BatchNorm(
            mul=np.full(outputs, 1 << 14), add=rng.integers(-99, 99, outputs), shift=np.full(outputs, 15)
        ),
        activation=ramp(),
    )


def small_model() -> Kmodel:
    """Convolution, dequantise, global mean: three layers, one output of four floats."""
    first = conv(output_line=1000)
    pixels = first.registers.output_width * first.registers.output_height
    floats = 4 * 4 * pixels
    return Kmodel(
        main_memory_bytes=floats + 4 * pixels,
        outputs=(Output(address=floats, size=16),),
        layers=(
            Conv(
                flags=1, main_out=floats, registers=first.registers, weights=first.weights,
                batch_norm=first.batch_norm, activation=first.activation,
            ),
            Dequantize(input=floats, output=0, count=4 * pixels, scale=0.5, bias=-1.0),
            GlobalAveragePool(input=0, output=floats, kernel_size=pixels, channels=4),
        ),
    )  # fmt: skip
