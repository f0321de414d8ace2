"""What every layer of a kmodel has in common, and the table that its classes join."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, TypeVar

from k210kit import wire
from k210kit.errors import FormatError, UnsupportedError
from k210kit.kmodel.layers.machine import Machine, Tensor

__all__ = ["LAYERS", "Layer", "layer"]


class Layer:
    """One layer. Its fields are those of its body in the file, flags first; addresses are bytes in main memory."""

    type: ClassVar[int]
    name: ClassVar[str]
    flags: int

    @classmethod
    def read(cls, data: memoryview, start: int, end: int, *, where: str, eight_bit_weights: bool) -> Layer:
        """Read the body that lies at bytes `start` to `end` of the file `data`."""
        made = wire.read(cls, data[:end], start, where=where)
        if start + wire.wire_size(made) > end:
            raise FormatError("the body is too short", field=where, offset=start, found=f"{end - start} bytes")
        return made

    def parts(self, start: int) -> list[tuple[int, bytes]]:
        """What the body consists of when it starts at file offset `start`: pairs of file offset and bytes."""
        return [(start, wire.write(self))]

    def run(self, machine: Machine) -> Tensor:
        """Do what the layer does to the machine's memories; what it made is returned too."""
        raise UnsupportedError(
            f"{self.name} is a layer that no runtime runs: both stop with 'Layer is not supported.'."
        )


LAYERS: dict[int, type[Layer]] = {}
L = TypeVar("L", bound=type[Layer])


def layer(type_number: int, name: str) -> Callable[[L], L]:
    """Give a layer class its number in the file and its name in the SDK, and let it join the table."""

    def join(cls: L) -> L:
        cls.type, cls.name = type_number, name
        LAYERS[type_number] = cls
        return cls

    return join
