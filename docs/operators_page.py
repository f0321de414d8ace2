"""The reference page of what the compiler takes, read from the importers' tables and the table of limits."""

from __future__ import annotations

from k210kit.compiler.importers import tflite_operators
from k210kit.compiler.importers.keras_layers import LAYERS
from k210kit.compiler.importers.onnx_operators import OPERATORS
from k210kit.compiler.refusals import REFUSALS
from k210kit.compiler.support import LIMITS

__all__ = ["page"]

_START = """# What the compiler takes

An operator of these lists is read; where its settings have no counterpart on the chip, `k210kit check` and
`k210kit compile` name the layer, its sizes, what was found, what is taken, and what to use instead: the table below.
What runs on the KPU and what on the CPU, and why, is in the report of each compilation.

On the KPU: convolutions 1x1 and 3x3 of any stride (other kernels are taken apart where that pays), depthwise and
transposed ones, pooling, fully connected layers as 1x1 convolutions, sums, products and concatenations of maps, batch
norm, interpolation by 2, every elementwise curve. On the CPU, in bytes or floats: enlarging, rearrangements, softmax
and whatever stands behind the last convolution.
"""


def page() -> str:
    """The whole page as Markdown."""
    limits = "\n".join(f"| {x.name} | {x.least} to {x.most:,} | {x.instead} |" for x in LIMITS)
    parts = [_START, f"## Limits of a map\n\n| what | the KPU takes | instead |\n|---|---|---|\n{limits}\n"]
    for title, table in (("TFLite", tflite_operators.OPERATORS), ("ONNX", OPERATORS), ("Keras (.h5, .keras)", LAYERS)):
        names = ", ".join(f"`{name}`" for name in sorted(table))
        parts.append(f"## {title}\n\n{len(table)}: {names}\n")
    rows = "\n".join(f"| {name} | {x.taken} | {x.instead} |" for name, x in REFUSALS.items())
    parts.append(f"## What is refused\n\n| what | taken is | instead |\n|---|---|---|\n{rows}\n")
    return "\n".join(parts)
