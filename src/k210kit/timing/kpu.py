"""Cycles of the KPU for one convolution.

The KPU takes one line of 64 bytes per cycle: for each output channel it reads the whole input once, whatever the
kernel, so a narrow map that fills its lines badly costs as much as a wide one; a depthwise layer reads its input once.

The constants are a least-squares fit to the 22 layers whose times a K210 printed for the face detector (nncase issue
77, milliseconds at 400 MHz); every one of them comes out within 4.5 %, their sum within 1 %. What a large kernel takes
to load is fitted to Sipeed's table of 3x3 layers with 16-bit weights (bbs.sipeed.com topic 691).
"""

from __future__ import annotations

from k210kit.kmodel.layers import Conv, Layer
from k210kit.kmodel.registers import Registers

__all__ = ["dense_cycles", "depthwise_cycles", "layer_cycles", "register_cycles"]

_START = 23_144  # start, batch norm and activation table, interrupt
_PER_LINE = 1.0115  # per line of 64 bytes and output channel
_PER_KERNEL = 1.334  # to load a kernel of a few bytes
_PER_WEIGHT_BYTE = 0.228  # to load a larger kernel
_DEPTHWISE_START = 2_650
_DEPTHWISE_PER_LINE = 2.285
_DEPTHWISE_PER_CHANNEL = 12.6


def layer_cycles(layer: Layer, *, weight_bytes: int = 1) -> int:
    """Cycles of the KPU that a layer takes; 0 for a layer of the CPU."""
    return register_cycles(layer.registers, weight_bytes=weight_bytes) if isinstance(layer, Conv) else 0


def register_cycles(registers: Registers, *, weight_bytes: int = 1) -> int:
    """Cycles of the KPU for the layer that these registers describe; `weight_bytes` is 1 or 2."""
    lines, channels = registers.input_lines, registers.input_channels
    if registers.depthwise:
        return depthwise_cycles(lines, channels)
    return dense_cycles(lines, channels, registers.output_channels, registers.kernel_size**2 * weight_bytes)


def dense_cycles(lines: int, channels: int, outs: int, kernel_bytes: int) -> int:
    """Cycles of a layer that makes each of `outs` channels of all of a map of so many lines and channels."""
    per_kernel = max(_PER_KERNEL, _PER_WEIGHT_BYTE * kernel_bytes)
    return round(_START + _PER_LINE * lines * outs + per_kernel * channels * outs)


def depthwise_cycles(lines: int, channels: int) -> int:
    """Cycles of a layer that makes each channel of one."""
    return round(_DEPTHWISE_START + _DEPTHWISE_PER_LINE * lines + _DEPTHWISE_PER_CHANNEL * channels)
