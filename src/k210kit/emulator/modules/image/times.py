"""How long the board works on pictures.

Estimates, not measurements: the CPU runs at 400 MHz from cached SRAM, and the firmware's loops are plain C at -Os.
The figures count the instructions per pixel of those loops. One was measured: swapping the bytes of a QVGA frame takes
1.7 ms on both cores, 22 ns per pixel.
"""

from __future__ import annotations

__all__ = ["NANOSECONDS_PER_PIXEL", "seconds"]

NANOSECONDS_PER_PIXEL = {
    "copy": 5.0,
    "draw": 30.0,  # imlib_set_pixel checks bounds and format for each pixel
    "blend": 250.0,
    "bilinear": 350.0,
    "planes": 45.0,
    "convert": 60.0,
    "compare": 120.0,
    "decode": 900.0,
    "neighbourhood": 40.0,  # per pixel and neighbour
    "warp": 250.0,
    "hough": 1500.0,
    "codes": 2500.0,
}
_CALL = 12e-6  # a call of the interpreter with its arguments


def seconds(work: str, pixels: int) -> float:
    """Seconds that the board needs."""
    return _CALL + NANOSECONDS_PER_PIXEL[work] * 1e-9 * pixels
