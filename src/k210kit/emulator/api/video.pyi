"""`video` of MaixPy 0.6.2, as the emulator has it; `not emulated` marks what only a board has."""

from typing import Any, NoReturn

def open(path: str, *ignored: Any, **ignored_named: Any) -> NoReturn: ...  # not emulated
