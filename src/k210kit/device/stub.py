"""The flash program that is sent to the boot ROM first: taken from the installed kflash, never part of this kit.

The program is the vendor's (K210 ISP), published inside the kflash package as a compressed constant. It is read out of
the package's source text without running it.
"""

from __future__ import annotations

import ast
import importlib.util
import zlib
from functools import cache
from pathlib import Path

from k210kit.errors import DeviceError, MissingExtraError
from k210kit.hardware import PROGRAM_MARK, PROGRAM_MARK_AT

from .isp import MEMORY_CHUNK_BYTES

__all__ = ["flash_program", "placeholder_program"]

_NAME = "ISP_PROG"
MOST_BYTES = 256 * 1024


@cache
def flash_program() -> bytes:
    """The flash program of the kflash package that is installed."""
    found = importlib.util.find_spec("kflash")
    if found is None or found.origin is None:
        raise MissingExtraError("kflash", extra="device", purpose="flashing a board")
    path = Path(found.origin)
    packed = _constant(path.read_text(encoding="utf-8"))
    try:
        program = zlib.decompressobj().decompress(bytes.fromhex(packed), MOST_BYTES)
    except (ValueError, zlib.error):
        program = b""
    if not program.startswith(PROGRAM_MARK, PROGRAM_MARK_AT):
        raise DeviceError(
            f"The installed kflash ({path}) holds no flash program where version 1.1.6 has it. "
            "Install that version: pip install kflash==1.1.6"
        )
    return program


def placeholder_program() -> bytes:
    """What a pretend board takes for a flash program where kflash is not installed: the mark, and nothing that runs."""
    return (bytes(PROGRAM_MARK_AT) + PROGRAM_MARK).ljust(MEMORY_CHUNK_BYTES, b"\0")


def _constant(source: str) -> str:
    """The longest text constant that is assigned to the program's name."""
    texts = [
        node.value.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        and any(isinstance(target, ast.Name) and target.id == _NAME for target in node.targets)
    ]
    return max(texts, key=len, default="")
