"""Random layers of the KPU for Hypothesis: every kernel, pool, table and register that the format can hold."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from k210kit.kmodel.arithmetic.kpu import Convolution

WIDTHS = (1, 2, 3, 7, 15, 16, 17, 31, 32, 33, 63, 64, 65, 128)  # on both sides of every change of layout


@st.composite
def layers(draw: Any, *, widths: tuple[int, ...] = (1, 2, 3, 4, 5, 9)) -> tuple[Convolution, NDArray[np.uint8]]:
    """A layer and pixels [c, h, w] for it; `plain` ones are those that compilers write."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kernel, pool_type = draw(st.sampled_from((1, 3))), draw(st.integers(0, 9))
    smallest = {3: 4, 4: 4, 7: 4}.get(pool_type, 2 if pool_type in (1, 2, 5, 6) else 1)
    width = max(smallest, draw(st.sampled_from(widths)))
    height = max(smallest, draw(st.integers(1, 5 if width < 16 else 2)))
    channels, outputs = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    depthwise = draw(st.booleans())
    outputs = channels if depthwise else outputs
    dtype = draw(st.sampled_from((np.uint8, np.uint8, np.uint16)))
    shape = (outputs, kernel, kernel) if depthwise else (outputs, channels, kernel, kernel)
    plain = draw(st.booleans())
    spec = Convolution(
        weights=rng.integers(0, np.iinfo(dtype).max + 1, shape, dtype),
        depthwise=depthwise,
        pad_value=draw(st.sampled_from((0, 1, 128, 255))),
        pool_type=pool_type,
        **_zero_points(draw, plain),
        **_batch_norm(draw, rng, outputs, plain),
        **_table(draw, rng, plain),
    )
    extreme = draw(st.sampled_from((None, None, 0, 255)))
    pixels = rng.integers(0, 256, (channels, height, width), np.uint8)
    return spec, pixels if extreme is None else np.full_like(pixels, extreme)


def _zero_points(draw: Any, plain: bool) -> dict[str, int]:
    if plain:
        return {"arg_x": -draw(st.integers(0, 255)) << 15, "shr_x": 15, "arg_w": -draw(st.integers(0, 255)), "shr_w": 0}
    signed = st.integers(-(2**23), 2**23 - 1)
    return {
        "arg_x": draw(signed),
        "shr_x": draw(st.integers(0, 15)),
        "arg_w": draw(signed),
        "shr_w": draw(st.integers(0, 15)),
        "arg_add": draw(st.integers(-(2**20), 2**20)),
    }


def _batch_norm(draw: Any, rng: np.random.Generator, outputs: int, plain: bool) -> dict[str, NDArray[np.int64]]:
    most = 1 << (15 if plain else draw(st.integers(1, 19)))
    return {
        "bn_mul": rng.integers(-most // 8 if plain else -most, most, outputs),
        "bn_shift": rng.integers(0, 16, outputs),
        "bn_add": rng.integers(-most, most, outputs),
    }


def _table(draw: Any, rng: np.random.Generator, plain: bool) -> dict[str, NDArray[np.int64]]:
    """Sorted or not, dense or wide, with ties on purpose: small shifts make many halves."""
    reach = 1 << draw(st.integers(4, 24))
    starts = rng.integers(-reach, reach, 16)
    if draw(st.booleans()):
        starts = np.sort(starts)
    starts[0] = draw(st.sampled_from((-(2**35), int(starts[0]))))
    slopes = rng.integers(0 if plain else -40, 1 << draw(st.integers(1, 15)), 16)
    shifts = rng.integers(0, draw(st.sampled_from((2, 8, 24))), 16)
    shifts[rng.random(16) < 0.05] = 255
    if draw(st.booleans()):
        slopes[0] = 0
    return {"x_start": starts, "y_mul": slopes, "shift": shifts, "bias": rng.integers(0, 256, 16)}
