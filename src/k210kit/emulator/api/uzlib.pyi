"""`uzlib` of MaixPy 0.6.2, as the emulator has it; `not emulated` marks what only a board has."""

from typing import Any

def decompress(data: Any, wbits: int = 0, bufsize: int = 0) -> bytes: ...
