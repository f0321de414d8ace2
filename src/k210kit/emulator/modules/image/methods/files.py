"""JPEG, files and raw bytes."""

from __future__ import annotations

import numpy as np

from k210kit.timing import jpeg_seconds

from .. import jpeg
from ..arguments import Arguments, as_text, require
from ..codecs import save_bytes
from ..frame import Frame
from ..image import Image
from ..pixels import Format
from ..table import method
from .copying import _packed

__all__ = ["compress", "compressed", "save", "to_bytes"]


def _quality(arguments: Arguments, at: int) -> int:
    quality = arguments.integer(at, "quality", 50)
    require(1 <= quality <= 100, "Error: 1 <= quality <= 100!")
    return quality


def _encoded(image: Image, quality: int) -> bytes:
    """The picture as JPEG, made in the scratch buffer."""
    workshop, frame = image._workshop, image.mutable()
    with workshop.scratch():
        data = jpeg.encode(frame, quality, fast_yuv=workshop.fast_yuv)
        workshop.board.clock.advance(jpeg_seconds(frame.data.size, len(data)))
        require(len(data) < workshop.board.heap.scratch_bytes, "Out of Memory!")
    return data


def _for_ide(data: bytes) -> bytes:
    """JPEG in the IDE's transport: six bits to a byte between two 0xFE."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
    six = np.pad(bits, (0, -len(bits) % 6)).reshape(-1, 6)
    coded = np.packbits(np.pad(six, ((0, 0), (0, 2))), axis=1, bitorder="little").reshape(-1) | 0x80
    return b"\xfe" + coded.tobytes() + b"\xfe"


def _in_place(image: Image, data: bytes, room_for: int) -> Image:
    frame = image._frame
    require(room_for <= frame.size, "Can't compress in place!")
    frame.become(Frame(frame.width, frame.height, Format.JPEG, np.frombuffer(bytearray(data), np.uint8)))
    return image


@method("compress")
def compress(image: Image, arguments: Arguments) -> Image:
    image.mutable()
    data = _encoded(image, _quality(arguments, 0))
    return _in_place(image, data, len(data))


@method("compress_for_ide")
def compress_for_ide(image: Image, arguments: Arguments) -> Image:
    image.mutable()
    data = _encoded(image, _quality(arguments, 0))
    return _in_place(image, _for_ide(data), len(data))


@method("compressed")
def compressed(image: Image, arguments: Arguments) -> Image:
    frame = image.mutable()
    return image._workshop.jpeg(_encoded(image, _quality(arguments, 0)), frame.width, frame.height)


@method("compressed_for_ide")
def compressed_for_ide(image: Image, arguments: Arguments) -> Image:
    frame = image.mutable()
    return image._workshop.jpeg(_for_ide(_encoded(image, _quality(arguments, 0))), frame.width, frame.height)


@method("to_bytes")
def to_bytes(image: Image, _: Arguments) -> bytearray:
    """The picture's own memory as a bytearray: what is written there shows in the picture.

    Only a picture that fills its memory exactly can share it; others (windows of the camera, pictures shrunk in
    place) give a copy. Of a binary picture the firmware gives a quarter, counting words for bytes.
    """
    frame = image._frame
    if frame.format is Format.BINARY:
        return bytearray(_packed(frame.data)[: frame.size // 4].tobytes())
    owner = frame.data
    while isinstance(owner, np.ndarray) and owner.base is not None:
        owner = owner.base
    memory = owner.obj if isinstance(owner, memoryview) else owner
    return memory if isinstance(memory, bytearray) and len(memory) == frame.size else bytearray(frame.data.tobytes())


@method("save", least=2)
def save(image: Image, arguments: Arguments) -> Image:
    """Write .bmp or .jpg; other names write nothing, as on the board."""
    frame, workshop = image._frame, image._workshop
    path = as_text(arguments.values[0]).decode("utf-8", "surrogateescape")
    region = arguments.region(1, frame.width, frame.height)
    quality = _quality(arguments, 2)
    data = save_bytes(frame, path, region, lambda: _encoded(image, quality))
    if data is not None:
        with workshop.board.files.open(path, "wb") as file:
            file.write(data)
    return image
