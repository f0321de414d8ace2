"""`touchscreen` of MaixPy 0.6.2, as the emulator has it; `not emulated` marks what only a board has."""

from typing import Any

FT62XX: int
NS2009: int
STATUS_IDLE: int
STATUS_MOVE: int
STATUS_PRESS: int
STATUS_RELEASE: int

def calibrate() -> tuple[int, ...]: ...
def init(*arguments: Any, i2c: Any = None, type: Any = None, cal: Any = None) -> None: ...
def read() -> tuple[int, int, int]: ...
