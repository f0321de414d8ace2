"""Layers that the format numbers but that no runtime runs, or that nobody knows: kept as bytes."""

from __future__ import annotations

from dataclasses import dataclass

from k210kit.kmodel.layers.base import Layer

__all__ = ["UnknownLayer"]

_NAMES = {
    0: "INVALID",
    3: "GLOBAL_MAX_POOL2D",
    4: "QUANTIZED_GLOBAL_MAX_POOL2D",
    6: "QUANTIZED_GLOBAL_AVERAGE_POOL2D",
    7: "MAX_POOL2D",
    10: "QUANTIZED_AVERAGE_POOL2D",
    19: "QUANTIZED_FULLY_CONNECTED",
}


@dataclass(frozen=True, kw_only=True)
class UnknownLayer(Layer):
    """A body as bytes. Both runtimes stop at it with "Layer is not supported."."""

    number: int
    body: bytes

    @property
    def type(self) -> int:  # type: ignore[override]
        return self.number

    @property
    def name(self) -> str:  # type: ignore[override]
        return _NAMES.get(self.number, f"UNKNOWN_{self.number}")

    @property
    def flags(self) -> int:  # type: ignore[override]
        return int.from_bytes(self.body[:4], "little")

    def parts(self, start: int) -> list[tuple[int, bytes]]:
        return [(start, self.body)]
