"""What the KPU does for `conv3`: one 3 x 3 kernel over each plane.

Source: `sipeed_conv.c`. Weights become 16-bit steps of the kernel's range, the sum is cut to a whole number and to
0..255; pixels outside count as 0. The KPU's rounding of the scale itself (14 bits) is left out: at most one level.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["convolved"]


def convolved(planes: NDArray[np.uint8], kernel: Sequence[float]) -> NDArray[np.uint8]:
    """Filter planes [c, h, w]."""
    low, high = min(0.0, *kernel), max(0.0, *kernel)
    step = (high - low) / 65535 or 1.0
    weights = [np.floor((weight - low) / step + 1e-9) * step + low for weight in kernel]
    padded = np.pad(planes.astype(np.float64), ((0, 0), (1, 1), (1, 1)))
    height, width = planes.shape[1:]
    total = np.zeros(planes.shape)
    for at, weight in enumerate(weights):
        y, x = divmod(at, 3)
        total += weight * padded[:, y : y + height, x : x + width]
    return np.clip(np.floor(total + 1e-6), 0, 255).astype(np.uint8)
